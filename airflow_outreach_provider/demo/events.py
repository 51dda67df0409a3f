"""The demo's second half: two platforms that send webhooks, and a CRM that checks what it is sent.

Everybody is invented, and everything stays on this machine.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple

from airflow_outreach_provider.core.errors import SignatureError
from airflow_outreach_provider.core.signing import SIGNATURE_HEADER, Scheme, sign, verify

VARDA, SUPERSEND, ENDPOINT = "varda_demo", "supersend_demo", "outreach_endpoint_default"
_ROUTE = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_REPLIES = (
    "Sounds good, call me tomorrow?", "Who is this?", "Yes please!", "What does it cost?", "Not now, maybe in May.",
)  # fmt: skip


class CrmRequest(NamedTuple):
    """One delivery the CRM was sent: when, of which event, under which id to de-duplicate on."""

    at: float
    event: str
    message_id: str


class CrmAnswer(NamedTuple):
    """What the CRM answers."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b"{}"


AnswerTo = Callable[[Mapping[str, Any], int], CrmAnswer]
"""From an event, as it was sent, and how often it was sent by now, to the answer."""


def busy_now_and_then() -> AnswerTo:
    """503 at the first try of every third event."""
    first_tries = count(1)

    def answer(_event: Mapping[str, Any], times: int) -> CrmAnswer:
        busy = times == 1 and next(first_tries) % 3 == 0
        return CrmAnswer(503, {"Retry-After": "2"}) if busy else CrmAnswer()

    return answer


class Crm:
    """A customer's system: verifies the signature of each delivery, remembers it, and answers as it is told.

    :ivar answer: what it answers; may be changed at any time. :ivar pause: seconds it takes to answer.
    :ivar requests: what it was sent, signed. :ivar forged: how many requests were not.
    """

    def __init__(self, answer: AnswerTo | None = None) -> None:
        self.secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self.answer = answer or (lambda _event, _times: CrmAnswer())
        self.pause = 0.0
        self.requests: list[CrmRequest] = []
        self.taken: Counter[str] = Counter()
        self._times: Counter[str] = Counter()
        self.forged = 0
        crm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: the second would wait for the first one's receipt, 40 ms.
            wbufsize = -1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = crm.take(body, dict(self.headers))
                time.sleep(crm.pause)
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection of type ``outreach_endpoint``."""
        extra = {"signature": "standard-webhooks", "allow_networks": ["127.0.0.0/8"]}
        host = f"http://127.0.0.1:{self._server.server_port}/hooks/contact-events"
        return {"conn_type": "outreach_endpoint", "host": host, "password": self.secret, "extra": extra}

    def take(self, body: bytes, headers: Mapping[str, str]) -> CrmAnswer:
        """Remember a delivery; 401 for a forgery."""
        try:
            verify(Scheme.STANDARD_WEBHOOKS, body, dict(headers), [self.secret], now=datetime.now(UTC))
        except SignatureError:
            self.forged += 1
            return CrmAnswer(401)
        event = json.loads(body)
        name = str(event["id"])
        self.requests.append(CrmRequest(time.time(), name, headers["webhook-id"]))
        self._times[name] += 1
        answer = self.answer(event, self.times(name))
        if answer.status < 300:
            self.taken[name] += 1
        return answer

    def times(self, event: str) -> int:
        """How often an event was sent by now."""
        return self._times[event]

    def first_seen(self) -> list[str]:
        """Every event that was sent, in the order of its first request."""
        return list(dict.fromkeys(request.event for request in self.requests))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def running_crm(answer: AnswerTo | None = None) -> Iterator[Crm]:
    """A CRM on a free port of the loopback address, which takes everything unless told otherwise."""
    crm = Crm(answer)
    try:
        yield crm
    finally:
        crm.close()


@dataclass(frozen=True, slots=True)
class Sources:
    """Two sources, with the secrets their platforms would have."""

    varda_secret: str = field(repr=False)
    supersend_token: str = field(repr=False)

    @classmethod
    def new(cls) -> Sources:
        return cls(secrets.token_hex(24), secrets.token_hex(24))

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow connections of type ``outreach_source`` by their ids."""
        return {
            VARDA: {"conn_type": "outreach_source", "password": self.varda_secret, "extra": {"platform": "varda"}},
            SUPERSEND: {
                "conn_type": "outreach_source", "password": self.supersend_token, "extra": {"platform": "supersend"},
            },
        }  # fmt: skip


