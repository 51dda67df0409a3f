"""What a cell holds besides a number. A cell that holds more than one number, or words, is not a number.

The library looks for a number anywhere in a text, reads letters as keypad digits and skips most marks between
digits; from ``0664 1234567 neu`` it makes a number of somebody else. So a cell is taken apart here first, and
only digits and the marks that are written within a number are left for it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import unquote

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.invisible import UNSEEN

_SCHEME = re.compile(r"(?:tel|sms|smsto|callto|whatsapp)\s*:\s*(?://)?", re.IGNORECASE)
_LABEL = re.compile(
    r"(?:(?:tele?(?:fono|fone|fon|phone|foon|fax/tel)?|tél(?:éphone)?|teléfono|phone|ph|mobile?|mob|móvil|movil|cell?(?:ular|ulare)?"
    r"|cell ?phone|cel|handy|portable|gsm|natel|whatsapp|sms|number)(?: ?(?:no|nr|number|phone))?\s*[.:]*\s*(?=[+(\d#\[])"
    r"|[mtpc]\s*[.:]+\s*)",
    re.IGNORECASE,
)
_WHATSAPP_ID = re.compile(r"\+?(\d{7,15})@(?:s\.whatsapp\.net|c\.us)", re.IGNORECASE)
_CONTEXT = re.compile(r"[\d\s().\-+]+;phone-context=[^;]+", re.IGNORECASE)
_EXTENSION = re.compile(
    r"\d[\s,;.()\-/]*(?:;ext=|#|~|(?:x|ext|extn|extension|durchwahl|dw|klappe|kl|nebenstelle|poste?|int|interno?|ramal"
    r"|anexo|extensi[oó]n|доб|toestel|tst|wew|linka|anschluss)(?![^\W\d_])\s*[.:=#]?)\s*\d{1,7}\)?\s*$",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:^|(?<=[\s(,;/]))(?:(?:0?[1-9]|[12]\d|3[01])([./-])(?:0?[1-9]|1[0-2])\1(?:(?:19|20)\d\d|\d\d)"
    r"|(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])/(?:(?:19|20)\d\d)"
    r"|(?:19|20)\d\d([./-])(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?=$|[\s),;T])"
)
_CENTURY = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_SLASH_TAIL = re.compile(r"/\s*\d{1,3}\s*$")
_APART = re.compile(r"[,;|&\\\n]|/{2,}| / ")
# "0171 / 1234567": an area code, with its country code, its zero, or of three digits at most, and the rest after it.
_AREA = r"(?<![\d/(+.\-])(?<![\d)] )(?P<area>(?:\+|00)[\d ()]{1,13}|\(?0\d{1,5}\)?|\(?[1-9]\d{0,2}\)?)"
_AREA_SLASH = re.compile(_AREA + r" ?/ ?(?P<rest>[\d(][\d .()\-]+)")
_AREA_MARK = re.compile(_AREA + r" (?P<mark>[/\-]) (?=[1-9][\d .\-]{3})")
_BETWEEN = re.compile(
    r"[,;|&\\\n]|/{2,}|:{2,}| / |(?<=\d)[\s/()]*(?=\+)|(?<![^\W\d_])(?:or|and|oder|und|ou|et|o|y|e|en|of|i|lub|eller|och|или|и)(?![^\W\d_])",
    re.IGNORECASE,
)
_SECOND_PLUS = re.compile(r"\+.*\+|\d.*\+", re.DOTALL)
_DIALLED_PLUS = re.compile(r"[( ]*(?:00|011)[) ]*(?=\+)")
_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"[\d\s+()./\-~\[\]]+")
_MARKS = {
    **dict.fromkeys(map(ord, "‐‑‒–—―−ー－﹣˗"), "-"),
    **dict.fromkeys(map(ord, "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), "\n"),
    **dict.fromkeys(map(ord, "·•∙⋅"), "."),
    ord("\t"): " ",
    ord("⁄"): "/",
    ord("∕"): "/",
}
_PICTURES = "\ufe0f\u260e\u260f\u2706\U0001f4de\U0001f4f1\U0001f4f2\U0001f57b\U0001f57f"  # of telephones
_AROUND = " \n.,;:!<>{}\"'`’"
_PIECE = re.compile(r"\+?[\d(](?:[\d().\-]|[ /](?=[\d(]))*")
# A count before a number with its country code: "2) +49 …", "[2] +49 …"; with a label before it, "2 +49 …" too.
_COUNT = re.compile(r"[(\[]? ?[1-9]\d?[ ]?[.:)\]]+\s*(?=\+)")
_LABELLED_COUNT = re.compile(r"[(\[]? ?[1-9]\d?(?!\d)[ .:)\]\-]*(?=\+)")
_COLON = re.compile(r"(\d\d?) ?: *")
# Before a number, not before a count: that is no number's.
_HASH = re.compile(r"^# ?(?!\d\d?(?!\d))(?=[+(\d])")
_ANY_COUNT = re.compile(r"[(\[#]?\d\d?(?!\d)[^\d+(]*(?=[\d+(])")
_MANY_DIGITS, _TELLING_DIGITS = 5, 7
_LONGEST_AREA = len("004210912")


class CellNumber(NamedTuple):
    """The one number that a cell holds.

    :param text: ASCII digits and the marks within a number.
    :param labelled: a label stood before it, so that a count may stand between them.
    """

    text: str
    labelled: bool = False


def number_in(cell: str) -> CellNumber:
    """What is a number in a cell.

    :raises LeadRejected: ``phone_not_a_number``, or, where the cell holds more than a number,
        ``phone_has_text``, ``phone_several``, ``phone_extension`` or ``phone_has_date``.
    """
    whole = _in_ascii(cell).strip(_AROUND + _PICTURES)
    text = _undecorated(whole)
    labelled = len(text) < len(whole) and whole[0] != "#"
    if match := _COLON.match(text):
        text = f"{match[1]}) {text[match.end() :]}"
    text = (_LABELLED_COUNT if labelled else _COUNT).sub("", text, count=1) if "+" in text else text
    if match := _WHATSAPP_ID.fullmatch(text):
        return CellNumber(f"+{match[1]}")
    if (match := _AREA_SLASH.fullmatch(text)) and _digits(match["area"]) <= _LONGEST_AREA:
        text = f"{match['area']}/{match['rest']}"
    digits = _digits(text)
    if not digits:
        raise LeadRejected("phone_not_a_number", "the value is not a phone number")
    if _CONTEXT.fullmatch(text):
        return CellNumber(text)
    _refuse_more(text, digits)
    if not _NUMBER.fullmatch(text):
        raise LeadRejected("phone_not_a_number", "the value is not a phone number")
    return CellNumber(text, labelled)


def pieces_of(cell: str) -> list[str]:
    """Everything in a cell that may be a number by itself; for lists that must rather hold too much."""
    text = _AREA_MARK.sub(r"\g<area>\g<mark>", _DATE.sub("\n", unquote(_in_ascii(cell))))
    found = _PIECE.findall(text)
    found += [
        half
        for piece in found
        for half in (piece.split("/")[0], *(piece.rsplit(mark, 1)[0] for mark in "- "))
    ]
    found += [rest for piece in found for rest in after_count(piece)]
    whole = (piece.strip() for piece in found if not _SLASH_TAIL.search(piece))
    return list(dict.fromkeys(piece for piece in whole if _digits(piece) >= _MANY_DIGITS))


def after_count(text: str) -> list[str]:
    """What follows one or two digits and a mark, which may be a count; or nothing."""
    match = _ANY_COUNT.match(text := _in_ascii(text).strip(_AROUND))
    return [text[match.end() :]] if match else []


def parts_of(cell: str) -> list[str]:
    """What the marks and words between numbers part a cell into, in its order; for those who may take the first.

    Each part is to be read as a cell of its own: what is more than a number in it stays so.
    """
    text = _AREA_MARK.sub(r"\g<area>\g<mark>", _in_ascii(cell))
    parts = [part for some in _BETWEEN.split(text) for part in some.split(" - ")]
    # The slash comes last: it also stands between an area code and the rest.
    tried = [each for part in parts for each in (part, part.split("/")[0])]
    return [part for part in dict.fromkeys(map(str.strip, tried)) if _digits(part) >= _TELLING_DIGITS]


def plainly(cell: str) -> str:
    """What was typed or copied, without a link's scheme and what is not seen, its digits and marks as ASCII has them."""
    text = _in_ascii(cell.translate(UNSEEN)).strip(_AROUND)
    scheme = _SCHEME.match(text)
    return unquote(text[scheme.end() :]).strip() if scheme else text


