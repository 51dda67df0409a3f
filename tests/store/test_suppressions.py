"""The do-not-contact list: every writing of a line, addresses by hash, and what START lifts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from airflow_outreach_provider.core import phone_lines
from airflow_outreach_provider.core.emails import hash_email
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.intake import Incoming
from airflow_outreach_provider.core.opt_outs import OptOut
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.services.actions import purge
from airflow_outreach_provider.store import audit, migrate, suppressions, suppressions_write
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import append as inbox_append
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.ledger.claims import Ledger
from airflow_outreach_provider.store.ledger.lists import lead_story
from airflow_outreach_provider.store.ledger.runs import start
from airflow_outreach_provider.store.ledger.staging import Entry

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
MEXICO, OLD_MEXICO = "+525512345678", "+5215512345678"
JANE = "Jane.Doe@example.com"
# Both were +225 12345678 until 2021.
IVORY = ("+2250112345678", "+2250512345678")


def begin(store: Store) -> Ledger:
    return Ledger(
        store, start(store, Owner("o"), campaign="c", source="", lease=timedelta(seconds=300)).run_id
    )


def plan(ledger: Ledger, phone: str, email: str | None = None, campaign: str = "c") -> int:
    """A planned lead; its id."""
    entry = Entry(
        campaign,
        phone,
        f"{campaign}{phone}",
        "h",
        LeadState.PLANNED,
        "",
        "",
        "{}",
        email and hash_email(email),
        1,
        None,
    )
    return ledger.stage([entry])[(campaign, phone)]


def by_hand(store: Store, phone: str, campaign: str = "") -> None:
    """A row as a former version, or somebody with SQL, writes it."""
    with store.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES (:c, :p, 'asked', '', 0)"
            ),
            {"c": campaign, "p": phone},
        )


def listed(store: Store) -> list[str]:
    return [row.phone for row in suppressions.entries(store).rows]


@pytest.mark.parametrize(("entry", "lead"), [(OLD_MEXICO, MEXICO), (MEXICO, OLD_MEXICO), ("+541123456789", "+5491123456789"),
                                             ("+551187654321", "+5511987654321"), ("+22997123456", "+2290197123456")])  # fmt: skip
@pytest.mark.parametrize("how", ["suppress", "add", "by hand"])
def test_an_entry_stops_the_line_in_every_writing(store: Store, entry: str, lead: str, how: str) -> None:
    """When a row is read, and at the last claim: whoever put which writing on the list, and however."""
    ledger = begin(store)
    planned = plan(ledger, lead)
    if how == "suppress":
        suppressions.suppress(store, [entry], reason="asked", source="s")
    elif how == "add":
        assert suppressions.add(store, [entry], actor="me", reason="asked") == 1
    else:
        by_hand(store, entry)
    assert ledger.turn([], [planned]) == set()
    assert ledger.states([planned]) == {planned: ("suppressed", "do_not_contact")}
    assert ledger.find([("c", lead)])[1] == {0: "asked"}
    assert listed(store) == [entry], "people see what was said, not its other writings"


@pytest.mark.slow
def test_a_row_that_was_there_before_the_upgrade_counts_in_every_writing(store_url: str) -> None:
    """The list of a former version is generous from the first run after the upgrade on."""
    store = Store(store_url)
    upgrade_to_before(store, "every_writing.py")
    by_hand(store, OLD_MEXICO)
    assert migrate.upgrade(store)
    ledger = begin(store)
    planned = plan(ledger, MEXICO)
    assert ledger.turn([], [planned]) == set()
    assert ledger.find([("c", MEXICO)])[1] == {0: "asked"}
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("campaign", ["", "c"])
def test_a_writing_that_is_known_since_the_upgrade_counts_of_entries_before_it(
    store_url: str, campaign: str
) -> None:
    """A version that knows more writings of a line gives them to the whole list before anybody of the one before can."""
    store = Store(store_url)
    upgrade_to_before(store, "a_no_for_good.py")
    by_hand(store, OLD_MEXICO, campaign)
    with store.write() as connection:  # as by a version that knows no other writing of it
        connection.execute(sa.text("UPDATE suppressions SET spread = TRUE"))
    assert migrate.upgrade(store)
    with store.read() as connection:
        assert connection.execute(suppressions_write.UNSPREAD).first() is None
    assert begin(store).find([("c", MEXICO)])[1] == {0: "asked"}
    assert listed(store) == [OLD_MEXICO]
    store.close()


def test_another_rule_of_lines_is_another_revision() -> None:
    """The list holds the writings that were known when an entry was made: what is known since has to be added to it.

    Where the rules have changed: have a revision set ``spread`` of all entries to false, as 0023 does, and say here what
    they are now.
    """
    assert sha256(repr(phone_lines._RULES).encode()).hexdigest()[:16] == "a229d5bf1e920f63"


def test_who_removes_an_entry_by_its_id_removes_nobody_who_is_listed_since(store: Store) -> None:
    """A page that was opened before the last entry was removed names that one, and not the next."""
    suppressions.add(store, ["+14165550101"], reason="asked", actor="ann")
    (seen,) = suppressions.entries(store).rows
    suppressions.remove(store, ["+14165550101"], actor="ann")
    suppressions.add(store, ["+14165550102"], reason="asked", actor="eve")
    assert suppressions.find(store, [seen.id]) == []


def upgrade_to_before(store: Store, ending: str) -> None:
    """:param ending: of the file of the first revision that is left out."""
    revisions = migrate._scripts().walk_revisions()
    before = next(str(each.down_revision) for each in revisions if each.path.endswith(ending))
    newest = ScriptDirectory._upgrade_revs
    with (
        patch.object(ScriptDirectory, "_upgrade_revs", lambda self, _, now: newest(self, before, now)),
        patch.object(suppressions_write, "spread", lambda _: 0),
    ):
        migrate.upgrade(store)
    assert migrate.current_revision(store) == before


def test_leads_that_wait_are_suppressed_in_every_writing(store: Store) -> None:
    """What an earlier run left planned is not offered to the next where its line is on the list."""
    ledger = begin(store)
    planned = plan(ledger, MEXICO)
    by_hand(store, OLD_MEXICO)
    with store.write() as connection:
        connection.execute(sa.text("UPDATE runs SET state = 'succeeded'"))
    later = Ledger(
        store, start(store, Owner("p"), campaign="c", source="", lease=timedelta(seconds=300)).run_id
    )
    assert later.leftovers(["c"], 0, 10) == []
    assert later.states([planned])[planned][0] == "suppressed"


def test_an_entry_is_found_counted_and_removed_in_any_writing(store: Store) -> None:
    """Whoever looks for a line or takes it off need not know how it got there; nothing of it stays."""
    assert suppressions.add(store, [OLD_MEXICO], actor="me") == 1
    assert suppressions.add(store, [MEXICO], actor="me") == 0
    assert [row.phone for row in suppressions.entries(store, phone=MEXICO).rows] == [OLD_MEXICO]
    assert [row.phone for row in suppressions.every_entry(store)] == [OLD_MEXICO]
    assert suppressions.remove(store, [MEXICO], actor="me", campaign="other") == 0
    assert suppressions.remove(store, [MEXICO], actor="me") == 1
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM suppressions")).scalar_one() == 0


@pytest.mark.parametrize("lines", [IVORY, IVORY[::-1]])
@pytest.mark.parametrize("how", ["by hand", "START"])
def test_one_lines_yes_is_not_anothers(store: Store, lines: tuple[str, str], how: str) -> None:
    """Two lines that had one number before it was made longer: who takes one off the list leaves the other on it."""
    one, other = lines
    for number, line in enumerate(lines):
        say(store, number, OptOut((line,), by_stop_word=True))
    assert [row.phone for row in suppressions.entries(store, phone=other).rows] == [other]
    assert suppressions.count(store, [other]) == 1
    if how == "START":
        say(store, 3, OptOut((other,), lifts=True), minutes=1, kind=EventKind.REPLIED)
    else:
        assert suppressions.remove(store, [other], actor="me") == 1
    assert listed(store) == [one]
    assert begin(store).find([("c", one), ("c", other)])[1] == {0: "unsubscribed"}


@pytest.mark.parametrize("campaign", ["", "c", "other"])
def test_an_address_stops_whoever_comes_with_it(store: Store, campaign: str) -> None:
    """A lead with the address, or whose number came with it before, in any campaign the entry is for."""
    ledger = begin(store)
    planned, same_number = plan(ledger, "+14165550101", JANE), plan(ledger, "+14165550102")
    plan(ledger, "+14165550102", JANE, campaign="before")
    free = plan(ledger, "+14165550103", "john@example.com")
    suppressions.suppress(
        store, [], reason="unsubscribed", source="s", campaign=campaign, email_hashes=[hash_email(JANE)]
    )
    stops = campaign != "other"
    assert ledger.turn([], [planned, same_number, free]) == (
        {free} if stops else {planned, same_number, free}
    )
    found = ledger.find(
        [("c", "+14165550199"), ("c", "+14165550102")], [hash_email(" JANE.DOE@example.com "), None]
    )[1]
    assert found == ({0: "opted_out_email", 1: "opted_out_email"} if stops else {})
    if stops:
        assert ledger.states([planned])[planned] == ("suppressed", "opted_out_email")
        story = lead_story(store, planned)
        assert story is not None
        assert story.listed == {campaign: "unsubscribed"}
    [entry] = suppressions.entries(store).rows
    assert "jane" not in entry.phone
    assert suppressions.shown(entry.phone) == f"e-mail {hash_email(JANE)[:8]}… (hashed)"
    assert suppressions.remove(store, [entry.phone], actor="me", campaign=campaign) == 1


def test_an_address_stops_its_number_also_after_a_purge(store: Store) -> None:
    """A purge erases the addresses of leads; the number that came with one that opted out is listed before."""
    ledger = begin(store)
    lead = plan(ledger, "+14165550101", JANE)
    suppressions.suppress(store, [], reason="unsubscribed", source="s", email_hashes=[hash_email(JANE)])
    with store.write() as connection:
        connection.execute(
            sa.text(
                "UPDATE leads SET state = 'accepted', updated_at = 1000, accepted_at = 1000 WHERE id = :id"
            ),
            {"id": lead},
        )
    purge(store, NOW, actor="eve")
    assert ledger.find([("x", "+14165550101")])[1] == {0: "unsubscribed"}
    assert ledger.find([("x", "+14165550102")], [hash_email(JANE)])[1] == {0: "opted_out_email"}


def test_each_of_several_addresses_stops_its_own_lead(store: Store) -> None:
    """Whichever of them opted out; the lead beside it is not stopped with it."""
    ledger = begin(store)
    suppressions.suppress(store, [], reason="unsubscribed", source="s", email_hashes=[hash_email(JANE)])
    keys, john = [("x", "+14165550103"), ("x", "+14165550104")], hash_email("john@example.com")
    further = [(hash_email("ann@example.com"), hash_email(JANE)), ()]
    assert ledger.find(keys, [john, None], further)[1] == {0: "opted_out_email"}
    assert ledger.find(keys, [john, john], further[::-1])[1] == {1: "opted_out_email"}


def say(
    store: Store, number: int, said: OptOut, *, minutes: int = 0, kind: EventKind = EventKind.UNSUBSCRIBED
) -> None:
    """An event arrives that says something about being contacted."""
    at = NOW + timedelta(minutes=minutes)
    event = ContactEvent(
        f"evt_{number:032}", "sms", "tether", "message.received", kind, at, NOW, Contact(phone="+14165550101")
    )
    inbox_append.append(store, [Incoming(event, event.to_json(), "[]", opt_out=said)])


STOP = OptOut((OLD_MEXICO,), (hash_email(JANE),), by_stop_word=True)
START = OptOut((MEXICO,), lifts=True)


@pytest.mark.parametrize("order", [(1, 2, 3), (1, 3, 2), (3, 2, 1), (2, 1, 3), (2, 3, 1), (3, 1, 2)])
def test_who_says_stop_again_stays_stopped_in_whatever_order_it_arrives(
    store: Store, order: tuple[int, ...]
) -> None:
    """STOP, START, STOP: the last word counts, by the time it was said; a START after it lifts it all."""
    for minute in order:
        said = START if minute == 2 else STOP
        say(
            store,
            minute,
            said,
            minutes=minute,
            kind=EventKind.REPLIED if minute == 2 else EventKind.UNSUBSCRIBED,
        )
    assert MEXICO in listed(store) or OLD_MEXICO in listed(store)
    say(store, 4, START, minutes=4, kind=EventKind.REPLIED)
    assert listed(store) == []


def test_start_lifts_what_stop_set_and_nothing_else(store: Store) -> None:
    """Number in any writing, and the address the same message set; not what anybody else said. With an audit row."""
    suppressions.add(store, ["+14165550101"], actor="me")
    say(store, 1, STOP)
    assert len(listed(store)) == 3
    say(store, 2, START, minutes=1, kind=EventKind.REPLIED)
    assert listed(store) == ["+14165550101"]
    [row] = [row for row in audit.entries(store).rows if row.action == "unsuppress"]
    assert (row.actor, row.count, row.note) == (f"event evt_{2:032} of sms", 2, "START")
    say(store, 3, OptOut(("+14165550101",), lifts=True), minutes=2, kind=EventKind.REPLIED)
    assert listed(store) == ["+14165550101"]


@pytest.mark.parametrize("then", ["unsubscribe", "add", "route"])
def test_what_was_confirmed_by_something_else_is_not_lifted(store: Store, then: str) -> None:
    """An unsubscribe, or a person, that came after STOP outlives START."""
    say(store, 1, STOP)
    if then == "unsubscribe":
        say(store, 2, OptOut((MEXICO,)), minutes=1)
    elif then == "add":
        suppressions.add(store, [MEXICO], actor="me")
    else:
        suppressions.suppress(store, [MEXICO], reason="not_interested", source="event evt_9 of crm")
    say(store, 3, START, minutes=2, kind=EventKind.REPLIED)
    assert OLD_MEXICO in listed(store)
    assert begin(store).find([("c", MEXICO)])[1] != {}


def test_a_start_that_was_said_before_the_stop_lifts_nothing(store: Store) -> None:
    """Events may arrive in another order than they were said in; the last word counts."""
    say(store, 1, STOP, minutes=5)
    say(store, 2, START, minutes=1, kind=EventKind.REPLIED)
    assert OLD_MEXICO in listed(store)


def test_an_unsubscribe_is_on_the_list_with_its_event_or_neither_is(store: Store) -> None:
    """One transaction: the entry names the event; a repetition of the event changes nothing."""
    event = ContactEvent("evt_" + "a" * 32, "crm", "supersend", "unsubscribe", EventKind.UNSUBSCRIBED, NOW, NOW,
                         Contact(phone=OLD_MEXICO, email=JANE))  # fmt: skip
    incoming = Incoming(event, event.to_json(), "[]")
    inbox_append.append(store, [incoming])
    rows = suppressions.entries(store).rows
    assert {(row.phone, row.reason, row.source, row.campaign) for row in rows} == {
        (OLD_MEXICO, "unsubscribed", f"event {event.id} of crm", ""),
        (suppressions.EMAIL + hash_email(JANE), "unsubscribed", f"event {event.id} of crm", ""),
    }
    suppressions.remove(store, [row.phone for row in rows], actor="me")
    inbox_append.append(store, [incoming])
    assert listed(store) == [], "taken off by a person, and not put back by the platform's retry"
    with store.write() as connection:
        connection.execute(sa.text("DELETE FROM inbox_events"))
        connection.execute(sa.text("ALTER TABLE suppressions RENAME TO away"))
    with pytest.raises(Exception, match="suppressions"):
        inbox_append.append(store, [incoming])
    with store.write() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO suppressions"))
    assert inbox_lists.load(store, [event.id]) == []
