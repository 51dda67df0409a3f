"""A batch end to end: whatever goes wrong, nobody is texted twice and every row ends in one state."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    OutcomeUnknown,
    OutreachUnavailable,
    StoreError,
    TooManyRejected,
)
from airflow_outreach_provider.core.expressions.compile import compile_value
from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome, classify_answer
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.net.outreach import ApiSettings, OutreachClient
from airflow_outreach_provider.services import actions
from airflow_outreach_provider.services.rows.open import read_list
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.ledger.claims import Ledger
from airflow_outreach_provider.store.ledger.housekeeping import purge_leads

People = Callable[..., list[dict[str, object]]]


@pytest.mark.slow
def test_a_batch_is_sent_once_and_a_second_run_texts_nobody(api: Any, people: People) -> None:
    """Everybody is texted once; the same file again is skipped without a request."""
    first = api.send(people(600))
    assert (first.states, first.error) == ({"accepted": 600}, None)
    requests = api.sim.report()["requests"]
    second = api.send(people(600), owner="other")
    assert (second.states, second.error) == ({"unchanged": 600}, None)
    assert api.sim.report()["requests"] == requests
    assert api.ledger() == {"accepted": 600}
    api.nobody_twice()
    assert all(lead["payload"] is None and lead["contact_id"] for lead in api.leads())


FAULTS = [
    # fault, what the run raises, states of 60 rows, texts, whether a retry without the fault finishes the rest
    ("status=401", ConfigurationError, {"planned": 60}, 0),
    ("status=404", ConfigurationError, {"planned": 60}, 0),
    ("status=302,location=/x", ConfigurationError, {"planned": 60}, 0),
    ("status=400", ConfigurationError, {"planned": 60}, 0),
    ("status=429,retry_after=120", OutreachUnavailable, {"planned": 60}, 0),
    ("status=503,retry_after=date+900", OutreachUnavailable, {"planned": 60}, 0),
    ("status=503", OutreachUnavailable, {"planned": 60}, 0),
    ("status=500", OutreachUnavailable, {"held": 8, "planned": 52}, 0),
    ("status=500,when=after", OutreachUnavailable, {"held": 8, "planned": 52}, 8),
    ("status=502,body=html,when=after", OutreachUnavailable, {"held": 8, "planned": 52}, 8),
    ("drop,when=after", OutreachUnavailable, {"held": 8, "planned": 52}, 8),
    ("drop,when=before", OutreachUnavailable, {"held": 8, "planned": 52}, 0),
    ("status=200,body=html,when=after", OutreachUnavailable, {"held": 8, "planned": 52}, 8),
    ("hang=9,when=after", OutreachUnavailable, {"held": 8, "planned": 52}, 8),
    ("status=200,body=unsuccessful", None, {"rejected": 60}, 0),
    ("status=422", None, {"rejected": 60}, 0),
    ("status=400,ending=5", None, {"rejected": 6, "accepted": 54}, 54),
    ("drop,when=after,ending=7", None, {"held": 6, "accepted": 54}, 60),
    ("status=429,retry_after=0.2,first=3", None, {"accepted": 60}, 60),
    ("status=503,first=3", None, {"accepted": 60}, 60),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "error", "states", "texts"), FAULTS, ids=[f[0] for f in FAULTS])
def test_each_fault_is_rows_by_state_and_one_exception(
    sqlite_api: Any,
    people: People,
    fault: str,
    error: type[Exception] | None,
    states: dict[str, int],
    texts: int,
) -> None:
    """A fault of all stops at once and uses up nobody, one of unknown answers after a window, one of a lead is the lead's."""
    api = sqlite_api
    api.sim.set_faults(fault)
    got = api.send(people(60), window=8, patience=0.6, timeout=0.15)
    assert (type(got.error) if got.error else None) is error, got.error
    assert got.states == states
    assert api.ledger() == states
    assert sum(api.texts().values()) == texts
    api.sim.set_faults()
    again = api.send(people(60), attempt=2, window=8)
    done = {"accepted": states.get("planned", 0), "unchanged": states.get("accepted", 0)}
    done |= {state: n for state, n in states.items() if state in ("held", "rejected")}
    assert again.states == {state: n for state, n in done.items() if n}
    api.nobody_twice()


@pytest.mark.parametrize("fault", ["drop,when=after,ending=7", "status=422,ending=1"])
def test_faults_leave_the_same_rows_on_both_databases(api: Any, people: People, fault: str) -> None:
    """What a fault does to a lead does not depend on where it is written down."""
    api.sim.set_faults(fault)
    got = api.send(people(60), window=8, patience=0.3)
    state = "held" if fault.startswith("drop") else "rejected"
    assert got.states == {state: 6, "accepted": 54}
    assert api.ledger() == got.states
    api.nobody_twice()


@pytest.mark.parametrize("window", [1, 2, 4, 64])
def test_many_bad_leads_in_a_good_configuration_reject_only_themselves(
    sqlite_api: Any, people: People, window: int
) -> None:
    """A fifth of the leads answered 400, two and three in a row: neither a hang nor the configuration's fault."""
    api = sqlite_api
    api.sim.set_faults("status=400,ending=5", "status=400,ending=6")
    got = api.send(people(200), window=window)
    assert got.error is None
    assert got.states == {"accepted": 160, "rejected": 40}


def test_a_configuration_fault_stops_at_the_first_answers(sqlite_api: Any, people: People) -> None:
    """An inactive configuration costs a handful of requests, not one a lead, and says where to look."""
    api = sqlite_api
    got = api.send(people(500), configuration_id="off")
    assert isinstance(got.error, ConfigurationError)
    assert "inactive" in str(got.error)
    assert api.sim.report()["submissions"] <= 4
    assert got.states == {"planned": got.tally.read}


@pytest.mark.slow
def test_a_configuration_that_is_switched_off_in_mid_batch_rejects_nobody(
    sqlite_api: Any, people: People
) -> None:
    """When all answers turn 400 after a while, the leads are at fault no more than before."""
    api = sqlite_api
    api.sim.set_faults("status=400,skip=100", "latency=0.01,jitter=0.009")
    got = api.send(people(600), window=16)
    assert isinstance(got.error, ConfigurationError)
    assert got.states.get("rejected", 0) == 0
    assert got.states["accepted"] == 100
    api.sim.set_faults()
    assert api.send(people(600), attempt=2).states == {"accepted": 500, "unchanged": 100}
    api.nobody_twice()


