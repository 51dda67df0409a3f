"""The ledger's contract, on both databases: who may write what, and who claims a lead."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from processes import at_once

from airflow_outreach_provider.core.errors import OutreachUnavailable
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import Gate
from airflow_outreach_provider.core.states import LeadState, RunState
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger, Settlement
from airflow_outreach_provider.store.ledger.housekeeping import forget_leads
from airflow_outreach_provider.store.ledger.staging import Entry

LEASE = timedelta(seconds=300)
L = LeadState


def begin(store: Store, owner: str = "a", lease: timedelta = LEASE, **given: Any) -> Ledger:
    return Ledger(
        store, runs.start(store, Owner(owner), campaign="c", source="", lease=lease, **given).run_id
    )


def end(ledger: Ledger, state: RunState = RunState.SUCCEEDED) -> None:
    runs.finish(ledger.store, ledger.run_id, state=state, read=0, counts={}, reasons={})


def entry(number: int, rev: int = -1, state: LeadState = L.PLANNED, **given: Any) -> Entry:
    values: dict[str, Any] = {
        "campaign": "c", "phone": f"+1416555{number:04}", "row_hash": f"row{number}", "content_hash": "h1", "state": state,
        "reason": "", "detail": "", "payload": "{}", "email_hash": None, "line": number, "not_before": None, "rev": rev,
    }  # fmt: skip
    return Entry(**values | given)


def settled(lead: int, state: LeadState, **given: Any) -> Settlement:
    values: dict[str, Any] = {"reason": "r", "detail": "d", "outcome": "o", "status": 200, "latency_ms": 5}
    return Settlement(lead, state, **values | given)


def stage(ledger: Ledger, *numbers: int, **given: Any) -> list[int]:
    """The ids of staged leads, in the order of the numbers."""
    ids = ledger.stage([entry(n, **given) for n in numbers])
    return [ids["c", f"+1416555{n:04}"] for n in numbers]


def row(store: Store, lead: int) -> Any:
    with store.read() as connection:
        return (
            connection.execute(sa.text("SELECT * FROM leads WHERE id = :id"), {"id": lead}).mappings().one()
        )


def suppress(store: Store, number: int, campaign: str = "") -> None:
    with store.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES (:c, :p, 'asked', '', 0)"
            ),
            {"c": campaign, "p": f"+1416555{number:04}"},
        )


def test_staging_keeps_what_it_was_given(store: Store) -> None:
    """A staged lead is found by its row and by its number, with everything a decision needs."""
    ledger = begin(store)
    [lead] = stage(
        ledger, 1, reason="quiet_hours", detail="Zoë 🙂", state=L.DEFERRED, not_before=1_800_000_000_000
    )
    [by_row] = ledger.find_by_row_hash(["other", "row1"]).values()
    known, listed = ledger.find([("c", "+14165550009"), ("c", "+14165550001"), ("d", "+14165550001")])
    assert list(known) == [1]
    assert by_row == (lead, "deferred", "quiet_hours", "h1") == known[1][: len(by_row)]
    assert (known[1].rev, known[1].not_before) == (0, 1_800_000_000_000)
    assert listed == {}
    assert row(store, lead)["detail"] == "Zoë 🙂"


def test_a_number_is_one_lead_a_campaign(store: Store) -> None:
    """Unique on campaign and phone: the same number twice in a campaign is the same lead, in two it is two."""
    ledger = begin(store)
    ledger.stage([entry(1), entry(1, campaign="d")])
    again = ledger.stage([entry(1, rev=0, payload="{2}")])
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM leads")).scalar_one() == 2
    assert row(store, again["c", "+14165550001"])["payload"] == "{2}"


@pytest.mark.parametrize("rev", [-1, 1, 7])
def test_a_decision_on_an_old_look_is_not_written(store: Store, rev: int) -> None:
    """The revision guards: who decided on what is no longer so writes nothing and is told to look again."""
    ledger = begin(store)
    [lead] = stage(ledger, 1)
    got = ledger.stage([entry(1, rev=rev, state=L.REJECTED), entry(2)])
    assert list(got) == [("c", "+14165550002")]
    assert row(store, lead)["state"] == "planned"


@pytest.mark.parametrize("rev", [0, 1])
def test_what_is_being_sent_is_never_staged_over(store: Store, rev: int) -> None:
    """A lead in flight keeps its state whatever a row says."""
    ledger = begin(store)
    [lead] = stage(ledger, 1)
    assert ledger.turn([], [lead]) == {lead}
    assert ledger.stage([entry(1, rev=rev)]) == {}
    assert row(store, lead)["state"] == "sending"


def test_bad_rows_are_kept_once(store: Store) -> None:
    """Rows without a phone are one rejected entry each, however often they come."""
    ledger = begin(store)
    bad = [entry(n, phone=None, state=L.REJECTED, payload=None) for n in (1, 2)]
    first = ledger.stage_without_phone(bad)
    assert ledger.stage_without_phone(bad) == first
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM leads")).scalar_one() == 2


def test_a_lead_is_claimed_once(store: Store) -> None:
    """Of two runs that want a lead one gets it; a run whose own commit was not acknowledged may ask again."""
    one, two = begin(store, "one"), begin(store, "two")
    ids = stage(one, 1, 2)
    assert one.turn([], ids) == set(ids)
    assert two.turn([], ids) == set()
    assert one.turn([], ids) == set(ids)
    assert row(store, ids[0])["sent_at"] is not None


@pytest.mark.parametrize("state", [s for s in L if s not in (L.PLANNED, L.SENDING)])
def test_only_planned_leads_are_claimed(store: Store, state: LeadState) -> None:
    """No other state is ever sent."""
    ledger = begin(store)
    [lead] = stage(ledger, 1, state=state)
    assert ledger.turn([], [lead]) == set()
    assert row(store, lead)["state"] == state


@pytest.mark.parametrize("campaign", ["", "c", "d"])
def test_who_is_on_the_list_is_not_claimed(store: Store, campaign: str) -> None:
    """The do-not-contact list of all campaigns or of this one counts until the moment of sending."""
    ledger = begin(store)
    ids = stage(ledger, 1, 2)
    suppress(store, 1, campaign)
    free = set(ids) if campaign == "d" else {ids[1]}
    assert ledger.turn([], ids) == free
    if campaign != "d":
        assert ledger.find([("c", "+14165550001")])[1] == {0: "asked"}
        assert ledger.states(ids) == {ids[0]: ("suppressed", "do_not_contact"), ids[1]: ("sending", "")}


@pytest.mark.parametrize("ending", ["finished", "superseded", "expired"])
def test_a_run_that_is_over_claims_nothing(store: Store, ending: str, clock: Any) -> None:
    """A zombie gets no lead, in whatever way it ended."""
    store._clock = clock
    ledger = begin(store, "a")
    [lead] = stage(ledger, 1)
    if ending == "finished":
        end(ledger)
    elif ending == "superseded":
        begin(store, "a")
    else:
        clock.advance(seconds=301)
        begin(store, "b")
    assert ledger.turn([], [lead]) == set()
    assert row(store, lead)["state"] == "planned"
    assert not runs.heartbeat(store, ledger.run_id, lease=LEASE, read=0, counts={}, reasons={})


def test_only_the_claimant_settles(store: Store) -> None:
    """An answer is written by the run that claimed the lead; another's is remembered as an attempt and changes nothing."""
    one, two = begin(store, "one"), begin(store, "two")
    [lead] = stage(one, 1)
    one.turn([], [lead])
    two.turn([settled(lead, L.PLANNED)], [])
    assert row(store, lead)["state"] == "sending"
    one.turn([settled(lead, L.ACCEPTED, contact_id="c1", conversation_id="v1", application_id="a1")], [])
    got = row(store, lead)
    assert (got["state"], got["contact_id"], got["conversation_id"], got["application_id"]) == (
        "accepted",
        "c1",
        "v1",
        "a1",
    )
    assert got["payload"] is None
    assert got["accepted_at"] is not None


