"""What an endpoint's answer means for a delivery: a table, read from the top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import NamedTuple

from airflow_outreach_provider.core.outcomes import Fault
from airflow_outreach_provider.core.retry_after import parse_retry_after


class DeliveryVerdict(StrEnum):
    """What happens next with a delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"  # the same request would be refused again: not retried
    ENDPOINT = "endpoint"  # the endpoint lets nobody in: every delivery waits, none is used up
    GONE = "gone"  # the endpoint wants nothing any more: it is disabled


class _StatusRule(NamedTuple):
    statuses: Iterable[int]
    verdict: DeliveryVerdict
    meaning: str
    heeds_retry_after: bool = False


_RULES = (
    _StatusRule(range(200, 300), DeliveryVerdict.DELIVERED, "accepted"),
    # Never followed: a redirect may lead to an address nobody judged, and turns a POST into a GET.
    _StatusRule(
        range(300, 400),
        DeliveryVerdict.RETRY,
        "redirects are not followed; give the connection the final URL",
    ),
    _StatusRule(
        [401], DeliveryVerdict.ENDPOINT, "not let in: renew the token, secret or password in the connection"
    ),
    _StatusRule(
        [403], DeliveryVerdict.ENDPOINT, "not allowed in: let the endpoint accept what the connection sends"
    ),
    _StatusRule(
        [407], DeliveryVerdict.ENDPOINT, "the proxy does not let us through: give it its user and password"
    ),
    # RFC 9110 section 15.5.9, RFC 8470
    _StatusRule([408, 425], DeliveryVerdict.RETRY, "asks for the same request again", heeds_retry_after=True),
    # In the way of another request, at the wrong server of several, locked by somebody: all pass (HubSpot's 423 in two
    # seconds).
    _StatusRule([409, 421, 423], DeliveryVerdict.RETRY, "not at the moment", heeds_retry_after=True),
    _StatusRule([410], DeliveryVerdict.GONE, "the endpoint is gone"),  # as Standard Webhooks has it
    _StatusRule([429], DeliveryVerdict.RETRY, "too many requests", heeds_retry_after=True),
    _StatusRule(range(400, 500), DeliveryVerdict.REFUSED, "the endpoint refuses this request"),
    _StatusRule([502, 503, 504], DeliveryVerdict.RETRY, "unavailable", heeds_retry_after=True),
    _StatusRule(range(500, 600), DeliveryVerdict.RETRY, "the endpoint failed", heeds_retry_after=True),
)
# Whoever says when to come again does not refuse for good.
_ASKS_TO_WAIT = _StatusRule(range(400, 500), DeliveryVerdict.RETRY, "asks for the same request later", True)
# What is to be deleted and is not there, is deleted: by an earlier try whose answer was lost, or by somebody else.
_DELETED = (_StatusRule([404, 410], DeliveryVerdict.DELIVERED, "gone already"),)
# Of an address that an event names, 410 tells of that record, not of the endpoint; 300 says that there are several.
_OF_RECORD = (
    _StatusRule([300], DeliveryVerdict.REFUSED, "what the event names is there more than once"),
    _StatusRule([410], DeliveryVerdict.REFUSED, "what the event names is gone"),
)
OF_ADDRESS = frozenset({402, 404, 405, 406, 415, 426})
"""Refusals that are as often of an address, a method or an account as of one event."""
_ANYTHING_ELSE = _StatusRule((), DeliveryVerdict.RETRY, "the endpoint failed")


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The verdict on one attempt.

    :ivar reason: for a person; empty when delivered.
    :ivar retry_after: seconds the endpoint asks to wait, bounded; None when it said nothing.
    :ivar of_address: refused in a way that, of several contacts in a row, is of the endpoint's address.
    """

    verdict: DeliveryVerdict
    reason: str = ""
    retry_after: float | None = None
    of_address: bool = False


DELIVERED = DeliveryOutcome(DeliveryVerdict.DELIVERED)


def classify_delivery(
    status: int, retry_after: str | None, now: datetime, *, method: str = "POST", of_record: bool = False
) -> DeliveryOutcome:
    """The outcome of an HTTP answer.

    :param status: as received; anything from 100 to 999.
    :param retry_after: the ``Retry-After`` header, heeded with 5xx, and with every 4xx that is about the request.
    :param now: timezone-aware.
    :param of_record: the address was that of one event's record, not the endpoint's own.
    """
    first = (_DELETED if method == "DELETE" else ()) + (_OF_RECORD if of_record else ())
    rule = next((rule for rule in (*first, *_RULES) if status in rule.statuses), _ANYTHING_ELSE)
    if rule.verdict is DeliveryVerdict.DELIVERED:
        return DELIVERED
    may_wait = rule.verdict is DeliveryVerdict.REFUSED and status in _ASKS_TO_WAIT.statuses
    wait = parse_retry_after(retry_after, now) if rule.heeds_retry_after or may_wait else None
    if may_wait and wait is not None:
        rule = _ASKS_TO_WAIT
    of_address = rule.verdict is DeliveryVerdict.REFUSED and status in OF_ADDRESS and not of_record
    return DeliveryOutcome(rule.verdict, f"HTTP {_named(status)}: {rule.meaning}", wait, of_address)


# Nothing of the request arrived, whoever it was about.
_UNREACHED = frozenset({Fault.DNS, Fault.REFUSED, Fault.CONNECT_TIMEOUT, Fault.PROXY, Fault.PROXY_REFUSED})
_UNTRUSTED = frozenset({Fault.TLS, Fault.TLS_CERTIFICATE})


def classify_failure(fault: Fault, said: str) -> DeliveryOutcome:
    """The outcome of a request that got no answer. :param said: in words, for a person."""
    if fault in _UNTRUSTED:
        return DeliveryOutcome(
            DeliveryVerdict.ENDPOINT,
            f"{said}; renew the endpoint's certificate, or correct the host name in the connection",
        )
    return DeliveryOutcome(DeliveryVerdict.ENDPOINT if fault in _UNREACHED else DeliveryVerdict.RETRY, said)


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