def test_one_bad_lead_at_the_very_start_is_that_leads_fault(sqlite_api: Any, people: People) -> None:
    """A 400 to the first lead of a good configuration rejects that lead alone."""
    api = sqlite_api
    api.sim.set_faults("status=400,ending=2000000")
    got = api.send(people(50))
    assert got.states == {"accepted": 49, "rejected": 1}
    assert got.error is None


def test_the_wait_asked_for_is_handed_over(sqlite_api: Any, people: People) -> None:
    """Retry-After longer than a task should wait goes to Airflow's retry, and into the store for the UI."""
    api = sqlite_api
    api.sim.set_faults("status=429,retry_after=120")
    got = api.send(people(10), patience=1)
    assert isinstance(got.error, OutreachUnavailable)
    assert got.error.retry_after is not None
    assert 118 <= got.error.retry_after <= 120
    [(state, retry_at, finished_at)] = api.sql("SELECT state, retry_at, finished_at FROM runs")
    assert state == "failed"
    assert 118_000 <= retry_at - finished_at <= 121_000


def test_a_long_wait_is_handed_over_though_others_were_answered(sqlite_api: Any, people: People) -> None:
    """One lead of many is answered "come back in a minute": the task does not sit there for it."""
    api = sqlite_api
    api.sim.set_faults("status=503,retry_after=60,ending=2000003", "latency=0.02,jitter=0.02")
    started = time.monotonic()
    got = api.send(people(60), window=8, patience=2)
    assert isinstance(got.error, OutreachUnavailable)
    assert got.error.retry_after is not None
    assert 55 <= got.error.retry_after <= 60
    assert set(got.states) == {"accepted", "planned"}
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_a_short_wait_is_kept_within_the_run(sqlite_api: Any, people: People) -> None:
    """Nothing is sent during the pause the API asks for."""
    api = sqlite_api
    api.sim.set_faults("status=429,retry_after=0.7,first=1")
    started = time.monotonic()
    got = api.send(people(20))
    assert got.states == {"accepted": 20}
    assert time.monotonic() - started >= 0.7
    assert api.sim.report()["answered"] == {"200": 20, "429": 1}


@pytest.mark.slow
def test_resend_texts_at_least_once(api: Any, people: People) -> None:
    """on_unknown="resend": nobody is left out, and some may be texted twice; that is the caller's choice."""
    api.sim.set_faults("drop,when=after,ending=7", "status=500,when=before,ending=3")
    got = api.send(people(60), on_unknown="resend")
    assert isinstance(got.error, OutreachUnavailable)
    assert got.states == {"accepted": 48, "planned": 12}
    api.sim.set_faults()
    again = api.send(people(60), on_unknown="resend", attempt=2)
    assert again.states == {"accepted": 12, "unchanged": 48}
    assert len(api.texts()) == 60


@pytest.mark.slow
def test_resend_sends_what_was_held_before(api: Any, people: People) -> None:
    """Held leads of earlier runs are sent again, by the campaign and where each row names its own configuration."""
    api.sim.set_faults("drop,when=before,ending=1")
    assert api.send(people(20)).states == {"accepted": 18, "held": 2}
    own = people(20, 100, configurationId="two")
    assert api.send(own, configuration_id=None, owner="b").states == {"accepted": 18, "held": 2}
    api.sim.set_faults()
    assert api.send(people(20), on_unknown="resend", attempt=2).states == {"accepted": 2, "unchanged": 18}
    again = api.send(own, configuration_id=None, on_unknown="resend", owner="b", attempt=2)
    assert again.states == {"accepted": 2, "unchanged": 18}
    api.nobody_twice()


@pytest.mark.slow
def test_duplicates_in_other_spellings_are_one_person(sqlite_api: Any) -> None:
    """One number in several writings, near and far apart in the file, is texted once and counted as what it is."""
    api = sqlite_api
    writings = [
        "+14162000001",
        "(416) 200-0001",
        "1-416-200-0001",
        "4162000001",
        "+1.416.200.0001",
        4162000001.0,
    ]
    rows = [{"phone": w} for w in writings] + [{"phone": f"+1416{2_100_000 + n}"} for n in range(700)]
    rows += [{"phone": w, "firstName": "Ann"} for w in writings]
    got = api.send(rows, default_region="US")
    assert got.states == {"accepted": 701, "duplicate": 11}
    again = api.send(rows, default_region="US", attempt=2)
    assert again.states == {"unchanged": 701, "duplicate": 11}
    assert api.texts()["+14162000001"] == 1


def test_bad_rows_are_rejected_once_each_with_their_line(sqlite_api: Any) -> None:
    """Rows that cannot be read are rejected with the reason and the line; the others go on."""
    api = sqlite_api
    rows: list[Any] = [
        {"phone": "+14162000001"},
        {"phone": "12"},
        {"phone": None},
        "no row",
        {"phone": "+14162000002", "x": b"1"},
    ]
    got = api.send(rows, default_region="US")
    assert got.states == {"accepted": 1, "rejected": 4}
    reasons = {reason for (state, reason) in got.tally.reasons if state == "rejected"}
    assert reasons == {"phone_too_short", "phone_missing", "row_not_object", "value_not_json"}
    again = api.send(rows, default_region="US", attempt=2)
    assert again.states == {"unchanged": 1, "rejected": 4}
    assert len(api.leads()) == 5
    assert "line 2" in got.tally.table()


CHANGES = [
    ("never", timedelta(0), {"unchanged": 10}, 1),
    ("changed", timedelta(0), {"accepted": 10}, 2),
    (timedelta(days=30), timedelta(days=29), {"unchanged": 10}, 1),
    (timedelta(days=30), timedelta(days=31), {"accepted": 10}, 2),
]


