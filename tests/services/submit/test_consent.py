"""What a row said of consent is kept with the lead: column, value, source, line and time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_outreach_provider.services import actions, people
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.store.ledger.lists import LeadFilter, LeadStory, lead_story, list_leads
from airflow_outreach_provider.store.ledger.staging import Entry

ROW = {"phone": "+14165550123", "email": "jane@example.com", "opt_in": " Yes "}


def story(api: Any, phone: str = ROW["phone"]) -> LeadStory:
    [lead] = list_leads(api.store, LeadFilter(phone=phone)).rows
    found = lead_story(api.store, lead.id)
    assert found is not None
    return found


def said(found: LeadStory) -> list[tuple[str, str, int | None]]:
    return [(each.column, each.value, each.line) for each in found.consents]


def test_the_evidence_of_consent_is_kept_with_the_lead(api: Any) -> None:
    """As it was read, with where it stood; once, however often the row is read again."""
    other = {"phone": "+14165550124", "opt_in": "no"}
    rows = [other, ROW]
    before = api.store.now() - timedelta(seconds=1)
    run = api.make(rows, require_consent="opt_in")
    run.source = "s3://leads/march.csv"
    loop.run(run.run())
    found = story(api)
    assert said(found) == [("opt_in", " Yes ", 2)]
    assert found.consents[0].source == "s3://leads/march.csv"
    assert before <= found.consents[0].at <= api.store.now()
    assert story(api, "+14165550124").consents == [], "what is no consent is no evidence of it"
    api.send(rows, require_consent="opt_in", attempt=2)
    assert said(story(api)) == [("opt_in", " Yes ", 2)]


def test_each_text_has_its_own_evidence(sqlite_api: Any) -> None:
    """Whoever is texted again has agreed again; a later no takes nothing back from what was sent."""
    api = sqlite_api
    for attempt, (word, city) in enumerate([("yes", "A"), ("granted", "B"), ("no", "C")], 1):
        row = {**ROW, "opt_in": word, "city": city}
        api.send([row], require_consent="opt_in", resubmit="changed", attempt=attempt)
    assert [value for _, value, _ in said(story(api))] == ["yes", "granted"]
    assert api.texts() == {ROW["phone"]: 2}


def test_a_sync_that_requires_none_keeps_none(sqlite_api: Any) -> None:
    """Nor does a dry run; and what is kept is bounded."""
    api = sqlite_api
    api.send([ROW], require_consent="opt_in", dry_run=True)
    assert api.sql("SELECT count(*) FROM consents")[0][0] == 0
    api.send([ROW])
    assert said(story(api)) == []


def test_evidence_is_exported_outlives_a_purge_and_goes_with_the_person(sqlite_api: Any) -> None:
    """It is in the person's export; stays as long as it is known that they were texted; goes when they are forgotten."""
    api = sqlite_api
    api.send([ROW], require_consent="opt_in")
    later = api.store.now() + timedelta(seconds=5)
    actions.purge(api.store, later, actor="eve")
    assert said(story(api)) == [("opt_in", " Yes ", 1)]
    [lead] = people.export(api.store, people.find(api.store, [ROW["phone"]], []), actor="eve")["leads"]
    assert [(each["column"], each["value"], each["line"]) for each in lead["consents"]] == [
        ("opt_in", " Yes ", 1)
    ]
    actions.forget(api.store, phone=ROW["phone"], actor="eve")
    assert api.sql("SELECT count(*) FROM consents")[0][0] == 0


def test_evidence_of_a_lead_that_is_purged_whole_goes_with_it(sqlite_api: Any) -> None:
    """Nobody was texted, so there is nothing to prove."""
    api = sqlite_api
    api.send([ROW], require_consent="opt_in")
    api.sql("UPDATE leads SET state = 'rejected', accepted_at = NULL, updated_at = 0")
    api.sql("UPDATE consents SET at = 0")
    done = actions.purge(api.store, api.store.now(), actor="eve")
    assert (done["leads removed"], done["consents removed"]) == (1, 1)


def test_only_what_was_written_has_evidence(api: Any) -> None:
    """A row that somebody else decided on meanwhile leaves none for a decision that was not made."""
    from airflow_outreach_provider.core.owner import Owner
    from airflow_outreach_provider.core.states import LeadState
    from airflow_outreach_provider.store.ledger.claims import Ledger
    from airflow_outreach_provider.store.ledger.runs import start
    from airflow_outreach_provider.store.ledger.staging import Consent

    begun = start(api.store, Owner("o"), campaign="c", source="list", lease=timedelta(seconds=300))
    ledger = Ledger(api.store, begun.run_id)
    phones = ["+14165550101", "+14165550102"]

    def entry(phone: str, rev: int) -> Entry:
        return Entry("c", phone, phone, "h", LeadState.PLANNED, "", "", "{}", None, 1, None, rev)

    consents = [Consent("c", phone, "opt_in", "yes", 1) for phone in phones]
    ledger.stage([entry(phones[0], -1)], consents[:1])
    ledger.stage([entry(phones[0], -1), entry(phones[1], -1)], consents)
    assert [len(story(api, phone).consents) for phone in phones] == [1, 1]