def test_what_is_settled_stays_settled(store: Store) -> None:
    """An answer that is written twice, or contradicts a settled one, changes nothing more."""
    ledger = begin(store)
    [lead] = stage(ledger, 1)
    ledger.turn([], [lead])
    ledger.turn([settled(lead, L.ACCEPTED)], [])
    for state in (L.ACCEPTED, L.PLANNED, L.HELD, L.REJECTED):
        ledger.turn([settled(lead, state)], [])
        assert row(store, lead)["state"] == "accepted"


@pytest.mark.parametrize(
    ("state", "kept"), [(L.ACCEPTED, False), (L.REJECTED, False), (L.HELD, True), (L.PLANNED, True)]
)
def test_the_payload_is_kept_only_while_it_may_be_sent(store: Store, state: LeadState, kept: bool) -> None:
    """Personal data goes once a lead is settled."""
    ledger = begin(store)
    [lead] = stage(ledger, 1)
    ledger.turn([], [lead])
    ledger.turn([settled(lead, state)], [])
    assert (row(store, lead)["payload"] is not None) is kept


def test_a_zombies_late_answer_settles_its_own_held_lead(store: Store) -> None:
    """Its claims were held when a successor came; the answer it had in hand is still the truth."""
    zombie = begin(store, "a")
    ids = stage(zombie, 1, 2)
    zombie.turn([], ids)
    successor = begin(store, "a")
    assert [row(store, lead)["state"] for lead in ids] == ["held", "held"]
    assert row(store, ids[0])["reason"] == "worker_died"
    zombie.turn([settled(ids[0], L.ACCEPTED)], [])
    assert [row(store, lead)["state"] for lead in ids] == ["accepted", "held"]
    assert successor.turn([], ids) == set()


