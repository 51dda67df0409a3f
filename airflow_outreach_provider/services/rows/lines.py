"""Bytes → lines of text: gzip, encodings, and lines no longer than a lead can be.

Everything streams: held at any time are one chunk and at most :data:`MAX_LINE` bytes of a line that has not
ended yet. The stream is read forwards only and need not be seekable.

Decisions:

- Bytes that are not UTF-8 are read as cp1252 **line by line**: a single Windows line late in a UTF-8 file
  keeps its neighbours as they are. Bytes that cp1252 does not define make the line undecodable.
- UTF-16 is taken from its BOM; UTF-16 without one from the NULs that ASCII leaves in it.
- Lines end at LF, CRLF or CR, as editors count them; never at U+2028 or form feeds.
- Whether bytes are gzip is told by their magic number, not by the name: object stores may unpack on the way.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, Protocol

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.lead_files import is_text_encoding
from airflow_outreach_provider.services.rows.row import RowFault

CHUNK = 128 * 1024
"""Bytes per read."""
MAX_LINE = 1024 * 1024
"""Bytes of UTF-8 a line may have; a longer one becomes an empty line with a fault."""

_MARKS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# What people upload instead of a text file; magic numbers from the formats' own documents.
_FOREIGN: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(magic), what, remedy)
    for magic, what, remedy in (
        (
            rb"PK\x03\x04",
            "an Excel workbook or a ZIP archive",
            "name a workbook .xlsx, and unpack an archive",
        ),
        (rb"\xd0\xcf\x11\xe0", "an old Excel workbook", "name it .xls, or save the sheet as CSV UTF-8"),
        (rb"PAR1\x15", "a Parquet file", "name it .parquet"),
        (rb"%PDF-", "a PDF", "ask for the data as CSV"),
        (rb"\x28\xb5\x2f\xfd", "compressed with zstd", "compress it with gzip or not at all"),
        (rb"\xfd7zXZ\x00", "compressed with xz", "compress it with gzip or not at all"),
        (rb"BZh[1-9]1AY&SY", "compressed with bzip2", "compress it with gzip or not at all"),
        (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff", "text in UTF-32", "save it as UTF-8"),
        (rb"(?i)<!doctype|<html", "a web page", "open it: often it is a login page in place of the download"),
        (rb"<\?xml", "XML", "export the data as CSV or JSON Lines"),
    )
)


_GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TextBlock(NamedTuple):
    """Some consecutive lines with their line ends; ``faults`` by index into ``lines``."""

    lines: list[str]
    faults: dict[int, RowFault]


def label(name: str) -> str:
    """The file's own name out of a path or URI: no credentials, no signed query string."""
    return name.partition("?")[0].rstrip("/").rpartition("/")[2] or "input"


