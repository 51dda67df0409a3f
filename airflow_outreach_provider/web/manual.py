"""The pages of ``docs/`` as pages of ours: those of the version that is installed, without anything from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from airflow_outreach_provider.web.diagrams import readable

FOLDER = Path(__file__).parents[1] / "docs"
IMAGES = FOLDER / "images"

# Every page of the folder, in the order in which they are read; mkdocs.yml has the same.
SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("index", "tutorial", "install", "cookbook")),
    ("Platforms", ("tether", "supersend", "varda", "autoreach", "custom")),
    ("Use", ("leads", "events", "deliveries", "pages", "reference", "settings")),
    ("Run", ("operations", "scale", "deployment", "security", "migration")),
    ("Build", ("architecture",)),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A section of a page. :ivar anchor: its id."""

    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class ManualPage:
    """A page, ready to be shown.

    :ivar summary: its first paragraph as text. :ivar html: everything below the title; what was no markup of ours
        is escaped. Links are relative to ``/help/<name>``.
    """

    name: str
    title: str
    summary: str
    headings: tuple[Heading, ...]
    html: str


def names() -> list[str]:
    """The names of all pages."""
    return [name for _, section in SECTIONS for name in section]


@cache
def manual_page(name: str) -> ManualPage:
    """A page by its name. :raises KeyError: there is none of this name."""
    if name not in names():
        raise KeyError(name)
    return rendered(name, (FOLDER / f"{name}.md").read_text("utf-8"))


def image(name: str) -> Path | None:
    """The file of a picture; None where there is none of this name."""
    return next((path for path in IMAGES.glob("*") if path.name == name), None)


def rendered(name: str, markdown: str) -> ManualPage:
    """A text in Markdown as a page. HTML in it is shown as it is written."""
    parser = _parser()
    tokens = parser.parse(markdown)
    title, summary, headings = name, "", []
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _plain(tokens[place + 1])
            token.attrSet("id", slug(text))
            if token.tag == "h1":
                title = text
            elif token.tag == "h2":
                headings.append(Heading(slug(text), text))
        elif token.type == "paragraph_open" and not summary:
            summary = _plain(tokens[place + 1])
        _adjust(token)
    body = tokens[3:] if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1" else tokens
    return ManualPage(name, title, summary, tuple(headings), parser.renderer.render(body, parser.options, {}))


def slug(heading: str) -> str:
    """The anchor of a heading: small letters, blanks as ``-``, no other marks."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip())


def target(href: str) -> str | None:
    """Where a link of a page leads below ``/help/``; None where that is not among the pages.

    ``leads.md#states`` is ``leads#states``. Nothing outside is linked to: the frame in Airflow opens no other site.
    """
    parts = urlsplit(href)
    if parts.scheme or parts.netloc or parts.query:
        return None
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    if not parts.path:
        return anchor or None
    name = parts.path.removesuffix(".md")
    return f"{name}{anchor}" if name in names() and parts.path.endswith(".md") else None


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


def _table_open(_renderer: Any, *_: Any) -> str:
    return '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>\n'


def _adjust(token: Token) -> None:
    """What the pages' policy does not allow, said otherwise: inline styles, scripts that draw, other sites."""
    if "text-align:right" in str(token.attrs.pop("style", "")):
        token.attrSet("class", "num")
    if token.type == "fence":
        if token.info.strip() == "mermaid":
            token.content, token.info = readable(token.content), "text"
        token.attrSet("tabindex", "0")
    if token.children:
        token.children = _adjusted(token.children)


def _adjusted(children: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    outside: list[str] = []
    for child in children:
        if child.type == "image":
            child.attrSet("src", f"images/{Path(str(child.attrGet('src'))).name}")
        if child.type == "link_open":
            href = str(child.attrGet("href"))
            found = target(href)
            outside.append("" if found else href)
            if found is None:
                continue
            child.attrSet("href", found)
        elif child.type == "link_close" and (href := outside.pop()):
            kept.append(Token("text", "", 0, content=f" ({href})"))
            continue
        kept.append(child)
    return kept


def _plain(inline: Token) -> str:
    return "".join(
        " " if each.type == "softbreak" else each.content
        for each in inline.children or ()
        if each.type in ("text", "code_inline", "softbreak")
    )