@dataclass(slots=True)
class Sent:
    """What became of the webhooks: how many were stored, known already, and refused as forgeries."""

    stored: int = 0
    repeated: int = 0
    refused: int = 0


def send_webhooks(airflow_url: str, sources: Sources, contacts: int = 10) -> Sent:
    """Send one event of each contact, the first one twice, and one forgery.

    :param airflow_url: base URL of the API server, which has the receiver.
    :raises RuntimeError: the receiver was not ready within 30 seconds.
    """
    sent = Sent()
    requests = [
        varda_webhook(sources, n) if n % 2 else supersend_webhook(sources, n) for n in range(contacts)
    ]
    path, body, headers = varda_webhook(sources, contacts)
    forged = {**headers, "X-Varda-Signature": headers["X-Varda-Signature"][:-8] + "00000000"}
    for request in [*requests, requests[0], (path, body, forged)]:
        status = post(airflow_url, *request)
        sent.stored += status == 202
        sent.repeated += status == 200
        sent.refused += status == 401
    return sent


def varda_webhook(sources: Sources, n: int, contact: int | None = None) -> tuple[str, bytes, dict[str, str]]:
    """The path, body and signed headers of the n-th reply, another event each time.

    :param contact: whose it is; the n-th contact's where left out.
    """
    now, who = datetime.now(UTC), n if contact is None else contact
    person = {"id": 1000 + who, "name": f"Example Person {who}", "phone": f"+1416555{100 + who:04d}"}
    data = {"id": n, "direction": "inbound", "body": _REPLIES[n % len(_REPLIES)], "contact": person}
    envelope = {
        "event": "message.created",
        "timestamp": (now - timedelta(seconds=1)).isoformat(),
        "data": data,
    }
    body = json.dumps(envelope).encode()
    signature = sign(Scheme.STRIPE, body, [sources.varda_secret], message_id="-", now=now)
    headers = {
        "X-Varda-Event": "message.created", "X-Varda-Delivery": secrets.token_hex(8),
        "X-Varda-Signature": signature[SIGNATURE_HEADER[Scheme.STRIPE]],
    }  # fmt: skip
    return f"/outreach/in/{VARDA}", body, headers


def supersend_webhook(sources: Sources, n: int) -> tuple[str, bytes, dict[str, str]]:
    """The same of the other platform, which sends neither an id nor a time of the event: its body is what differs."""
    contact = {
        "id": f"c-{n}", "first_name": "Example", "last_name": f"Person {n}", "email": f"person{n}@example.com",
        "interest": "interested" if n % 4 == 0 else None, "replied": True,
        "updatedAt": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    type_ = "interest" if n % 4 == 0 else "reply"
    body = json.dumps({"type": type_, "CampaignId": "spring-demo", "contact": contact}).encode()
    return f"/outreach/in/{SUPERSEND}", body, {"X-Outreach-Token": sources.supersend_token}


def post(airflow_url: str, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Post JSON to an Airflow that may still be starting its receiver. :return: the status."""
    deadline = time.monotonic() + 60
    while True:
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            airflow_url + path, body, {"Content-Type": "application/json", **headers}, method="POST"
        )
        try:
            with _ROUTE.open(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code != 503:  # the receiver is starting
                return error.code
        if time.monotonic() > deadline:
            raise RuntimeError("the receiver was not ready within 60 s; the API server's log says why")
        time.sleep(0.5)
