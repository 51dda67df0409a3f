"""From a request's raw bytes to an event: prove, read, name.

The order matters: nothing is parsed before it is proven, and what is proven is kept even when it cannot be
read as an event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from airflow_outreach_provider.core import signing
from airflow_outreach_provider.core.body_reading import listed, no_beside, read_parsed
from airflow_outreach_provider.core.errors import SignatureError
from airflow_outreach_provider.core.events import ContactEvent, write_time
from airflow_outreach_provider.core.handshakes import asked_by_body
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.opt_outs import OptOut, read_opt_out
from airflow_outreach_provider.core.platforms import Parsed
from airflow_outreach_provider.core.platforms.parts import beside, split
from airflow_outreach_provider.core.proofs import header_of, is_one_of, read_form
from airflow_outreach_provider.core.request_headers import find_header, write_headers
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.core.sources import LONGEST_TOLERANCE_SECONDS, SourceSettings

if TYPE_CHECKING:
    from hashlib import _Hash

TOKEN_HEADER = "x-outreach-token"  # noqa: S105 - a header's name
_MIDNIGHT = time()
# From the first to the last moment at which a signed time is let in, at the longest tolerance there is.
_REPLAYED_SECONDS = 2 * LONGEST_TOLERANCE_SECONDS


class Origin(StrEnum):
    """How an event came in."""

    WEBHOOK = "webhook"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A proven event on its way into the inbox.

    :param body: the raw bytes.
    :param headers: JSON text of ``[[name, value], …]`` as they came, secrets masked.
    :param opt_out: what it says about being contacted.
    :param fingerprint: set where nothing but the body identifies the event; then the event is a duplicate
        of one with the same fingerprint that was stored less than ``window_seconds`` ago.
    :param signed: stands for what was signed, a time among it: the event is a duplicate of one with the same,
        whatever their ids.
    :param repeatable: nothing in it but its words tells when they were said: who says the same again sends the same,
        and so does the platform's retry.
    :param delivery: of a repeatable one: the header that no signature covers with the id of its delivery.
    """

    event: ContactEvent
    body: bytes = field(repr=False)
    headers: str = field(repr=False)
    origin: Origin = Origin.WEBHOOK
    fingerprint: str | None = None
    window_seconds: int = 0
    signed: str | None = None
    opt_out: OptOut | None = None
    repeatable: bool = False
    delivery: tuple[str, str] | None = None

    @property
    def fingerprints(self) -> Mapping[str, int]:
        """What one event alone may claim, and for how many seconds."""
        claims = {self.fingerprint: self.window_seconds, self.signed: _REPLAYED_SECONDS}
        return {name: seconds for name, seconds in claims.items() if name}

    @property
    def opts_out_nobody(self) -> bool:
        """Whether somebody says no in it, and neither number, address nor id says who."""
        said = self.opt_out
        if said is None or said.lifts or said.numbers or said.email_hashes:
            return False
        return self.event.contact.external_id is None


def authenticate(
    source: SourceSettings,
    body: bytes,
    headers: Mapping[str, str],
    *,
    token: str | None,
    now: datetime,
) -> None:
    """Return when the request proves to come from the source.

    :param headers: of the request, looked up in any case.
    :param token: the value of ``?token=`` in the URL, if there was one.
    :raises SignatureError: it proves nothing, or the wrong thing.
    """
    facts = source.facts
    if not source.secrets:
        if source.allow_unsigned:
            return
        raise SignatureError(
            f"source {source.name} has no secret — put one into the connection's password, or set "
            "allow_unsigned in its extra"
        )
    if facts.proof is not None:
        facts.proof.check(body, headers, source.secrets, now, source.tolerance_seconds)
        return
    if facts.scheme is not Scheme.NONE:
        signing.verify(
            facts.scheme,
            body,
            headers,
            source.secrets,
            now=now,
            tolerance_seconds=source.tolerance_seconds,
            header=facts.signature_header,
        )
        return
    given = token if token is not None else (header_of(headers, TOKEN_HEADER) or "").strip(" \t")
    if not given:
        raise SignatureError("the request has neither ?token= nor an X-Outreach-Token header")
    if not is_one_of(given, source.secrets):
        raise SignatureError("the token is not the one in the connection's password")


