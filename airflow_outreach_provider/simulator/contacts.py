"""Who was submitted, and how often texted; in memory, and in a journal that survives a killed simulator."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from airflow_outreach_provider.core.errors import ConfigurationError

_NOT_THE_PERSONS = (
    "configurationId",
    "configuration_id",
    "CONFIGURATION_ID",
    "applications",
    "conversations",
)
NO_FAULTS: list[str] = []  # shared by all whom no fault met


class Submission(NamedTuple):
    """A lead the API takes: ``phone`` is ``+`` and digits, or None; ``raw`` is the request's body."""

    configuration_id: str
    phone: str | None
    payload: dict[str, Any]
    raw: bytes


class SimulatedContact:
    """One contact. Its fields are read from the body when somebody asks: a million people fit into memory.

    ``texts`` counts processed submissions: each one texts. Times are milliseconds since the epoch, UTC.
    """

    __slots__ = (
        "body",
        "configuration_id",
        "created_ms",
        "earlier",
        "faults",
        "number",
        "phone",
        "texts",
        "updated_ms",
    )

    def __init__(self, number: int, submission: Submission, now_ms: int) -> None:
        self.number = number
        self.phone = submission.phone
        self.configuration_id = submission.configuration_id
        self.body = submission.raw
        self.earlier: dict[str, Any] | None = None
        self.faults: list[str] = NO_FAULTS
        self.texts = 0
        self.created_ms = self.updated_ms = now_ms

    def update(self, submission: Submission, now_ms: int) -> None:
        """Later fields win; fields sent earlier and not now stay."""
        self.earlier = self.fields()
        self.body = submission.raw
        self.configuration_id = submission.configuration_id
        self.updated_ms = now_ms

    def last_payload(self) -> Any:
        """The JSON object submitted last, as it came."""
        return json.loads(self.body)

    def fields(self) -> dict[str, Any]:
        """All contact fields submitted so far, custom properties included."""
        return {**(self.earlier or {}), **contact_fields(self.last_payload())}


def contact_fields(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """``contacts`` of the fixed format; of the raw one everything but the configuration's id."""
    contacts = payload.get("contacts")
    if isinstance(contacts, dict):
        return contacts
    return {key: value for key, value in payload.items() if key not in _NOT_THE_PERSONS}


def same_phone(written: object) -> str | None:
    """``+`` and the digits: one number in two writings is one person. None where there is no digit."""
    text = written if isinstance(written, str) else str(written or "")
    if text[:1] == "+" and text[1:].isdecimal() and text.isascii():
        return text
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    return f"+{digits}" if digits else None


class ContactBook:
    """Everybody submitted, in the order of their last submission.

    :param journal: a file to which each processed submission is appended before it is answered; an existing
        one is read first. None: memory only.
    """

    def __init__(self, journal: Path | None = None) -> None:
        self._by_key: dict[str, SimulatedContact] = {}
        self.texts = self.created = self.updated = self.without_phone = 0
        self._count = 0
        self._file: int | None = None
        if journal is not None:
            self._open(journal)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[SimulatedContact]:
        """The one submitted last comes first."""
        return reversed(self._by_key.values())

    def find(self, phone: str) -> SimulatedContact | None:
        """The person with this number in any writing that has the country code."""
        return self._by_key.get(same_phone(phone) or "")

    def process(self, submission: Submission, now_ms: int | None = None) -> SimulatedContact:
        """Create or update the contact and text the person; on disk before it counts."""
        at = int(time.time() * 1000) if now_ms is None else now_ms
        if self._file is not None:
            body = json.dumps(submission.payload, separators=(",", ":")).encode()
            _append(self._file, b'{"at":%d,"body":%b}\n' % (at, body))
        return self._take(submission, at)

    def reset(self) -> None:
        """Forget everybody, in the journal too."""
        self._by_key.clear()
        self.texts = self.created = self.updated = self.without_phone = self._count = 0
        if self._file is not None:
            os.ftruncate(self._file, 0)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _take(self, submission: Submission, at: int) -> SimulatedContact:
        key = submission.phone or ""
        person = self._by_key.get(key) if key else None
        if person is None:
            self._count += 1
            person = SimulatedContact(self._count, submission, at)
            self._by_key[key or f"#{person.number}"] = person
            self.created += 1
        else:
            person.update(submission, at)
            self._by_key[key] = self._by_key.pop(key)
            self.updated += 1
        if key:
            person.texts += 1
            self.texts += 1
        else:
            self.without_phone += 1
        return person

    def _open(self, journal: Path) -> None:
        try:
            self._file = os.open(journal, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The simulator's journal {journal} cannot be opened: {error.strerror}",
                "name a writable file",
            ) from error
        whole = 0
        with journal.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):  # torn by a full disk: it was never answered
                    break
                self._replay(line, number, journal)
                whole += len(line)
        os.ftruncate(self._file, whole)

    def _replay(self, line: bytes, number: int, journal: Path) -> None:
        try:
            entry = json.loads(line)
            submission, at = (
                read_submission(entry["body"], json.dumps(entry["body"]).encode()),
                int(entry["at"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"Line {number} of {journal} is not of a simulator's journal",
                "name another file, or remove it",
            ) from error
        self._take(submission, at)


def configuration_id_of(payload: Mapping[str, Any]) -> str:
    """In any of the three documented spellings; empty when there is none."""
    given = (
        payload.get("configurationId") or payload.get("configuration_id") or payload.get("CONFIGURATION_ID")
    )
    return str(given) if given else ""


def read_submission(payload: dict[str, Any], raw: bytes) -> Submission:
    """``payload`` is the JSON object in ``raw``; the phone is ``contacts.phoneNumber`` when contacts are sent."""
    contacts = payload.get("contacts")
    holder = contacts if isinstance(contacts, dict) else payload
    return Submission(configuration_id_of(payload), same_phone(holder.get("phoneNumber")), payload, raw)


def _append(file: int, line: bytes) -> None:
    written = os.write(file, line)
    if written != len(line):
        os.ftruncate(file, os.fstat(file).st_size - written)
        raise OSError(f"only {written} of {len(line)} bytes fit into the journal")
