"""What messages set on the do-not-contact list: stops that START takes back, and contacts who are known by an id alone.

Whoever opts out under the platform's id of them, without a number, is on the list by that id too, for the numbers and
addresses that later events tell for it. Such a row is no entry that people see: it belongs to the entry of the number as
another writing of it, and is taken off with it; to itself while no number is known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from pydantic_core import to_json

from airflow_outreach_provider.core.person_texts import unescaped
from airflow_outreach_provider.core.platforms import OUTREACH
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.schema import from_ms
from airflow_outreach_provider.store.suppressions_write import (
    CONTACT,
    EMAIL,
    delete,
    entries_of,
    suppressions,
)

_C = suppressions.c
_STOPS = sa.select(_C.id, _C.phone, _C.source).where(_C.by_stop_word.is_(sa.true()), _C.campaign == "")
# Asked with every group of events: one parameter, and each name looked up by the list's own index.
_OPTED_OUT = "SELECT s.phone, s.reason, s.source, s.by_stop_word, s.row_of = s.id FROM {names}suppressions s WHERE s.campaign = '' AND s.phone = "
_SQLITE_OPTED_OUT = sa.text(_OPTED_OUT.format(names="json_each(:names) CROSS JOIN ") + "value")
_POSTGRES_OPTED_OUT = sa.text(
    _OPTED_OUT.format(names="") + "ANY (ARRAY(SELECT json_array_elements_text(CAST(:names AS json))))"
)
_ATTACH = sa.text(
    "UPDATE suppressions SET row_of = COALESCE((SELECT COALESCE(n.row_of, n.id) FROM suppressions n "
    "WHERE n.phone = :number AND n.campaign = ''), row_of, id) WHERE phone = :name AND campaign = ''"
)


@dataclass(frozen=True, slots=True)
class Stop:
    """An entry that a stop word set.

    :ivar phone: as it names it. :ivar source: the message.
    """

    id: int
    phone: str
    source: str

    @property
    def event_id(self) -> str:
        """Of the message."""
        return self.source.split(" ")[1] if self.source.startswith("event ") else ""


@dataclass(frozen=True, slots=True)
class OptedOutId:
    """A contact that opted out by an id.

    :ivar name: the id where numbers stand. :ivar alone: no number is known for it.
    """

    name: str
    reason: str
    source: str
    by_stop_word: bool
    alone: bool


def contact_id(source: str, external_id: str) -> str:
    """How a contact stands where numbers stand: by the source and its id of them; one that is an address by its hash."""
    name = f"{source}:{external_id}"
    return _hashed(name) if _bears_address(external_id) else CONTACT + name


def contact_ids(source: str, external_id: str, platform: str) -> list[str]:
    """The names an opt-out under an id is kept by. Those of the outreach API are its leads' own, whatever source tells them:
    so they are found without the event, which retention removes."""
    return [contact_id(each, external_id) for each in (source, *([""] if platform == OUTREACH else []))]


def every_contact_id(source: str, external_id: str, platform: str) -> list[str]:
    """The same, and how versions wrote it that kept an address as it is."""
    names = [*contact_ids(source, external_id, platform), f"{CONTACT}{source}:{external_id}"]
    return list(dict.fromkeys(names))


def hash_addresses(connection: sa.Connection, wanted: Callable[[str], bool]) -> None:
    """Leave the hash alone of ids that are addresses and were written as they are. :param wanted: of which."""
    written = _C.phone.startswith(CONTACT) & (
        _C.phone.contains("@") | _C.phone.contains("%40", autoescape=True)
    )
    for row in connection.execute(sa.select(_C.id, _C.phone).where(written)).all():
        if not wanted(row.phone):
            continue
        name = _hashed(row.phone.removeprefix(CONTACT))
        this, known = _C.id == row.id, sa.select(_C.id).where(_C.phone == name)
        if connection.execute(known).first() is not None:
            connection.execute(suppressions.delete().where(this))
        else:
            connection.execute(suppressions.update().where(this).values(phone=name))


def _bears_address(external_id: str) -> bool:
    return "@" in unescaped(external_id)


def _hashed(name: str) -> str:
    return CONTACT + sha256(name.lower().encode("utf-8", "surrogatepass")).hexdigest()


def is_number(listed: str) -> bool:
    """Neither an address nor an id."""
    return not listed.startswith((EMAIL, CONTACT))


def stops_of(connection: sa.Connection, listed: Collection[str]) -> list[Stop]:
    """The entries of these in every campaign, in whatever writing, that a stop word set."""
    ids = entries_of(connection, listed, "") if listed else ()
    return [Stop(*row) for row in connection.execute(_STOPS.where(_C.id.in_(ids)))] if ids else []


def set_by(connection: sa.Connection, sources: Collection[str]) -> list[Stop]:
    """All entries that these messages set, as :class:`Stop` names them."""
    if not sources:
        return []
    entry = _C.row_of.is_(None) | (_C.row_of == _C.id)
    return [Stop(*row) for row in connection.execute(_STOPS.where(_C.source.in_(sources), entry))]


def lift(connection: sa.Connection, stops: Collection[Stop], *, source: str, now_ms: int) -> int:
    """Take these off the list; how many entries. :param source: who said START."""
    gone = delete(connection, {each.id for each in stops})
    if gone:
        audit.record_with(
            connection, from_ms(now_ms), source, "unsuppress", subject="what a stop word had set", count=gone,
            note="START",
        )  # fmt: skip
    return gone


def renew(connection: sa.Connection, stops: Collection[Stop], *, source: str) -> None:
    """These count as set by a later stop word: a START between them, that comes late, lifts nothing."""
    ids = {each.id for each in stops}
    if ids:
        renewed = suppressions.update().where(_C.id.in_(ids) | _C.row_of.in_(ids))
        connection.execute(renewed.values(source=source))


def opted_out(connection: sa.Connection, names: Collection[str]) -> list[OptedOutId]:
    """Who of these contacts is on the list by their id. :param names: see :func:`contact_id`."""
    asked = _POSTGRES_OPTED_OUT if connection.dialect.name == "postgresql" else _SQLITE_OPTED_OUT
    rows = connection.execute(asked, {"names": to_json(list(names)).decode()})
    return [OptedOutId(row[0], row[1], row[2], bool(row[3]), bool(row[4])) for row in rows]


def attach(connection: sa.Connection, name: str, numbers: Sequence[str]) -> None:
    """Whoever takes the number off the list means the contact, too. :param numbers: the first counts, if any."""
    connection.execute(_ATTACH, {"name": name, "number": numbers[0] if numbers else ""})