def text_chunks(stream: BinaryIO, *, name: str) -> Iterator[str]:
    """A text file as it comes, in pieces that end anywhere: for formats whose records are no lines.

    :raises ConfigurationError: the bytes are no text, or their gzip is damaged or cut off.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        source, encoding, data = _opened(stream, name)
        while data:
            yield decoder.decode(_utf8(encoding, data))
            data = source.read(CHUNK)
        yield decoder.decode(_utf8(encoding, b""), final=True)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{label(name)} holds bytes that are no text", "save it as UTF-8") from None
    except _GZIP_ERRORS as error:
        raise ConfigurationError(
            f"{label(name)} is cut off or damaged (gzip, {type(error).__name__})", "upload the file again"
        ) from error


def line_blocks(stream: BinaryIO, *, name: str, encoding: str | None = None) -> Iterator[TextBlock]:
    """The lines of a text file, some at a time.

    :param encoding: what the bytes are said to be; found out where None.
    :raises ConfigurationError: the bytes are no text file, not what they are said to be, or their gzip is damaged or cut off. The lines
        before the damage have been yielded by then; a line cut in half has not.
    """
    count = 0
    if encoding is not None and not is_text_encoding(encoding):
        raise ConfigurationError(f"{encoding!r} is no encoding", "name e.g. utf-8, cp1252 or latin-1")
    try:
        for block in _blocks(stream, name, encoding):
            count += len(block.lines)
            yield block
    except UnicodeError as error:
        raise ConfigurationError(
            f"{label(name)} is not {encoding or 'text'} after line {count}",
            "name the encoding it was saved in, or none: it is found out",
        ) from error
    except _GZIP_ERRORS as error:
        raise ConfigurationError(
            f"{label(name)} is cut off or damaged after line {count} (gzip, {type(error).__name__})",
            "upload the file again; rows already read keep their state and are not sent twice",
        ) from error


def _blocks(stream: BinaryIO, name: str, said: str | None) -> Iterator[TextBlock]:
    source, encoding, data = _opened(stream, name)
    if said is not None and encoding is None and codecs.lookup(said).name not in ("utf-8", "utf-8-sig"):
        encoding = codecs.getincrementaldecoder(said)("surrogateescape")  # a bad byte spoils its line alone
    carry, overlong, more = b"", False, True
    while more:
        more = bool(data)
        body = carry + _utf8(encoding, data)
        # A CR at the very end may be the first half of a CRLF.
        cut = max(body.rfind(b"\n"), body.rfind(b"\r", 0, -1)) + 1 if more else len(body)
        body, carry = body[:cut], body[cut:]
        if body or (overlong and not more):
            first = _line_end(body)
            overlong = overlong or first > MAX_LINE
            block = _decoded(body[first:] if overlong else body, encoding is None)
            if overlong:
                block = TextBlock(block.lines or [""], {**block.faults, 0: RowFault.TOO_LONG})
            yield block
            overlong = False
        if len(carry) > MAX_LINE or overlong:
            overlong, carry = True, carry[-1:] if carry.endswith(b"\r") else b""
        data = source.read(CHUNK) if more else b""


def _line_end(body: bytes) -> int:
    """Length of the first line without its end."""
    ends = [at for at in (body.find(b"\n"), body.find(b"\r")) if at >= 0]
    return min(ends, default=len(body))


def _decoded(body: bytes, cp1252: bool) -> TextBlock:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _decoded_singly(body, cp1252)
    if "\0" in text:
        return _decoded_singly(body, cp1252)
    return TextBlock(list(io.StringIO(text, newline="")), {})


def _decoded_singly(body: bytes, cp1252: bool) -> TextBlock:
    """Line by line, so that a bad line spoils nothing but itself."""
    lines: list[str] = []
    faults: dict[int, RowFault] = {}
    for index, line in enumerate(body.splitlines(keepends=True)):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            try:
                text = line.decode("cp1252" if cp1252 else "ascii")
            except UnicodeDecodeError:
                # Separators and quotes stay where they are, so the record around it is still found.
                text = line.decode("latin-1")
                faults[index] = RowFault.UNDECODABLE
        if "\0" in text:
            faults[index] = RowFault.NUL
        lines.append(text)
    return TextBlock(lines, faults)


class _Prefixed(io.RawIOBase):
    """A stream with the bytes already taken from it put back; all that gzip needs of a file."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            if 0 <= size < len(head):
                head, self._head = head[:size], head[size:]
            return head
        return self._stream.read(size)


class _Gunzip:
    """Unpacks a gzip stream; an error comes only after everything that was readable before it.

    A zip bomb costs time, never memory: no more is unpacked than is asked for.
    """

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._file = gzip.GzipFile(fileobj=_Prefixed(head, stream), mode="rb")
        self._error: Exception | None = None

    def read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0 and self._error is None:
            try:
                part = self._file.read1(size)
            except _GZIP_ERRORS as error:
                self._error = error
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        if self._error is not None and not parts:
            raise self._error
        return b"".join(parts)


def _opened(stream: BinaryIO, name: str) -> tuple[_Source, codecs.IncrementalDecoder | None, bytes]:
    """The unpacked source, its decoder (None: bytes are taken as UTF-8) and the first bytes after any mark."""
    source: _Source = stream
    head = _head(source)
    if not head and label(name).lower().endswith(".gz"):
        raise EOFError("no bytes, not even gzip's header")
    if head.startswith(b"\x1f\x8b"):
        source = _Gunzip(head, stream)
        head = _head(source)
    start = head[:64].removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, what, remedy in _FOREIGN:
        if magic.match(start):
            raise ConfigurationError(f"{label(name)} is {what}, not CSV or JSON Lines", remedy)
    encoding, skip = _encoding(head)
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("surrogatepass")
    return source, decoder, head[skip:]


def _head(stream: _Source) -> bytes:
    """The first chunk, however little a pipe gives at once: marks and magic numbers must not be torn."""
    parts, size = [], 0
    while size < 4096 and (part := stream.read(CHUNK - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _utf8(decoder: codecs.IncrementalDecoder | None, data: bytes) -> bytes:
    """The bytes as UTF-8; empty ``data`` is the end.

    Half a surrogate pair, or half a character at the end, becomes bytes that are no UTF-8: its line shows it.
    """
    if decoder is None:
        return data
    try:
        return decoder.decode(data, final=not data).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # UTF-16 raises only for an odd byte at the end
        return b"\xff"


def _encoding(head: bytes) -> tuple[str, int]:
    """The encoding and the length of its byte order mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:64]
    pairs = len(sample) // 2
    high, low = sample[0 : pairs * 2 : 2].count(0), sample[1 : pairs * 2 : 2].count(0)
    # Names, digits and separators are ASCII in every country's export: every other byte is NUL.
    if low * 3 >= max(pairs, 1) and high * 10 <= low:
        return "utf-16-le", 0
    if high * 3 >= max(pairs, 1) and low * 10 <= high:
        return "utf-16-be", 0
    return "utf-8", 0
