"""Markdown of foreign words: what a row, a file or a run is called never becomes markup, a link or another cell.

Two renderers are meant: Airflow's page (GitHub's Markdown, HTML dropped, addresses in running text turned into links)
and none at all, where a mail or a chat shows the text as it is. So columns are padded, and foreign words stand between
backticks, where nothing is looked for in them, rather than behind backslashes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import NewType

Marked = NewType("Marked", str)
"""A piece of Markdown that stays within its line and its cell."""

NOTHING = Marked("–")
_LONGEST = 160
_PAD_UP_TO = 48
# In a cell both would end what they stand in, however they are escaped and whoever reads it.
_LOOKALIKES = str.maketrans({"|": "¦", "`": "ʼ"})
# Controls, marks that turn the direction of writing, halves of surrogate pairs, and what is nothing yet.
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_MARKUP = re.compile(r"[\\*\[\]<>~&#!]|(?<![^\W_])_|_(?![^\W_])")


def code(text: str, limit: int = _LONGEST) -> Marked:
    """Foreign words, as they are written: on one line, at most ``limit`` characters."""
    seen = _on_one_line(text, limit)
    return Marked(f"`{seen}`") if seen else NOTHING


def plain(text: str, limit: int = 2 * _LONGEST) -> Marked:
    """A sentence of ours, on one line; a name in it is no markup."""
    return Marked(_MARKUP.sub(r"\\\g<0>", _on_one_line(text, limit)))


def table(header: Sequence[str], rows: Sequence[Sequence[Marked]], numbers: Collection[int] = ()) -> str:
    """A table of GitHub's Markdown, readable as text too.

    :param numbers: the columns that are aligned to the right, from 0.
    """
    lines: list[list[str]] = [[plain(name) for name in header], *map(list[str], rows)]
    widths = [min(_PAD_UP_TO, max(3, *map(len, column))) for column in zip(*lines, strict=True)]
    rule = ["-" * (width - 1) + (":" if place in numbers else "-") for place, width in enumerate(widths)]
    return "\n".join(
        "| "
        + " | ".join(
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], rule, *lines[1:])
    )


def _on_one_line(text: str, limit: int) -> str:
    """At most so many characters, all of them seen, without a mark that ends a cell."""
    seen = "".join(
        each if each.isspace() or unicodedata.category(each) not in _UNSEEN else "\ufffd"
        for each in text[: limit * 4]
    )
    words = " ".join(seen.split()).translate(_LOOKALIKES)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"