def _in_ascii(cell: str) -> str:
    """Digits of any script, wide marks and all kinds of dash and blank as the plain ones."""
    if cell.isascii():
        return cell.translate(_MARKS)
    wide = unicodedata.normalize("NFKC", cell.translate(_MARKS))
    return "".join(
        str(unicodedata.decimal(each))
        if each.isdecimal()
        else " "
        if each.isspace() and each != "\n"
        else each
        for each in wide
    )


def _undecorated(text: str) -> str:
    if match := _SCHEME.match(text):
        return unquote(text[match.end() :]).strip()
    if (match := _LABEL.match(text)) and match.end() < len(text):
        return text[match.end() :].strip(_AROUND).lstrip("# ")
    return _HASH.sub("", text)


def _refuse_more(text: str, digits: int) -> None:
    """:raises LeadRejected: there is more than a number, as far as marks and letters tell."""
    if _EXTENSION.search(text):
        raise LeadRejected("phone_extension", "the number has an extension, which cannot be texted")
    if match := _DATE.search(text):
        others = digits - _digits(match[0])
        if others >= _MANY_DIGITS:
            raise LeadRejected("phone_has_date", "the cell holds a date besides the number")
        if not others and _CENTURY.search(match[0]):
            raise LeadRejected("phone_not_a_number", "the value is a date")
    parts = [part for part in _APART.split(text) if _digits(part)]
    words = [part for whole in parts for part in _WORD.split(whole)]
    halves = text.split(" - ")
    several = any(sum(_digits(part) >= _TELLING_DIGITS for part in some) > 1 for some in (words, halves))
    if several or _SECOND_PLUS.search(_DIALLED_PLUS.sub("", text)):
        raise LeadRejected("phone_several", "the cell holds more than one number")
    if len(words) > len(parts) or "@" in text:
        raise LeadRejected("phone_has_text", "the cell holds more than a number")
    if _SLASH_TAIL.search(text):
        raise LeadRejected("phone_several", "the number has a second ending after a slash")
    if len(parts) > 1:
        apart = text[text.index(parts[0]) + len(parts[0]) : text.rindex(parts[-1])]
        if "/" in apart or _digits(parts[-1]) >= _MANY_DIGITS or _digits(parts[0]) < _MANY_DIGITS:
            raise LeadRejected("phone_several", "the cell holds more than one number")
        raise LeadRejected("phone_extension", "the number is followed by further digits")


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))
