"""What a row ends as: the draft by its own content, the verdict with what the ledger remembers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.phones import LineType
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.row_refusals import refusal_in
from airflow_outreach_provider.core.rules import (
    Draft,
    LeadRules,
    Memory,
    Resubmit,
    RowDecision,
    decide,
    hash_email,
)
from airflow_outreach_provider.core.states import LeadState, RowState

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
PHONE = "+14165550123"
L, R = LeadState, RowState
DRAFTS = [(L.PLANNED, ""), (L.SUPPRESSED, "no_consent"), (L.DEFERRED, "quiet_hours")]
RESUBMITS: list[Resubmit] = ["never", "changed", timedelta(days=30)]


def draft(state: LeadState, reason: str) -> Draft:
    return Draft("c", PHONE, state, reason, "", "{}", "hash", None)


@pytest.mark.parametrize("resubmit", RESUBMITS, ids=str)
@pytest.mark.parametrize("listed", [None, "asked to stop"])
@pytest.mark.parametrize(("state", "reason"), DRAFTS)
def test_what_is_new_is_taken_as_it_is(
    state: LeadState, reason: str, listed: str | None, resubmit: Resubmit
) -> None:
    """Without a memory the draft decides; the do-not-contact list overrules it."""
    got = decide(draft(state, reason), None, listed, resubmit, NOW)
    want = (L.SUPPRESSED, "do_not_contact") if listed else (state, reason)
    assert got == RowDecision(RowState(want[0]), want[1], want[0])


def accepted_again(
    state: LeadState, same: bool, resubmit: Resubmit, age: timedelta | None, listed: bool
) -> bool:
    """The rule for texting somebody again, written a second time."""
    if listed or state is L.SUPPRESSED or same or resubmit == "never":
        return False
    return resubmit == "changed" or age is None or (isinstance(resubmit, timedelta) and age >= resubmit)


@pytest.mark.parametrize("listed", [None, "asked to stop"])
@pytest.mark.parametrize("age", [timedelta(days=29), timedelta(days=30), None], ids=str)
@pytest.mark.parametrize("resubmit", RESUBMITS, ids=str)
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(("state", "reason"), DRAFTS)
def test_somebody_texted_is_texted_again_only_by_a_written_rule(
    state: LeadState, reason: str, same: bool, resubmit: Resubmit, age: timedelta | None, listed: str | None
) -> None:
    """Accepted: only a changed row, under resubmit, not listed, not suppressed, and after the time it names."""
    memory = Memory(L.ACCEPTED, "", same, NOW - age if age is not None else None)
    got = decide(draft(state, reason), memory, listed, resubmit, NOW)
    if accepted_again(state, same, resubmit, age, listed is not None):
        assert got == RowDecision(RowState(state), reason, state)
    else:
        assert got == RowDecision(R.UNCHANGED, "texted_before")


@pytest.mark.parametrize("resubmit", RESUBMITS, ids=str)
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("listed", [None, "asked to stop"])
@pytest.mark.parametrize(("state", "reason"), DRAFTS)
def test_what_is_held_or_in_flight_is_left_alone(
    state: LeadState, reason: str, listed: str | None, same: bool, resubmit: Resubmit
) -> None:
    """Held and sending are never overwritten by a row, whatever it says now."""
    held = decide(draft(state, reason), Memory(L.HELD, "worker_died", same, None), listed, resubmit, NOW)
    assert held == RowDecision(R.HELD, "worker_died")
    sending = decide(draft(state, reason), Memory(L.SENDING, "", same, None), listed, resubmit, NOW)
    assert sending == RowDecision(R.ELSEWHERE, "another_run_is_sending")


@pytest.mark.parametrize("listed", [None, "asked to stop"])
@pytest.mark.parametrize(("state", "reason"), DRAFTS)
def test_a_rejected_lead_is_tried_again_when_its_row_changed(
    state: LeadState, reason: str, listed: str | None
) -> None:
    """The same bad row is not sent again; a mended one is."""
    same = decide(draft(state, reason), Memory(L.REJECTED, "unprocessable", True, None), listed, "never", NOW)
    assert same == RowDecision(R.REJECTED, "unprocessable")
    changed = decide(
        draft(state, reason), Memory(L.REJECTED, "unprocessable", False, None), listed, "never", NOW
    )
    assert changed.write is not None
    assert changed.row == (R.SUPPRESSED if listed else RowState(state))


@pytest.mark.parametrize("memory_state", [L.PLANNED, L.SUPPRESSED, L.DEFERRED])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("memory_reason", ["", "no_consent", "quiet_hours", "do_not_contact"])
@pytest.mark.parametrize("listed", [None, "asked to stop"])
@pytest.mark.parametrize(("state", "reason"), DRAFTS)
def test_what_waits_follows_its_row(
    state: LeadState, reason: str, listed: str | None, memory_reason: str, same: bool, memory_state: LeadState
) -> None:
    """Planned, suppressed and deferred leads become what the row says now; nothing is written when nothing changed."""
    got = decide(draft(state, reason), Memory(memory_state, memory_reason, same, None), listed, "never", NOW)
    want, why = (L.SUPPRESSED, "do_not_contact") if listed else (state, reason)
    unchanged = same and memory_state is want and memory_reason == why
    assert got == RowDecision(RowState(want), why, None if unchanged else want)


def row(**values: Any) -> dict[str, Any]:
    return {"phone": PHONE, **values}


@pytest.mark.parametrize(
    "yes", [True, 1, 1.0, "1", "true", "T", "YES", " y ", "on", "x", "Opted-In", "granted"]
)
def test_consent_is_read_in_its_usual_words(yes: object) -> None:
    """A yes in any usual word lets the lead through."""
    assert LeadRules(configuration_id="c", require_consent="ok").draft(row(ok=yes), NOW).state is L.PLANNED


@pytest.mark.parametrize("no", [False, 0, None, "", "no", "false", "0", "n", "unknown", "yes?", [True]])
def test_anything_else_is_no_consent(no: object) -> None:
    """Doubt about consent is no consent; a row without the column has none either."""
    rules = LeadRules(configuration_id="c", require_consent="ok")
    for values in (row(ok=no), row()):
        got = rules.draft(values, NOW)
        assert (got.state, got.reason) == (L.SUPPRESSED, "no_consent")
        assert "'ok'" in got.detail


def test_a_line_type_that_is_not_wanted_is_suppressed() -> None:
    """line_types lets only the named kinds through."""
    rules = LeadRules(configuration_id="c", line_types=frozenset({LineType.MOBILE}))
    assert rules.draft(row(phone="+447400123456"), NOW).state is L.PLANNED
    got = rules.draft(row(phone="+442079460958"), NOW)
    assert (got.state, got.reason, got.detail) == (L.SUPPRESSED, "line_type", "the number is fixed_line")


def test_quiet_hours_defer_with_the_moment() -> None:
    """At night at the recipient's the lead waits for the morning there."""
    rules = LeadRules(configuration_id="c", quiet_hours=QuietHours.parse("21:00-08:00"))
    assert rules.draft(row(), NOW).state is L.PLANNED
    night = datetime(2026, 3, 26, 3, 0, tzinfo=UTC)
    got = rules.draft(row(), night)
    assert (got.state, got.not_before) == (L.DEFERRED, datetime(2026, 3, 26, 12, 0, tzinfo=UTC))
    always = LeadRules(configuration_id="c", quiet_hours=QuietHours.parse("08:00-07:00"))
    never = always.draft(row(phone="+18002345678"), NOW)
    assert (never.state, never.reason) == (L.SUPPRESSED, "never_open")


