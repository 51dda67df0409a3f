"""Messages that are nothing but "stop", in the languages people are texted in."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# English ones are those that carriers in North America demand (CTIA, 47 CFR 64.1200(a)(10)).
STOP_WORDS = (
    "STOP", "STOP ALL", "UNSUBSCRIBE", "UNSUB", "CANCEL", "END", "QUIT", "REVOKE", "OPT OUT", "REMOVE", "REMOVE ME",
    "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE", "DESINSCRIPTION",  # French
    "BAJA", "DAR DE BAJA", "DARME DE BAJA", "DARSE DE BAJA", "ALTO", "PARAR", "PARA", "DETENER", "CANCELAR", "NO MAS",  # Spanish
    "PARE", "SAIR", "REMOVER", "DESCADASTRAR", "CANCELA",  # Portuguese
    "STOPP", "ABMELDEN", "ABMELDUNG", "ABBESTELLEN", "AUSTRAGEN", "AUFHÖREN",  # German
    "ANNULLA", "CANCELLA", "CANCELLAMI", "DISISCRIVI", "DISISCRIVIMI", "BASTA", "FERMA",  # Italian
    "STOPPEN", "AFMELDEN", "UITSCHRIJVEN",  # Dutch
    "AVSLUTA", "AVREGISTRERA", "AVMELD", "AVMELDE", "AFMELD", "FRAMELD", "LOPETA", "PERUUTA",  # the North
    "WYPISZ", "REZYGNUJĘ", "REZYGNACJA", "ODHLÁSIT", "ODHLÁSIŤ", "LEIRATKOZÁS", "LEIRATKOZOM", "DEZABONARE",
    "ODJAVA", "СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ВІДПИСАТИСЯ", "СПРИ", "ΣΤΟΠ", "ΔΙΑΓΡΑΦΗ",
    "İPTAL", "DUR", "RET", "DURDUR", "הסר", "הסרה", "إيقاف", "ايقاف", "إلغاء", "الغاء", "توقف",
    "退订", "退訂", "停止", "配信停止", "解除", "수신거부", "중지", "BERHENTI", "HỦY", "ยกเลิก", "बंद",
)  # fmt: skip
START_WORDS = ("START", "UNSTOP")

_LONGEST_MESSAGE = 20_000
_LONGEST_SAYING = 120
_TAG = re.compile(r"<[^<>]{0,2000}>")
_BREAK = re.compile(r"<\s*(?:br|/p|/div|/blockquote|hr)\b[^<>]{0,200}>", re.IGNORECASE)
_QUOTE_TAG = re.compile(r"<\s*blockquote\b.*", re.IGNORECASE | re.DOTALL)
# Below these an e-mail repeats what it answers, or is signed by a program.
_REST_OF_MAIL = re.compile(
    r"^\s*(?:>|-{2,}\s*$|_{5,}|-{5,}.*-{5,}\s*$|(?:on|am|le|el|il|op|em|den)\s.{4,200}(?:wrote|schrieb|écrit|escribió|scritto"
    r"|schreef|escreveu|skrev)\s*:?.{0,40}$|(?:from|von|de|da|van|från|fra)\s*:\s|sent from my\b|von meinem\b"
    r"|envoyé de(?:puis)? mon\b|enviado desde mi\b|get outlook for\b)",
    re.IGNORECASE,
)


class StopWords:
    """What counts as a stop word.

    :param changes: words on top of the usual ones; one with ``-`` before it is not one any more.
    """

    def __init__(self, changes: Iterable[str] = ()) -> None:
        words = set(map(_letters, STOP_WORDS))
        for change in changes:
            word = _letters(change)
            if change.strip().startswith("-"):
                words.discard(word)
            elif word:
                words.add(word)
        self._words = frozenset(words)

    def __contains__(self, message: object) -> bool:
        """Whether a message is nothing but stop words; case, blanks, punctuation and accents aside."""
        return isinstance(message, str) and _is_only(_saying(message), self._words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StopWords) and self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)


@lru_cache(maxsize=16)
def stop_words(setting: str) -> StopWords:
    """The words of ``[outreach] stop_words``: separated by commas or line breaks."""
    return StopWords(word for word in re.split(r"[,;\n]", setting) if word.strip())


def is_start_word(message: object) -> bool:
    """Whether a message is nothing but START or UNSTOP."""
    return isinstance(message, str) and _is_only(_saying(message), _START)


def _is_only(said: str, words: frozenset[str]) -> bool:
    if _letters(said) in words:
        return True
    parts = [part for word in said.split() if (part := _letters(word))]
    return bool(parts) and all(part in words for part in parts)


def _saying(message: str) -> str:
    """What the writer added, where the message is an e-mail; empty where it is too long to be one word."""
    if len(message) > _LONGEST_MESSAGE:
        return ""
    text = message
    if "<" in text or "&" in text:
        text = html.unescape(_TAG.sub(" ", _BREAK.sub("\n", _QUOTE_TAG.sub("", text))))
    added = []
    for line in text.splitlines():
        if _REST_OF_MAIL.match(line):
            break
        added.append(line)
    said = "\n".join(added).strip()
    return said if len(said) <= _LONGEST_SAYING else ""


def _letters(text: str) -> str:
    """Letters and digits alone, without accents and case."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(each for each in plain if each.isalnum())


USUAL = StopWords()
_START = frozenset(map(_letters, START_WORDS))