def read_events(
    source: SourceSettings,
    body: bytes,
    headers: Mapping[str, str],
    *,
    received_at: datetime,
    header_pairs: Iterable[tuple[str, str]] | None = None,
) -> list[Incoming]:
    """The events in a proven body: one, or as many as a custom source's request holds.

    Of several each is kept with its own part of the body, and a form as the JSON object of its fields. A body of the
    other platforms that is no event itself, and is or holds a list of them, is as many. A no that stands beside a list
    is one more.

    :raises ValueError: the body is not JSON, or no form where the source sends forms.
    :raises TooManyEvents: it holds more than one request may.
    """
    pairs = list(headers.items() if header_pairs is None else header_pairs)
    custom = source.custom
    if custom is None:
        whole = read_event(source, body, headers, received_at=received_at, header_pairs=pairs)
        items = listed(source, whole.event)
        if not items:
            return [whole]
    else:
        value = read_json(_form_as_json(body) if custom.section.form else body)
        items = split(value, custom.events)
        if len(items) == 1 and items[0] is value and not custom.section.form:
            return [read_event(source, body, headers, received_at=received_at, header_pairs=pairs)]
        items += no_beside(source, beside(value, custom.events))
    part = partial(read_event, source, headers=headers, received_at=received_at, header_pairs=pairs)
    signed = _sign_of(source, body, headers)
    return [
        part(to_json(item, inf_nan_mode="null"), sent=SentRequest(signed, place))
        for place, item in enumerate(items)
    ]


def challenge(source: SourceSettings, body: bytes) -> str | None:
    """What a proven body asks to be sent back, where it only asks whether the URL is ours."""
    handshake = source.custom.section.handshake if source.custom is not None else None
    if handshake is None or not handshake.body:
        return None
    try:
        return asked_by_body(handshake, read_json(body))
    except ValueError:
        return None


def _form_as_json(body: bytes) -> bytes:
    fields: dict[str, list[str]] = {}
    for name, value in read_form(body):
        fields.setdefault(name, []).append(value)
    return to_json({name: values[0] if len(values) == 1 else values for name, values in fields.items()})


class _Sign(NamedTuple):
    """What was signed of a request, hashed once for all of its events: with a time among it, or without one."""

    dated: _Hash | None
    undated: _Hash | None


class SentRequest(NamedTuple):
    """The request an event was part of.

    :param signed: what was signed of all of it.
    :param place: of the event in it, counted from 0.
    """

    signed: _Sign
    place: int = 0


def read_event(
    source: SourceSettings,
    body: bytes,
    headers: Mapping[str, str],
    *,
    received_at: datetime,
    header_pairs: Iterable[tuple[str, str]] | None = None,
    sent: SentRequest | None = None,
) -> Incoming:
    """The event in a proven body, with its id.

    :param header_pairs: the headers as they came, with repeated names; what is kept.
    :param sent: the request, where the body is only a part of it.

    Its id comes from what identifies it: the platform's own id, where it stands in what is proven; else the delivery
    id together with the body where the platform sends one, else the body (which holds type and time) where it holds
    a time, else the body within a window of time. The delivery id stands in a header that no signature covers: so one
    signature over a time is one event under any id, and under a signature without a time what was signed alone counts.
    Where the type stands in a header, one body under two types is two events.

    :raises ValueError: the body is not JSON.
    """
    parsed = read_parsed(source, body, headers)
    signed, place = sent or SentRequest(_sign_of(source, body, headers))
    part = [str(place)] if place else []
    if source.custom is not None and source.custom.type_in_header:
        part.append(parsed.type)
    header = source.facts.delivery_header
    delivery = find_header(headers, header) if header else None
    fingerprint, window, repeatable = None, 0, False
    if parsed.id is not None:
        identity = digest(source.name, "id", parsed.id)
    elif signed.undated is not None:
        identity, repeatable = _digits(signed.undated, *part), not _says_when(parsed)
    elif delivery:
        identity = digest(source.name, "delivery", delivery, body, *part)
    elif parsed.occurred_at is not None:
        identity, repeatable = digest(source.name, "body", body, *part), not _says_when(parsed)
    else:
        fingerprint, window, repeatable = (
            digest(source.name, "window", body, *part),
            source.dedupe_window_seconds,
            True,
        )
        identity = digest(fingerprint, repr(received_at.timestamp()))
    return Incoming(
        event=build(source, parsed, f"evt_{identity}", received_at),
        body=body,
        headers=write_headers(headers.items() if header_pairs is None else header_pairs),
        fingerprint=fingerprint,
        window_seconds=window,
        signed=None if signed.dated is None else _digits(signed.dated, *part),
        opt_out=read_opt_out(parsed, source.default_region),
        repeatable=repeatable,
        delivery=(header, delivery) if repeatable and header and delivery else None,
    )