def test_an_export_in_another_order_texts_nobody_again(api: Any, people: People) -> None:
    """resubmit="changed" compares values: columns, numbers and phones may be written otherwise, a real change counts."""
    first = people(5, score=1, city="Bonn")
    again = [
        {
            "city": r["city"],
            "score": "1.0",
            "firstName": f" {r['firstName']}",
            "phone": f"1{str(r['phone'])[2:]}",
        }
        for r in first
    ]
    assert api.send(first, default_region="CA").states == {"accepted": 5}
    assert api.send(again, default_region="CA", resubmit="changed", attempt=2).states == {"unchanged": 5}
    again[0]["city"] = "Köln"
    assert api.send(again, default_region="CA", resubmit="changed", attempt=3).states == {
        "accepted": 1,
        "unchanged": 4,
    }
    assert sorted(api.texts().values()) == [1, 1, 1, 1, 2]


def test_an_upgrade_of_the_comparison_texts_nobody_again(api: Any, people: People) -> None:
    """Ledgers that compared by the payload's text go over to values at the next sync, whatever the order of columns."""
    rows = people(6, score=1)
    api.send(rows)
    api.sql("UPDATE leads SET content_hash = 'of an earlier version'")
    other = [dict(reversed(row.items())) for row in rows[:3]] + rows[3:]
    assert api.send(other, resubmit="changed", attempt=2).states == {"unchanged": 6}
    assert all(lead["content_hash"].startswith("2:") for lead in api.leads())
    other[0]["score"], other[5]["score"] = 2, 2
    assert api.send(other, resubmit="changed", attempt=3).states == {"accepted": 2, "unchanged": 4}


@pytest.mark.parametrize(("resubmit", "later", "states", "texts"), CHANGES, ids=str)
def test_a_changed_row_is_sent_again_only_by_rule(
    sqlite_api: Any, people: People, resubmit: Any, later: timedelta, states: dict[str, int], texts: int
) -> None:
    """resubmit="never" keeps at most one text; "changed" and a timedelta are a written rule."""
    api = sqlite_api
    api.send(people(10))
    api.sql("UPDATE leads SET accepted_at = accepted_at - :ms", ms=round(later.total_seconds() * 1000))
    changed = api.send(people(10, company="New"), resubmit=resubmit, attempt=2)
    assert changed.states == states
    same = api.send(people(10, company="New"), resubmit=resubmit, attempt=3)
    assert same.states == {"unchanged": 10}
    assert set(api.texts().values()) == {texts}


def test_when_somebody_was_texted_is_told_by_the_stores_clock(api: Any, people: People) -> None:
    """A worker whose clock is ahead texts nobody again before their time."""
    api.send(people(3))
    ahead = datetime.now(UTC) + timedelta(days=8)
    got = api.send(people(3, company="New"), resubmit=timedelta(days=7), attempt=2, now=lambda: ahead)
    assert got.states == {"unchanged": 3}


def test_a_rejected_row_that_was_mended_is_tried_again(sqlite_api: Any, people: People) -> None:
    """The API refused a lead: its changed row is sent, its unchanged one is not."""
    api = sqlite_api
    api.sim.set_faults("status=422,ending=4")
    assert api.send(people(10)).states == {"accepted": 9, "rejected": 1}
    api.sim.set_faults()
    assert api.send(people(10), attempt=2).states == {"unchanged": 9, "rejected": 1}
    assert api.send(people(10, city="Here"), attempt=3).states == {"unchanged": 9, "accepted": 1}


def test_a_dry_run_sends_and_writes_nothing(api: Any, people: People) -> None:
    """Everything is evaluated against the ledger; nobody is texted and no lead or attempt is written."""
    api.send(people(10))
    before = api.leads()
    rows = people(20) + people(5) + [{"phone": "12"}]
    got = api.send(rows, dry_run=True, owner="dry")
    assert got.states == {"unchanged": 10, "planned": 10, "duplicate": 5, "rejected": 1}
    assert got.error is None
    assert api.leads() == before
    assert api.sim.report()["requests"] == 10
    assert api.sql("SELECT count(*) FROM attempts") == [(10,)]


def test_too_many_failed_rows_turn_the_run_red(sqlite_api: Any, people: People) -> None:
    """max_rejected counts rejected and held rows; all other rows are done all the same."""
    api = sqlite_api
    api.sim.set_faults("status=422,ending=4", "drop,when=after,ending=7")
    got = api.send(people(60), max_rejected=RejectLimit.parse("5%"))
    assert isinstance(got.error, TooManyRejected)
    assert got.error.counts["rejected"] == 6
    assert got.states == {"accepted": 48, "rejected": 6, "held": 6}
    held = api.send(people(60), max_rejected=RejectLimit.parse("15%"), attempt=2)
    assert isinstance(held.error, OutcomeUnknown)
    assert api.send(people(60), max_rejected=RejectLimit.parse(12), attempt=3).error is None


@pytest.mark.slow
@pytest.mark.parametrize("between", [0, 300])
def test_repeated_rows_of_a_refused_number_are_duplicates_in_every_run(
    api: Any, people: People, between: int
) -> None:
    """The same file again counts the same: one rejected row, the rest duplicates, and nothing is sent for them."""
    api.sim.set_faults("status=422,ending=5")
    others = [row for row in people(between + 4, 100) if str(row["phone"])[-1] != "5"]
    refused = people(1, 5)
    rows = refused * 3 + [*others, {**refused[0], "firstName": "Another"}, *refused]
    first = api.send(rows)
    assert first.states == {"rejected": 1, "duplicate": 4, "accepted": len(others)}
    requests = api.sim.report()["requests"]
    for attempt in (2, 3, 4):
        again = api.send(rows, attempt=attempt)
        assert again.states == {"rejected": 1, "duplicate": 4, "unchanged": len(others)}
    assert api.sim.report()["requests"] == requests
    bad = [{"phone": "nobody"}] * 3
    assert api.send(bad, attempt=5).states == api.send(bad, attempt=6).states == {"rejected": 3}


