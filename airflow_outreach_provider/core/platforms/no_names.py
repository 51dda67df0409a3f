"""Names that say that somebody is not to be contacted, put together of what is known to say so and what changes nothing in it.

As with columns of numbers, a name counts only where every word of it is known: ``DNC status`` and ``Phone 1 DNC`` do,
``DNC check``, ``Bus stop`` and ``Widerrufsbelehrung`` name something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from airflow_outreach_provider.core.platforms import no_vocabulary as vocabulary
from airflow_outreach_provider.core.platforms.reading import normalise


def _any(phrases: Iterable[str]) -> str:
    """One of them, the longest first."""
    words = sorted(filter(None, set(map(normalise, phrases))), key=len, reverse=True)
    return rf"(?:{'|'.join(words)})"


def _made_of(said: str, beside: str) -> re.Pattern[str]:
    beside = rf"(?:{beside}|\d{{1,2}}|(?:phone|mobile|cell|tel)\d)"
    return re.compile(rf"(?:{beside}_)*{said}(?:_(?:{said}|{beside}))*")


_NOT_DONE = (
    rf"{_any(vocabulary.NOT)}(?:_{_any(vocabulary.BETWEEN)})*_{_any(vocabulary.DO)}"
    rf"|{_any(vocabulary.AFTERWARDS)}"
)
_SAID = rf"(?:{_any(vocabulary.REFUSALS)}|{_NOT_DONE})"
_BESIDE = vocabulary.BESIDE
_FLAG = _made_of(_SAID, _any(_BESIDE))
_SINCE = _made_of(_SAID, _any((*_BESIDE, *vocabulary.BESIDE_A_DAY)))
_ASKED = _made_of(
    rf"(?:{_any(vocabulary.ASKED)}|{_SAID})",
    _any((*_BESIDE, *vocabulary.BESIDE_A_DAY, *vocabulary.ANSWERS)),
)
_ASKED_ALONE = re.compile(_any(vocabulary.ASKED_ALONE))
_TAKEN = re.compile(rf"{_any(vocabulary.WITHDRAWN)}(?:_(?:{_any(vocabulary.BESIDE_A_DAY)}|on|\d+))*")
_CONSENT = re.compile(r"consen[st]|einwilligung|toestemming|zgod[ay]|samtycke")
_YES = re.compile(_any(vocabulary.YES))
_LONGEST = 60


@lru_cache(maxsize=4096)
def names_a_no(word: str) -> bool:
    """Whether a name, normalised, says by itself that somebody is not to be contacted."""
    return len(word) <= _LONGEST and _FLAG.fullmatch(word) is not None


def names_its_day(word: str) -> bool:
    """Whether it names since when."""
    return len(word) <= _LONGEST and _SINCE.fullmatch(word) is not None and not names_a_no(word)


def asks_for_a_no(word: str) -> bool:
    """Whether a column of this name may ask so, and may be something else."""
    if len(word) > _LONGEST or names_a_no(word) or names_its_day(word):
        return False
    return bool(_ASKED.fullmatch(word) or _ASKED_ALONE.fullmatch(word))


def is_taken_consent(name: str, word: str) -> bool:
    """Whether a consent, by its column's name, is one that was withdrawn: ``Einwilligung: widerrufen am 1.2.``."""
    return _CONSENT.search(name) is not None and _TAKEN.fullmatch(word) is not None


def is_plain_yes(word: str) -> bool:
    """Whether a word is a yes and nothing else can be meant."""
    return _YES.fullmatch(word) is not None