def test_a_zombies_late_answer_does_not_touch_what_was_claimed_again(store: Store) -> None:
    """With resend, the lead belongs to the run that claimed it last."""
    zombie = begin(store, "a")
    [lead] = stage(zombie, 1)
    zombie.turn([], [lead])
    successor = begin(store, "a", resend=["c"])
    assert successor.turn([], [lead]) == {lead}
    zombie.turn([settled(lead, L.PLANNED)], [])
    assert row(store, lead)["state"] == "sending"


def test_a_zombies_late_answer_settles_what_was_planned_anew_and_nobody_has_claimed(store: Store) -> None:
    """Whom the API took is not sent to again; what else it may have said is for the next who sends to hear."""
    zombie = begin(store, "a")
    ids = stage(zombie, 1, 2, 3)
    zombie.turn([], ids)
    successor = begin(store, "a", resend=["c"])
    zombie.turn(
        [settled(lead, to) for lead, to in zip(ids, (L.ACCEPTED, L.HELD, L.REJECTED), strict=True)], []
    )
    assert [row(store, lead)["state"] for lead in ids] == ["accepted", "planned", "planned"]
    assert successor.turn([], ids) == set(ids[1:])


def test_an_earlier_try_takes_nothing_over_from_a_later_one(store: Store, clock: Any) -> None:
    """Its supervisor died before it began: the later try goes on, and once that is dead too any try may."""
    store._clock = clock

    def begin_try(number: int, **given: Any) -> Ledger:
        owner = Owner("a", try_number=number)
        return Ledger(store, runs.start(store, owner, campaign="c", source="", lease=LEASE, **given).run_id)

    second = begin_try(2)
    ids = stage(second, 1, 2)
    begin_try(3, dry_run=True)
    with pytest.raises(OutreachUnavailable, match="a later try"):
        begin_try(1)
    assert second.turn([], ids[:1]) == {ids[0]}
    assert begin_try(2).turn([], ids[1:]) == {ids[1]}
    clock.advance(minutes=10)
    begin_try(1)
    assert [row(store, lead)["state"] for lead in ids] == ["held", "held"]


