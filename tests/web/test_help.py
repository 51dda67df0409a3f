"""*Help*: every page of docs/ opens, its links and pictures lead somewhere, and nothing in it is more than text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airflow_outreach_provider
from airflow_outreach_provider.web import manual
from airflow_outreach_provider.web.diagrams import readable

DOCS = Path(airflow_outreach_provider.__file__).parent / "docs"
BASE = "http://testserver/af/outreach"
ALLOWED = frozenset(
    [
        "a",
        "article",
        "blockquote",
        "br",
        "code",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "hr",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)

Site = Callable[..., Any]


class Found(HTMLParser):
    """What a page consists of: tags with their attributes, links, pictures, anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def values(self, tag: str, attribute: str) -> list[str]:
        return [attrs[attribute] for name, attrs in self.tags if name == tag and attribute in attrs]

    @property
    def anchors(self) -> set[str]:
        return {attrs["id"] for _, attrs in self.tags if "id" in attrs}


def test_every_file_is_a_page_and_every_page_a_file() -> None:
    """A new file in docs/ has a place in Help, once."""
    assert sorted(manual.names()) == sorted(path.stem for path in DOCS.glob("*.md"))


@pytest.mark.slow
@pytest.mark.parametrize("name", manual.names())
def test_every_page_opens_with_working_links(site: Site, name: str) -> None:
    """A viewer reads it; each link leads to a page and an anchor that are there, each picture is one."""
    viewer = site("VIEWER")
    answer = viewer.get(f"{BASE}/help/{name}")
    assert answer.status_code == 200, answer.text
    page = Found(answer.text)
    assert manual.manual_page(name).summary
    body = Found(manual.manual_page(name).html)
    for href in body.values("a", "href"):
        url = urljoin(f"{BASE}/help/{name}", href)
        assert url.startswith(f"{BASE}/help/"), href
        there = page if href.startswith("#") else Found(viewer.get(url.partition("#")[0]).text)
        if fragment := urlsplit(url).fragment:
            assert fragment in there.anchors, href
    for source in body.values("img", "src"):
        picture = viewer.get(urljoin(f"{BASE}/help/{name}", source))
        assert picture.status_code == 200, source
        assert picture.headers["content-type"].startswith("image/")
    # No style or script of a page, no other site's anything: the policy would refuse it.
    assert {tag for tag, _ in body.tags} <= ALLOWED
    assert not [
        attrs for _, attrs in body.tags if "style" in attrs or any(key.startswith("on") for key in attrs)
    ]
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_help_lists_every_page(site: Site) -> None:
    """The first page of Help leads to all others; it is in the menu of the pages."""
    page = Found(site("VIEWER").get(f"{BASE}/help").text)
    found = {href.rpartition("/help/")[2] for href in page.values("a", "href") if "/help/" in href}
    assert found == set(manual.names())
    assert "/af/outreach/help" in Found(site("VIEWER").get(f"{BASE}/leads").text).values("a", "href")


@pytest.mark.parametrize("path", ["/help", "/help/install", "/help/images/flows.svg"])
def test_help_asks_for_the_same_rights_as_the_other_pages(site: Site, path: str) -> None:
    """Nobody without log-in reads it, pictures included."""
    assert site(None).get(BASE + path).status_code == 401
    assert site("VIEWER").get(BASE + path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/help/nothing", "/help/..%2f..%2fpyproject", "/help/images/nothing.png", "/help/images/..%2finstall.md", "/help/images/%2e%2e"],
)  # fmt: skip
def test_what_is_no_page_is_not_found(site: Site, path: str) -> None:
    """No name reaches a file beside the pages."""
    assert site("VIEWER").get(BASE + path).status_code == 404


HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))",
    "[x](https://evil.example/)", "![x](https://evil.example/x.png)", "[x](data:text/html,<script>)",
    "```html\n</code></pre><script>alert(1)</script>\n```", "```mermaid\na --> b: <script>\n```",
    "| <b>a</b> |\n| ---: |\n| <script> |", "# <script>alert(1)</script>", "<a href='x' onclick=alert(1)>", "`<script>`",
    '```"><script>\nx\n```', "[x](../../secrets.md)", "[x](install.md?x=1)", "<javascript:alert(1)>", "[x]: javascript:x\n[x]",
]  # fmt: skip


def harmless(markdown: str) -> None:
    page = Found(manual.rendered("page", markdown).html)
    assert {tag for tag, _ in page.tags} <= ALLOWED
    for _, attrs in page.tags:
        assert not [key for key in attrs if key == "style" or key.startswith("on")]
    for href in page.values("a", "href"):
        assert re.match(r"#|[a-z]+(#|$)", href), href
    for source in page.values("img", "src"):
        assert re.fullmatch(r"images/[^/]*", source), source


@pytest.mark.parametrize("markdown", HOSTILE)
def test_hostile_text_is_text(markdown: str) -> None:
    """No markup, script, style or foreign address comes through; what was written is shown."""
    harmless(markdown)


@given(
    st.lists(
        st.sampled_from([*HOSTILE, "text", "> quote", "* item", "**bold**", "\n\n", "| a |\n| - |\n| b |"]),
        max_size=6,
    )
)
def test_no_mixture_of_it_is_more_than_text(parts: list[str]) -> None:
    """Whatever stands beside whatever."""
    harmless("\n".join(parts))


def test_diagrams_are_read_arrow_by_arrow() -> None:
    """Every arrow of every drawing is a line, with the texts of its ends; what is no drawing stays."""
    page = (DOCS / "architecture.md").read_text("utf-8")
    drawings = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert len(drawings) == 4
    for drawing in drawings:
        assert readable(drawing).count("\n") == drawing.count("-->")
    assert "planned  →  sending: claimed" in readable(drawings[2])
    assert "[" not in readable(drawings[0])
    assert readable("pie\n  a: 1") == "pie\n  a: 1"
