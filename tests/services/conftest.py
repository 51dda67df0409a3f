"""A simulated outreach API, batches sent to it, and what became of every row."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.connections import SENDING
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

_RULES = {"campaign", "mapping", "payload_format", "default_region", "require_consent", "line_types", "quiet_hours", "resubmit", "changed_on", "per_person",
          "configuration_id", "time_zone", "phones", "where", "given", "unique_email"}  # fmt: skip
_CLIENT = {"timeout", "api_key", "base_url"}


@dataclass
class Result:
    """One run: its tally and what it raised."""

    tally: Tally
    error: BaseException | None
    run: SubmitRun

    @property
    def states(self) -> dict[str, int]:
        return {state: n for state, n in self.tally.by_state().items() if n}


class Api:
    """The simulated API with a store: sends batches and tells what became of them."""

    def __init__(self, sim: RunningSimulator, store: Store) -> None:
        self.sim, self.store = sim, store

    def make(
        self,
        rows: Iterable[Mapping[str, object]],
        *,
        owner: str = "dag",
        attempt: int = 1,
        run_id: str = "",
        map_index: int = -1,
        named: str = "",
        **given: Any,
    ) -> SubmitRun:
        """A run over rows; options of rules, client and run by name. ``named`` is what its source is called."""
        rules = {"configuration_id": "on", **{k: given.pop(k) for k in list(given) if k in _RULES}}
        client = {"timeout": 5.0, **{k: given.pop(k) for k in list(given) if k in _CLIENT}}
        settings = ApiSettings(
            client.pop("base_url", self.sim.url),
            client.pop("api_key", self.sim.api_key),
            trust_env=False,
            **client,
        )
        extra = {k: given.pop(k) for k in ("now", "progress", "key") if k in given}
        given.setdefault("max_rejected", RejectLimit(None, None))
        source = given.pop("source", None)
        return SubmitRun(
            given.pop("store", self.store), given.pop("client", None) or OutreachClient(settings),
            source if source is not None else read_list(rows), SubmitOptions(LeadRules(**rules), **given),
            owner=Owner(owner, run_id=run_id, map_index=map_index, try_number=attempt), source=named, **extra,
        )  # fmt: skip

    def send(self, rows: Iterable[Mapping[str, object]], **given: Any) -> Result:
        """Run a batch to its end. However it ends, every row read is counted in exactly one state."""
        run = self.make(rows, **given)
        error: BaseException | None = None
        try:
            loop.run(run.run())
        except BaseException as caught:  # noqa: BLE001 - the test says what it should be
            error = caught
        assert sum(run.tally.counts.values()) == run.tally.read, run.tally.table()
        return Result(run.tally, error, run)

    def texts(self) -> dict[str, int]:
        """How often each person was texted."""
        return {phone: n for phone, n in self.sim.texts().items() if n}

    def ledger(self) -> Counter[str]:
        """Leads with a phone by state."""
        with self.store.read() as connection:
            return Counter(
                connection.execute(sa.text("SELECT state FROM leads WHERE phone IS NOT NULL")).scalars()
            )

    def leads(self) -> list[Any]:
        with self.store.read() as connection:
            return list(connection.execute(sa.text("SELECT * FROM leads ORDER BY id")).mappings())

    def sql(self, statement: str, **params: Any) -> list[Any]:
        with self.store.write() as connection:
            result = connection.execute(sa.text(statement), params)
            return list(result) if result.returns_rows else []

    def nobody_twice(self) -> None:
        twice = {phone: n for phone, n in self.texts().items() if n > 1}
        assert twice == {}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def api(request: pytest.FixtureRequest, sim: RunningSimulator) -> Iterator[Api]:
    """The simulated API with an empty store, on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_api")
        return
    if url := request.getfixturevalue("emptied"):
        with request.getfixturevalue("shared_postgres").lent(Store(url, pool=SENDING)) as store:
            yield Api(sim, store)
        return
    store = Store(request.getfixturevalue("postgres_url"), pool=SENDING)
    upgrade(store)
    yield Api(sim, store)
    store.close()


@pytest.fixture
def sqlite_api(sim: RunningSimulator, sqlite_store: Store) -> Api:
    """The same on SQLite alone: for what the database has no part in."""
    return Api(sim, sqlite_store)


@pytest.fixture
def api_of(sim: RunningSimulator) -> Callable[[Store], Api]:
    return lambda store: Api(sim, store)


@pytest.fixture
def people() -> Callable[..., list[dict[str, object]]]:
    """``people(5)``: rows of five persons; ``people(5, 100)``: of five others."""

    def make(count: int, start: int = 0, **more: object) -> list[dict[str, object]]:
        return [
            {"phone": f"+1416{2_000_000 + n}", "firstName": f"P{n}", **more}
            for n in range(start, start + count)
        ]

    return make


@pytest.fixture
def spawn(sim: RunningSimulator) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a run in a process of its own; ends what is left of them afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(
        store: Store, rows: Iterable[int], owner: str = "dag", **given: object
    ) -> subprocess.Popen[str]:
        url = store.url.render_as_string(hide_password=False)
        options = {"store": url, "url": sim.url, "api_key": sim.api_key, "configuration_id": "on", "rows": list(rows),
                   "owner": owner, "window": 16, **given}  # fmt: skip
        script = str(Path(__file__).with_name("submit") / "submit_once.py")
        process = subprocess.Popen(
            [sys.executable, script, json.dumps(options)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def at() -> Callable[..., Callable[[], datetime]]:
    """``at(hours=3)``: a clock that says that much after noon of 1 July 2026 UTC."""
    return lambda **shift: lambda: datetime(2026, 7, 1, 12, tzinfo=UTC) + timedelta(**shift)