def _sign_of(source: SourceSettings, body: bytes, headers: Mapping[str, str]) -> _Sign:
    dated, undated = _signed_content(source, body, headers)
    return _Sign(
        None if dated is None else _hash_of(source.name, "signed", dated),
        None if undated is None else _hash_of(source.name, "body", undated),
    )


def _says_when(parsed: Parsed) -> bool:
    """Whether the platform says when it happened, and not only on which day."""
    return parsed.occurred_at is not None and parsed.occurred_at.time() != _MIDNIGHT


def _signed_content(
    source: SourceSettings, body: bytes, headers: Mapping[str, str]
) -> tuple[bytes | None, bytes | None]:
    """What a signature covers: with a time among it, or without one; neither where nothing is signed."""
    if not source.signs:
        return None, None
    facts = source.facts
    if facts.proof is not None:
        content = facts.proof.content(body, headers)
        return (content, None) if facts.proof.dated else (None, content)
    dated = signing.dated_content(facts.scheme, body, headers, header=facts.signature_header)
    return (dated, None) if dated is not None else (None, body)


def polled_event(
    source: SourceSettings,
    type_: str,
    row: Mapping[str, Any],
    identity: tuple[str, ...],
    occurred_at: datetime | None,
    received_at: datetime,
) -> Incoming:
    """An event made of a row of a contact list.

    :param type_: ``contact.created`` or ``contact.updated``.
    :param identity: what makes it the same event when it is found again.
    """
    envelope = {
        "event": type_,
        **({"timestamp": write_time(occurred_at)} if occurred_at else {}),
        **({"CampaignId": row["CampaignId"]} if "CampaignId" in row else {}),
        "contact": row,
    }
    body = to_json(envelope, inf_nan_mode="null")
    event_id = f"evt_{digest(source.name, 'poll', type_, *identity)}"
    parsed = read_parsed(source, body)
    return Incoming(
        event=build(source, parsed, event_id, received_at),
        body=body,
        headers="[]",
        origin=Origin.POLL,
        opt_out=read_opt_out(parsed, source.default_region),
    )


def digest_of(value: Any) -> str:
    """32 hexadecimal digits that stand for a JSON value, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True))


def build(source: SourceSettings, parsed: Parsed, event_id: str, received_at: datetime) -> ContactEvent:
    """The canonical event."""
    return ContactEvent(
        id=event_id,
        source=source.name,
        platform=source.platform,
        type=parsed.type,
        kind=parsed.kind,
        occurred_at=parsed.occurred_at or received_at,
        received_at=received_at,
        contact=parsed.contact,
        campaign_id=parsed.campaign_id,
        data=parsed.data,
    )


def digest(*parts: str | bytes) -> str:
    """32 hexadecimal digits of SHA-256 over the parts, each with its length before it."""
    return _hash_of(*parts).hexdigest()[:32]


def _digits(begun: _Hash, *more: str | bytes) -> str:
    """The same, where the first parts are hashed already."""
    return _hash_of(*more, begun=begun).hexdigest()[:32]


def _hash_of(*parts: str | bytes, begun: _Hash | None = None) -> _Hash:
    total = hashlib.sha256() if begun is None else begun.copy()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big"))
        total.update(raw)
    return total
