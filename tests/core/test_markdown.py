"""Foreign words in Markdown: whatever they are, they are shown as words, in their own cell."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from airflow_outreach_provider.core.markdown import Marked, code, plain, table

HOSTILE = [
    "a|b", "a\\|b", "\\", "`", "``x``", "a\nb", "| --- |\n| x |", "<script>alert(1)</script>", "![x](https://evil.example/x)",
    "[Approve](https://evil.example)", "www.evil.example", "https://evil.example", "mailto:a@b.example", "**all**", "__x__", "a_b_c", "_x_",
    "~~gone~~", "&lt;b&gt;", "{{ 7*7 }}", "# head", "- item", "> said", "\u202egnp.exe", "\u2028", "\x00", "\ud800", "", " ", "1. one", "<!--", "$x$", "[^1]",
]  # fmt: skip
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(), st.text(alphabet="|`\\\n <>[]()*_~!#&-:"))


def tokens(text: str) -> list[Token]:
    """As GitHub's Markdown is read, HTML let through."""
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def words(token: Token) -> str:
    return "".join(each.content for each in token.children or ())


@pytest.mark.slow
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5), st.sets(st.integers(0, 2)))
@example([("a|b", "`", "<script>")], {1})
def test_each_line_has_as_many_cells_whatever_is_in_them(
    rows: list[tuple[str, str, str]], numbers: set[int]
) -> None:
    """However cells are counted: by a renderer, by bars that are not escaped, or by all bars there are."""
    written = table(
        ["a", "b_c", "d|e"], [[code(one), plain(two), code(three)] for one, two, three in rows], numbers
    )
    lines = written.split("\n")
    assert len(lines) == len(written.splitlines()) == len(rows) + 2
    assert {line.count("|") for line in lines} == {4}
    assert all(re.fullmatch(r"\| .* \| .* \| .* \|", line) for line in lines)
    read = tokens(written)
    assert [each.type for each in read if each.type == "table_open"] == ["table_open"]
    assert sum(each.type in ("th_open", "td_open") for each in read) == 3 * (len(rows) + 1)
    assert not [each for each in read if each.type in ("html_block", "fence", "heading_open")]


@given(TEXT)
def test_foreign_words_are_words(text: str) -> None:
    """Between backticks nothing is found in them: one piece of code, or the sign for nothing."""
    [inline] = [each for each in tokens(table(["a"], [[code(text)]])) if each.type == "inline"][1:]
    kinds = [each.type for each in inline.children or ()]
    assert kinds == (["code_inline"] if code(text) != "–" else ["text"])
    assert len(words(inline)) <= 160


@given(TEXT)
def test_a_sentence_shows_its_names_as_they_are(text: str) -> None:
    """No emphasis, link, image or HTML comes of what is in it, and nothing is lost but what nobody sees."""
    [inline] = [each for each in tokens(f"Note: {plain(text)}.") if each.type == "inline"]
    assert {each.type for each in inline.children or ()} <= {"text", "text_special", "softbreak"}
    seen = "".join(each for each in words(inline) if each.isalnum())
    if len(text) < 300:
        assert seen == "Note" + "".join(each for each in text.replace("`", "ʼ") if each.isalnum())


@pytest.mark.parametrize("text", HOSTILE)
def test_what_cannot_be_seen_is_seen(text: str) -> None:
    """No mark that turns the writing round, no control character, no line of its own."""
    for shown in (code(text), plain(text)):
        assert shown.isprintable(), ascii(shown)


def test_a_table_is_readable_as_text() -> None:
    """Columns stand below each other, numbers at their right, as in a mail that knows no Markdown."""
    written = table(["State", "Rows"], [[code("planned"), Marked("1,234")], [code("held"), Marked("5")]], {1})
    assert written.splitlines() == [
        "| State     |  Rows |",
        "| --------- | ----: |",
        "| `planned` | 1,234 |",
        "| `held`    |     5 |",
    ]
