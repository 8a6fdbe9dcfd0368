"""README and docs: links lead somewhere, lines and pages are short, and every page is in both tables of contents."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from markdown.extensions.toc import slugify

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *DOCS]
LINE, WORDS = 120, 1500
FRONT_WORDS, NEWS_LINES = 900, 25
NOTEBOOK = ROOT / "docs" / "notebook.md"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def outside_code(text: str) -> Iterator[str]:
    """The lines that are no code, without what stands in backticks."""
    code = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            code = not code
        elif not code:
            yield re.sub(r"`[^`]*`", "``", line)


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", "\n".join(outside_code(page.read_text())))


def anchors(page: Path) -> set[str]:
    """Those of the headings, as both the site and GitHub make them."""
    code, found = False, set()
    for line in page.read_text().splitlines():
        code ^= line.startswith("```")
        if not code and (heading := re.match(r"#+ (.*)", line)):
            found.add(slugify(heading[1].replace("`", ""), "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        address = urlsplit(link)
        if address.scheme:
            well_formed = address.scheme == "https" and "." in address.netloc
        else:
            target = (page.parent / address.path).resolve() if address.path else page
            well_formed = target.is_file() and (not address.fragment or address.fragment in anchors(target))
        if not well_formed:
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", DOCS, ids=name)
def test_the_site_holds_what_its_pages_link_to(page: Path) -> None:
    local = [urlsplit(link).path for link in links(page) if not urlsplit(link).scheme]
    assert [link for link in local if not (page.parent / link).resolve().is_relative_to(ROOT / "docs")] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_fit_an_editor(page: Path) -> None:
    """Rows of tables cannot be broken."""
    lines = page.read_text().splitlines()
    assert [line for line in lines if len(line) > LINE and not line.startswith("|")] == []


@pytest.mark.parametrize("page", [page for page in DOCS if page != NOTEBOOK], ids=name)
def test_pages_are_short(page: Path) -> None:
    assert len(page.read_text().split()) <= WORDS


def test_the_front_page_is_shorter() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= FRONT_WORDS


def test_news_of_the_next_release_fit_a_screen() -> None:
    news = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1]
    assert len([line for line in news.splitlines()[1:] if line]) <= NEWS_LINES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_line_begins_with_a_number_of_a_record(page: Path) -> None:
    """Markdown takes a line that begins with a comment for HTML, and shows the rest of it as it is written."""
    assert re.findall(r"^\s*(?:[-*] |\d+\. )?<!--=.*", page.read_text(), re.MULTILINE) == []


def in_navigation(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:  # type: ignore[attr-defined]
            yield from in_navigation(part)


def test_every_page_stands_in_both_tables_of_contents_in_one_order() -> None:
    navigation = list(in_navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(navigation) == [str(page.relative_to(ROOT / "docs")) for page in DOCS]
    listed = [link for link in links(ROOT / "docs" / "index.md") if link.endswith(".md")]
    assert ["index.md", *listed] == navigation
