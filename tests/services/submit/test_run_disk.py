"""A disk that fills up in mid-batch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import event

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

ROWS = [{"phone": f"+1416{2_000_000 + n}"} for n in range(3_000)]


def send(store: Store, sim: RunningSimulator, attempt: int) -> Tally:
    # Nothing to be judged by first: leads are sent while their source is still being staged.
    options = SubmitOptions(
        LeadRules(configuration_id=sim.configuration_id), max_rejected=RejectLimit.parse(None), window=32
    )
    client = OutreachClient(ApiSettings(sim.url, sim.api_key, trust_env=False))
    run = SubmitRun(store, client, read_list(ROWS), options, owner=Owner("d", try_number=attempt))
    return asyncio.run(run.run())


@pytest.mark.slow
def test_a_full_disk_stops_the_batch_and_texts_nobody_twice(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the store cannot grow, nothing is sent without a claim; with room again the next try sends what is left."""
    monkeypatch.setattr("airflow_outreach_provider.services.submit.ledger_turns._STORE_PATIENCE", 1.0)
    full = Store(sqlite_url)
    upgrade(full)

    @event.listens_for(full.engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 300")

    full.engine.dispose()
    with running_simulator() as sim:
        with pytest.raises(StoreError, match="full"):
            send(full, sim, 1)
        reached = sim.report()["texts"]
        assert 0 < reached < len(ROWS)
        room = Store(sqlite_url)
        tally = send(room, sim, 2)
        counts = {state: n for state, n in tally.by_state().items() if n}
        assert sum(counts.values()) == len(ROWS)
        assert set(counts) <= {"accepted", "unchanged", "held"}
        assert counts.get("held", 0) <= 32
        assert sim.report()["texted_twice_count"] == 0