@pytest.mark.parametrize("ending", ["superseded", "expired"])
def test_a_run_that_is_over_plans_nobody(store: Store, ending: str, clock: Any) -> None:
    """What it stages would be everybody's to send, and nobody judges its source any more."""
    store._clock = clock
    ledger = begin(store, "a", withheld=True)
    [lead] = stage(ledger, 1)
    clock.advance(minutes=10)
    begin(store, "a" if ending == "superseded" else "b")
    assert ledger.stage([entry(1, rev=1), entry(2)]) == {}
    assert row(store, lead)["state"] == "suppressed"


def test_another_tasks_claims_are_left_alone_until_the_lease_ends(store: Store, clock: Any) -> None:
    """The lease, by the store's clock, says when another task's silence means death; a heartbeat renews it."""
    store._clock = clock
    one = begin(store, "one")
    [lead] = stage(one, 1)
    one.turn([], [lead])
    begin(store, "two")
    assert row(store, lead)["state"] == "sending"
    clock.advance(seconds=299)
    assert runs.heartbeat(store, one.run_id, lease=LEASE, read=7, counts={"accepted": 1}, reasons={})
    clock.advance(seconds=299)
    begin(store, "three")
    assert row(store, lead)["state"] == "sending"
    clock.advance(seconds=2)
    begin(store, "four")
    assert row(store, lead)["state"] == "held"
    with store.read() as connection:
        states = list(connection.execute(sa.text("SELECT owner, state, rows_read FROM runs ORDER BY id")))
    assert states[0][1:] == ("expired", 7)


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=400)])
@pytest.mark.parametrize("lives", [False, True])
def test_a_lease_that_was_written_while_the_clock_was_ahead_is_no_longer_than_any(
    still_store: Store, clock: Any, ahead: timedelta, lives: bool
) -> None:
    """Once it is put right the claims of a dead run are held within a lease, and one that lives keeps its own."""
    clock.advance(seconds=ahead.total_seconds())
    first = begin(still_store)
    [lead] = stage(first, 1)
    first.turn([], [lead])
    clock.advance(seconds=-ahead.total_seconds())
    begin(still_store, "b")
    assert row(still_store, lead)["state"] == "sending"
    clock.advance(seconds=LEASE.total_seconds() - 1)
    if lives:
        assert runs.heartbeat(still_store, first.run_id, lease=LEASE, read=0, counts={}, reasons={})
    clock.advance(seconds=2)
    begin(still_store, "c")
    assert row(still_store, lead)["state"] == ("sending" if lives else "held")


def test_a_run_that_ends_holds_what_it_has_in_flight(store: Store) -> None:
    """Nothing is left in sending when nobody is there to settle it."""
    ledger = begin(store)
    ids = stage(ledger, 1, 2)
    ledger.turn([], ids[:1])
    end(ledger, RunState.FAILED)
    assert [row(store, lead)["state"] for lead in ids] == ["held", "planned"]


def test_a_dry_run_supersedes_nobody(store: Store) -> None:
    """A trial beside the real task does not end it."""
    real = begin(store, "a")
    begin(store, "a", dry_run=True)
    assert runs.heartbeat(store, real.run_id, lease=LEASE, read=0, counts={}, reasons={})


def test_resend_plans_the_held_leads_of_its_campaign_alone(store: Store) -> None:
    """Held leads of other campaigns stay for a person."""
    dead = begin(store, "dead")
    ids = list(dead.stage([entry(1), entry(1, campaign="d")]).values())
    dead.turn([], ids)
    end(dead)
    started = runs.start(store, Owner("x"), campaign="c", source="", lease=LEASE, resend=["c"])
    assert started.resent == 1
    assert sorted(row(store, lead)["state"] for lead in ids) == ["held", "planned"]