@pytest.mark.slow
def test_who_was_accepted_once_is_never_sent_again_without_a_rule(api: Any, people: People) -> None:
    """Not even after a later resubmission was refused, and not after what is old was purged."""
    row = people(1, 5)[0]
    assert api.send([row]).states == {"accepted": 1}
    api.sim.set_faults("status=422,ending=5")
    assert api.send([{**row, "n": "2"}], resubmit="changed", attempt=2).states == {"rejected": 1}
    api.sim.set_faults()
    assert api.send([{**row, "n": "3"}], attempt=3).states == {"unchanged": 1}
    day = timedelta(days=1)
    assert api.send([{**row, "n": "3"}], attempt=4, resubmit=day).states == {"unchanged": 1}
    purge_leads(api.store, datetime.now(UTC) + day)
    for attempt, name in enumerate(("1", "2", "3"), 5):
        assert api.send([{**row, "n": name}], attempt=attempt).states == {"unchanged": 1}
    assert api.texts() == {row["phone"]: 1}
    assert api.send([{**row, "n": "4"}], attempt=9, resubmit="changed").states == {"accepted": 1}


@pytest.mark.parametrize("rows", [300, 1])
def test_no_configuration_anywhere_fails_at_once(sqlite_api: Any, people: People, rows: int) -> None:
    """Neither task nor rows name one: one error with what to do, and no row is used up by it."""
    got = sqlite_api.send(people(rows), configuration_id=None)
    assert isinstance(got.error, ConfigurationError)
    assert "configuration_id" in str(got.error)
    assert (got.states, sqlite_api.ledger()) == ({}, {})
    planned = sqlite_api.send([], source=None, configuration_id=None, attempt=2)
    assert planned.error is None, "an empty source is not at fault"


def test_rows_that_name_their_configuration_need_no_other(sqlite_api: Any, people: People) -> None:
    """In any of the places it is read from; a row of the same source that lacks it is a rejected row."""
    named: list[dict[str, object]] = [
        {**row, **more}
        for row, more in zip(
            people(3), ({"configurationId": "on"}, {"CONFIGURATION_ID": "on"}, {"contacts": {"configuration_id": "on"}}), strict=True
        )
    ]  # fmt: skip
    for attempt, row in enumerate(named, 1):
        assert sqlite_api.send([row], configuration_id=None, attempt=attempt).states == {"accepted": 1}
    got = sqlite_api.send([*people(1, 9), named[0]], configuration_id=None, attempt=9)
    assert got.states == {"rejected": 1, "unchanged": 1}


def test_a_consent_column_that_no_row_has_is_a_mistake_of_the_task(sqlite_api: Any, people: People) -> None:
    """Everybody suppressed and green would be a silent stop; one row that has the column shows it exists."""
    api = sqlite_api
    got = api.send(people(300, sms_opt_in="yes"), require_consent="sms_optin")
    assert isinstance(got.error, ConfigurationError)
    assert "did you mean 'sms_opt_in'?" in str(got.error)
    assert api.texts() == {}
    assert api.send(people(3, sms_opt_in="yes"), require_consent="sms_opt_in").states == {"accepted": 3}
    late = [*people(300, 50), *people(1, 400, sms_opt_in="yes")]
    assert api.send(late, require_consent="sms_opt_in", attempt=2).states == {
        "suppressed": 300,
        "accepted": 1,
    }
    assert api.send([], require_consent="sms_opt_in", attempt=3).error is None


def test_too_few_rows_turn_the_run_red(sqlite_api: Any, people: People) -> None:
    """An empty or cut file is not a success."""
    api = sqlite_api
    assert isinstance(api.send([], min_rows=1).error, TooManyRejected)
    got = api.send(people(3), min_rows=4, attempt=2)
    assert isinstance(got.error, TooManyRejected) and "min_rows=4" in str(got.error)
    assert (got.states, api.texts(), api.leads()) == ({}, {}, [])  # nobody is texted, now or by a later run
    assert api.send([], attempt=3).error is None
    assert api.send(people(300), min_rows=300, attempt=4).states == {"accepted": 300}
    assert api.send(people(3), min_rows=300, max_rows=3, attempt=5).states == {"unchanged": 3}  # a trial


MISSING = [
    ({"mapping": {"phoneNumber": "phone", "firstName": "first_nam"}}, "'first_nam'", "'first_name'"),
    ({"mapping": {"phoneNumber": "Phone"}}, "'Phone'", "'phone'"),
    ({"mapping": {"phoneNumber": "phone", "title": "{{ row.titel | trim }}"}}, "'titel'", "'title'"),
    ({"mapping": {"phoneNumber": "{{ row.fone }}"}}, "'fone'", "'phone'"),
    ({"require_consent": "sms_optin"}, "'sms_optin'", "'sms_opt_in'"),
]


@pytest.mark.parametrize(("rules", "column", "near"), MISSING, ids=str)
def test_a_column_that_no_row_has_texts_nobody(
    sqlite_api: Any, rules: dict[str, Any], column: str, near: str
) -> None:
    """One error that names the column and the nearest that is there, before anybody is texted or any row is blamed."""
    rows = [
        {"phone": f"+1416555{n:04}", "first_name": "Ann", "title": "RN", "sms_opt_in": "yes"}
        for n in range(300)
    ]
    got = sqlite_api.send(rows, **rules)
    assert isinstance(got.error, ConfigurationError)
    assert column in str(got.error) and f"did you mean {near}" in str(got.error)
    assert (sqlite_api.texts(), sqlite_api.leads()) == ({}, [])


@pytest.mark.parametrize(
    ("column", "said"),
    [("Mobile Phone", "{{ row['Mobile Phone'] | default('') }}"), (".nan", "{{ row['.nan'] | default('') }}"),
     ("it's", '{{ row["it\'s"] | default(\'\') }}'), ("fone", "{{ row.fone | default('') }}"), ("Te\u0301l", "written 'T\\xe9l'")],
)  # fmt: skip
def test_what_is_advised_for_a_column_that_is_not_there_can_be_written(
    sqlite_api: Any, column: str, said: str
) -> None:
    """The template compiles whatever the column is called; one of the same looks is told by its characters."""
    got = sqlite_api.send(
        [{"phone": "+14165550123", "Tél": "x"}], mapping={"phoneNumber": "phone", "x": column}
    )
    assert said in str(got.error)
    if "{{" in said:
        assert compile_value(said)({column: "a"}) == "a"


