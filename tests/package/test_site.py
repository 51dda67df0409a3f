"""``make docs``: the same pages as a site, complete, and with nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from airflow_outreach_provider.web import manual

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it, strictly."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_the_site_has_every_page(site: Path) -> None:
    """One page each, and a first one."""
    pages = {path.parent.relative_to(site).as_posix() for path in site.rglob("index.html")}
    assert pages == {"." if name == "index" else name for name in manual.names()}


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No script, style, font or picture of another address."""
    text = "".join(path.read_text("utf-8") for path in site.rglob("*.html"))
    assert re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//[^"]*"', text) == []
    assert re.findall(r'<link[^>]*\shref="(?:https?:)?//[^"]*"', text) == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//", styles) == []


def test_blocks_stay_blocks(site: Path) -> None:
    """No fence is left as text, within lists neither, and no drawing waits for a script."""
    for path in site.rglob("index.html"):
        text = path.read_text("utf-8")
        assert "```" not in text, path
        assert "mermaid" not in text, path


def test_the_sites_order_is_helps() -> None:
    """Both have the same sections and pages in the same order."""
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    shown = [
        (title, [name.removesuffix(".md") for name in pages]) for each in nav for title, pages in each.items()
    ]
    assert shown == [(title, list(names)) for title, names in manual.SECTIONS]