def test_leftovers_are_what_nobody_alive_is_at(store: Store) -> None:
    """Planned leads of ended runs and of our own, in pages by id; those of a live run are left to it."""
    dead, alive, ours = begin(store, "dead"), begin(store, "alive"), begin(store, "ours")
    mine = stage(dead, *range(5))
    stage(alive, 10, 11)
    own = stage(ours, 20)
    dead.stage([entry(30, campaign="other")])
    end(dead, RunState.FAILED)
    first = ours.leftovers(["c"], 0, 4)
    second = ours.leftovers(["c"], first[-1].id, 4)
    assert [lead.id for lead in [*first, *second]] == sorted(mine + own)
    assert first[0].payload == "{}"
    assert ours.leftovers([], 0, 4) == []
    shares = [ours.leftovers(["c"], 0, 10, shard, 3) for shard in range(3)]
    assert sorted(lead.id for share in shares for lead in share) == sorted(mine + own)


def test_deferred_leads_come_due(store: Store, clock: Any) -> None:
    """A deferred lead is a leftover from its moment on, not before; who is on the list never is."""
    store._clock = clock
    dead = begin(store, "dead")
    soon = round((clock.time + timedelta(minutes=10)).timestamp() * 1000)
    ids = stage(dead, 1, 2, state=L.DEFERRED, not_before=soon)
    suppress(store, 2)
    end(dead)
    ours = begin(store, "ours")
    clock.advance(minutes=9, seconds=59)
    assert ours.leftovers(["c"], 0, 9) == []
    clock.advance(seconds=1)
    assert [lead.id for lead in ours.leftovers(["c"], 0, 9)] == [ids[0]]
    assert row(store, ids[1])["state"] == "suppressed"
    assert row(store, ids[1])["payload"] is None


def test_a_planned_lead_may_be_closed_again(store: Store) -> None:
    """Back to deferred with its payload, or suppressed without; a lead in another state is left alone."""
    ledger = begin(store)
    ids = stage(ledger, 1, 2, 3)
    ledger.turn([], ids[2:])
    until = datetime(2026, 7, 2, 12, tzinfo=UTC)
    ledger.close([(ids[0], Gate(L.DEFERRED, "quiet_hours", "d", until)), (ids[1], Gate(L.SUPPRESSED, "never_open", "d")),
                  (ids[2], Gate(L.DEFERRED, "quiet_hours", "d", until))])  # fmt: skip
    got = [row(store, lead) for lead in ids]
    assert [g["state"] for g in got] == ["deferred", "suppressed", "sending"]
    assert [g["payload"] is not None for g in got] == [True, False, True]
    assert got[0]["not_before"] == round(until.timestamp() * 1000)


def test_whom_a_run_has_read_and_somebody_forgets_is_nobody_elses_lead(store: Store) -> None:
    """Neither what was staged for them is sent under another's lead, nor an answer about them kept."""
    reader, writer = begin(store), begin(store, "b")
    in_flight, waiting = stage(reader, 1, 2)
    assert reader.turn([], [in_flight]) == {in_flight}
    forget_leads(store, [in_flight, waiting])
    others = stage(writer, 3, 4)
    answer = settled(in_flight, L.REJECTED, detail="what the API said of them")
    assert reader.turn([answer], [in_flight, waiting]) == set()
    assert [row(store, each)["state"] for each in others] == ["planned", "planned"]
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT * FROM attempts")).all() == []


def test_every_attempt_is_remembered(store: Store) -> None:
    """Each submission leaves its outcome, status, latency and words."""
    ledger = begin(store)
    [lead] = stage(ledger, 1)
    for state, status in ((L.PLANNED, 503), (L.ACCEPTED, 200)):
        ledger.turn([], [lead])
        ledger.turn([settled(lead, state, status=status, outcome="x")], [])
    with store.read() as connection:
        rows = list(
            connection.execute(
                sa.text("SELECT lead_id, run_id, status, latency_ms FROM attempts ORDER BY id")
            )
        )
    assert rows == [(lead, ledger.run_id, 503, 5), (lead, ledger.run_id, 200, 5)]
    assert row(store, lead)["tries"] == 2


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE leads; --", '"\\u0041"', "a\nb\tc", "🙂 ‮", "{{ x }} :now %s"]
)
def test_any_text_comes_back_as_it_was(store: Store, text: str) -> None:
    """Values are parameters: nothing in them is read as SQL, JSON or a placeholder."""
    ledger = begin(store)
    [lead] = stage(ledger, 1, reason=text, detail=text, payload=text)
    got = row(store, lead)
    assert (got["reason"], got["detail"], got["payload"]) == (text, text, text)
    ids = ledger.stage([entry(2, campaign=text)])
    assert list(ids) == [(text, "+14165550002")]


