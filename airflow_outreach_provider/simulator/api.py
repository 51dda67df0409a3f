"""The documented answers: Tether's outreach webhook, login and contact list; SuperSend's contact list.

Sources: docs.tetherai.ca (Outreach; Outreach webhook), SuperSend's API v2. Where they are silent: error bodies
are ``{"success": false, "message"}``; a login answers ``{"token"}``; a lead without a phone is processed
(200) and texts nobody, which the report counts; no phone is refused as invalid.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jwt

from airflow_outreach_provider.simulator.contacts import (
    ContactBook,
    SimulatedContact,
    configuration_id_of,
    read_submission,
)
from airflow_outreach_provider.simulator.faults import ApiEndpoint, Body, InjectedFault, Kind
from airflow_outreach_provider.simulator.wire import (
    JSON,
    ApiRequest,
    Reply,
    failure,
    html_page,
    http_date,
    json_answer,
)

_USER_ID = "65f0a1b2c3d4e5f600000001"
_COLLEAGUE_ID = "65f0a1b2c3d4e5f600000002"
_TOKEN_SECRET = "the simulator signs for nobody but itself"  # noqa: S105 - guards nothing


class Configuration(StrEnum):
    """The state of an outreach configuration; ``unprompted``: its user has no process or prompt."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNPROMPTED = "unprompted"


@dataclass(frozen=True, slots=True)
class Account:
    """The one customer the simulator knows.

    :param configurations: the state of each by its id.
    :param owns_contacts: False: submitted contacts belong to a colleague, so ``ownerFilter=my`` hides them.
    :param token_seconds: how long a login lasts.
    """

    api_key: str = field(repr=False)
    configurations: Mapping[str, Configuration]
    email: str = field(repr=False)
    password: str = field(repr=False)
    owns_contacts: bool = True
    token_seconds: float = 3600


class Call(NamedTuple):
    """A request that is understood and not yet acted on: ``run`` acts and answers."""

    endpoint: ApiEndpoint
    phone: str | None
    run: Callable[[], Reply]


