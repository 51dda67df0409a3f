"""What people write in an expression who think of SQL or another language, and what it is called here."""

from __future__ import annotations

import re
from collections.abc import Callable

QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
_LONGEST = 200

HABITS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"&&"), "&& is not known", "write and"),
    (re.compile(r"\|\|"), "|| is not known", "write or"),
    (re.compile(r"!(?!=)"), "! is not known", "write not"),
    (re.compile(r"<>"), "<> is not known", "write !="),
    (re.compile(r"===?=?(?<====)"), "=== is not known", "write =="),
    (re.compile(r"(?<![=!<>])=(?![=<>!])"), "= does not compare", "write =="),
    (re.compile(r"\bIN\b"), "IN is not known", "write in, in small letters, and a list: in ['a', 'b']"),
    (
        re.compile(r"\b(is\s+(not\s+)?null)\b", re.IGNORECASE),
        "null is not known",
        "write is none, or is not none",
    ),
    (
        re.compile(r"\b(i?like|contains|matches|(?:starts?|begins?|ends?)_?with)\b", re.IGNORECASE),
        "texts are not searched by a word",
        "write 'part' in name, which looks anywhere in it",
    ),
    (re.compile(r"\bbetween\b", re.IGNORECASE), "between is not known", "write low <= name <= high"),
    (
        re.compile(r"\brow\.\w+\s+(?!(?:in|not|and|or|is|if|else)\b)\w"),
        "a name ends at its first blank",
        "write row['First name'], as the column is called",
    ),
    (re.compile(r"[“”„‟‘’‚‛«»]"), "this quote is not a straight one", "write ' on both sides of a text"),
    (re.compile(r"`"), "` is no quote here", "write 'text', or the name of a column without quotes"),
    (re.compile(r"&"), "& is not known", "write and"),
    (re.compile(r"[≠≥≤]|=[<>!]"), "this sign is not known", "write !=, >= or <="),
    (re.compile(r"\b(?:AND|OR|NOT|IS)\b"), "AND, OR, NOT and IS are not known", "write them in small letters"),
    (re.compile(r";\s*$"), "no ; ends a condition", "leave it out"),
    (re.compile(r"\d,\d{3}\b"), "a comma does not part thousands", "write the number without it"),
)  # fmt: skip

_SMART = re.compile(r"[“”„‟]([^“”„‟'\"]*)[“”„‟]|[‘’‚‛]([^‘’‚‛'\"]*)[‘’‚‛]")
_NEGATED_PART = re.compile(r"!\s*[\w.]+\s*(?:[=!<>≠≥≤]|(?:in|is|not|like)\b)", re.IGNORECASE)
# In this order: each leaves alone what one above has written.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\s*where\s+", re.IGNORECASE), ""),
    (re.compile(r"\s*;\s*$"), ""),
    (re.compile(r"\s*&&?\s*"), " and "),
    (re.compile(r"\s*\|\|\s*"), " or "),
    (re.compile(r"\s*(?:<>|≠)\s*"), " != "),
    (re.compile(r"\s*(?:≥|=>)\s*"), " >= "),
    (re.compile(r"\s*(?:≤|=<)\s*"), " <= "),
    (re.compile(r"\s*(?<![=!<>])={3}(?!=)\s*|\s*(?<![=!<>])=(?!=)\s*"), " == "),
    (re.compile(r"!(?!=)\s*"), "not "),
    (re.compile(r"\bis\s+(not\s+)?null\b", re.IGNORECASE), r"is \1none"),
    (re.compile(r"\bAND\b"), "and"),
    (re.compile(r"\bOR\b"), "or"),
    (re.compile(r"\bNOT\b"), "not"),
    (re.compile(r"\bIN\b"), "in"),
    (re.compile(r"\bIS\b"), "is"),
)
_MEMBERS = re.compile(r"\bin\s*\(([^()]*)\)")


def straightened(source: str, reads: Callable[[str], bool]) -> str | None:
    """The expression as it is written here, where it takes more than one of the habits to get there.

    :param reads: whether a text is an expression. None too where a habit means one of two things, as ``!a == b``.
    """
    plain = _outside(source, lambda part: _SMART.sub(lambda found: f"'{found[1] or found[2] or ''}'", part))
    if len(source) > _LONGEST or _outside(plain, lambda part: _NEGATED_PART.sub("\0", part)) != plain:
        return None
    changes = int(plain != source)
    for pattern, written in _REWRITES:
        before, plain = plain, _outside(plain, lambda part, p=pattern, w=written: p.sub(w, part))  # type: ignore[misc]
        changes += before != plain
    plain = _MEMBERS.sub(r"in [\1]", plain).strip()
    return plain if changes > 1 and reads(plain) else None


def _outside(source: str, change: Callable[[str], str]) -> str:
    """A text with all that stands outside of quotes changed."""
    parts, end = [], 0
    for found in QUOTED.finditer(source):
        parts += [change(source[end : found.start()]), found.group()]
        end = found.end()
    return "".join([*parts, change(source[end:])])