def test_a_table_without_a_phone_column_texts_nobody(sqlite_api: Any) -> None:
    """Not three hundred rows without a number, but one mistake, with the columns that are there."""
    got = sqlite_api.send([{"Phonenr": "+14165550100", "first_name": "Ann"}] * 300)
    assert isinstance(got.error, ConfigurationError) and "did you mean 'Phonenr'" in str(got.error)
    assert sqlite_api.leads() == []


@pytest.mark.slow
def test_a_column_of_a_later_row_is_there(sqlite_api: Any) -> None:
    """JSON rows may lack what others have; a template with a default may lack it everywhere."""
    rows: list[dict[str, object]] = [{"phone": f"+1416555{n:04}"} for n in range(600)]
    rows[-1]["nick"] = "Annie"
    mapping = {"phoneNumber": "phone", "nick": "nick", "note": "{{ row.note | default('none') }}"}
    assert sqlite_api.send(rows, mapping=mapping).states == {"accepted": 600}


def test_a_dry_run_counts_whom_earlier_runs_left(api: Any, people: People) -> None:
    """Everything a run would text is in the plan: what earlier runs left planned, by the run that left it."""
    api.send(people(20), stage_only=True, owner="spring")
    plan = api.send(people(5, 100), dry_run=True, owner="plan")
    assert (plan.tally.to_text, plan.tally.counts["planned"]) == (25, 5)
    assert plan.tally.left_by == {"spring": 20} and "20" in plan.tally.table()
    assert api.ledger() == {"planned": 20} and api.texts() == {}


def test_a_dry_run_counts_the_deferred_that_are_due_and_no_others(api: Any, people: People, at: Any) -> None:
    """Who is deferred counts once quiet hours are over; opted-out and held people do not, unless they are sent again."""
    rules = {"quiet_hours": QuietHours.parse("06:00-23:00")}
    api.send(people(4), now=at(), **rules)
    api.store._clock = at()
    assert api.send(people(1, 50), dry_run=True, owner="plan", now=at(), **rules).tally.to_text == 0
    api.store._clock = at(hours=16)
    assert api.send(people(1, 50), dry_run=True, owner="plan", now=at(hours=16), **rules).tally.to_text == 5
    phone = people(1)[0]["phone"]
    api.sql(
        "INSERT INTO suppressions (phone, campaign, reason, source, added_at) VALUES (:p, '', 'r', 's', 1)",
        p=phone,
    )
    assert api.send(people(1, 50), dry_run=True, owner="plan", now=at(hours=16), **rules).tally.to_text == 4
    api.sql("UPDATE leads SET state = 'held' WHERE phone = :p", p=people(1, 1)[0]["phone"])
    assert (
        api.send([], dry_run=True, owner="plan", campaign="on", now=at(hours=16), **rules).tally.to_text == 2
    )
    again = api.send(
        [], dry_run=True, owner="plan", campaign="on", now=at(hours=16), on_unknown="resend", **rules
    )
    assert again.tally.to_text == 3


@pytest.mark.parametrize(("listed", "left", "most"), [(5, 20, 5), (5, 20, 24), (30, 0, 7), (0, 10, 0)])
def test_a_run_texts_no_more_people_than_were_approved(
    api: Any, people: People, listed: int, left: int, most: int
) -> None:
    """Whoever comes in between counting and sending waits for another approval; the bound is kept lead by lead."""
    api.send(people(left), stage_only=True, owner="earlier")
    got = api.send(people(listed, 100), max_people=most)
    assert isinstance(got.error, ConfigurationError) and "start a new run" in str(got.error)
    assert len(api.texts()) == most
    api.nobody_twice()
    assert api.send(people(listed, 100), max_people=listed + left, attempt=2).error is None
    assert len(api.texts()) == listed + left


@pytest.mark.slow
def test_refused_requests_use_up_no_approval(sqlite_api: Any, people: People) -> None:
    """Who was certainly not texted may be sent again within the same number."""
    sqlite_api.sim.set_faults("status=503,p=0.3,when=before", seed=1)
    assert sqlite_api.send(people(40), max_people=40).error is None
    assert len(sqlite_api.texts()) == 40


def test_deferred_leads_are_sent_when_the_window_opens(api: Any, people: People, at: Any) -> None:
    """In quiet hours nobody is texted; the first run afterwards sends them though its source lists them no more."""
    night = QuietHours.parse("21:00-08:00")
    api.store._clock = at(hours=-8)  # 4:00 UTC, midnight in Toronto
    got = api.send(people(10), quiet_hours=night, now=at(hours=-8))
    assert (got.states, got.error, api.texts()) == ({"deferred": 10}, None, {})
    api.store._clock = at(hours=-2)
    early = api.send(people(1, 50), quiet_hours=night, now=at(hours=-2), attempt=2)
    assert early.states == {"deferred": 1}
    assert api.texts() == {}
    api.store._clock = at(hours=1)
    later = api.send(people(1, 60), quiet_hours=night, now=at(hours=1), attempt=3)
    assert later.states == {"accepted": 1}
    assert later.tally.carried == {"accepted": 11}
    api.nobody_twice()
    assert len(api.texts()) == 12


class Evening:
    """A client to whom every lead takes a second of the run's clock."""

    def __init__(self, client: OutreachClient, clock: Any) -> None:
        self.client, self.clock = client, clock
        self.sent: list[datetime] = []

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.client.__aexit__(*error)

    async def submit(self, body: bytes) -> SubmitAnswer:
        self.sent.append(self.clock.advance(seconds=1))
        return await self.client.submit(body)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0, 300])
