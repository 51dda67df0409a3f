"""Who one person is in the store: numbers, addresses and platforms' ids that lead to each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_outreach_provider.core.emails import hash_email, normalise_email
from airflow_outreach_provider.core.events import Contact
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.masking import mask_email, mask_phone
from airflow_outreach_provider.core.person_texts import PersonTexts
from airflow_outreach_provider.core.phone_lines import other_writings
from airflow_outreach_provider.core.platforms import OUTREACH, PLATFORMS

MOST_LINES = 3
"""An address or id that goes with more lines than these is not one person's."""

_OFFICES = frozenset({
    "admin", "contact", "hello", "help", "info", "mail", "no-reply", "noreply", "office", "sales", "service", "support",
    "team",
})  # fmt: skip


class Link(StrEnum):
    """What an event has to do with a person: it is about them, or it only names them."""

    ABOUT = "about"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, as far as it tells whom it is about. :param body: as it came, or what is kept of it."""

    source: str
    platform: str
    contact: Contact = field(repr=False)
    headers: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass
class KnownPerson:
    """What is known of a person so far; it grows as their own events and leads are met.

    :param numbers: E.164, as they were met; they count in every writing.
    :param emails: addresses, normalised. :param email_hashes: of them, and of those known by their hash only.
    :param ids: (source, the platform's id of the contact). :param outreach_ids: those of the outreach platform.
    :param lead_contacts: its ids that leads bear.
    :param shared: addresses that lead to several people and were not followed; :param shared_ids: ids likewise.
    """

    numbers: set[str] = field(default_factory=set, repr=False)
    emails: set[str] = field(default_factory=set, repr=False)
    email_hashes: set[str] = field(default_factory=set)
    ids: set[tuple[str, str]] = field(default_factory=set)
    outreach_ids: set[str] = field(default_factory=set)
    lead_contacts: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set, repr=False)
    shared: set[str] = field(default_factory=set, repr=False)
    shared_ids: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def asked_for(cls, numbers: Iterable[str], emails: Iterable[str]) -> KnownPerson:
        """Who is asked for by numbers (E.164) and addresses (in any writing)."""
        known = set(map(normalise_email, emails))
        return cls(set(numbers), known, set(map(hash_email, known)))

    @property
    def size(self) -> int:
        """Grows whenever something more is known."""
        known = (self.numbers, self.emails, self.email_hashes, self.outreach_ids, self.lead_contacts)
        return len(self.ids) + sum(len(each) for each in known)

    @property
    def lines(self) -> set[str]:
        """The numbers in every writing."""
        return {writing for number in self.numbers for writing in (number, *other_writings(number))}

    def texts(self) -> PersonTexts:
        """What finds the person in texts."""
        return PersonTexts(self.numbers, self.emails, self.email_hashes, self.names)

    def shown(self) -> list[str]:
        """Numbers and addresses, masked."""
        return [*map(mask_phone, sorted(self.numbers)), *map(mask_email, sorted(self.emails))]


def is_office(email: str) -> bool:
    """Whether an address is a role's rather than a person's."""
    return email.partition("@")[0] in _OFFICES


class Judge:
    """Tells what an event has to do with a person, by what is known of the person now."""

    def __init__(self, person: KnownPerson) -> None:
        self.person = person
        self.lines = person.lines
        self.texts = person.texts()
        self._ids = frozenset(person.ids)

    def link(self, seen: Seen) -> Link | None:
        """None where the event does not name the person at all."""
        contact = seen.contact
        if contact.phone in self.lines or self._is_known_id(seen):
            return Link.ABOUT
        if self.has_address(contact.email):
            return Link.ABOUT
        body = seen.body.decode("utf-8", "replace")
        if body not in self.texts and seen.headers not in self.texts:
            return None
        if contact.phone or contact.email:
            return Link.NAMES
        about = _record_names(seen, self.texts) or not (
            contact.external_id or self.texts.is_beside_others_in(body)
        )
        return Link.ABOUT if about else Link.NAMES

    def has_address(self, email: str | None) -> bool:
        return email is not None and hash_email(email) in self.person.email_hashes

    def _is_known_id(self, seen: Seen) -> bool:
        external = seen.contact.external_id
        return external is not None and (
            (seen.source, external) in self._ids
            or (seen.platform == OUTREACH and external in self.person.lead_contacts)
        )


def _record_names(seen: Seen, texts: PersonTexts) -> bool:
    """Whether a field of what the platform says of the contact itself is the person's number or address."""
    facts = PLATFORMS.get(seen.platform)
    try:
        value = read_json(seen.body)
        parsed = facts.parse(value, None) if facts and isinstance(value, dict) else None
    except Exception:  # noqa: BLE001 - as when it came in: a parser's fault hides nobody's event
        return False
    return parsed is not None and any(map(texts.is_all, parsed.person.values()))
