"""The rules of a lead sync: from a row to what should become of it, and what the ledger's memory changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from airflow_outreach_provider.core.changes import columns_hash
from airflow_outreach_provider.core.emails import email_columns, email_hashes, hash_email
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected
from airflow_outreach_provider.core.leads import PayloadFormat, check_format, read_lead
from airflow_outreach_provider.core.masking import printable
from airflow_outreach_provider.core.per_person import PER_PERSON, PerPerson
from airflow_outreach_provider.core.phones import (
    STRICT,
    LineType,
    PhoneReading,
    check_region,
    line_type,
    parse_phone,
)
from airflow_outreach_provider.core.quiet_hours import (
    QuietHours,
    is_nowhere,
    read_zone,
    zones_of,
    zones_of_region,
)
from airflow_outreach_provider.core.row_reading import RowReading
from airflow_outreach_provider.core.row_refusals import ROW_SAYS_NO, refusal_in
from airflow_outreach_provider.core.states import LeadState, RowState

_CONSENT_WORDS = frozenset(
    {"1", "1.0", "true", "t", "yes", "y", "on", "x", "ok", "opt-in", "opted-in", "opted in", "granted", "given", "subscribed"}
)  # fmt: skip

OPTED_OUT_EMAIL = "opted_out_email"
"""The reason of a lead whose address, not its number, is on the do-not-contact list."""

_LONGEST_CONSENT = 200

_READING = 8  # of numbers, addresses and refusals; another one makes rows that were decided on be read again

Resubmit = str | timedelta


class Draft(NamedTuple):
    """What should become of a row, before the ledger is asked. A tuple, because every row makes one.

    :param state: planned, suppressed or deferred.
    :param not_before: when a deferred lead may be sent.
    :param open_until: up to when a planned lead may be sent without another look at the clock; None for ever.
    :param email_hash: of the person's first address, which the ledger remembers; of the others,
        ``other_email_hashes``: an opt-out of any of them stops the lead.
    :param consent: what the column said that had to say yes, shortened; None where none had to.
    :param zone: the time zone that the row names; None where it names none.
    """

    campaign: str
    phone: str
    state: LeadState
    reason: str
    detail: str
    payload: str
    content_hash: str
    email_hash: str | None
    not_before: datetime | None = None
    open_until: datetime | None = None
    consent: str | None = None
    zone: str | None = None
    other_email_hashes: tuple[str, ...] = ()


class Gate(NamedTuple):
    """Whether a number may be texted now.

    :param state: planned, suppressed or deferred.
    :param not_before: when a deferred one opens.
    :param open_until: up to when a planned one is certainly open; None for always.
    """

    state: LeadState
    reason: str = ""
    detail: str = ""
    not_before: datetime | None = None
    open_until: datetime | None = None


_OPEN = Gate(LeadState.PLANNED)
_NOWHERE = Gate(
    LeadState.SUPPRESSED, "time_zone_unknown",
    "the number tells no time zone, nor does anything else; set default_region, or time_zone to a column",
)  # fmt: skip
_OF_HOURS = frozenset({"", "quiet_hours", "never_open", "time_zone_unknown"})


@dataclass(frozen=True)
class LeadRules:
    """How rows are read and whom they may reach. Checked by ``check()``, then only read.

    :param configuration_id: taken for rows that name none.
    :param campaign: what a phone number is unique within; the configuration id where None.
    :param mapping: target field → what it is made of (:mod:`core.mapping`); None recognises the usual column names.
    :param where: a condition on a row's columns; rows that do not meet it are not for this sync.
    :param given: what the run gives to ``mapping`` and ``where``: ``ds``, ``params``, ``var``, …; None where none runs.
    :param texts: whether rows of the source hold texts alone, as those of CSV files do.
    :param require_consent: column that must hold yes.
    :param time_zone: column that says a row's time zone; None, or an empty cell, for the number's own.
    :param phones: how strictly numbers are read.
    :param line_types: kinds of line that may be texted; None for all.
    :param quiet_hours: local hours at the recipient's in which nobody is texted.
    :param resubmit: for accepted leads whose row changed: ``never``, ``changed``, or changed and accepted at
        least this long ago.
    :param changed_on: columns whose values alone count as a change; None for all that is sent.
    :param per_person: how many texts a person may get, over all campaigns.
    :param unique_email: whether of leads with one address one is texted.
    """

    configuration_id: str | None = None
    campaign: str | None = None
    mapping: Mapping[str, Any] | None = None
    where: str | None = None
    given: Mapping[str, object] | None = None
    texts: bool = False
    payload_format: PayloadFormat = "raw"
    default_region: str | None = None
    require_consent: str | None = None
    line_types: frozenset[LineType] | None = None
    quiet_hours: QuietHours | None = None
    resubmit: Resubmit = "never"
    changed_on: frozenset[str] | None = None
    per_person: PerPerson | None = None
    time_zone: str | None = None
    phones: PhoneReading = STRICT
    unique_email: bool = False

    def check(self) -> None:
        """:raises ConfigurationError: a rule cannot be kept as written."""
        check_region(self.default_region)
        check_format(self.mapping, self.payload_format)
        _ = self.reading
        self.phones.check()
        if self.resubmit not in ("never", "changed") and not isinstance(self.resubmit, timedelta):
            raise ConfigurationError(
                f"resubmit {self.resubmit!r} does not exist", "use 'never', 'changed' or a timedelta"
            )
        if isinstance(self.resubmit, timedelta) and self.resubmit <= timedelta(0):
            raise ConfigurationError(
                f"resubmit is {self.resubmit}, which is no span of time",
                "use one above 0, e.g. timedelta(days=90), or 'changed'",
            )

    @cached_property
    def reading(self) -> RowReading:
        """``mapping`` and ``where``, compiled."""
        return RowReading(self.mapping, self.where, self.given, texts=self.texts)

    @cached_property
    def region(self) -> str | None:
        return check_region(self.default_region)

    @cached_property
    def fingerprint(self) -> bytes:
        """Changes whenever the same row could be read differently."""
        parts: tuple[object, ...] = (
            self.configuration_id, self.campaign, sorted((self.mapping or {}).items()), self.mapping is None,
            self.payload_format, self.region, self.require_consent, sorted(self.line_types or ()),
            self.line_types is None, _READING,
        )  # fmt: skip
        if self.changed_on is not None:
            parts = (*parts, sorted(self.changed_on))
        if self.reading.run_values is not None:
            parts = (*parts, self.reading.run_values)
        if self.phones != STRICT or self.time_zone is not None:
            parts += (tuple(self.phones), self.time_zone)
        return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def row_hash(self, values: Mapping[str, Any]) -> str:
        """Identifies a row's content under these rules."""
        found = self._hash.copy()
        found.update(repr(values).encode("utf-8", "surrogatepass"))
        return found.hexdigest()

    @cached_property
    def _hash(self) -> blake2b:
        return blake2b(digest_size=16, key=self.fingerprint)

    def draft(self, values: Mapping[str, Any], now: datetime) -> Draft:
        """Read a row.

        :param now: timezone-aware; decides quiet hours.
        :raises LeadRejected: it is no lead.
        """
        lead = read_lead(
            self.reading.values(values),
            configuration_id=self.configuration_id,
            region=self.region,
            payload_format=self.payload_format,
            how=self.phones,
        )
        payload = lead.body(self.payload_format)
        phone = lead.phone.e164
        zone = read_zone(values.get(self.time_zone)) if self.time_zone is not None else None
        gate = self._gate(values, phone, zone, now)
        emails = _email_hashes(lead.contact, values)
        return Draft(
            self.campaign or lead.configuration_id, phone, gate.state, gate.reason, gate.detail, payload,
            self.reading.hash_of(lead, self.region) if self.changed_on is None else self._changed_hash(values, phone),
            emails[0] if emails else None, gate.not_before, gate.open_until,
            None if self.require_consent is None else printable(str(values.get(self.require_consent)))[:_LONGEST_CONSENT],
            zone, emails[1:],
        )  # fmt: skip

    def _changed_hash(self, values: Mapping[str, Any], phone: str) -> str:
        assert self.changed_on is not None
        known_by = [name for name in self.changed_on if self._holds(values.get(name), phone)]
        return columns_hash(values, self.changed_on, known_by, self.region)

    def _holds(self, value: object, phone: str) -> bool:
        try:
            return parse_phone(value, self.region, self.phones).e164 == phone
        except LeadRejected:
            return False

    def _gate(self, values: Mapping[str, Any], phone: str, zone: str | None, now: datetime) -> Gate:
        if (column := refusal_in(values)) is not None:
            detail = f"column {printable(column)[:60]!r} says that the person is not to be contacted"
            return Gate(LeadState.SUPPRESSED, ROW_SAYS_NO, detail)
        if self.require_consent is not None and not _consents(values.get(self.require_consent)):
            detail = f"column {self.require_consent!r} does not say yes"
            return Gate(LeadState.SUPPRESSED, "no_consent", detail)
        if self.line_types is not None and (kind := line_type(phone)) not in self.line_types:
            return Gate(LeadState.SUPPRESSED, "line_type", f"the number is {kind}")
        return self.gate_hours(phone, now, zone)

    def gate_hours(self, phone: str, now: datetime, zone: str | None = None) -> Gate:
        """Whether a number is open now, and until when or from when on.

        A number that is in no place is open while all zones of the campaign are: those of the default region and
        of everybody whom these rules have seen. So it is looked at again before it is sent.

        :param zone: where the person is, as far as the row says.
        """
        if self.quiet_hours is None:
            return _OPEN
        zones = (zone,) if zone is not None else () if is_nowhere(phone) else zones_of(phone)
        if zones:
            self._zones.update(zones)
            return _gate_zones(self.quiet_hours, zones, now)
        zones = tuple(sorted(self._zones)) or zones_of(phone)
        if not zones:
            return _NOWHERE
        gate = _gate_zones(self.quiet_hours, zones, now)
        return gate._replace(open_until=now) if gate.state is LeadState.PLANNED else gate

    def gate_nowhere(self, draft: Draft, now: datetime) -> Draft:
        """A draft read before others whose zones count for it, put right; most are what they were."""
        if self.quiet_hours is None or draft.zone is not None or draft.reason not in _OF_HOURS:
            return draft
        if not is_nowhere(draft.phone):
            return draft
        return draft._replace(**self.gate_hours(draft.phone, now)._asdict())

    @cached_property
    def _zones(self) -> set[str]:
        return set(zones_of_region(self.region)) if self.region is not None else set()