def test_a_run_that_lasts_into_quiet_hours_texts_nobody_in_them(
    api: Any, people: People, clock: Any, shift: int
) -> None:
    """Who was planned before 21:00 and not sent by then waits for the morning, and the rows add up."""
    api.store._clock = clock
    clock.time = datetime(2026, 7, 2, 0, 59, 40, tzinfo=UTC)  # 20:59:40 in Toronto
    if shift:  # left over by an earlier run, so that nothing is read that could be deferred
        api.send(people(50), stage_only=True, quiet_hours=QuietHours.parse("21:00-08:00"), now=clock)
    evening = Evening(OutreachClient(ApiSettings(api.sim.url, api.sim.api_key, trust_env=False)), clock)
    night = {"quiet_hours": QuietHours.parse("21:00-08:00"), "now": clock}
    got = api.send(people(50, shift), client=evening, window=4, attempt=2, **night)
    assert got.error is None
    late = [moment for moment in evening.sent if moment > datetime(2026, 7, 2, 1, 0, 4, tzinfo=UTC)]
    assert late == [], "more than what was in flight at 21:00 was sent after it"
    assert api.ledger()["deferred"] == (50 if not shift else 100) - len(evening.sent)
    clock.advance(hours=11)
    later = api.send(people(50, shift), attempt=3, **night)
    assert later.error is None
    assert len(api.texts()) == (50 if not shift else 100)
    api.nobody_twice()


@pytest.mark.slow
def test_the_do_not_contact_list_is_kept_also_between_staging_and_sending(api: Any, people: People) -> None:
    """Who is on the list is suppressed: of one campaign, of all, and when added while the run goes on."""
    api.sql(
        "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', '+14162000001', 'x', '', 0), "
        "('on', '+14162000002', 'x', '', 0), ('two', '+14162000003', 'x', '', 0)"
    )
    got = api.send(people(10))
    assert got.states == {"accepted": 8, "suppressed": 2}

    def rows() -> Iterator[Row]:
        yield from read_list(people(300, 100))
        api.sql(
            "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', '+14162000399', 'x', '', 0)"
        )

    late = api.send([], source=rows(), owner="late", requests_per_second=400.0, conn_id="k")
    assert late.states == {"accepted": 299, "suppressed": 1}
    assert "+14162000399" not in api.texts()


@pytest.mark.slow
def test_an_opt_out_between_plan_and_text_holds_by_number_in_every_writing_and_by_address(api: Any) -> None:
    """Said while the run goes on, in a writing of former days, by SQL, or knowing an address alone: nobody is texted."""
    phones = [f"+52551234{number:04}" for number in range(300)]

    def rows() -> Iterator[Row]:
        yield from read_list([{"phone": phone, "email": f"p{phone[-4:]}@example.com"} for phone in phones])
        suppressions.suppress(api.store, [phones[299].replace("+52", "+521")], reason="asked", source="s")
        suppressions.suppress(
            api.store, [], reason="asked", source="s", email_hashes=[hash_email("P0298@Example.com")]
        )
        api.sql(
            "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', :p, 'x', '', 0)",
            p=phones[297].replace("+52", "+521"),
        )

    got = api.send([], source=rows(), owner="late", requests_per_second=400.0, conn_id="k")
    assert got.states == {"accepted": 297, "suppressed": 3}
    assert got.tally.reasons["suppressed", "do_not_contact"] == 2
    assert got.tally.reasons["suppressed", "opted_out_email"] == 1
    assert not set(api.texts()) & set(phones[297:])


@pytest.mark.slow
def test_who_is_forgotten_between_plan_and_text_is_not_texted(api: Any, people: People) -> None:
    """Their lead is gone when it is to be claimed; everybody else is texted, and every row is counted."""
    middle = people(1, 340)[0]["phone"]

    def rows() -> Iterator[Row]:
        yield from read_list(people(256, 100))  # a chunk: it is staged before more is asked for
        deadline = time.monotonic() + 20
        while not api.sql("SELECT 1 FROM leads WHERE phone = :p AND state = 'planned'", p=middle):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        actions.forget(api.store, phone=middle, actor="eve")
        yield from read_list(people(1, 500))

    got = api.send([], source=rows(), requests_per_second=200.0, conn_id="k")
    assert got.error is None
    assert (got.tally.read, got.states["accepted"], len(api.texts())) == (257, 256, 256)
    assert middle not in api.texts()
    assert [lead for lead in api.leads() if lead["phone"] == middle] == []


def test_what_a_dead_run_left_planned_is_sent_by_the_next(api: Any, people: People) -> None:
    """Rows staged and never sent are sent by the next run, even if its source lists others."""
    api.sim.set_faults("status=503,retry_after=60")
    assert api.send(people(30), patience=0.2).states == {"planned": 30}
    api.sim.set_faults()
    got = api.send(people(5, 100), owner="other")
    assert got.states == {"accepted": 5}
    assert got.tally.carried == {"accepted": 30}
    assert api.send(people(30), attempt=2).states == {"unchanged": 30}
    api.nobody_twice()


def test_carried_leads_that_stay_unsent_are_not_green(sqlite_api: Any, people: People) -> None:
    """Leads of earlier runs that could not be sent either turn the run red like its own."""
    api = sqlite_api
    api.sim.set_faults("status=503,retry_after=60")
    api.send(people(6), patience=0.2)
    api.sim.set_faults("drop,when=before,ending=3")
    got = api.send([], owner="other", on_unknown="resend")
    assert isinstance(got.error, OutreachUnavailable)
    assert api.ledger() == {"accepted": 5, "planned": 1}


def test_a_source_that_breaks_cuts_off_no_request(sqlite_api: Any, people: People) -> None:
    """The rows before the break are sent to their end, and the run fails with the source's own error."""
    api = sqlite_api

    def rows() -> Iterator[Row]:
        yield from read_list(people(300))
        raise OSError("the bucket is gone")

    api.sim.set_faults("latency=0.05")
    got = api.send([], source=rows(), window=16)
    assert isinstance(got.error, OSError)
    assert got.states.get("held", 0) == 0
    assert set(got.states) <= {"accepted", "planned"}
    assert got.tally.read == 300
    api.sim.set_faults()
    assert set(api.send(people(300), attempt=2).states) <= {"accepted", "unchanged"}
    assert len(api.texts()) == 300
    api.nobody_twice()


