"""*Try it* for a sync: the run of Airflow that only looks, known by its id, and what it found of each row.

The id is all there is to it: whatever the DAG, its params or its arguments say, a run that is called so reads that many
rows and sends nothing. So it may be started by the pages, by ``airflow dags trigger -r``, or in Airflow's own form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import printable
from airflow_outreach_provider.core.states import RowState

PREFIX = "outreach_try__"
USUAL_ROWS, MOST_ROWS = 5, 100
KEPT = timedelta(days=1)
"""How long what a try found is kept: it holds what the source says of people."""

_RUN_ID = re.compile(rf"{PREFIX}([1-9][0-9]{{0,2}})__[^\s]+", re.ASCII | re.IGNORECASE)
_ROWS = re.compile(r"\s*([0-9]{1,3})\s*", re.ASCII)
_LONGEST_VALUE, _LONGEST_PAYLOAD, _LONGEST_ROW = 500, 32_768, 16_384


@dataclass(frozen=True, slots=True)
class RowTrial:
    """A run that only tries. :ivar rows: how many rows of each source it reads at most, 1 to ``MOST_ROWS``."""

    rows: int


def trial_of(run_id: str) -> RowTrial | None:
    """What a run's id says; None for every run that is none of these.

    Upper and lower case, and blanks around it, are one: who meant to try must not send because of a capital letter.

    :raises ConfigurationError: it begins like a try's and cannot be read as one; such a run must do nothing at all.
    """
    plain = run_id.strip()
    if not plain.casefold().startswith(PREFIX):
        return None
    read = _RUN_ID.fullmatch(plain)
    if read is None or int(read[1]) > MOST_ROWS:
        raise ConfigurationError(
            f"the run id {printable(run_id)[:60]!r} begins with {PREFIX} and does not go on as a try does; nothing was done",
            f"call it {PREFIX}5__anything to try 5 rows (1 to {MOST_ROWS}), or give it another beginning to send",
        )
    return RowTrial(int(read[1]))


def trial_run_id(rows: int, actor: str, latest: str) -> str:
    """The id of somebody's next try: asked for twice before it is there, it is the same.

    :param rows: 1 to ``MOST_ROWS``. :param latest: what tells the last try of the DAG; empty where there is none.
    """
    told = blake2b(f"{actor}\x1f{latest}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{PREFIX}{rows}__{told}"


def read_rows(text: str | None) -> int:
    """How many rows somebody asks for; ``USUAL_ROWS`` where nothing is said.

    :raises ConfigurationError: it is no whole number from 1 to ``MOST_ROWS``.
    """
    if text is None or not text.strip():
        return USUAL_ROWS
    read = _ROWS.fullmatch(text)
    if read is None or not 1 <= int(read[1]) <= MOST_ROWS:
        raise ConfigurationError(
            f"{printable(text)[:20]!r} is no number of rows", f"write a whole number from 1 to {MOST_ROWS}"
        )
    return int(read[1])


@dataclass(frozen=True, slots=True)
class TriedRow:
    """What a run would have done with a row.

    :ivar line: 1-based, of its source. :ivar state: of :class:`~core.states.RowState`; *planned* would be sent.
    :ivar detail: why, without personal data. :ivar values: by column, as the source has them, long ones shortened.
    :ivar phone: E.164, "" where none could be read. :ivar payload: the body that would be sent, "" where there is none.
    :ivar until: until when a deferred one waits, ISO 8601.
    """

    line: int
    state: str
    reason: str = ""
    detail: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    phone: str = ""
    payload: str = ""
    until: str = ""

    def shortened(self) -> TriedRow:
        """The same, no longer than anybody reads on a page."""
        values: dict[str, Any] = {}
        left = _LONGEST_ROW
        for name, value in self.values.items():
            said = _short(value)
            left -= len(str(name)) + len(said if isinstance(said, str) else str(said))
            if left < 0:
                values["…"] = f"{len(self.values) - len(values)} more columns"
                break
            values[printable(str(name))[:_LONGEST_VALUE]] = said
        fits = len(self.payload) <= _LONGEST_PAYLOAD
        payload = self.payload if fits else json.dumps(f"{len(self.payload):,} characters: too long to show")
        return TriedRow(
            self.line, self.state, self.reason, self.detail, values, self.phone, payload, self.until
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """What one task of a try found.

    :ivar source: where its rows came from, masked. :ivar carried: people whom earlier runs left, and the next would text
        besides these rows. :ivar notes: what else a person should know. :ivar error: why it came to no end; "" else.
    """

    source: str = ""
    rows: tuple[TriedRow, ...] = ()
    carried: int = 0
    notes: tuple[str, ...] = ()
    error: str = ""

    def to_json(self) -> str:
        """As the store keeps it."""
        shown = asdict(self) | {"rows": [asdict(row.shortened()) for row in self.rows]}
        return json.dumps(shown, ensure_ascii=False, default=str)

    @classmethod
    def of_json(cls, text: str) -> Tried:
        """What :meth:`to_json` wrote."""
        said = json.loads(text)
        rows = tuple(TriedRow(**row) for row in said["rows"])
        return cls(said["source"], rows, said["carried"], tuple(said["notes"]), said["error"])


def would_send(rows: Iterable[TriedRow]) -> int:
    """How many of them would be sent."""
    return sum(row.state == RowState.PLANNED for row in rows)


def _short(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = printable(text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
