"""Exports of CRMs, address books and lead forms are read as they come: mobile first, and nobody else's number."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.phone_columns import rank_of
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.services.rows.open import open_rows

EXPORTS = Path(__file__).parent / "exports"
NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
RULES = LeadRules(configuration_id="conf", default_region="CA")

# Each row's number, by its last digits, or the reason why it has none.
WANTED = {
    "hubspot_contacts.csv": ["0102", "0103", "0105", "phone_extension", "phone_missing"],
    "salesforce_leads.csv": ["0102", "0103", "phone_extension"],
    "salesforce_data_loader.csv": ["0102", "0103", "phone_missing"],
    "zoho_contacts.csv": ["0102", "0103", "phone_missing"],
    "pipedrive_people.csv": ["0102", "0103", "0107", "phone_extension"],
    "google_contacts.csv": ["0102", "0103", "0104", "phone_several"],
    "google_contacts_former.csv": ["0102", "0103"],
    "google_ads_leads.csv": ["0101", "0102", "phone_too_short"],
    "facebook_leads.csv": ["0101", "0102", "phone_not_a_number"],
    "linkedin_leads.csv": ["0101", "0102", "phone_too_short"],
    "linkedin_leads_from_excel.csv": ["0101", "0102", "phone_too_short"],
    "typeform_responses.csv": ["0101", "0102"],
}


def refusal(row: dict[str, object], rules: LeadRules = RULES) -> LeadRejected:
    with pytest.raises(LeadRejected) as caught:
        rules.draft(row, NOW)
    return caught.value


def test_each_export_has_its_outcome_here() -> None:
    """No file of an export stands unread, and each says where its header was seen."""
    assert {path.name for path in EXPORTS.glob("*.csv")} == WANTED.keys()
    told = (EXPORTS / "SOURCES.md").read_text()
    assert all(f"`{name}`" in told for name in WANTED)


@pytest.mark.parametrize("name", WANTED)
def test_an_export_is_read_without_a_mapping(name: str) -> None:
    """Each row gives the person's mobile, else the next number that can be read, or says why it has none."""
    with (EXPORTS / name).open("rb") as file:
        rows = list(open_rows(file, name=name))
    got = []
    for row in rows:
        assert row.error is None
        try:
            got.append(RULES.draft(row.values, NOW).phone.removeprefix("+1416555"))
        except LeadRejected as error:
            got.append(error.reason)
    assert got == WANTED[name]


def test_the_reason_names_every_column_that_was_tried() -> None:
    """Where no column can be read, each is told with what is wrong in it; the reason is that of the first."""
    row = {"Phone": "555-0101", "Mobile": "call me", "Work Phone": "", "Fax": "416-555-0109"}
    error = refusal(row)
    assert error.reason == "phone_not_a_number"
    assert "'Mobile': the value is not" in error.detail and "'Phone': the number lacks" in error.detail
    assert "'Work Phone' is empty" in error.detail and "Fax" not in error.detail
    empty = refusal({"Phone": "", "Mobile": None})
    assert empty.reason == "phone_missing" and "'Mobile', 'Phone'" in empty.detail


def test_the_other_numbers_stay_what_they_were() -> None:
    """The columns that were not needed are custom properties under their own names, as all others are."""
    row = {"Phone": "416-555-0101", "Mobile": "416-555-0102", "Company Phone": "416-555-0109"}
    assert json.loads(RULES.draft(row, NOW).payload) == {
        "configurationId": "conf", "phoneNumber": "+14165550102", "Phone": "416-555-0101",
        "Company Phone": "416-555-0109",
    }  # fmt: skip


def test_a_mapping_rules_over_all_columns() -> None:
    """Who names the column is texted under that one or not at all."""
    rules = LeadRules(configuration_id="conf", default_region="CA", mapping={"phoneNumber": "Work Phone"})
    row = {"Mobile": "416-555-0102", "Work Phone": "416-555-0101"}
    assert rules.draft(row, NOW).phone == "+14165550101"
    assert refusal({**row, "Work Phone": ""}, rules).reason == "phone_missing"


BY_RANK = [
    ("phoneNumber",),
    ("Mobile Phone Number", "Mobile", "MOBILEPHONE", "Handy", "Handynummer", "Mobil", "Mobilnummer", "Celular",
     "Person - Phone - Mobile", "Téléphone portable", "Tél. mobile", "Teléfono móvil", "Cellulare", "Telemóvel",
     "Мобильный телефон", "携帯電話", "Matkapuhelin", "Cell #", "Mobile No.", "work_mobile", "No HP", "Cep Telefonu",
     "N° de portable", "Nº de móvil"),
    ("WhatsApp Phone Number", "WhatsApp", "SMS"),
    ("Phone", "PHONE", "phone_number", "User Phone", "Primary Phone", "Phone 1 - Value", "Telefon", "Téléphone",
     "Teléfono", "Numéro de téléphone", "Telefoonnummer", "Телефон", "电话", "What's your phone number?",
     "Candidate Phone", "phone1", "N° de téléphone", "Teléfono de contacto", "Telefone de contato", "Kontakt Telefon"),
    ("Home Phone", "Person - Phone - Home", "Festnetz", "Telefon (privat)", "Teléfono fijo"),
    ("Person - Phone - Work", "Work Phone Number", "Business Phone", "Telefon geschäftlich", "Diensttelefon", "Telefone comercial"),
    ("Other Phone", "OTHERPHONE", "Person - Phone - Other", "Secondary phone"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rank", "name"), [(rank, name) for rank, names in enumerate(BY_RANK) for name in names]
)
def test_columns_are_known_by_their_usual_names(rank: int, name: str) -> None:
    """Names in the usual languages and prefixes; what a person carries comes first."""
    assert rank_of(name) == rank


@pytest.mark.parametrize(
    "name",
    ["Fax", "Company Phone", "Organization - Phone", "Account Phone", "Emergency Phone", "Assistant Phone", "Asst Phone",
     "Spouse phone", "Phone Type", "Phone 1 - Label", "Phone extension", "Phonetic First Name", "Do Not Phone",
     "Phone Opt In", "mobile_opt_in", "Last Phone Call", "Phone Number Country", "Phone Number Verified", "Mobile app",
     "Number", "Work", "Home", "Contact owner phone", "Teléfono de contacto de emergencia", "Can we call you on your phone?"],
)  # fmt: skip
def test_other_peoples_phones_and_words_about_phones_are_no_candidates(name: str) -> None:
    """Nobody is texted under the number of their company, assistant or spouse, or under a flag."""
    assert rank_of(name) is None


def test_a_file_that_excel_saved_says_the_same() -> None:
    """Tabs and Windows-1252, as Excel leaves them, give the rows of the download itself, accents included."""

    def values(name: str) -> list[dict[str, object]]:
        with (EXPORTS / name).open("rb") as file:
            return [dict(row.values) for row in open_rows(file, name=name)]

    as_downloaded = values("linkedin_leads.csv")
    assert values("linkedin_leads_from_excel.csv") == as_downloaded
    assert as_downloaded[1]["First name"] == "Zoé"