def test_consent_comes_before_line_type_and_hours() -> None:
    """One reason a row, the gravest first."""
    rules = LeadRules(
        configuration_id="c", require_consent="ok", line_types=frozenset({LineType.PAGER}), quiet_hours=QuietHours.parse("00:00-23:59")
    )  # fmt: skip
    assert rules.draft(row(), NOW).reason == "no_consent"
    assert rules.draft(row(ok=1), NOW).reason == "line_type"


def test_the_same_lead_in_another_writing_is_unchanged() -> None:
    """What counts as a change is the payload, not the spelling of the row."""
    rules = LeadRules(configuration_id="c", default_region="US")
    one = rules.draft({"phone": "(416) 555-0123", "name": "Ann "}, NOW)
    two = rules.draft({"phone": "1-416-555-0123", "name": "Ann"}, NOW)
    assert (one.phone, one.content_hash) == (two.phone, two.content_hash)
    assert one.content_hash != rules.draft({"phone": PHONE, "name": "Anne"}, NOW).content_hash


def test_the_hash_of_a_row_tells_rows_and_rules_apart() -> None:
    """A remembered row is skipped only when row and rules are the same."""
    base = LeadRules(configuration_id="c")
    same = LeadRules(configuration_id="c", quiet_hours=QuietHours.parse("21:00-08:00"), resubmit="changed")
    others = [
        LeadRules(configuration_id="d"),
        LeadRules(configuration_id="c", campaign="x"),
        LeadRules(configuration_id="c", mapping={"phoneNumber": "phone"}),
        LeadRules(configuration_id="c", payload_format="fixed"),
        LeadRules(configuration_id="c", default_region="US"),
        LeadRules(configuration_id="c", require_consent="ok"),
        LeadRules(configuration_id="c", line_types=frozenset({LineType.MOBILE})),
        LeadRules(configuration_id="c", line_types=frozenset()),
    ]
    assert base.row_hash(row()) == same.row_hash(row())
    assert len({rules.row_hash(row()) for rules in [base, *others]}) == len(others) + 1
    assert base.row_hash(row(a=1)) != base.row_hash(row(a="1"))
    assert base.row_hash({"a\ud800": 1}) != base.row_hash({"a": 1})


