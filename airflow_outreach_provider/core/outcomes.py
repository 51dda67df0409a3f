"""Every answer of the outreach API, and every way not to get one, mapped to exactly one outcome.

Documented by the platform: 200, 400, 401, 404 and 500 with the bodies of ``platforms.md`` (Tether, "Response
codes"). The rest is what HTTP (RFC 9110, RFC 6585) and proxies make likely.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic_core import from_json

from airflow_outreach_provider.core.masking import mask_text, printable, redact
from airflow_outreach_provider.core.retry_after import parse_retry_after


class SubmitOutcome(StrEnum):
    """What an answer means for the lead it answers."""

    ACCEPTED = "accepted"
    """The API processed the lead; the person was or will be texted."""
    REJECTED = "rejected"
    """The API refused this one lead."""
    CONFIGURATION = "configuration"
    """A fault that is the same for every lead: stop, use up no lead, tell a person."""
    UNAVAILABLE = "unavailable"
    """Certainly not processed: the same lead may be sent again."""
    UNKNOWN = "unknown"
    """Sent, outcome unknown: the person may have been texted. Hold the lead."""


class Fault(StrEnum):
    """The ways in which no answer comes."""

    DNS = "dns"
    REFUSED = "connection_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    TLS_CERTIFICATE = "tls_certificate"
    PROXY = "proxy"
    PROXY_REFUSED = "proxy_refused"
    INVALID_URL = "invalid_url"
    TIMEOUT = "answer_timeout"
    DROPPED = "connection_dropped"
    RESET = "connection_reset"
    INVALID_HTTP = "invalid_http"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Ruling:
    """One line of the table: what an answer means, in a stable word and in a sentence for a person."""

    outcome: SubmitOutcome
    reason: str
    says: str


_A, _R, _C, _U, _X = (
    SubmitOutcome.ACCEPTED,
    SubmitOutcome.REJECTED,
    SubmitOutcome.CONFIGURATION,
    SubmitOutcome.UNAVAILABLE,
    SubmitOutcome.UNKNOWN,
)

_WRONG_URL = "the base URL does not lead to the outreach API; check the connection's host"
_LEFT = "a proxy before the API says that nobody waited for the answer, while the API had the lead"

STATUS_RULINGS: dict[int, Ruling] = {
    # What is shown after a POST was done (RFC 9110 section 15.4.4).
    303: Ruling(_X, "see_other", "the API points to another page, as is done once a request was processed"),
    400: Ruling(
        _C,
        "bad_request",
        "the API refuses every lead of this configuration: the configuration id is missing, the configuration "
        "is inactive, or it has no process or prompt; check it under Settings > Outreach of the platform",
    ),
    401: Ruling(_C, "unauthorized", "the API key is missing or wrong; put the API Integration Key into the connection's password"),
    402: Ruling(_C, "payment_required", "the platform wants payment before it takes leads; check the account"),
    403: Ruling(_C, "forbidden", "the API key may not submit leads; check the key and what it may do"),
    404: Ruling(
        _C,
        "configuration_not_found",
        "no such configuration for this key, or a wrong base URL; check configuration_id and the connection's host",
    ),
    405: Ruling(_C, "method_not_allowed", _WRONG_URL),
    406: Ruling(_C, "not_acceptable", _WRONG_URL),
    407: Ruling(_C, "proxy_authentication", "the proxy wants a log-in; check the proxy settings of the connection"),
    408: Ruling(_X, "request_timeout", "the API, or a proxy before it, gave up on the request"),
    409: Ruling(_R, "conflict", "the API says this lead conflicts with one it has"),
    410: Ruling(_C, "gone", _WRONG_URL),
    411: Ruling(_C, "length_required", _WRONG_URL),
    413: Ruling(_R, "payload_too_large", "the API says this lead's data is too large"),
    414: Ruling(_C, "uri_too_long", _WRONG_URL),
    415: Ruling(_C, "unsupported_media_type", _WRONG_URL),
    421: Ruling(_C, "misdirected_request", _WRONG_URL),
    422: Ruling(_R, "unprocessable", "the API says this lead's data is not valid"),
    425: Ruling(_U, "too_early", "the API asks to send this later"),
    426: Ruling(_C, "upgrade_required", _WRONG_URL),
    429: Ruling(_U, "rate_limited", "the API is being sent too much at a time"),
    431: Ruling(_C, "headers_too_large", "the request headers are too large; check the connection's extra headers"),
    # Of proxies (AWS, nginx): whoever asked left while the API had the lead.
    460: Ruling(_X, "client_left", _LEFT),
    499: Ruling(_X, "client_left", _LEFT),
    501: Ruling(_C, "not_implemented", _WRONG_URL),
    503: Ruling(_U, "service_unavailable", "the API is not available at the moment"),
}  # fmt: skip

CLASS_RULINGS: dict[int, Ruling] = {
    1: Ruling(_X, "unexpected_answer", "the API gave an interim answer and no other"),
    2: Ruling(_X, "unreadable_success", "the API answered 2xx, but not in the form it documents"),
    3: Ruling(_C, "redirected", "the base URL redirects, and redirects are not followed; put the final URL into the connection's host"),
    4: Ruling(_R, "refused", "the API refused this lead"),
    5: Ruling(_X, "server_error", "the API failed while it had the lead"),
}  # fmt: skip

FAULT_RULINGS: dict[Fault, Ruling] = {
    Fault.DNS: Ruling(_U, "dns", "the API's host name cannot be resolved; check the connection's host and the DNS"),
    Fault.REFUSED: Ruling(_U, "connection_refused", "nothing listens at the API's address; check host and port"),
    Fault.CONNECT_TIMEOUT: Ruling(_U, "connect_timeout", "no connection to the API within the time allowed"),
    Fault.TLS: Ruling(_U, "tls", "no TLS connection to the API; check that host and port speak https"),
    Fault.TLS_CERTIFICATE: Ruling(
        _C, "tls_certificate", "the API's certificate is not trusted; fix it, or set 'verify' in the connection's extra to the CA file"
    ),
    Fault.PROXY: Ruling(_U, "proxy", "the proxy cannot be reached; check the proxy settings"),
    Fault.PROXY_REFUSED: Ruling(_C, "proxy_refused", "the proxy refuses to connect; check the proxy settings"),
    Fault.INVALID_URL: Ruling(_C, "invalid_url", "the connection's host is not a URL; write e.g. https://app.tetherai.ca"),
    Fault.TIMEOUT: Ruling(_X, "answer_timeout", "the API had the lead and did not answer in time"),
    Fault.DROPPED: Ruling(_X, "connection_dropped", "the connection closed after the lead was sent, without an answer"),
    Fault.RESET: Ruling(_X, "connection_reset", "the connection was reset after the lead was sent"),
    Fault.INVALID_HTTP: Ruling(_X, "invalid_http", "the answer is not valid HTTP"),
    Fault.NOT_SENT: Ruling(_U, "not_sent", "the lead was not sent: the task was stopped or stood still too long"),
}  # fmt: skip

SAID_FAILURE = Ruling(_R, "success_false", "the API answered 200 with success: false")
SAID_BOTH = Ruling(
    _X, "failure_with_ids", "the API answered 200 with success: false, and names what it made of the lead"
)
SAID_SUCCESS = Ruling(_A, "accepted", "the API took the lead")


class SubmitAnswer(NamedTuple):
    """What became of one submission.

    :param outcome: what it means for the lead.
    :param reason: a stable snake_case word.
    :param detail: a sentence for a person, with what the API said, personal data masked.
    :param status: the HTTP status, None when none came.
    :param retry_after: seconds the API asked to wait.
    :param latency_ms: from sending to the end of the answer.
    """

    outcome: SubmitOutcome
    reason: str
    detail: str = ""
    status: int | None = None
    retry_after: float | None = None
    latency_ms: int = 0
    contact_id: str | None = None
    conversation_id: str | None = None
    application_id: str | None = None


UNKNOWN_CONFIGURATION = 404
"""What the API answers where the key has no such configuration."""


def configuration_unknown(answer: SubmitAnswer, configuration_id: str) -> SubmitAnswer:
    """The verdict on a lead whose row names a configuration that there is none, while others work."""
    name = mask_text(printable(configuration_id))
    detail = f"the API has no configuration {name!r}, which the row names; the leads of others are taken"
    return answer._replace(outcome=_R, reason="configuration_unknown", detail=detail)


def classify_answer(
    status: int,
    body: bytes,
    *,
    now: datetime,
    retry_after: str | None = None,
    latency_ms: int = 0,
    secret: str = "",
) -> SubmitAnswer:
    """Judge an answer that came.

    :param body: the (start of the) body; may be empty, HTML or anything.
    :param retry_after: the ``Retry-After`` header, seconds or an HTTP date.
    :param now: to turn a date into seconds.
    :param secret: the API key, which an answer may repeat; no detail does.
    """
    if 200 <= status < 300:
        return _judge_success(status, body, latency_ms, secret)
    ruling = STATUS_RULINGS.get(status) or CLASS_RULINGS.get(status // 100) or CLASS_RULINGS[1]
    wait = parse_retry_after(retry_after, now) if ruling.outcome is _U else None
    return SubmitAnswer(
        ruling.outcome, ruling.reason, _detail(ruling, status, body, secret), status, wait, latency_ms
    )


def classify_fault(fault: Fault, said: str = "", latency_ms: int = 0, secret: str = "") -> SubmitAnswer:
    """Judge an answer that did not come.

    :param secret: the API key, which what was said may repeat.
    """
    ruling = FAULT_RULINGS[fault]
    detail = f"{ruling.says} ({mask_text(redact(said, secret), 160)})" if said else ruling.says
    return SubmitAnswer(ruling.outcome, ruling.reason, detail, latency_ms=latency_ms)


def _judge_success(status: int, body: bytes, latency_ms: int, secret: str) -> SubmitAnswer:
    """``success: true`` decides; the message text differs between versions and is never matched on."""
    answer = _json(body)
    if not isinstance(answer, dict):
        ruling = CLASS_RULINGS[2]
        return SubmitAnswer(
            ruling.outcome, ruling.reason, _detail(ruling, status, body, secret), status, None, latency_ms
        )
    data = answer.get("data")
    ids = _ids(data if isinstance(data, dict) else {})
    success = answer.get("success")
    if success is False:
        ruling = SAID_BOTH if any(ids) else SAID_FAILURE
    elif success is True or ids[0]:
        return SubmitAnswer(_A, SAID_SUCCESS.reason, "", status, None, latency_ms, *ids)
    else:
        ruling = CLASS_RULINGS[2]
    detail = _detail(ruling, status, body, secret)
    return SubmitAnswer(ruling.outcome, ruling.reason, detail, status, None, latency_ms, *ids)


def _ids(data: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Of contact, conversation and application."""
    return _id(data.get("contactId")), _id(data.get("conversationId")), _id(data.get("applicationId"))


def _json(body: bytes) -> object:
    """The body's JSON, None where it is none: UTF-8 the quick way, a byte order mark or UTF-16 the other."""
    for read in (from_json, json.loads):
        try:
            return read(body)
        except (ValueError, RecursionError):
            continue
    return None


def _id(value: object) -> str | None:
    return printable(str(value)[:64]) if isinstance(value, str | int) and value != "" else None


def _detail(ruling: Ruling, status: int, body: bytes, secret: str) -> str:
    said = mask_text(redact(_said(body), secret), 200)
    return f"HTTP {status}: {ruling.says}" + (f" — it said: {said}" if said else "")


def _said(body: bytes) -> str:
    """What an error body says, in one line: a JSON message where there is one, nothing of an HTML page."""
    text = body[:4096].decode("utf-8", "replace").strip()
    if not text or text.startswith("<"):
        return ""
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if isinstance(parsed, dict):
        for key in ("message", "error", "detail", "reason"):
            if isinstance(parsed.get(key), str):
                return str(parsed[key])
    return " ".join(text.split())