# -- races --------------------------------------------------------------------------------------------------


def in_threads(works: Sequence[Callable[[], Any]]) -> list[Any]:
    results: list[Any] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def call(index: int) -> None:
        gate.wait()
        results[index] = works[index]()

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_many_threads_claim_each_lead_once(store: Store) -> None:
    """Six runs claim the same two hundred leads in groups, in different orders: each lead has one claimant."""
    ids = stage(begin(store, "stage"), *range(200))
    ledgers = [begin(store, f"run{n}") for n in range(6)]

    def claim(ledger: Ledger, offset: int) -> list[int]:
        turned = ids[offset:] + ids[:offset]
        return [lead for at in range(0, 200, 20) for lead in ledger.turn([], turned[at : at + 20])]

    got = in_threads([lambda ledger=ledger, n=n: claim(ledger, 33 * n) for n, ledger in enumerate(ledgers)])
    assert sorted(lead for claims in got for lead in claims) == sorted(ids)


def test_many_threads_stage_the_same_rows_without_deadlock(store: Store) -> None:
    """Four runs stage the same leads in different order at once: each lead exists once, nobody fails."""
    ledgers = [begin(store, f"run{n}") for n in range(4)]
    orders = [list(range(100))[:: 1 if n % 2 else -1] for n in range(4)]
    got = in_threads(
        [lambda ledger=ledger, order=order: ledger.stage([entry(n) for n in order]) for ledger, order in zip(ledgers, orders, strict=True)]
    )  # fmt: skip
    assert all(staged is not None for staged in got)
    assert sum(len(staged) for staged in got) == 100


def test_supersede_and_claim_at_once_leave_nothing_to_a_zombie(store: Store) -> None:
    """While a run claims, its successor starts: afterwards every lead is planned or held, and the zombie has none."""
    zombie = begin(store, "a")
    ids = stage(zombie, *range(120))
    claimed: list[int] = []

    def claim() -> bool:
        for at in range(0, 120, 4):
            claimed.extend(zombie.turn([], ids[at : at + 4]))
        return True

    def succeed() -> Ledger:
        return begin(store, "a")

    _, successor = in_threads([claim, succeed])
    states = successor.states(ids)
    held = {lead for lead, (state, _) in states.items() if state == "held"}
    assert held == set(claimed)
    assert {state for state, _ in states.values()} <= {"planned", "held"}
    assert successor.turn([], ids) == set(ids) - held


_CLAIMANT = """
import json, sys
from datetime import timedelta
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs
from airflow_outreach_provider.store.ledger.claims import Ledger
url, owner, ids = json.loads(sys.argv[1])
store = Store(url)
run = runs.start(store, Owner(owner), campaign="c", source="", lease=timedelta(seconds=300)).run_id
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger(store, run)
print(json.dumps([lead for at in range(0, len(ids), 5) for lead in ledger.turn([], ids[at:at + 5])]))
"""


@pytest.mark.slow
def test_many_processes_claim_each_lead_once(store: Store) -> None:
    """Three processes claim the same leads at the same time: each lead has one claimant."""
    ids = stage(begin(store, "stage"), *range(150))
    url = store.url.render_as_string(hide_password=False)
    claims = [
        json.loads(said) for said in at_once(_CLAIMANT, [json.dumps([url, f"p{n}", ids]) for n in range(3)])
    ]
    assert sorted(lead for claim in claims for lead in claim) == sorted(ids)