def test_rules_that_cannot_be_kept_are_configuration_faults() -> None:
    """A mistake in the rules is told before the first row is read."""
    for wrong in (
        LeadRules(resubmit="sometimes"),
        LeadRules(default_region="UK"),
        LeadRules(payload_format="xml"),  # type: ignore[arg-type]
        LeadRules(mapping={"firstName": "n"}),
    ):
        with pytest.raises(ConfigurationError):
            wrong.check()
    LeadRules(resubmit=timedelta(days=1)).check()


def test_an_address_is_remembered_without_being_kept() -> None:
    """The hash finds a person by e-mail in any case, and is not the address."""
    assert hash_email(" Jane@Example.com ") == hash_email("jane@example.com")
    assert "jane" not in hash_email("jane@example.com")


@pytest.mark.parametrize(
    ("columns", "addresses"),
    [({"email": "jane@example.com; john@example.com"}, ("jane@example.com", "john@example.com")),
     ({"email": "n/a", "Work Email": "jane@example.com"}, ("jane@example.com",)),
     ({"Work Email": "jane@example.com", "email": "j@example.org"}, ("j@example.org", "jane@example.com")),
     ({"email": "Jane@example.com", "Home Email": "jane@example.com"}, ("jane@example.com",)),
     ({"email": "n/a"}, ()), ({"email": "j•••@example.com"}, ()), ({"email": "unknown", "Contact owner email": "ann@example.com"}, ()),
     ({"email": ["jane@example.com", "j@example.org"]}, ("jane@example.com", "j@example.org"))],
)  # fmt: skip
def test_a_lead_has_all_addresses_of_all_its_columns(
    columns: dict[str, object], addresses: tuple[str, ...]
) -> None:
    """The one that is sent first, for the ledger remembers the first; none where no column holds one."""
    draft = LeadRules(configuration_id="c").draft({"phone": PHONE, **columns}, NOW)
    assert draft.email_hash == (hash_email(addresses[0]) if addresses else None)
    assert draft.other_email_hashes == tuple(map(hash_email, addresses[1:]))


@pytest.mark.parametrize("state", [L.REJECTED, L.SUPPRESSED])
@pytest.mark.parametrize(
    ("resubmit", "sent"),
    [("never", False), ("changed", True), (timedelta(days=2), False), (timedelta(hours=1), True)],
)
def test_an_acceptance_is_remembered_over_what_came_later(
    state: LeadState, resubmit: str | timedelta, sent: bool
) -> None:
    """Who was accepted a day ago and refused or suppressed since is sent again only where resubmit says so."""
    memory = Memory(state, "do_not_contact", False, NOW - timedelta(days=1))
    got = decide(draft(L.PLANNED, ""), memory, None, resubmit, NOW)
    assert got == (
        RowDecision(R.PLANNED, "", L.PLANNED) if sent else RowDecision(R.UNCHANGED, "texted_before")
    )


@pytest.mark.parametrize("column", ["opted_out", "opted_out_at", "status", "tags", "consent", "error_code"])
@pytest.mark.parametrize(
    "value",
    [Decimal("sNaN"), Decimal("1E+999999"), float("nan"), float("inf"), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), 10**400, {1}, object, "\ud800", (1, 2)],
    ids=repr,
)  # fmt: skip
def test_no_value_breaks_the_hearing_of_a_no(column: str, value: object) -> None:
    """Whatever a driver gives stands in a row, in its lists and in its objects: it says no, or nothing."""
    for cell in (value, [value], {"code": value, "sms": value}):
        assert refusal_in({column: cell}) in (None, column)


