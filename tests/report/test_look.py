"""What all pages share can be read: colours stand out in both schemes, and tables and pages say what they are."""

import re
from pathlib import Path

import pytest

REPORT = Path(__file__).resolve().parents[2] / "nf" / "report"
CSS = (REPORT / "style.css").read_text()
TEMPLATES = sorted(REPORT.glob("*.j2"))
LEAST = 4.5
"""Contrast of text with what is behind it that WCAG 2.2 asks for at level AA."""


def colours(scheme: str) -> dict[str, str]:
    light, dark = CSS.split("@media (prefers-color-scheme: dark)", 1)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found if scheme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("behind", ["page", "panel", "wrong"])
@pytest.mark.parametrize("text", ["ink", "muted", "stolen", "honest"])
def test_text_stands_out(scheme: str, text: str, behind: str) -> None:
    known = colours(scheme)
    assert contrast(known[text], known[behind]) >= LEAST


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_headers_say_something_and_pages_do_not_move_by_themselves(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<th[^>]*>\s*</th>", text)
    assert "http-equiv" not in text
    assert "<img" not in text or 'alt="' in text
    if "<html" in text:
        assert '<html lang="en">' in text
        assert "<h1>" in text
        assert "<title>" in text
        assert "<main>" in text