def test_hostile_words_of_the_api_are_written_harmlessly(api: Any, people: People) -> None:
    """NUL, half surrogates and numbers in an answer neither break the ledger nor get into it whole."""

    class Hostile:
        async def __aenter__(self) -> Hostile:
            return self

        async def __aexit__(self, *exc: object) -> None:
            pass

        async def submit(self, body: bytes) -> SubmitAnswer:
            said = b'{"message": "\\u0000 \\ud800 +1 416 200 0001 \\u001b[2J", "success": false}'
            return classify_answer(422, said, now=datetime.now(UTC))

    got = api.send(people(5), client=Hostile())
    assert got.states == {"rejected": 5}
    details = [lead["detail"] for lead in api.leads()]
    assert len(details) == 5
    assert all("416 200" not in detail and "\0" not in detail for detail in details)


class Slow:
    """An API that never answers, until it is let go."""

    def __init__(self) -> None:
        self.asked = 0

    async def __aenter__(self) -> Slow:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def submit(self, body: bytes) -> SubmitAnswer:
        self.asked += 1
        await asyncio.sleep(30)
        return SubmitAnswer(SubmitOutcome.ACCEPTED, "accepted")


@pytest.mark.slow
def test_a_cancelled_run_accounts_for_every_row(sqlite_api: Any, people: People) -> None:
    """A task time-out or mark-failed cancels the run: what was in flight is held, the rest is not sent yet."""
    api = sqlite_api
    run = api.make(people(100), client=Slow(), window=8)

    async def cut() -> None:
        task = asyncio.ensure_future(run.run())
        await asyncio.sleep(0.4)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cut())
    assert run.tally.read == 100
    assert run.tally.counts == {RowState.HELD: 4, RowState.PLANNED: 96}
    assert api.ledger() == {"held": 4, "planned": 96}
    [(state, rows_read)] = api.sql("SELECT state, rows_read FROM runs")
    assert (state, rows_read) == ("failed", 100)


@pytest.mark.slow
def test_a_stopped_run_waits_a_moment_and_holds_what_did_not_answer(
    sqlite_api: Any, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stop() claims nothing more, waits for answers for some seconds, and holds what is still out."""
    api = sqlite_api
    monkeypatch.setattr("airflow_outreach_provider.services.submit.halt._GRACE_SECONDS", 0.3)
    client = Slow()
    run = api.make(people(100), client=client, window=8)

    async def stop() -> None:
        task = asyncio.ensure_future(run.run())
        await asyncio.sleep(0.3)
        run.stop("the task was marked failed")
        await task

    with pytest.raises(OutreachUnavailable, match="marked failed"):
        asyncio.run(stop())
    assert client.asked == 4
    assert run.tally.counts == {RowState.HELD: 4, RowState.PLANNED: 96}
    assert api.ledger() == {"held": 4, "planned": 96}


@pytest.mark.slow
def test_an_api_that_is_away_is_unavailable_soon(sqlite_api: Any, people: People) -> None:
    """Nothing listens: nobody is used up, and Airflow's retry takes over."""
    api = sqlite_api
    got = api.send(people(40), base_url="http://127.0.0.1:9", patience=0.2)
    assert isinstance(got.error, OutreachUnavailable)
    assert got.states == {"planned": 40}


def test_leads_may_name_campaigns_of_their_own(sqlite_api: Any, people: People) -> None:
    """The same number in two configurations is two leads; in one named campaign it is one."""
    api = sqlite_api
    rows = people(5, configurationId="on") + people(5, configurationId="two")
    assert api.send(rows, configuration_id=None).states == {"accepted": 10}
    one = api.send(
        people(5, 50, configurationId="on") + people(5, 50, configurationId="two"),
        configuration_id=None,
        campaign="c",
    )
    assert one.states == {"accepted": 5, "duplicate": 5}


def test_max_rows_reads_no_further(sqlite_api: Any, people: People) -> None:
    """A trial sends as many rows as it was told to."""
    api = sqlite_api
    assert api.send(people(300), max_rows=7).states == {"accepted": 7}


@pytest.mark.slow
@pytest.mark.parametrize("window", [1, 2, 200])
def test_any_window_works(sqlite_api: Any, people: People, window: int) -> None:
    """One request at a time, or hundreds: never more at once than the window."""
    api = sqlite_api
    api.sim.set_faults("latency=0.005")
    got = api.send(people(60), window=window)
    assert got.states == {"accepted": 60}
    assert api.sim.report()["connections"]["peak"] <= window + 1


def _failing(real: Callable[..., Any], *, when: set[int], after: bool) -> Callable[..., Any]:
    """A method of the ledger that fails at some calls, before or after its commit."""
    calls = [0]

    def method(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] in when and not after:
            raise StoreError("the store is away")
        result = real(*args, **kwargs)
        if calls[0] in when:
            raise StoreError("the commit was not acknowledged")
        return result

    return method


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("when", [{1}, {2}, {3, 4}, {1, 5, 9}], ids=str)
def test_a_store_that_is_away_for_a_moment_loses_no_row(
    sqlite_api: Any, people: People, monkeypatch: pytest.MonkeyPatch, when: set[int], after: bool
) -> None:
    """A turn of the ledger that fails, committed or not, is made good: all are sent, none is called another run's."""
    monkeypatch.setattr("airflow_outreach_provider.services.submit.ledger_turns._AWAY_SECONDS", 0.02)
    monkeypatch.setattr(Ledger, "turn", _failing(Ledger.turn, when=when, after=after))
    sqlite_api.sim.set_faults("latency=0.005")
    got = sqlite_api.send(people(80), window=8)
    assert (got.error, got.states) == (None, {"accepted": 80})
    sqlite_api.nobody_twice()


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["find_by_row_hash", "find", "stage", "stage_without_phone", "leftovers", "turn", "states"]
)
@pytest.mark.parametrize("call", [1, 2])
def test_a_store_that_stays_away_fails_the_run_and_the_rows_add_up(
    sqlite_api: Any, people: People, monkeypatch: pytest.MonkeyPatch, method: str, call: int
) -> None:
    """Whatever the ledger was doing: the run fails, its rows are counted, and the next try does the rest."""
    monkeypatch.setattr("airflow_outreach_provider.services.submit.ledger_turns._STORE_PATIENCE", 0.05)
    monkeypatch.setattr("airflow_outreach_provider.services.submit.ledger_turns._AWAY_SECONDS", 0.02)
    api = sqlite_api
    api.sim.set_faults("latency=0.005")
    rows = [*people(300), {"phone": "12"}, *people(300, 300), {"phone": "13"}]
    with monkeypatch.context() as broken:
        broken.setattr(
            Ledger, method, _failing(getattr(Ledger, method), when=set(range(call, 10_000)), after=False)
        )
        got = api.send(rows)
    assert got.error is None or isinstance(got.error, StoreError)
    assert got.error is not None or method in ("states", "leftovers")
    last = api.send(rows, attempt=2)
    assert last.error is None
    assert last.states["rejected"] == 2
    assert last.states.get("held", 0) <= 64
    assert api.ledger()["accepted"] + api.ledger()["held"] == 600
    api.nobody_twice()


