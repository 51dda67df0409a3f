"""How exports of contacts name it that somebody is not to be texted, and what is called nearly so."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.intake import read_event
from airflow_outreach_provider.core.phones import PhoneReading
from airflow_outreach_provider.core.platforms import no_vocabulary
from airflow_outreach_provider.core.row_refusals import refusal_in
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.core.states import LeadState

NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
COLUMNS: list[tuple[str, tuple[object, ...], tuple[object, ...]]] = [
    # (column, what says no, what does not)
    ("Bloctel", ("Oui", "O", "x", "1", True), ("Non", "", "0", "FAUX", "Non inscrit")),
    ("Inscrit sur Bloctel", ("Oui",), ("Non",)),
    ("Lista Robinson", ("Sí", "S", "1"), ("No", "")),
    ("Robinsonliste", ("Ja", "x"), ("Nein", "nicht eingetragen")),
    ("Fecha de baja", ("01/02/2024", "2024-02-01"), ("", "-", "0000-00-00")),
    ("STOP", ("yes", "x", "Oui", 1, "✓", "✅"), ("no", "", "0", "Gare du Nord", 12)),
    ("Baja", ("Sí", "x", "01/02/2024"), ("No", "Baja California", "")),
    ("TPS", ("Yes", "Registered", "TPS", True), ("No", "Not registered", "Report 7", "Clear")),
    ("DNC Status", ("DNC", "Registered", "Listed", "On"), ("Not DNC", "Safe", "Clean", "Callable", "Inactive")),
    *((name, ("Y", "TRUE", "1"), ("N", "FALSE", "0", "")) for name in (
        "Phone 1 DNC", "Phone1 DNC", "MOBILE_1_DNC", "DNC Registry", "National Do Not Call Registry", "Is on Do Not Call list", "TCPA Litigator", "metadata.do_not_contact",
        "do_not_contact (metadata)", "custom.Do Not Call", "Call Opt Out", "Opted out of WhatsApp", "DNCL", "SMS Suppressed", "Blocked", "Global Opt Out", "Do not text (opted out)")),
    ("SMS Suppressions", ("UNSUBSCRIBE", "USER_SUPPRESSED"), ("", "No")), ("Suppressed At", ("2024-01-02T10:00:00",), ("",)), ("Opt Out Reason", ("asked",), ("",)),
    ("Opt Out", ("T", "t"), ("F", "00:00", "0000-00-00T00:00:00Z", "-")), ("SMS Marketing", ("Unsubscribed",), ("Subscribed", "yes")), ("Lost reason", ("Do not contact",), ("Price",)),
    ("OptOutType", ("STOP",), ("START", "HELP")), ("dndSettings.SMS.status", ("active", "permanent"), ("inactive",)), ("dndSettings.Email.status", (), ("active",)),
    *((name, ("Ja", "x", "WAHR"), ("Nein", "", "FALSCH")) for name in (
        "Werbesperre", "SMS-Sperre", "Gesperrt", "Widerspruch", "Bitte nicht kontaktieren", "Nicht per SMS kontaktieren", "Einwilligung widerrufen", "Abbestellt", "Keine Werbung")),
    ("Widerrufen am", ("01.02.2024",), ("", "-")), ("Einwilligung", ("widerrufen", "Widerrufen am 01.02.2024"), ("erteilt", "ja")),
    *((name, ("Oui", "VRAI", "x"), ("Non", "FAUX", "")) for name in (
        "Liste noire", "Opposition", "Droit d'opposition", "Refus SMS", "Ne pas envoyer de SMS", "Désinscrit SMS", "Consentement retiré", "Pas de SMS", "Opposition RGPD")),
    ("Date d'opposition", ("01/02/2024",), ("",)), ("Consentement", ("retiré",), ("donné",)), ("Statut", ("Liste noire", "Blacklisté"), ("Actif", "À rappeler")),
    *((name, ("Sí", "VERDADERO", "x"), ("No", "FALSO", "")) for name in ("Lista negra", "Desuscrito", "Baja SMS", "Consentimiento revocado", "No enviar SMS", "Oposición")),
    ("Estado", ("Baja", "Dado de baja", "Lista negra"), ("Alta", "Baja California", "Sonora")), ("Consentimiento", ("revocado",), ("otorgado",)),
    *((name, ("Sim", "VERDADEIRO"), ("Não", "FALSO", "")) for name in ("Não perturbe", "Lista negra", "Bloqueado", "Consentimento revogado", "Não quer receber SMS", "LGPD opt-out")),
    ("Data de descadastro", ("01/02/2024",), ("",)), ("Não Me Perturbe", ("Sim",), ("Não",)),
    *((name, ("Sì", "VERO"), ("No", "FALSO", "")) for name in ("Consenso revocato", "Lista nera", "Non inviare SMS", "Opposizione GDPR", "Registro Pubblico Opposizioni")),
    ("Data revoca", ("01/02/2024",), ("",)),
    *((name, ("Ja", "WAAR"), ("Nee", "ONWAAR", "")) for name in ("Geen SMS", "Zwarte lijst", "Geblokkeerd", "Niet storen", "Toestemming ingetrokken")), ("Datum afmelding", ("01-02-2024",), ("",)),
    *((name, ("Tak", "PRAWDA", "x"), ("Nie", "FAŁSZ", "")) for name in ("Wypisany", "Nie kontaktować się", "Nie dzwonić", "Czarna lista", "Sprzeciw", "Zgoda wycofana", "Nie wysyłać SMS")),
    ("Data wypisania", ("01.02.2024",), ("",)), ("Zgoda", ("wycofana", "cofnięta"), ("udzielona", "tak")),
    *((name, ("Ja", "SANT"), ("Nej", "FALSKT", "")) for name in ("Avregistrerad", "Kontakta ej", "Ring inte", "Spärrad", "Inga SMS", "NIX", "Samtycke återkallat")), ("Avanmäld den", ("2024-02-01",), ("",)),
    ("Tags", ("Nurture -> Do Not Text", "SMS-STOP", "vip, NO TEXT", "blacklist"), ("Stop & Shop", "no contact", "Baja")),
    # What is called nearly so.
    *((name, (), ("yes", "x", "2024-01-01", "Ja", "Oui", "Sí", 1)) for name in (
        "Bus stop", "Stop ID", "Stop date", "Stop 1", "One Stop Shop", "Planta baja", "Baja médica", "Fecha de alta", "Widerrufsbelehrung", "Absperrhahn", "Opposition bancaire", "Point de retrait",
        "DNC Checked", "DNC scrub date", "TPS check date", "Bloctel vérifié le", "Opt-out link", "Unsubscribe rate", "Blockchain", "Block number", "Anmeldedatum", "Einwilligung am", "Arrêt de bus",
        "Fire suppression", "License revoked", "Kündigung", "Email Suppressed", "Email Suppressions", "Mailingsperre", "Not on DNC", "No contact", "Geen contact")),
    *((name, (), ("Robinson", "Stop", "Baja", "Sperre")) for name in ("Last Name", "Nachname", "Company", "City", "Priority", "Prioridad")),
]  # fmt: skip
SAID = [(name, value, True) for name, noes, _ in COLUMNS for value in noes]
SAID += [(name, value, False) for name, _, others in COLUMNS for value in others]


@pytest.mark.parametrize(("column", "value", "no"), SAID)
def test_a_column_of_an_export_says_no(column: str, value: object, no: bool) -> None:
    """Whoever exports from a tool of their own language has it heard; who is called Robinson is texted."""
    assert refusal_in({"phone": "+14165550123", column: value}) == (column if no else None)


@pytest.mark.parametrize(
    ("cell", "no"),
    [("416 555 0123 (do not text)", True), ("DNC 416 555 0123", True), ("416 555 0123 STOP; 647 555 0199", True), ("0171 1234567 - keine SMS", True), ("06 12 34 56 78, ne pas contacter", True),
     ("416 555 0123 [no text]", True), ("416 555 0123 home", False), ("416 555 0123 ext 5", False), ("416 555 0123 (not DNC)", False), ("Mobile: 416 555 0123", False), ("416 555 0123 - Stop & Shop", False)],
)  # fmt: skip
def test_a_no_beside_a_number_is_the_persons(cell: str, no: bool) -> None:
    """What is written there is no number to text, and no reason to text another one of theirs."""
    row = {"Mobile": cell, "Work Phone": "+14165550199"}
    assert refusal_in(row) == ("Mobile" if no else None)
    draft = LeadRules(configuration_id="c", phones=PhoneReading(several="first")).draft(row, NOW)
    assert (draft.state is LeadState.SUPPRESSED) == no


OBJECTS: list[tuple[object, bool]] = [
    ({"properties": {"hs_sms_opt_out": "true"}}, True), ({"properties": {"hs_sms_opt_out": "false"}}, False),
    ({"attributes": {"subscriptions": {"sms": {"marketing": {"consent": "UNSUBSCRIBED"}}}}}, True),
    ({"attributes": {"subscriptions": {"email": {"marketing": {"consent": "UNSUBSCRIBED"}}}}}, False),
    ({"custom_fields": [{"name": "City", "value": "Rome"}, {"name": "Opt Out", "value": "true"}]}, True),
    ({"sms_marketing_consent": '{"state": "unsubscribed"}'}, True), ({"email_marketing_consent": '{"state": "unsubscribed"}'}, False), ({"note": "{unsubscribed}"}, False),
    ({"channels": [{"channel": "email", "status": "unsubscribed"}, {"channel": "sms", "status": "subscribed"}]}, False),
    ({"company": {"status": "Do not contact"}}, False), ({"owner": {"opted_out": True}}, False), ({"history": [{"status": "unsubscribed"}]}, False), ({"properties": "{" * 300 + "}"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("row", "no"), OBJECTS, ids=str)
def test_an_object_in_a_row_says_no_as_in_an_event(row: dict[str, object], no: bool) -> None:
    """JSON columns of a database and lines of JSONL hold records as platforms send them."""
    assert (refusal_in(row) is not None) == no


@pytest.mark.parametrize(("field", "value", "no"), [("Bloctel", "Oui", True), ("Bloctel", "Non", False), ("Lista negra", "sí", True), ("stop", True, False), ("blocked", True, False), ("suppressed", True, False), ("baja", "x", False)])  # fmt: skip
def test_a_word_that_is_also_another_says_nothing_in_an_event(field: str, value: object, no: bool) -> None:
    """A row is of a person by all its columns; a body's ``stop: true`` may be of anything, and would list somebody for good."""
    body = {"event": "contact.updated", "contact": {"phone": "+14165550123", field: value}}
    read = read_event(SourceSettings("src", "tether"), json.dumps(body).encode(), {}, received_at=NOW)
    assert read.event.kind is EventKind.CONTACT_UPDATED
    assert (read.opt_out is not None) == no


PHRASES = st.sampled_from(sorted(no_vocabulary.REFUSALS))
BESIDE = st.lists(st.sampled_from(sorted(no_vocabulary.BESIDE)), max_size=2)
OTHERS = st.sampled_from(
    ["check", "checked", "link", "policy", "code", "bus", "rate", "not", "removed", "score", "email"]
)
WRITINGS = st.sampled_from([" ".join, "_".join, "-".join, lambda words: " ".join(words).upper(), lambda words: " ".join(words).title()])  # fmt: skip


@settings(deadline=None, max_examples=examples(100))
@given(PHRASES, BESIDE, BESIDE, OTHERS, WRITINGS)
def test_a_name_counts_where_all_its_words_are_known(
    phrase: str, before: list[str], after: list[str], other: str, written: object
) -> None:
    """In any writing and among what changes nothing a yes is a no; a word that is not known makes it a name of something else."""
    assert callable(written)
    name = written([*before, *phrase.split(), *after])
    assume(len(name) <= 60)
    assert refusal_in({name: "yes"}) == name
    assert refusal_in({name: "no"}) is None
    assert refusal_in({written([*before, *phrase.split(), *after, other]): "yes"}) is None
