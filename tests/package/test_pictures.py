"""The pictures in README and documentation: of the pages, all of one width, small, and each used."""

from __future__ import annotations

import re

import pytest
from documents import DOCS, DOCUMENTS
from PIL import Image

from airflow_outreach_provider.web.rendering import NAV

IMAGES = DOCS / "images"


def test_together_they_are_small() -> None:
    """Under 1.5 MB: they travel in every wheel."""
    assert 0 < sum(path.stat().st_size for path in IMAGES.iterdir()) < 1_500_000


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.png")), ids=lambda path: path.stem)
def test_each_is_of_one_width_in_few_colours(path) -> None:  # type: ignore[no-untyped-def]
    """1,400 pixels, a palette, and more than one colour on it."""
    with Image.open(path) as picture:
        assert picture.width == 1400
        assert picture.mode == "P"
        colours = picture.getcolors()
        assert colours is not None
        assert len(colours) > 8


def test_each_is_used_and_says_what_it_shows() -> None:
    """No picture without a page, and none without words for who cannot see it."""
    text = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    shown = re.findall(r"!\[([^\]]*)\]\((?:\S*/)?images/([^)]+)\)", text)
    assert {name for _, name in shown} == {path.name for path in IMAGES.iterdir()}
    assert [name for words, name in shown if len(words) < 20] == []


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: path.stem)
def test_a_drawing_is_readable_in_light_and_dark(path) -> None:  # type: ignore[no-untyped-def]
    """It has colours for both, words for who cannot see it, and no script or foreign address."""
    drawing = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme: dark" in drawing
    assert "<title" in drawing
    assert "<script" not in drawing
    assert re.findall(r'(?:href|src|url)\s*[=(]\s*"?(?!#)[^")]*', drawing) == []


@pytest.mark.parametrize("name", [name for _, _, name in NAV])
def test_every_page_of_the_menu_is_explained(name: str) -> None:
    """docs/pages.md has a row for each."""
    assert re.search(rf"^\| {re.escape(name)} \|", (DOCS / "pages.md").read_text("utf-8"), re.MULTILINE)
