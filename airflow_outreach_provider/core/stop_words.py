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
    "UNSUBSCRIBE ME", "UNSUBSCRIBE ALL", "OPT ME OUT", "OPT OUT ALL", "TAKE ME OFF", "STOP IT", "STOP TEXTING", "STOP TEXTING ME",
    "STOP TEXTS", "STOP SMS", "STOP MSG", "STOP MESSAGES", "STOP MESSAGING ME", "STOP CONTACTING ME", "DO NOT TEXT", "DO NOT TEXT ME",
    "DONT TEXT ME", "DO NOT CONTACT", "DO NOT CONTACT ME", "DONT CONTACT ME", "NO MORE TEXTS", "NO MORE MESSAGES",
    "ARRET", "ARRETER", "ARRETEZ", "DESABONNER", "DESABONNEMENT", "DESINSCRIRE", "DESINSCRIPTION",  # French
    "ANNULER", "ANNULEZ", "ME DESABONNER", "SE DESABONNER", "ME DESINSCRIRE", "SUPPRIMER", "STOP PUB",
    "BAJA", "DAR DE BAJA", "DARME DE BAJA", "DARSE DE BAJA", "ALTO", "PARAR", "PARA", "DETENER", "CANCELAR", "NO MAS",  # Spanish
    "DE BAJA", "ANULAR", "DESUSCRIBIR", "DESUSCRIBIRME", "DESUSCRIBIRSE", "CANCELAR SUSCRIPCION", "NO MAS MENSAJES",
    "PARE", "SAIR", "REMOVER", "DESCADASTRAR", "DESINSCREVER", "CANCELA",  # Portuguese
    "STOPP", "ABMELDEN", "ABMELDUNG", "ABBESTELLEN", "AUSTRAGEN", "AUFHÖREN",  # German
    "ANNULLA", "CANCELLA", "CANCELLAMI", "DISISCRIVI", "DISISCRIVIMI", "BASTA", "FERMA",  # Italian
    "CANCELLARMI", "RIMUOVERE", "RIMUOVIMI",
    "STOPPEN", "AFMELDEN", "UITSCHRIJVEN",  # Dutch
    "AVSLUTA", "AVREGISTRERA", "AVMELD", "AVMELDE", "AFMELD", "FRAMELD", "LOPETA", "PERUUTA",  # the North
    "STOPPA", "SLUTA",
    "WYPISZ", "WYPISZ MNIE", "ANULUJ", "REZYGNUJĘ", "REZYGNACJA", "ODHLÁSIT", "ODHLÁSIŤ", "ZRUŠIT", "ZRUŠIŤ", "LEIRATKOZÁS", "LEIRATKOZOM", "DEZABONARE",
    "ODJAVA", "СТОП", "ОТПИСАТЬСЯ", "ОТПИСКА", "ОТМЕНА", "ВІДПИСАТИСЯ", "СПРИ", "ΣΤΟΠ", "ΔΙΑΓΡΑΦΗ",
    "İPTAL", "DUR", "RET", "DURDUR", "הסר", "הסרה", "إيقاف", "ايقاف", "إلغاء", "الغاء", "توقف",
    "退订", "退訂", "取消", "停止", "配信停止", "解除", "수신거부", "중지", "중단", "BERHENTI", "BATAL", "HỦY", "DỪNG", "ยกเลิก", "बंद", "रोकें",
)  # fmt: skip
# Not YES, which carriers take for it too: it answers whatever was asked last.
START_WORDS = ("START", "UNSTOP")
_POLITE = (
    "PLEASE", "PLS", "PLZ", "THANKS", "THANK YOU", "THX", "BITTE", "DANKE", "SVP", "S'IL VOUS PLAIT", "MERCI", "POR FAVOR", "GRACIAS",
    "OBRIGADO", "OBRIGADA", "GRAZIE", "PER FAVORE", "TACK", "TAK", "PROSZĘ",
)  # fmt: skip

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

    :param changes: words on top of ``words``; one with ``-`` before it is not one any more.
    :param words: the usual ones.
    """

    def __init__(self, changes: Iterable[str] = (), words: Iterable[str] = STOP_WORDS) -> None:
        words = set(map(_letters, words))
        for change in changes:
            word = _letters(change)
            if change.strip().startswith("-"):
                words.discard(word)
            elif word:
                words.add(word)
        self._words = frozenset(words)

    def changed(self, setting: str) -> StopWords:
        """These, and those of a setting: words separated by commas or line breaks; after ``=`` they are all there are."""
        rest = setting.strip()
        known: Iterable[str] = () if rest.startswith("=") else self._words
        return StopWords((word for word in re.split(r"[,;\n]", rest.lstrip("= ")) if word.strip()), known)

    def __contains__(self, message: object) -> bool:
        """Whether a message is nothing but stop words; case, blanks, punctuation, accents and a please aside."""
        return isinstance(message, str) and _is_only(_saying(message), self._words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StopWords) and self._words == other._words

    def __hash__(self) -> int:
        return hash(self._words)


@lru_cache(maxsize=16)
def stop_words(setting: str) -> StopWords:
    """The words of ``[outreach] stop_words``: :meth:`StopWords.changed` of the usual ones."""
    return USUAL.changed(setting)


def is_start_word(message: object) -> bool:
    """Whether a message is nothing but START or UNSTOP."""
    return isinstance(message, str) and _is_only(_saying(message), _START)


def _is_only(said: str, words: frozenset[str]) -> bool:
    letters = _letters(said)
    if letters in words:
        return True
    parts = (part for word in said.split() if (part := _letters(word)))
    # Several stop words in a row, or one politely asked for.
    return bool(letters) and (all(part in words for part in parts) or _politely(letters) in words)


def _politely(letters: str) -> str:
    if not letters.startswith(_PLEASE) and not letters.endswith(_PLEASE):
        return letters
    for word in _PLEASE:
        if letters.startswith(word) or letters.endswith(word):
            return letters.removeprefix(word).removesuffix(word)
    return letters


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
    if text.isascii():
        return text.lower().translate(_NO_LETTERS)
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(each for each in plain if each.isalnum())


_NO_LETTERS = {code: None for code in range(128) if not chr(code).isalnum()}
USUAL = StopWords()
_START = frozenset(map(_letters, START_WORDS))
_PLEASE = tuple(sorted(map(_letters, _POLITE), key=len, reverse=True))