@pytest.mark.parametrize(
    ("column", "value", "no"),
    [("Opted Out", "yes", True), ("unsubscribed", True, True), ("Unsubscribed At", "2026-03-01 10:00", True), ("do_not_contact", "1", True), ("DND", "x", True),
     ("SMS Opt-Out", "TRUE", True), ("Status", "Unsubscribed", True), ("Tags", "vip, Do Not Contact", True), ("sms_consent", "revoked", True),
     ("opted_out_at", datetime(2026, 3, 1, tzinfo=UTC), True), ("Unsubscribed On", date(2026, 3, 1), True), ("do_not_contact", date(2026, 3, 1), True),
     ("do_not_contact", Decimal(1), True), ("DNC", Decimal("1.0"), True), ("Do_Not_Contact__c", "true", True), ("properties.opted_out", "yes", True),
     # As one word, as a form asks it, by a package of Salesforce, since when, and in other words.
     *((name, "1", True) for name in ("DONOTCONTACT", "donotcall", "smsoptout", "SMSOPTOUT", "Don't contact", "Don’t text", "DNC (Y/N)", "Opted out (yes/no)",
       "Text Message Opt Out", "tdc_tsw__SMS_Opt_out__c", "smagicinteract__SMSOptOut__c", "et4ae5__HasOptedOutOfMobile__c", "SMS_Opt_Out__pc", "Unsub",
       "Consent Revoked", "sms_consent_withdrawn", "Permission revoked", "Do Not Solicit", "No Marketing", "Werbewiderspruch", "Ne pas appeler", "No llamar", "Niet bellen")),
     *((name, "2026-03-01", True) for name in ("unsubscribed_from_sms_at", "opted_out_of_sms_on", "consent_revoked_at", "Date of opt-out", "SMS Opt Out Date/Time", "SMS_Opt_Out_Date__c")),
     ("Unsubscribed channels", "sms", True), ("opted_out_channels", ["email", "sms"], True), ("opted_out_channels", ["email"], False), ("Opted out", "Email only", False),
     ("Contact Preference", "Do Not Contact", True), ("Contact Preference", "Call", False), ("consent_revoked", "no", False), ("email_unsubscribed_at", "2026-03-01", False),
     ("Opted Out", "did not opt out", False), ("Opted Out", "not yet", False), ("Opt-out requested", "no", False), ("Donation", "yes", False), ("dont_know", "yes", False),
     *(("Status", each, True) for each in ("Closed - Do Not Contact", "Dead – DNC", "Not Interested / DNC", "Bad Lead (Do Not Contact)", "Removed - DNC", "SMS: opted out",
       "Opted out via STOP", "STOP received", "Replied STOP", "unsub", "Unsubscribe request", "Consent revoked")),
     *(("Status", each, False) for each in ("DNC - removed", "Do Not Contact (lifted)", "DNC: no", "Unsubscribed (email)", "Email: unsubscribed", "SMS: subscribed / Email: unsubscribed",
       "Opted out - no", "Closed - Won", "Bus / Stop", "Not DNC / active", "DNC check - passed")),
     ("Email Status", "unsubscribed", False), ("E-Mail Subscription Status", "Opted out", False), ("SMS Subscription Status", "Opted out", True),
     ("National DNC", "Y", True), ("DNC", "✓", True), ("DNC", "да", True), ("DNC", "是", True), ("DNC", "はい", True), ("DNC", "Ｙ", True), ("DNC", "sí", True),
     ("No SMS", "x", True), ("no_text_messages", 1, True), ("Keine SMS", "ja", True), ("Nicht kontaktieren", "X", True), ("Kontaktsperre", "ja", True),
     ("Désabonné", "oui", True), ("Ne pas contacter", True, True), ("Não contactar", "sim", True), ("No contactar", "sí", True), ("Dado de baja", "2026-01-02", True),
     ("Disiscritto", "si", True), ("Niet contacteren", "ja", True), ("Status", "Désabonné", True),
     ("No SMS", "no", False), ("Keine SMS", "nein", False), ("Désabonné", "non", False), ("Não contactar", "não", False), ("No. of messages", "3", False), ("no_messages_sent", "1", False), ("Status", "No contact", False),
     ("Tags", "vip;Do Not Contact", True), ("Tags", "vip|DNC", True),
     ("opted_out_at", datetime(1900, 1, 1, tzinfo=UTC), False), ("do_not_contact", Decimal(0), False), ("DNC", Decimal("NaN"), False), ("DNC", "NaN", False),
     ("DNC", "nein", False), ("DNC", "Não", False), ("DNC", "нет", False), ("DNC", "いいえ", False), ("DNC", "否", False), ("DNC", "✗", False), ("DNC", "☐", False), ("DNC", "—", False),
     ("DNC", "Ｎ", False), ("DNC", "\u200b", False), ("DNC", "\u2068no\u2069", False),
     *(("National DNC", each, False) for each in ("Clean", "Not Found", "not listed", "No match", "(No value)", "(blank)", "not DNC", "🔲")),
     *(("Désabonné", each, False) for each in ("Abonné", "abonnée", "inscrit", "Jamais", "Non renseigné", "NON")),
     *(("Abgemeldet", each, False) for each in ("angemeldet", "Keine Angabe", "k.A.", "(leer)", "niemals")), ("Abgemeldet", "Mai", True),
     ("Não contactar", "Não informado", False), ("DNC", "нет данных", False), ("Opted Out", "Not opted out", False), ("Opted Out", "not interested", True), ("unsubscribed", "not unsubscribed", False),
     ("No. SMS", "12", False), ("Nº SMS", 3, False), ("№ SMS", "1", False), ("no sms", 1, True),
     ("Customer complained", "yes", False), ("tags", "vip; Customer complained", False), ("Status", "lead_complained", False), ("complained", "yes", True),
     ("customer_opted_out", "yes", True), ("properties.contact_opted_out", "yes", True),
     ("Statut", "Ne plus contacter", True), ("Estado", "No contactar", True), ("Situação", "Não contatar", True), ("Stato", "Disiscritto", True), ("Statut", "Nouveau", False),
     ("Estado", "Baja California", False), ("Categories", "VIP;Do Not Contact", True), ("Group Membership", "Do Not Call ::: * myContacts", True), ("Labels", "* myContacts ::: DNC", True),
     ("Étiquettes", "VIP, Ne pas contacter", True), ("Categories", "Optics;Stop & Shop", False), ("Groups", "Subscribers", False),
     ("Do not call this number", "x", True), ("Do not contact me", "yes", True), ("Do not call again", "no", False),
     ("DNC Date", "2026-03-01", True), ("UNSUB_TIME", "2026-03-01 10:00:00", True), ("do_not_call_since", "", False), ("unsub_campaign_title", "x", False),
     ("Désinscrit le", "01/03/2026", True), ("Date de désinscription", "01/03/2026", True), ("Abgemeldet am", "01.03.2026", True), ("Descadastrado em", "01/03/2026", True),
     ("Abgemeldet am", "", False), ("opt_out_date", 20260301, True), ("opt_out_date", 46082.0, True), ("opt_out_date", 0, False), ("opt_out_date", -1, False), ("opt_out_date", 19000101, False),
     ("Do not allow Phone Calls", "Do Not Allow", True), ("Do not allow Phone Calls", "Allow", False), ("Do not allow Emails", "Do Not Allow", False), ("Do Not Call", "Allow", False),
     *(("DNC", each, False) for each in ("Unchecked", "keine", "aus", "aucun", "ninguno", "Nenhum", "nessuna")), ("Abgemeldet", "abonniert", False),
     ("Opted Out", "no", False), ("Opted Out", "", False), ("Opted Out", None, False), ("unsubscribed", "0", False), ("unsubscribed", 0.0, False), ("Opted Out", "N/A", False),
     ("Unsubscribed At", "0000-00-00", False), ("Status", "active", False), ("Tags", "vip", False), ("Opted In", "yes", False), ("note", "opted out", False)],
)  # fmt: skip
def test_a_row_that_says_no_itself_is_nobody_to_text(column: str, value: object, no: bool) -> None:
    """Exports of contacts bear it, and nobody has to have told the do-not-contact list; consent elsewhere does not outweigh it."""
    rules = LeadRules(configuration_id="c", require_consent="consent")
    got = rules.draft({"phone": "+14165550123", "consent": "yes", column: value}, NOW)
    assert (got.state, got.reason) == ((L.SUPPRESSED, "row_says_no") if no else (L.PLANNED, ""))
