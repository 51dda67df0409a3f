"""Letters that look like those of another script, and digits that look like letters."""

from __future__ import annotations

from collections.abc import Iterator

_IN_WORDS = str.maketrans("051$@|", "osisai")
_CYRILLIC = "авекмнорстухѕіјԁԛԝ"
_LIKE_CYRILLIC = "abekmhopctyxsijdqw"
_GREEK = "αβεζηικμνορτυχ"
_LIKE_GREEK = "abezhikmnoptyx"
_SMALL_CAPITALS = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"
_LIKE_SMALL_CAPITALS = "abcdefghijklmnoprstuvwyz"
_TO_LATIN = str.maketrans(
    _CYRILLIC + _GREEK + _SMALL_CAPITALS, _LIKE_CYRILLIC + _LIKE_GREEK + _LIKE_SMALL_CAPITALS
)
_TO_OTHERS = (str.maketrans(_LIKE_CYRILLIC, _CYRILLIC), str.maketrans(_LIKE_GREEK, _GREEK))


def look_alikes(folded: str) -> Iterator[str]:
    """What a text without case may be meant for, where that is another: ``st0p``, ``ѕтор`` and ``stoр`` for ``stop``."""
    latin = folded if folded.isascii() else folded.translate(_TO_LATIN)
    latin = latin.translate(_IN_WORDS)
    if latin != folded:
        yield latin
    if not folded.isascii():
        for table in _TO_OTHERS:
            if (other := folded.translate(table)) != folded:
                yield other