def gate_person(rule: PerPerson, texted: Sequence[datetime], now: datetime) -> Gate | None:
    """What keeps a person from another text now; None for nothing. :param texted: when they were."""
    opens = rule.open_from(texted, now)
    if opens is None:
        return None
    return Gate(LeadState.DEFERRED, PER_PERSON, f"{rule}; the next from {opens:%Y-%m-%d %H:%M} UTC", opens)


@lru_cache(maxsize=1024)
def _gate_zones(quiet: QuietHours, zones: tuple[str, ...], now: datetime) -> Gate:
    """Remembered, for all rows of a chunk are read at one moment."""
    opens = quiet.next_open(zones, now)
    if opens is None:
        return Gate(
            LeadState.SUPPRESSED, "never_open", "no hour of the day is open in all time zones of the number"
        )
    if opens <= now:
        return Gate(LeadState.PLANNED, open_until=quiet.open_until(zones, now))
    return Gate(LeadState.DEFERRED, "quiet_hours", f"open from {opens:%Y-%m-%d %H:%M} UTC", opens)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the ledger knows of a lead, as far as a decision needs it.

    :param same: whether the row says the same as when the lead was last staged.
    :param same_as_texted: whether it says what the person was texted with, and something else was staged since.
    """

    state: LeadState
    reason: str
    same: bool
    accepted_at: datetime | None
    same_as_texted: bool = False


class RowDecision(NamedTuple):
    """What a row ends as for now.

    :param row: its state in this run; planned means: to be sent.
    :param write: the state to write to the ledger, None to leave it as it is.
    """

    row: RowState
    reason: str
    write: LeadState | None = None


_ROW_STATES: dict[LeadState, RowState] = {
    state: RowState(state.value) for state in LeadState if state is not LeadState.SENDING
}


def decide(
    draft: Draft,
    memory: Memory | None,
    do_not_contact: str | None,
    resubmit: Resubmit,
    now: datetime,
    *,
    resend: bool = False,
) -> RowDecision:
    """Put a draft and the ledger's memory together.

    :param do_not_contact: the reason on the do-not-contact list, ``OPTED_OUT_EMAIL`` where it is the address that
        is on it, None when nothing of the person is.
    :param resend: whether a lead of unknown outcome is sent again (at least once).
    """
    state, reason = draft.state, draft.reason
    if do_not_contact is not None:
        by_email = do_not_contact == OPTED_OUT_EMAIL
        state, reason = LeadState.SUPPRESSED, OPTED_OUT_EMAIL if by_email else "do_not_contact"
    fresh = RowDecision(_ROW_STATES[state], reason, state)
    if memory is None:
        return fresh
    sends = state in (LeadState.PLANNED, LeadState.DEFERRED)
    match memory.state:
        case LeadState.ACCEPTED:
            again = sends and not memory.same and not _is_barred(memory, resubmit, now)
            return fresh if again else RowDecision(RowState.UNCHANGED, "texted_before")
        case LeadState.HELD:
            return fresh if resend else RowDecision(RowState.HELD, memory.reason)
        case LeadState.SENDING:
            return RowDecision(RowState.ELSEWHERE, "another_run_is_sending")
        case _ if memory.same_as_texted and sends:  # the change that was staged since is taken back
            return RowDecision(RowState.UNCHANGED, "texted_before", LeadState.ACCEPTED)
        case LeadState.REJECTED if memory.same:
            return RowDecision(RowState.REJECTED, memory.reason)
        case LeadState.REJECTED | LeadState.SUPPRESSED if sends and _is_barred(memory, resubmit, now):
            return RowDecision(RowState.UNCHANGED, "texted_before")
        case LeadState.REJECTED:
            return fresh
        case LeadState.PLANNED | LeadState.SUPPRESSED | LeadState.DEFERRED:
            unchanged = memory.same and memory.state == state and memory.reason == reason
            return RowDecision(RowState(state), reason, None if unchanged else state)


def _email_hashes(contact: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, ...]:
    """Of every address of the person: first as it is sent, then from all columns that are called so, sent or not."""
    first = contact.get("email")
    others: list[object] = []
    for place in (contact, values):
        for name in email_columns(tuple(place)):
            cell = place[name]
            if cell is not first and cell != first and cell not in others:
                others.append(cell)
    return email_hashes([first, *others] if others else first)


def _is_barred(memory: Memory, resubmit: Resubmit, now: datetime) -> bool:
    """Whether somebody who was accepted, be it before a later refusal, may not be sent anything else now."""
    accepted = memory.accepted_at
    if accepted is None and memory.state is not LeadState.ACCEPTED:
        return False
    if isinstance(resubmit, timedelta):
        return accepted is not None and now - accepted < resubmit
    return resubmit == "never"


def _consents(value: object) -> bool:
    if isinstance(value, bool):
        return value
    return value is not None and str(value).strip().lower() in _CONSENT_WORDS


__all__ = ["Draft", "LeadRejected", "LeadRules", "Memory", "RowDecision", "decide", "hash_email"]
