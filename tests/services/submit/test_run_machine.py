"""Any order of tries, faults, kills between commits, other runs, changed rows and times: at most one text a person."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from stores import migrated_file
from strategies import examples

from airflow_outreach_provider.core.errors import OutreachError
from airflow_outreach_provider.core.outcomes import Fault, SubmitAnswer, classify_answer, classify_fault
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.run import SubmitRun
from airflow_outreach_provider.store.engine import Store

PEOPLE = 12
LEASE = timedelta(minutes=5)
NIGHT = QuietHours.parse("21:00-08:00")


class Killed(BaseException):
    """SIGKILL, as far as one process can play it."""


class Mortal(Store):
    """The store of a process that dies at its n-th commit, right before or right after it; afterwards nothing works."""

    def __init__(self, url: str, clock: Any, commits: int | None, after: bool) -> None:
        super().__init__(url, clock=clock)
        self.left, self.after, self.dead = commits, after, False

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        self._check()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        self._check()
        dies = False
        if self.left is not None:
            dies, self.left = self.left == 0, self.left - 1
        with super().write() as connection:
            yield connection
            if dies and not self.after:
                self.dead = True
                raise Killed
        if dies:
            self.dead = True
            raise Killed

    def _check(self) -> None:
        if self.dead:
            raise Killed


# What the API does with a submission: is the person texted, and what is answered.
_NOW = datetime(2026, 7, 1, tzinfo=UTC)
BEHAVIOURS: dict[str, tuple[bool, SubmitAnswer]] = {
    "ok": (True, classify_answer(200, b'{"success":true,"data":{"contactId":"c"}}', now=_NOW)),
    "lost": (True, classify_fault(Fault.DROPPED)),
    "slow": (True, classify_fault(Fault.TIMEOUT)),
    "html": (True, classify_answer(200, b"<html>", now=_NOW)),
    "failed": (False, classify_answer(500, b"", now=_NOW)),
    "failed late": (True, classify_answer(500, b"", now=_NOW)),
    "busy": (False, classify_answer(429, b"", now=_NOW)),
    "away": (False, classify_fault(Fault.REFUSED)),
    "refused": (False, classify_answer(422, b"", now=_NOW)),
    "bad": (False, classify_answer(400, b"", now=_NOW)),
    "key": (False, classify_answer(401, b"", now=_NOW)),
}


class FakeClient:
    """Stands for the API: counts texts, answers by plan, and may let another run in while it answers."""

    def __init__(self, texts: Counter[str], plan: list[str], store: Mortal, intrude: Any = None) -> None:
        self.texts, self.plan, self.store, self.intrude = texts, deque(plan), store, intrude

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def submit(self, body: bytes) -> SubmitAnswer:
        await asyncio.sleep(0)
        if self.store.dead:
            await asyncio.Event().wait()
        behaviour = self.plan.popleft() if self.plan else "ok"
        texted, answer = BEHAVIOURS[behaviour]
        if self.intrude is not None:
            intrude, self.intrude = self.intrude, None
            intrude()
        if texted:
            self.texts[json.loads(body)["phoneNumber"]] += 1
        await asyncio.sleep(0)
        return answer


def phone(number: int) -> str:
    return f"+1416{2_000_000 + number}"


def spelled(number: int, writing: int) -> str:
    e164 = phone(number)
    return [e164, f"(416) {e164[5:8]}-{e164[8:]}", f"1-416-{e164[5:]}", f"00{e164[1:]}"][writing]


row = st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, 3), st.integers(0, 2))  # person, writing, version
plans = st.lists(st.sampled_from(["ok"] * 6 + list(BEHAVIOURS)), max_size=14)
judgements = st.sampled_from([None, 1, 0])  # every list has one bad row: not judged, accepted, refused
kills = st.none() | st.tuples(st.integers(0, 8), st.booleans())


class Machine(RuleBasedStateMachine):
    """One campaign, a dozen people, two tasks, one clock."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = shutil.copy(migrated_file(), Path(self.folder.name) / "outreach.db")
        self.url = f"sqlite:///{path}"
        self.time = datetime(2026, 7, 1, 14, tzinfo=UTC)  # ten in the morning in Toronto
        self.texts: Counter[str] = Counter()
        self.listed: dict[str, int] = {}
        self.tries: Counter[str] = Counter()
        self.seen = Store(self.url, clock=lambda: self.time)

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.seen.close()
            self.folder.cleanup()

    def sync(self, owner: str, rows: list[tuple[int, int, int]], plan: list[str], window: int,
             kill: tuple[int, bool] | None = None, night: bool = False, intrude: Any = None,
             most_rejected: int | None = None) -> SubmitRun | None:  # fmt: skip
        """One process that runs one batch, to its end or its death."""
        self.tries[owner] += 1
        store = Mortal(self.url, lambda: self.time, *(kill or (None, False)))
        values: list[Any] = [
            {"phone": spelled(who, writing), "version": version} for who, writing, version in rows
        ]
        values.append({"phone": "12"})
        rules = LeadRules(configuration_id="c", default_region="US", quiet_hours=NIGHT if night else None)
        options = SubmitOptions(
            rules, window=window, lease=LEASE, patience=0.02, max_rejected=RejectLimit(None, most_rejected)
        )
        run = SubmitRun(
            store, FakeClient(self.texts, plan, store, intrude), read_list(values), options,
            owner=Owner(owner, try_number=self.tries[owner]), now=lambda: self.time,
        )  # fmt: skip
        try:
            asyncio.run(run.run())
        except (OutreachError, Killed):
            pass
        finally:
            store.close()
        if store.dead:
            return None
        assert run.tally.read == sum(run.tally.counts.values()), run.tally.table()
        return run

    @initialize()
    def begin(self) -> None:
        self.sync("a", [], [], 4)

    @rule(
        owner=st.sampled_from("ab"),
        rows=st.lists(row, max_size=16),
        plan=plans,
        window=st.integers(1, 8),
        night=st.booleans(),
        judged=judgements,
    )
    def try_once(
        self, owner: str, rows: Any, plan: Any, window: int, night: bool, judged: int | None
    ) -> None:
        """A try that is not killed, whatever the API does; a list that is refused texts nobody."""
        before = self.texts.copy()
        run = self.sync(owner, rows, plan, window, night=night, most_rejected=judged)
        assert run is not None
        assert judged != 0 or self.texts == before
        assert run.tally.read in (0, len(rows) + 1)

    @rule(
        owner=st.sampled_from("ab"),
        rows=st.lists(row, min_size=4, max_size=16),
        plan=plans,
        window=st.integers(1, 8),
        kill=kills,
        judged=judgements,
    )
    def try_and_die(
        self, owner: str, rows: Any, plan: Any, window: int, kill: Any, judged: int | None
    ) -> None:
        """A try that is killed at some commit: at most its window is left in flight."""
        [before] = self.ask("SELECT max(id) FROM runs")  # it may die before it is one
        self.sync(owner, rows, plan, window, kill, most_rejected=judged)
        [sending] = self.ask(f"SELECT count(*) FROM leads WHERE state = 'sending' AND run_id > {before or 0}")
        assert sending <= window

    @rule(one=st.sampled_from("ab"), two=st.sampled_from("ab"), rows=st.lists(row, min_size=4, max_size=12), plan=plans, kill=kills,
          wait=st.sampled_from([0, 6]))  # fmt: skip
    def overlap(self, one: str, two: str, rows: Any, plan: Any, kill: Any, wait: int) -> None:
        """While a run has requests in flight another one comes: another task, or the next try; maybe after the lease."""

        def intrude() -> None:
            self.time += timedelta(minutes=wait)
            thread = threading.Thread(target=self.sync, args=(two, rows[::-1], plan[::-1], 4, kill))
            thread.start()
            thread.join(60)

        self.sync(one, rows, plan, 4, intrude=intrude)

    @rule(minutes=st.sampled_from([1, 6, 60, 600, 780]))
    def wait(self, minutes: int) -> None:
        """Time passes: leases run out, nights fall, windows open."""
        self.time += timedelta(minutes=minutes)

    @rule(who=st.integers(0, PEOPLE - 1))
    def do_not_contact(self, who: int) -> None:
        """Somebody asks not to be contacted."""
        if phone(who) not in self.listed:
            self.listed[phone(who)] = self.texts[phone(who)]
            with self.seen.write() as connection:
                connection.execute(
                    sa.text(
                        "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', :p, '', '', 0)"
                    ),
                    {"p": phone(who)},
                )

    def ask(self, statement: str) -> list[Any]:
        with self.seen.read() as connection:
            return list(connection.execute(sa.text(statement)).scalars())

    def leads(self) -> dict[str, str]:
        with self.seen.read() as connection:
            found = connection.execute(sa.text("SELECT phone, state FROM leads WHERE phone IS NOT NULL"))
            return {row[0]: row[1] for row in found}

    @invariant()
    def nobody_is_texted_twice(self) -> None:
        """Per campaign and number at most one text."""
        assert {who: n for who, n in self.texts.items() if n > 1} == {}

    @invariant()
    def the_ledger_agrees_with_the_api(self) -> None:
        """Accepted was texted; whoever was texted is accepted, held or still in flight, and never to be sent."""
        leads = self.leads()
        for who, state in leads.items():
            if state == "accepted":
                assert self.texts[who] == 1
        for who, texts in self.texts.items():
            if texts:
                assert leads[who] in ("accepted", "held", "sending")

    @invariant()
    def a_wish_is_kept(self) -> None:
        """Who asked not to be contacted was not texted afterwards."""
        assert all(self.texts[who] == before for who, before in self.listed.items())

    def finish(self) -> None:
        """When everything works again, one run leaves every lead in a final state."""
        self.time = datetime(2026, 7, 20, 18, tzinfo=UTC)
        run = self.sync("last", [(who, 0, 9) for who in range(PEOPLE)], [], 8)
        assert run is not None
        self.nobody_is_texted_twice()
        self.the_ledger_agrees_with_the_api()
        self.a_wish_is_kept()
        leads = self.leads()
        assert set(leads) == {phone(who) for who in range(PEOPLE)}
        assert set(leads.values()) <= {"accepted", "held", "suppressed", "rejected"}
        assert not self.ask("SELECT id FROM leads WHERE state = 'sending'")
        assert not self.ask(
            "SELECT id FROM leads WHERE payload IS NOT NULL AND state IN ('accepted', 'rejected', 'suppressed')"
        )
        unfinished = "SELECT id FROM runs WHERE state IN ('succeeded', 'failed') AND rows_read IS NULL"
        assert not self.ask(unfinished)


@pytest.mark.slow
def test_in_any_order_nobody_is_texted_twice_and_every_row_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Law: see the machine's invariants."""
    monkeypatch.setattr("airflow_outreach_provider.core.pacing._BACKOFF_FIRST", 0.002)
    monkeypatch.setattr("airflow_outreach_provider.core.pacing._BACKOFF_LAST", 0.01)
    monkeypatch.setattr("airflow_outreach_provider.services.submit.backlog._KEPT", 3)
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(15),
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
