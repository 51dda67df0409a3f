"""Letters that look like those of another script, or are pictures of one, and digits that look like letters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from airflow_outreach_provider.core.phones import REGIONS

_DIGIT = re.compile(r"[051$@|]")
_IN_WORDS = str.maketrans("051$@|", "osisai")
_CYRILLIC = "авекмнорстухѕіјԁԛԝ"
_LIKE_CYRILLIC = "abekmhopctyxsijdqw"
_GREEK = "αβεζηικμνορτυχ"
_LIKE_GREEK = "abezhikmnoptyx"
_SMALL_CAPITALS = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"
_LIKE_SMALL_CAPITALS = "abcdefghijklmnoprstuvwyz"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
# White in black circles, white in black squares, and those that flags are made of.
_PICTURES = "".join(chr(first + number) for first in (0x1F150, 0x1F170, 0x1F1E6) for number in range(26))
_ROUND = "\U0001f6d1\u2b55\u26aa\u26ab\U0001f534"  # a stop sign and discs, for an o
_TO_LATIN = str.maketrans(
    _CYRILLIC + _GREEK + _SMALL_CAPITALS + _PICTURES + _ROUND,
    _LIKE_CYRILLIC + _LIKE_GREEK + _LIKE_SMALL_CAPITALS + _ALPHABET * 3 + "o" * len(_ROUND),
)
_FIRST_OF_FLAGS = 0x1F1E6
_OF_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]{2,}")
_TO_OTHERS = (str.maketrans(_LIKE_CYRILLIC, _CYRILLIC), str.maketrans(_LIKE_GREEK, _GREEK))


def look_alikes(folded: str) -> Iterator[str]:
    """What a text without case may be meant for, where that is another: ``st0p``, ``ѕтор`` and ``stoр`` for ``stop``."""
    if folded.isascii():
        if _DIGIT.search(folded):
            yield folded.translate(_IN_WORDS)
        return
    folded = _OF_FLAGS.sub(_without_flags, folded)
    if (latin := folded.translate(_TO_LATIN).translate(_IN_WORDS)) != folded:
        yield latin
    if any("a" <= each <= "z" for each in folded):
        for table in _TO_OTHERS:
            if (other := folded.translate(table)) != folded:
                yield other


def _without_flags(run: re.Match[str]) -> str:
    """Letters that flags are made of, where they make no flags: Chad's is no TD, and those of Saudi Arabia and Iran no SAIR."""
    word = "".join(chr(ord(each) - _FIRST_OF_FLAGS + ord("A")) for each in run[0])
    pairs = {word[at : at + 2] for at in range(0, len(word), 2)}
    return " " if pairs <= REGIONS else run[0]
