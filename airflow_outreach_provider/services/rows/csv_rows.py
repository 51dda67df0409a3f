"""CSV as it comes: separators sniffed, broken rows reported one by one, nothing swallowed.

Decisions (all shown by ``tests/services/rows/test_csv_rows.py``):

- The separator is the one of ``, ; tab |`` most frequent in the header outside quotes; a draw goes to the
  one that occurs less in prose (tab, ``|``, ``;``, then ``,``). Excel's ``sep=;`` line settles it.
- Lines without any value are skipped, also Excel's ``,,,,`` and lines of blanks.
- Fewer values than columns: the rest is empty. Not so on a last line without a line end (the file may have
  been cut off within a phone number), nor right after a broken quote (the line may be the inside of a text).
- More values than columns: ``row_ragged``, unless those beyond are empty (a trailing separator).
- Quotes follow RFC 4180 strictly: ``"Ann "Annie" Lee"`` is ``row_quotes``, not a guess. A quote that would
  swallow what follows makes its own line an error, and reading goes on at the **next** line.
- A column without a name is an error, except trailing ones, as long as they are empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.services.rows.header import (
    Dialect,
    Reads,
    column_names,
    reads_all,
    separator_in,
    separator_line,
    sniff,
)
from airflow_outreach_provider.services.rows.lines import TextBlock, label, line_blocks
from airflow_outreach_provider.services.rows.row import FAULT_TEXTS, Row, RowFault, faulty

MAX_RECORD_LINES = 1_000
"""Lines one record may span; more is a quote that was never closed."""
MAX_RECORD_CHARS = 1024 * 1024
_MAX_HEADER_LINES = 20

if TYPE_CHECKING:
    from _csv import Reader as _Reader

_LINE_ENDS = ("\n", "\r")
_BLANK = " \t|;,\r\n"


def read_csv(
    stream: BinaryIO,
    *,
    name: str,
    reads: Reads = reads_all,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Iterator[Row]:
    """The rows of a CSV file, with the header's names as keys and every value a ``str``, as written.

    :param stream: bytes, read forwards only; gzip and encodings are recognised.
    :param name: path or URI, for messages.
    :param reads: of which columns anything is made; the others may have one name.
    :param delimiter: what separates values; found out where None. :param encoding: the same of the bytes.
    :raises ConfigurationError: on the first ``next()`` for a header that cannot be used or a file that is no
        text; later for a damaged gzip, after the good rows.
    """
    return _CsvFile(line_blocks(stream, name=name, encoding=encoding), name, reads, delimiter).rows()


class _Runaway(Exception):
    """A record longer than any lead: its quote was never closed."""


class _CsvFile:
    """A window of lines that slides over the file.

    It always reaches back to the start of the record in hand, so that reading can resume at the line after it.
    """

    def __init__(
        self, blocks: Iterator[TextBlock], name: str, reads: Reads, delimiter: str | None = None
    ) -> None:
        self._blocks, self._name, self._reads = blocks, label(name), reads
        self._delimiter = delimiter
        self._window: list[str] = []
        self._first = 1  # line number of _window[0]
        self._faults: dict[int, RowFault] = {}  # by line number, of lines at or after _start
        self._start = 1  # line on which the record in hand starts
        self._short = 0  # the width of short rows this file is known to have

    def rows(self) -> Iterator[Row]:
        """The rows after the header.

        The first branch is written out for speed: a million unchanged rows pass there on every sync.
        """
        header = self._header()
        if header is None:
            return
        names, dialect = header
        width = len(names)
        faults, wary = self._faults, False
        while True:
            reader = self._reader(dialect)
            before = last = self._start - 1
            try:
                for values in reader:
                    end = before + reader.line_num
                    if (
                        len(values) == width
                        and end - last == 1
                        and values[0].strip()
                        and not (faults or wary)
                    ):
                        yield Row(end, dict(zip(names, values)))  # noqa: B905 - equally long
                    else:
                        fault = self._fault(values, width, end, wary)
                        if fault is RowFault.QUOTES:
                            break
                        wary = fault is RowFault.TOO_LONG or (
                            wary and (fault is not None or len(values) < width)
                        )
                        if fault is not None:
                            yield self._faulty(fault, values, width, end)
                        elif "".join(values).strip():
                            values += [""] * (width - len(values))
                            yield Row(self._start, dict(zip(names, values)))  # noqa: B905 - rest is empty
                    last = end
                    self._advance(end + 1)
                else:
                    return
                fault = RowFault.QUOTES
            except (csv.Error, _Runaway) as error:
                one_line = reader.line_num + before == self._start
                fault = RowFault.TOO_LONG if one_line and "field limit" in str(error) else RowFault.QUOTES
            yield faulty(self._start, fault)
            self._advance(self._start + 1)
            wary = True

    def _fault(self, values: list[str], width: int, end: int, wary: bool) -> RowFault | None:
        """What is wrong with the record from ``_start`` to ``end``; QUOTES: it swallowed lines not its own."""
        fault = next((self._faults[at] for at in range(self._start, end + 1) if at in self._faults), None)
        count = len(values)
        ragged = count < width if count <= width else any(values[width:])
        if end > self._start:
            lines = self._window[self._start - self._first : end + 1 - self._first]
            if (
                fault is RowFault.TOO_LONG
                or len(lines) > MAX_RECORD_LINES
                or sum(map(len, lines)) > MAX_RECORD_CHARS
                or (ragged and count != self._short)
            ):
                return RowFault.QUOTES
        if fault is not None or not ragged or not "".join(values).strip():
            return fault
        if count > width or (wary and count != self._short) or self._is_cut_off(end):
            return RowFault.RAGGED
        self._short = count
        return None

    def _is_cut_off(self, end: int) -> bool:
        return not self._window[end - self._first].endswith(_LINE_ENDS)

    def _faulty(self, fault: RowFault, values: list[str], width: int, end: int) -> Row:
        text = ""
        if fault is RowFault.RAGGED:
            text = f"{len(values)} values for {width} columns; "
            if len(values) > width:
                text += "put quotes around a value with a separator in it"
            elif self._is_cut_off(end):
                text += "the file ends in the middle of this line"
            else:
                text += "this may be the inside of the text with the broken quote above"
        return faulty(self._start, fault, text)

    def _header(self) -> tuple[list[str], Dialect] | None:
        """The header, or None in a file without text; leaves ``_start`` on the line after it."""
        line = self._first_text()
        separator = separator_line(line or "")
        if separator:
            self._advance(self._start + 1)
            line = self._first_text()
        if line is None:
            return None
        where = f"line {self._start} of {self._name}"
        dialect = sniff(line, self._delimiter or separator)
        reader = self._reader(dialect)
        try:
            values = next(reader)
        except (csv.Error, _Runaway) as error:
            raise ConfigurationError(
                f"{where}: the header cannot be read: {FAULT_TEXTS[RowFault.QUOTES]}",
                "correct the first line",
            ) from error
        end = self._start - 1 + reader.line_num
        for at in range(self._start, end + 1):
            if at in self._faults:
                raise ConfigurationError(
                    f"line {at} of {self._name}: the header cannot be read: {FAULT_TEXTS[self._faults[at]]}",
                    "the file must begin with a line of column names; save it as CSV UTF-8",
                )
        if end - self._start >= _MAX_HEADER_LINES:
            raise ConfigurationError(
                f"{where}: the header spans {end - self._start + 1} lines, so a quote in it is not closed",
                "correct the first line",
            )
        if (
            len(values) == 1
            and self._delimiter
            and (found := separator_in(line)) not in ("", self._delimiter)
        ):
            raise ConfigurationError(
                f"{where}: there is no {self._delimiter!r} between the column names, but {found!r}",
                f"write delimiter: {found!r}, or leave it out: it is found out",
            )
        names = column_names(values, where, self._reads)
        self._advance(end + 1)
        return names, dialect

    def _first_text(self) -> str | None:
        """The first line at or after ``_start`` with more than separators on it; moves ``_start`` there."""
        while True:
            for line in self._window[self._start - self._first :]:
                if line.strip(_BLANK) or self._start in self._faults:
                    return line
                self._start += 1
            if not self._load():
                return None

    def _reader(self, dialect: Dialect) -> _Reader:
        return csv.reader(
            self._feed(self._start),
            delimiter=dialect.delimiter,
            skipinitialspace=dialect.skipinitialspace,
            strict=True,
        )

    def _feed(self, line: int) -> Iterator[str]:
        """The lines from number ``line`` on, to the end of the file."""
        while True:
            yield from self._window[line - self._first :]
            line = self._first + len(self._window)
            if not self._load():
                return

    def _load(self) -> bool:
        """Slide the window on by one block, keeping the record in hand; False at the end of the file."""
        kept = self._window[self._start - self._first :]
        if len(kept) > MAX_RECORD_LINES or sum(map(len, kept)) > MAX_RECORD_CHARS:
            raise _Runaway
        block = next(self._blocks, None)
        if block is None:
            return False
        after = self._start + len(kept)
        self._faults.update((after + index, fault) for index, fault in block.faults.items())
        self._window, self._first = kept + block.lines, self._start
        return True

    def _advance(self, start: int) -> None:
        if self._faults:
            for at in range(self._start, start):
                self._faults.pop(at, None)
        self._start = start
