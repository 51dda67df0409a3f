"""A no that somebody wrote a comment behind: ``No (confirmed)`` says the same as ``No``, ``No - do not text`` does not.

Where a field asks whether somebody opted out, only a comment that surely adds nothing is one: any other may be the
refusal itself.
"""

from __future__ import annotations

import re
from functools import lru_cache

from airflow_outreach_provider.core.accents import without_accents
from airflow_outreach_provider.core.platforms.keys import is_of_mail, is_opted_out
from airflow_outreach_provider.core.platforms.no_words import NO, is_denied
from airflow_outreach_provider.core.platforms.reading import is_taken_back, normalise
from airflow_outreach_provider.core.stop_vocabulary import NEGATIONS, STOP_WORDS
from airflow_outreach_provider.core.stop_words import USUAL

# In other languages, and as a box that is not ticked.
NO_ELSEWHERE = frozenset({
    *map(str.casefold, NEGATIONS), "nao", "ei", "nem", "nu", "hayır", "falsch", "fałsz", "falskt", "faux", "falso", "onwaar", "falsk", "ложь", "όχι", "いいえ", "無", "无", "否", "不", "不是", "没有", "아니요", "아니오", "ไม่",
    "không", "tidak", "नहीं", "никогда", "неизвестно", "нет данных", "не указано", "なし", "없음", "未設定", "未设置", "✗", "✘", "✕", "✖", "❌", "❎", "×", "☐", "□", "⬜", "◻", "🔲", "▢", "👎",
})  # fmt: skip
_LONGEST = 120
_BEHIND = re.compile(r"\s*[(\[{]|\s+[-–—]+\s+|[,;:|.!\n]\s+|(?<=[^\W\d_])[,;:|]")
# What a comment may turn a no around with, or repeat a refusal by: any of it, and it is not for us to judge.
_DOUBTFUL = re.compile(
    r"(?:^|_)(?:stop|unsub|opt(?:ed|ing)?_?out|remov|delet|block|black|suppress|refus|declin|reject|revok|withdr|complain|spam|cancel"
    r"|quit|leave|left|alone|cease|wrong|thank|thx|interest|angr|lawyer|legal|bother|harass|contact|text|call|messag|want|wish"
    r"|(?:yes|true|y|1|on|si|oui|ja|sim)(?:_|$))"
)
_NEGATED = frozenset({
    "no", "not", "never", "none", "nor", "don", "dont", "doesn", "doesnt", "wont", "cannot", "cant", "without", "non", "ne", "pas", "plus", "jamais", "nein",
    "nicht", "kein", "keine", "keinen", "nie", "niemals", "nao", "nunca", "sin", "niet", "geen", "nooit", "ikke", "inte", "ej", "nej", "nei", "ingen",
    "aldrig", "mai", "senza", "nessun",
})  # fmt: skip
_STOPS = frozenset(word for each in STOP_WORDS if (word := normalise(each)) and "_" not in word)


def is_plain_no(said: str) -> bool:
    """Whether a word says by itself that nobody opted out."""
    plain = without_accents(said).strip()
    if plain.casefold() in NO_ELSEWHERE:
        return True
    word = normalise(plain) if plain.isascii() else ""
    return bool(word) and (word in NO or is_denied(word))


def stays_no(said: str) -> bool | None:
    """Whether such a word stays one with the comment behind it; None where it is no such word, or none stands there."""
    comment = _comment(said)
    return None if comment is None else not _is_doubtful(comment)


def is_refused_behind_no(said: str) -> bool:
    """Whether it is such a word, and a refusal in so many words behind it: ``No - do not text``, ``No, stop texting me``."""
    comment = _comment(said)
    if not comment:
        return False
    word = normalise(comment)
    if is_denied(word) or is_of_mail(word) or any(map(is_taken_back, {*word.split("_")} - _NEGATED)):
        return False
    return _names_a_refusal(word) or comment.strip(" )]}.") in USUAL


@lru_cache(maxsize=1024)
def _comment(said: str) -> str | None:
    """What stands behind an explicit no; None where there is no such no, or nothing behind it."""
    if len(said) > _LONGEST:
        return None
    first, *rest = _BEHIND.split(said.strip(), maxsplit=1)
    return rest[0] if rest and is_plain_no(first) else None


def _is_doubtful(comment: str) -> bool:
    plain = without_accents(comment)
    word = normalise(plain)
    if not plain.isascii():
        return True
    if word in NO or is_denied(word):
        return False
    tokens = word.split("_")
    return bool(
        _DOUBTFUL.search(word) or not (_NEGATED | _STOPS).isdisjoint(tokens) or _names_a_refusal(word)
    )


def _names_a_refusal(word: str) -> bool:
    tokens = word.split("_")
    spans = ((start, end) for start in range(len(tokens)) for end in range(start + 1, len(tokens) + 1))
    return any(is_opted_out("_".join(tokens[start:end])) for start, end in spans if end - start <= 6)
