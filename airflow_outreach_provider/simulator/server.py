"""The simulator: the API, its people and its faults behind one port."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.simulator.api import Account, Api, Call, Configuration, contact_id
from airflow_outreach_provider.simulator.connection import Connection
from airflow_outreach_provider.simulator.contacts import ContactBook
from airflow_outreach_provider.simulator.control import control
from airflow_outreach_provider.simulator.fault_selection import FaultPlan, FaultSelector, FaultTally
from airflow_outreach_provider.simulator.faults import ApiEndpoint, Faults, InjectedFault
from airflow_outreach_provider.simulator.options import API_KEY, CONFIGURATION_ID, EMAIL, PASSWORD
from airflow_outreach_provider.simulator.wire import ApiRequest, Reply

_SHOWN = 100


class Simulator:
    """A stand-in for the outreach API on ``/api/…`` (Tether) and ``/v2/contacts`` (SuperSend).

    :param api_key: the API Integration Key that is let in, for both platforms.
    :param configurations: the state of each outreach configuration by its id: ``active``, ``inactive`` or
        ``unprompted``.
    :param faults: see :mod:`~airflow_outreach_provider.simulator.faults`.
    :param seed: the same seed and the same submissions give the same faults.
    :param journal: a file that keeps every processed submission, so that a killed simulator loses no count.
    :param contacts_email: with ``contacts_password`` the login for the contact list.
    :param owns_contacts: False: submitted contacts are a colleague's, hidden from ``ownerFilter=my``.
    :param token_seconds: how long a login lasts.
    """

    def __init__(
        self,
        api_key: str = API_KEY,
        configurations: Mapping[str, str] | None = None,
        faults: Faults = Faults(),  # noqa: B008 - immutable
        seed: int = 0,
        journal: str | Path | None = None,
        *,
        contacts_email: str = EMAIL,
        contacts_password: str = PASSWORD,
        owns_contacts: bool = True,
        token_seconds: float = 3600,
    ) -> None:
        self.account = Account(
            api_key,
            {key: _state(state) for key, state in (configurations or {CONFIGURATION_ID: "active"}).items()},
            contacts_email,
            contacts_password,
            owns_contacts,
            token_seconds,
        )
        self._people = ContactBook(Path(journal) if journal else None)
        self._api = Api(self.account, self._people)
        self._faults, self._seed = faults, seed
        self._connections: set[Connection] = set()
        self._peak = 0
        self._fresh_counts()

    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
        """Listen; port 0 takes a free one, to be read from ``server.sockets``."""
        return await asyncio.get_running_loop().create_server(
            partial(Connection, self), host, port, backlog=1024
        )

    def close(self) -> None:
        """Drop all connections and close the journal."""
        for connection in list(self._connections):
            connection.finish()
        self._people.close()

    # -- what a connection asks

    def admit(self, connection: Connection) -> InjectedFault | None:
        self._connections.add(connection)
        self._peak = max(self._peak, len(self._connections))
        self._accepted += 1
        return self._selector.refuse_connection(len(self._connections))

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def open(self, request: ApiRequest) -> Call | Reply:
        if request.path.startswith("/_sim/"):
            return control(self, request)
        self._requests += 1
        return self._api.open(request)

    def select(self, call: Call) -> FaultPlan | None:
        if self._selector.idle:
            return None
        return self._selector.select(call.endpoint, call.phone, asyncio.get_running_loop().time())

    def texted(self) -> int:
        return self._people.texts

    def count(self, call: Call, status: int | None, plan: FaultPlan | None) -> None:
        if call.endpoint is ApiEndpoint.OUTREACH:
            self._answered[status] += 1
        if plan is not None and call.phone and (person := self._people.find(call.phone)):
            person.faults = (person.faults + plan.names)[-_SHOWN:]

    # -- Controls

    def report(self, *, full: bool = False) -> dict[str, Any]:
        """The totals since the start, the journal included. Phones are masked unless ``full``.

        ``submissions`` are answered or abandoned posts to the outreach webhook, by status under ``answered``
        (``none``: no whole answer went out); ``texts`` are processed leads with a phone.
        """
        people = self._people
        twice = [person for person in people if person.texts > 1]
        shown = twice if full else twice[:_SHOWN]
        return {
            "requests": self._requests,
            "submissions": sum(self._answered.values()),
            "answered": {str(status or "none"): n for status, n in sorted(self._answered.items(), key=str)},
            "texts": people.texts,
            "without_phone": people.without_phone,
            "people": len(people),
            "created": people.created,
            "updated": people.updated,
            "texted_twice_count": len(twice),
            "texted_twice": [
                {"phone": person.phone if full else mask_phone(person.phone), "texts": person.texts}
                for person in shown
            ],
            "connections": {"open": len(self._connections), "peak": self._peak, "accepted": self._accepted},
            **self.fault_report(),
        }

    def texts(self, phone: str | None = None) -> dict[str, Any]:
        """``{phone: texts}`` of everybody; with ``phone`` that person's counts, faults and last payload."""
        if phone is None:
            return {person.phone: person.texts for person in self._people if person.phone}
        person = self._people.find(phone)
        if person is None:
            return {"phone": phone, "texts": 0, "created": 0}
        return {
            "phone": person.phone,
            "texts": person.texts,
            "created": 1,
            "contact_id": contact_id(person.number),
            "configuration_id": person.configuration_id,
            "created_ms": person.created_ms,
            "updated_ms": person.updated_ms,
            "faults": person.faults,
            "last_payload": person.last_payload(),
        }

    def fault_report(self) -> dict[str, Any]:
        """Each fault that is or was in force: how often it hit, and whether the person was texted then."""
        current = set(self._faults.specs())
        return {
            "seed": self._seed,
            "faults": [
                {
                    "fault": name,
                    "in_force": name in current,
                    "hit": tally.hit,
                    "texted": tally.texted,
                    "not_texted": tally.not_texted,
                }
                for name, tally in self._tallies.items()
            ],
        }

    def set_faults(self, faults: Faults, seed: int | None = None) -> None:
        """From the next request on these faults, counted from their first request; hits so far are kept."""
        self._faults = faults
        self._seed = self._seed if seed is None else seed
        self._selector = FaultSelector(faults, self._seed, self._tallies)

    def reset(self) -> None:
        """Forget people, counts and journal."""
        self._people.reset()
        self._fresh_counts()

    def _fresh_counts(self) -> None:
        self._answered: Counter[int | None] = Counter()
        self._requests = self._accepted = 0
        self._peak = len(self._connections)
        self._tallies: dict[str, FaultTally] = {}
        self._selector = FaultSelector(self._faults, self._seed, self._tallies)


def _state(text: str) -> Configuration:
    try:
        return Configuration(text)
    except ValueError:
        raise ConfigurationError(
            f"A configuration cannot be {text!r}", f"use one of {', '.join(Configuration)}"
        ) from None
