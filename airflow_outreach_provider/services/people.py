"""One person: what the store holds of them, shown in counts and exported whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_outreach_provider.core.deliveries import word_of
from airflow_outreach_provider.core.events import write_time
from airflow_outreach_provider.core.json_reading import storable
from airflow_outreach_provider.core.masking import mask_email, mask_text
from airflow_outreach_provider.core.person import KnownPerson
from airflow_outreach_provider.core.person_texts import PersonTexts, unescaped
from airflow_outreach_provider.services.actions import note_export
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.people.find import Found, find_person
from airflow_outreach_provider.store.people.texts import TextPlace

_AROUND = 80
_JSON = ("body", "headers", "payload", "value")
_OURS = (
    "row_hash",
    "content_hash",
    "rev",
    "plan",
    "plan_until",
    "claim",
    "claim_until",
    "spread",
    "row_of",
    "form",
    "digest",
    "resend",
    "resent_from",
)


def find(store: Store, numbers: Iterable[str], emails: Iterable[str]) -> Found:
    """Everything about a person, through the numbers, addresses and ids that their leads and events bear.

    :param numbers: E.164. :param emails: in any writing.
    """
    return find_person(store, KnownPerson.asked_for(numbers, emails))


def summary(found: Found) -> list[dict[str, Any]]:
    """Counts by kind, masked: ``what``, ``count``, and ``of which`` in words."""
    person = found.person
    rows = [
        ("numbers and addresses", person.shown(), ""),
        ("ids at platforms", person.ids, _counted(source for source, _ in person.ids)),
        ("addresses of several people, not followed", person.shared, ", ".join(map(mask_email, sorted(person.shared)))),
        ("leads", found.leads, _counted(row["state"] for row in found.leads)),
        ("attempts", found.attempts, _counted(row["outcome"] for row in found.attempts)),
        ("evidence of consent", found.consents, _counted(row["column"] for row in found.consents)),
        ("events, with their bodies", found.events, _counted(row["kind"] for row in found.events)),
        ("deliveries", found.deliveries, _counted(word_of(row["state"]) for row in found.deliveries)),
        ("attempts of deliveries", found.delivery_attempts, _counted(row["verdict"] for row in found.delivery_attempts)),
        ("saved of endpoints' answers", found.saved, _counted(row["name"] for row in found.saved)),
        ("entries of the do-not-contact list", found.listed, _counted(row["reason"] for row in found.listed)),
        ("audit rows", found.audit, _counted(row["action"] for row in found.audit)),
        ("texts of others that name them", found.named, _counted(place.table.name for place in found.named)),
    ]  # fmt: skip
    shown = [{"what": what, "count": len(each), "of which": of} for what, each, of in rows]
    shown[0]["of which"] = ", ".join(person.shown())
    return shown


def export(store: Store, found: Found, *, actor: str) -> dict[str, Any]:
    """All of it, whole, as plain JSON types; times as ``2026-03-25T18:30:00.000Z``. Leaves an audit row.

    Of what is about others only the words around the person are given, with everybody's numbers masked.
    """
    ids = [f"lead {row['id']}" for row in found.leads]  # as many people look alike when they are masked
    written = note_export(store, "export person", ", ".join([*found.person.shown(), *ids]), actor=actor)
    document = _document(found)
    written(sum(len(each) for name, each in document.items() if name != "person"))
    return document


def _document(found: Found) -> dict[str, Any]:
    person, texts = found.person, found.person.texts()
    agreed = _grouped(found.consents, "lead_id")
    tried, sent = _grouped(found.attempts, "lead_id"), _grouped(found.delivery_attempts, "delivery_id")
    return {
        "person": {
            "numbers": sorted(person.numbers),
            "emails": sorted(person.emails),
            "ids": [{"source": source, "id": external} for source, external in sorted(person.ids)],
            "addresses_of_several_people": sorted(person.shared),
        },
        "leads": [
            {**_plain(row), "attempts": tried.get(row["id"], []), "consents": agreed.get(row["id"], [])}
            for row in found.leads
        ],
        "events": [_plain(row) for row in found.events],
        "deliveries": [{**_plain(row), "attempts": sent.get(row["id"], [])} for row in found.deliveries],
        "saved_answers": [_plain(row) for row in found.saved],
        "do_not_contact": [_plain(row) for row in found.listed],
        "audit": [_plain(row) for row in found.audit],
        "named_in": [_named(place, texts) for place in found.named],
    }


def _grouped(rows: Iterable[Mapping[str, Any]], key: str) -> dict[int, list[dict[str, Any]]]:
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(_plain(row))
    return groups


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items() if name not in _OURS}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if name in _JSON and isinstance(value, str):
        try:
            return storable(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def _named(place: TextPlace, texts: PersonTexts) -> dict[str, Any]:
    around = []
    for text in map(unescaped, place.texts.values()):
        start, end = next(texts.found(text), (0, 0))
        around.append(mask_text(text[max(0, start - _AROUND) : end + _AROUND]))
    return {"table": place.table.name, "key": list(place.key), "columns": list(place.texts), "around": around}


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {mask_text(word)}" for word, count in sorted(Counter(words).items()))