STAGED_FAULTS = [
    ("status=401", ConfigurationError),
    ("status=503,retry_after=60", OutreachUnavailable),
    ("", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "error"), STAGED_FAULTS, ids=[f[0] or "none" for f in STAGED_FAULTS])
def test_leads_staged_before_are_sent_and_all_counted(
    sqlite_api: Any, people: People, fault: str, error: type[Exception] | None
) -> None:
    """Stage once, send later: the rows of a sending run are the planned leads it takes, however it ends."""
    api = sqlite_api
    staged = api.send(people(1500), stage_only=True)
    assert staged.states == {"planned": 1500}
    assert api.texts() == {}
    api.sim.set_faults(*([fault] if fault else []))
    got = api.send([], source=iter(()), owner="sender", patience=0.3)
    assert (type(got.error) if got.error else None) is error
    api.sim.set_faults()
    planned = api.ledger()["planned"]
    run = api.make([], owner="later")
    run._rows = None
    loop.run(run.run())
    assert run.tally.read == sum(run.tally.counts.values()) == planned
    assert api.ledger() == {"accepted": 1500}
    api.nobody_twice()


@pytest.mark.slow
def test_a_sending_run_that_is_refused_counts_what_it_took(sqlite_api: Any, people: People) -> None:
    """Without a source of its own, a run that stops early has counted each lead it read from the ledger."""
    api = sqlite_api
    api.send(people(1500), stage_only=True)
    for fault in ("status=401", "status=401,skip=700", "status=503,retry_after=60,skip=5"):
        api.sim.set_faults(fault)
        run = api.make([], owner=fault, patience=0.3)
        run._rows = None
        with pytest.raises((ConfigurationError, OutreachUnavailable)):
            loop.run(run.run())
        assert run.tally.read == sum(run.tally.counts.values()) > 0


@pytest.mark.slow
def test_shares_of_a_staged_batch_are_sent_at_once(api: Any, people: People) -> None:
    """Four senders over one staged batch, each with its share first: everybody once, every lead counted once."""
    api.send(people(600), stage_only=True)
    api.sim.set_faults("latency=0.005")
    made = [api.make([], owner=f"share{n}", shard=n, shards=4, window=8) for n in range(4)]
    for run in made:
        run._rows = None
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda run: loop.run(run.run()), made))
    assert api.ledger() == {"accepted": 600}
    assert sum(run.tally.counts[RowState.ACCEPTED] for run in made) == 600
    assert all(run.tally.read == sum(run.tally.counts.values()) for run in made)
    api.nobody_twice()


@pytest.mark.slow
def test_a_watcher_that_breaks_cuts_off_no_request(sqlite_api: Any, people: People) -> None:
    """A log or a metric that cannot be written stops the batch in order: nothing in flight is held for it."""

    def broken(run: Any) -> None:
        raise OSError("the log is gone")

    sqlite_api.sim.set_faults("latency=0.05")
    got = sqlite_api.send(people(400), window=8, progress=broken)
    assert isinstance(got.error, OSError)
    assert set(got.states) == {"accepted", "planned"}
    sqlite_api.nobody_twice()


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 422, 429, 500])
def test_nothing_a_run_leaves_behind_names_a_person(sqlite_api: Any, status: int) -> None:
    """The API echoes the lead in its answer: error, table, ledger, attempts and runs hold no whole number or address."""

    class Echo(Slow):
        async def submit(self, body: bytes) -> SubmitAnswer:
            lead = json.loads(body)
            said = f"{lead['phoneNumber']} / {lead['phoneNumber'][1:]} / {lead['email']} is wrong"
            return classify_answer(status, json.dumps({"message": said}).encode(), now=datetime.now(UTC))

    rows = [{"phone": f"+1416{2_000_000 + n}", "email": f"jane.doe{n}@example.com"} for n in range(6)]
    got = sqlite_api.send([*rows, {"phone": "416 200 00 00 9"}], client=Echo(), patience=0.1, default_region="US",
                          max_rejected=RejectLimit(None, 1))  # fmt: skip
    assert got.error is not None
    left = [str(got.error), got.tally.table(), repr(got.tally.by_reason())]
    left += [str(row) for row in sqlite_api.sql("SELECT reason, detail FROM leads")]
    left += [str(row) for row in sqlite_api.sql("SELECT reason, detail FROM attempts")]
    left += [str(row) for row in sqlite_api.sql("SELECT error, reasons, counts, source FROM runs")]
    assert any("is wrong" in text for text in left)
    assert not [text for text in left if re.search(r"1?416200000\d|jane\.doe", text)]


@pytest.mark.parametrize(
    "option",
    [{"window": 0}, {"window": -1}, {"requests_per_second": 0.0}, {"requests_per_second": -1.0}, {"on_unknown": "maybe"},
     {"requests_per_second": float("nan")}, {"requests_per_second": float("inf")}, {"resubmit": "sometimes"},
     {"resubmit": timedelta(days=-1)}],
    ids=str,
)  # fmt: skip
def test_an_option_that_cannot_be_kept_is_told_before_the_first_row(
    sqlite_api: Any, people: People, option: Any
) -> None:
    """A window or a rate of nothing would wait for ever: it is a configuration fault, and no run is begun."""
    got = sqlite_api.send(people(3), **option)
    assert isinstance(got.error, ConfigurationError)
    assert sqlite_api.sql("SELECT count(*) FROM runs") == [(0,)]
