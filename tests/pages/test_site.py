"""The site builds from the pages without a warning, and asks nobody for anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """Links may lead out; scripts, styles, fonts and pictures come along."""
    fetched = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")
    imported = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')]+)""")
    found = {match for page in site.rglob("*.html") for match in fetched.findall(page.read_text())}
    found |= {match for sheet in site.rglob("*.css") for match in imported.findall(sheet.read_text())}
    assert found == set()


def test_numbers_of_records_are_shown_without_their_source(site: Path) -> None:
    text = (site / "results" / "runs.html").read_text()
    visible = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    assert "accuses 0 of 51 independent models" in re.sub(r"\s+", " ", visible)
    assert "&lt;!--" not in text
