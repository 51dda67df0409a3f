"""What the writer of a message added, where it is an e-mail: without what it quotes, and what a program signed it with.

By form where there is one, for no list knows every program and language. In time that grows with the message alone, for
it comes from strangers.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_MOST_MARKUP = 20_000
"""Characters that are looked at, of a message without its hidden parts."""
_MOST_HIDDEN = 200
_LONGEST_LINE = 300
_TAIL = 24
_MOST_SIGNING = 3

_HIDDEN = re.compile(r"<(?:(style|script|title)\b|!--)", re.IGNORECASE)
_HIDDEN_ENDS = {
    name: re.compile(rf"</{name}\b[^<>]{{0,200}}>", re.IGNORECASE) for name in ("style", "script", "title")
}
_COMMENT_END = re.compile("-->")
_TAG = re.compile(r"<(?![^\s<>=]{1,254}@)[^<>]{0,2000}>")  # an address between angles is none
_BREAK = re.compile(r"<\s{0,9}/?(?:br|p|div|blockquote|li|tr|table|h[1-6])\b[^<>]{0,2000}>", re.IGNORECASE)
_QUOTE_TAG = re.compile(
    r"<\s{0,9}(?:blockquote\b|hr\b|(?:div|span|table|p|section|a)\s[^<>]{0,300}?(?:[\w-](?:quoted?|signature|cite-prefix)\b"
    r"|RplyFwdMsg|appendonsend|reference-message|AppleMailSignature|[\"'\s=]signature\b))",
    re.IGNORECASE,
)

# What programs write where a picture was, such as the logo of a signature.
_PICTURE = re.compile(r"\[(?:image|cid|logo|photo|picture)\s?:[^\[\]\n]{0,200}\]", re.IGNORECASE)
_MARKS = " \t\xa0*|>#_-–—•\u200b\ufeff"
_HEADED = re.compile(
    r"(?:on|am|le|el|il|op|em|den)\s.{4,200}(?:wrote|schrieb|écrit|escribió|scritto|schreef|escreveu|skrev)\s*:?.{0,40}$"
    r"|(?:from|von|de|da|van|från|fra|od|от|від|lähettäjä|kimden|gönderen|差出人|发件人|寄件者|보낸 ?사람|מאת|من)\s*[:：]"
    r"|(?:subject|betreff|objet|asunto|oggetto|assunto|onderwerp|ämne|emne|aihe|temat|předmět|тема|konu|件名|主题|主旨|제목)\*?\s*[:：]"
    r"|(?:begin forwarded message|anfang der weitergeleiteten|début du message|inizio messaggio inoltrato|inicio del mensaje)\b",
    re.IGNORECASE,
)
_WROTE = re.compile(
    r"(?:wrote|writes|schrieb|écrit|escribió|scritto|schreef|escreveu|skrev|kirjoitti|napisał(?:\(a\)|a)?|nap[ií]sal(?:\(a\)|a)?|írta|scris"
    r"|написал(?:\(а\)|а)?|пишет|пише|написав|έγραψε|yazdı|写道|寫道|写了|のメール|작성|כתב/?ה?)\s*[:：]\W*$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"[^\s@<>]@[^\s@<>]{1,64}\.[^\s@<>.]{2}")
_DATE = re.compile(r"\b(?:19|20)\d\d(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_TIME = re.compile(r"\d{1,2}\s?[:.h時时시]\s?\d\d")
_COLON = re.compile(r"[:：]\W{0,20}$")
_FIELD = re.compile(r"[^\W\d][\w .-]{0,20}\*?\s*[:：]")

_MINE = re.compile(
    r"(?:sent from my|(?:gesendet )?von meine[mr]|envoyé de(?:puis)? mon|enviado (?:desde mi|do meu)|inviato dal mio|v(?:erstuur|erzon)den? vanaf mijn"
    r"|verstuurd vanaf mijn|skickat från min|sendt fra min|发自我的|從我的|从我的)",
    re.IGNORECASE,
)
_SENT = re.compile(
    r"sent (?:from|with|via|by|using)\b|(?:get|download|obtenez|télécharge[rz]?|obtener|obter|scarica|ottieni|hämta|hent|hanki|pobierz) .{0,12}?(?=outlook|yahoo|gmail|proton)"
    r"|(?:gesendet|versendet|envoyé|enviad[oa]|enviat|inviat[oa]|verstuurd|verzonden|skickat|sendt|lähetetty|wysłan[eoy]|odeslán[oa]|odoslan[ée]|elküldve|küldve|trimis|poslan[oa]"
    r"|poslato|изпратено|отправлено|надіслано|στάλθηκε|נשלח|أ?ُ?رسلت|dikirim|dihantar|(?:đã |được )?gửi từ|ส่งจาก|发自|發自|傳送自|寄自)",
    re.IGNORECASE,
)
_SENT_BEFORE = re.compile(
    r"(?:gesendet|versendet|verzonden|verstuurd|herunterladen|gönderildi|送信|보냄|भेजा गया)\W{0,5}$",
    re.IGNORECASE,
)
_PROGRAM = re.compile(
    r"i(?:phon|pad|os|cloud)|android|samsung|galaxy|huawei|xiaomi|redmi|blackberry|pixel|nokia|smartphone|handy\b|mobil|móvil|celular|windows"
    r"|outlook|yahoo|gmail|proton|thunderbird|gmx|web\.de|aol\b|hotmail|mail\b|яндекс|yandex|почт|\bqq|foxmail|spark\b|superhuman|zoho|k-9",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"(?:confidentiality notice|disclaimer\b|this (?:e-?mail|message) (?:and|is|may|contains|has|was)\b|the information (?:contained )?in this\b"
    r"|\[?external\b|diese e-?mail\b|diese nachricht\b|ce (?:message|courriel|mail)\b|este (?:mensaje|correo|e-?mail)\b"
    r"|esta mensagem\b|questo messaggio\b|dit bericht\b|deze e-?mail\b|virus-free|avast)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:(?:best|kind|kindest|warm|warmest) (?:regards|wishes)|regards|sincerely(?: yours)?|(?:yours|very) (?:sincerely|truly|faithfully)|respectfully"
    r"|(?:mit )?(?:freundlichen?|besten?|vielen?|lieben?|herzlichen?|schönen?) gr(?:ü|ue)(?:ß|ss)en?|mfg|cordialement|bien (?:à vous|cordialement)"
    r"|(?:un )?(?:cordial )?saludos?(?: cordiales)?|atentamente|(?:cordiali |distinti )?saluti|(?:met )?(?:vriendelijke|hartelijke) groet(?:en)?|mvg"
    r"|(?:med )?(?:vänliga?|venlig|vennlig|bästa) h(?:älsning(?:ar)?|ilsen)|hälsningar|hilsen|mvh|(?:ystävällisin )?terveisin"
    r"|pozdrawiam|z poważaniem|s pozdravem|с уважением|з повагою|atenciosamente|saygılarımla|üdvözlettel)[\s,.!]*$",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:thanks|thank you|many thanks|thx|best|cheers|danke|vielen dank|merci|gracias|grazie|obrigad[oa]|bedankt|tack|takk?|dziękuję|спасибо)[\s,.!]*$",
    re.IGNORECASE,
)


def written_text(message: str, longest: int) -> str:
    """What the writer added; empty where it is longer than ``longest`` characters, blanks around it aside."""
    text = message.strip()
    if "<" in text or "&" in text:
        text = _without_markup(text)
    shown = _PICTURE.sub(" ", text[:_MOST_MARKUP])
    added = _added(shown.splitlines(), longest, cut=len(text) > _MOST_MARKUP)
    return "\n".join(added).strip()


def _without_markup(text: str) -> str:
    """The text of HTML above what it quotes; of plain text, itself."""
    shown = "".join(_shown(text))
    quote = _QUOTE_TAG.search(shown)
    kept = shown if quote is None else shown[: quote.start()]
    plain = html.unescape(_TAG.sub(" ", _BREAK.sub("\n\n", kept[:_MOST_MARKUP]))).strip()
    return plain if len(kept) <= _MOST_MARKUP else plain + " " * _MOST_MARKUP + "…"


def _shown(text: str) -> Iterator[str]:
    """The parts that are neither comment, style, script nor title, in order, until there is more than is looked at."""
    at = length = 0
    for _ in range(_MOST_HIDDEN):
        end = at + _MOST_MARKUP + 1 - length
        opening = _HIDDEN.search(text, at, end + len("<script"))
        if opening is None or opening.start() >= end:
            yield text[at:end]
            return
        yield text[at : opening.start()]
        length += opening.start() - at
        name = opening.group(1)
        ending = (_HIDDEN_ENDS[name.lower()] if name else _COMMENT_END).search(text, opening.end())
        if ending is None:
            return
        at = ending.end()


def _added(lines: list[str], longest: int, *, cut: bool) -> list[str]:
    """The lines above what is quoted or signed; none where they are longer than ``longest``.

    :param cut: there are more lines than these.
    """
    added: list[str] = []
    length, number = 0, 0
    while number < len(lines):
        line = lines[number]
        if _is_quoted(line, first=not number):
            return added
        if line.strip():
            if len(line) > _LONGEST_LINE:
                return []
            if _begins_rest(lines, number):
                return added
            below = _names_below(lines, number)
            if below is not None:
                number = below
                continue
            length += len(line.strip()) + 1
            if length > longest + 1:
                return []
        added.append(line)
        number += 1
    return [] if cut else added


def _is_quoted(line: str, *, first: bool) -> bool:
    bare = line.strip()
    if bare.startswith(">"):
        return True
    if first:
        return False
    return (
        bare.startswith(("_____", "| ", "│"))
        or (len(bare) > 1 and not bare.strip("-"))
        or (len(bare) > 4 and not bare.strip("=*"))
        or (len(bare) > 8 and bare.startswith("----") and bare.endswith("----"))
    )


def _begins_rest(lines: list[str], number: int) -> bool:
    """Whether from a line on a message is quoted, or was put below it by a program or a company."""
    bare = lines[number].strip(_MARKS)
    below_blank = number > 0 and not lines[number - 1].strip()
    return _heads_quote(bare, lines, number, below_blank=below_blank) or (
        number > 0
        and (
            _is_signed(bare)
            or _CLOSING.match(bare) is not None
            or (below_blank and bool(_NOTICE.match(bare)))
        )
    )


def _heads_quote(bare: str, lines: list[str], number: int, *, below_blank: bool) -> bool:
    """Whether a line, or one with the next two, heads a quote: it ends in a colon and holds an address or a date."""
    if _HEADED.match(bare) or _ends_in_wrote(bare):
        return True
    address = "@" in bare and _ADDRESS.search(bare) is not None
    if not address and not (_DATE.search(bare) and _TIME.search(bare)):
        return False
    if address and _FIELD.match(bare):
        return True
    heading = _paragraph(lines, number)[:3]
    quotes = below_blank or any(each.lstrip().startswith(">") for each in lines[number + 1 : number + 5])
    return any(_ends_in_wrote(each) or (quotes and _COLON.search(each)) for each in heading)


def _ends_in_wrote(line: str) -> bool:
    tail = line[-_TAIL:]
    return (":" in tail or "：" in tail) and _WROTE.search(tail) is not None


def _is_signed(bare: str) -> bool:
    """Whether a line names the program or machine a message was sent with."""
    if _MINE.match(bare):
        return True
    return bool(_SENT.match(bare) or _SENT_BEFORE.search(bare[-_TAIL:])) and _PROGRAM.search(bare) is not None


def _names_below(lines: list[str], number: int) -> int | None:
    """The number of the line below a farewell and the name it is signed with; None where this is no such line."""
    if number == 0 or not _FAREWELL.match(lines[number].strip()):
        return None
    names = _paragraph(lines, number)[1:]
    if len(names) > _MOST_SIGNING or not all(map(_is_name, names)):
        return None
    return number + 1 + len(names)


def _is_name(line: str) -> bool:
    words = line.split()
    return len(words) <= _MOST_SIGNING and not any(word[0].islower() or word[0].isdigit() for word in words)


def _paragraph(lines: list[str], number: int) -> list[str]:
    """A line and those below it up to a blank one, six at most."""
    found: list[str] = []
    for line in lines[number : number + 2 * _MOST_SIGNING]:
        if not line.strip() or len(line) > _LONGEST_LINE:
            break
        found.append(line)
    return found