class Api:
    """Reads requests and answers them; the only one who lets :class:`ContactBook` process a lead."""

    def __init__(self, account: Account, people: ContactBook) -> None:
        self._account, self._people = account, people
        self._key = b"Bearer " + account.api_key.encode()
        self._routes: dict[str, tuple[bytes, Callable[[ApiRequest], Call]]] = {
            "/api/webhook/outreach": (b"POST", self._outreach),
            "/api/auth/login": (b"POST", lambda r: Call(ApiEndpoint.LOGIN, None, lambda: self._login(r))),
            "/api/contacts": (b"GET", lambda r: Call(ApiEndpoint.CONTACTS, None, lambda: self._contacts(r))),
            "/v2/contacts": (b"GET", lambda r: Call(ApiEndpoint.CONTACTS, None, lambda: self._supersend(r))),
        }

    def open(self, request: ApiRequest) -> Call | Reply:
        """What the request asks for; a Reply where the API has no such path or method."""
        route = self._routes.get(request.path)
        if route is None:
            return html_page(404)
        method, handler = route
        if request.method != method and not (method == b"GET" and request.method == b"HEAD"):
            allowed = b"GET, HEAD" if method == b"GET" else method
            return failure(405, "Method not allowed", b"Allow: %b\r\n" % allowed)
        return handler(request)

    def _outreach(self, request: ApiRequest) -> Call:
        if not self._has_key(request):
            return _refusal(401, "Invalid or missing API key")
        try:
            payload = json.loads(request.body)
        except (ValueError, RecursionError):
            return _refusal(400, "Invalid JSON")
        if not isinstance(payload, dict):
            return _refusal(400, "Expected a JSON object")
        configuration_id = configuration_id_of(payload)
        if not configuration_id:
            return _refusal(400, "configurationId is required")
        submission = read_submission(payload, request.body)
        refusal = _REFUSALS[self._account.configurations.get(configuration_id)]
        if refusal is not None:
            return Call(ApiEndpoint.OUTREACH, submission.phone, lambda: failure(*refusal))
        return Call(
            ApiEndpoint.OUTREACH, submission.phone, lambda: processed(self._people.process(submission).number)
        )

    def _login(self, request: ApiRequest) -> Reply:
        try:
            given = json.loads(request.body)
        except (ValueError, RecursionError):
            return failure(400, "Invalid JSON")
        account = self._account
        if not isinstance(given, dict) or not given.get("email") or not given.get("password"):
            return failure(400, "Email and password are required")
        if (given["email"], given["password"]) != (account.email, account.password):
            return failure(401, "Invalid email or password")
        claims = {"sub": _USER_ID, "email": account.email, "exp": time.time() + account.token_seconds}
        token = jwt.encode(claims, _TOKEN_SECRET, algorithm="HS256")
        return json_answer(200, {"success": True, "token": token, "user": {"_id": _USER_ID}})

    def _contacts(self, request: ApiRequest) -> Reply:
        scheme, _, token = request.authorization.decode("latin-1").partition(" ")
        try:
            if scheme.lower() != "bearer":
                return failure(401, "Authentication required")
            jwt.decode(token.strip(), _TOKEN_SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return failure(401, "Invalid or expired token")
        asked = {key: values[-1] for key, values in parse_qs(request.query).items()}
        page, size = _number(asked, "page", 1, 1), _number(asked, "size", 10, 1)
        if page is None or size is None:
            return failure(400, "page and size are numbers from 1 up")
        found = [person for person in self._people if self._listed(person, asked)]
        rows = [self._tether_row(person) for person in found[(page - 1) * size : page * size]]
        return json_answer(
            200, {"success": True, "data": rows, "total": len(found), "page": page, "size": size}
        )

    def _listed(self, person: SimulatedContact, asked: Mapping[str, str]) -> bool:
        owner = asked.get("ownerFilter", "my")
        if owner != "all" and (_USER_ID if owner == "my" else owner) != self._owner:
            return False
        if asked.get("status", "New") != "New" or asked.get("source", "webhook") != "webhook":
            return False
        # A plus sign left bare in a URL arrives as a space.
        search = asked.get("search", "").strip().lower()
        if not search or search in (person.phone or ""):
            return True
        fields = person.fields()
        return any(
            search in str(fields.get(name) or "").lower() for name in ("firstName", "lastName", "email")
        )

    @property
    def _owner(self) -> str:
        return _USER_ID if self._account.owns_contacts else _COLLEAGUE_ID

    def _tether_row(self, person: SimulatedContact) -> dict[str, Any]:
        fields = person.fields()
        return {
            "_id": contact_id(person.number),
            **{name: fields.get(name) for name in ("firstName", "lastName", "email")},
            "phoneNumber": person.phone,
            "status": "New",
            "source": "webhook",
            "channelTypes": ["sms"],
            "owner": self._owner,
            "createdAt": _iso(person.created_ms),
            "updatedAt": _iso(person.updated_ms),
            "lastMessageTime": _iso(person.updated_ms) if person.texts else None,
        }

    def _supersend(self, request: ApiRequest) -> Reply:
        if not self._has_key(request):
            return failure(401, "Invalid or missing API key")
        asked = {key: values[-1] for key, values in parse_qs(request.query).items()}
        limit, offset = _number(asked, "limit", 50, 1), _number(asked, "offset", 0, 0)
        if limit is None or offset is None:
            return failure(400, "limit and offset are numbers")
        rows = [_supersend_row(person) for person in islice(self._people, offset, offset + limit)]
        total = len(self._people)
        pagination = {
            "total": total,
            "limit": limit,
            "offset": offset,
            "has_more": offset + len(rows) < total,
        }
        return json_answer(200, {"success": True, "data": rows, "pagination": pagination})

    def _has_key(self, request: ApiRequest) -> bool:
        if request.authorization == self._key:
            return True
        scheme, _, key = request.authorization.partition(b" ")
        return scheme.lower() == b"bearer" and key.strip() == self._key[7:]


_REFUSALS: dict[Configuration | None, tuple[int, str] | None] = {
    Configuration.ACTIVE: None,
    Configuration.INACTIVE: (400, "Outreach configuration is not active"),
    Configuration.UNPROMPTED: (400, "No process or prompt is configured for this user"),
    None: (404, "Outreach configuration not found"),
}


def contact_id(number: int) -> str:
    return f"507f1f77{number:016x}"


def processed(number: int) -> Reply:
    """The documented 200 for the contact with this number."""
    return Reply(
        200,
        b'{"success":true,"message":"Data processed successfully and message sent.","data":{"contactId":'
        b'"507f1f77%016x","conversationId":"507f1f78%016x","applicationId":"507f1f79%016x"}}'
        % (number, number, number),
        JSON,
    )


def forge(fault: InjectedFault | None, request: ApiRequest) -> Reply:
    """The answer a fault invents; where it invents none, a 200 for a contact that does not exist."""
    if fault is None or fault.kind not in (Kind.STATUS, Kind.RATE, Kind.CONNECTIONS):
        return processed(0)
    status = int(fault.answer or fault.value or 500)
    headers = b""
    if fault.retry_after is not None:
        headers += b"Retry-After: %b\r\n" % _retry_after(fault.retry_after).encode()
    if 300 <= status < 400:
        headers += b"Location: %b\r\n" % (fault.location or f"{request.path}?moved=1").encode()
    if fault.body is Body.EMPTY:
        return Reply(status, headers=headers)
    if fault.body is Body.HTML:
        return html_page(status)._replace(headers=headers)
    if fault.body is Body.INVALID:
        return Reply(status, b'{"success": tru', JSON, headers)
    if fault.body is Body.UNSUCCESSFUL:
        return json_answer(status, {"success": False, "message": "The lead could not be processed"}, headers)
    return (
        processed(0)._replace(headers=headers)
        if status == 200
        else failure(status, _FORGED.get(status, "Error"), headers)
    )


def _retry_after(text: str) -> str:
    """``date+7`` becomes the HTTP date in 7 s; all else goes out as written."""
    prefix, plus, seconds = text.partition("+")
    return http_date(float(seconds)) if prefix == "date" and plus else text


_FORGED = {
    400: "Outreach configuration is not active",
    401: "Invalid or missing API key",
    404: "Outreach configuration not found",
    429: "Too many requests",
    500: "Internal server error",
    502: "Bad gateway",
    503: "Service unavailable",
    504: "Gateway timeout",
}


def _supersend_row(person: SimulatedContact) -> dict[str, Any]:
    fields = person.fields()
    return {
        "id": contact_id(person.number),
        "first_name": fields.get("firstName"),
        "last_name": fields.get("lastName"),
        "email": fields.get("email"),
        "phone": person.phone,
        "CampaignId": person.configuration_id,
        "createdAt": _iso(person.created_ms),
        "updatedAt": _iso(person.updated_ms),
    }


def _refusal(status: int, message: str) -> Call:
    return Call(ApiEndpoint.OUTREACH, None, lambda: failure(status, message))


def _number(asked: Mapping[str, str], name: str, default: int, least: int) -> int | None:
    text = asked.get(name, str(default))
    readable = text.isascii() and text.isdecimal() and len(text) < 10
    return int(text) if readable and int(text) >= least else None


def _iso(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"
