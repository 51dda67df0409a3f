"""Mutated requests against the running receiver: never 5xx, and nothing stored that was not signed.

``OUTREACH_FUZZ_REQUESTS`` sets how many; the default keeps the test short.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from stored import stored_events
from strategies import examples

from airflow_outreach_provider.core.errors import SignatureError
from airflow_outreach_provider.core.intake import read_events
from airflow_outreach_provider.core.signing import Scheme, sign
from airflow_outreach_provider.core.sources import SourceSettings, source_settings
from airflow_outreach_provider.receiver import create_app
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.inbox import lists as inbox_lists
from airflow_outreach_provider.store.migrate import upgrade

REQUESTS = int(os.environ.get("OUTREACH_FUZZ_REQUESTS") or examples(600))
SECRET = "a-signing-secret-of-ours"
TOKEN = "a-token-nobody-can-guess"
WORDS = [
    b"\x00",
    b"\xff",
    b"\r\n",
    b"\n",
    b":",
    b'"',
    b"{",
    b"[",
    b"\\ud800",
    b"\\u0000",
    b"NaN",
    b"1e999",
    b"%00",
    b"../",
]
READ = {
    "type": "{{ body.event }}",
    "id": "{{ body.id }}",
    "time": "{{ body.timestamp }}",
    "person": "{{ body.contact }}",
    "contact": {"phone": "{{ body.phone | replace('whatsapp:', '') }}", "email": "{{ body.data[0].email }}"},
}
CUSTOM = {
    "batch": source_settings(
        "batch", password=SECRET,
        extra={"platform": "custom", "custom": {
            **READ, "events": "data.contact",
            "verify": {"scheme": "hmac", "header": "X-Sig", "signed": "{timestamp}{body}", "timestamp_header": "X-Time"},
            "handshake": {"body": "name"},
        }},
    ),
    "form": source_settings(
        "form", password=SECRET,
        extra={"platform": "custom", "custom": {
            "type": "form", "form": True,
            "verify": {"scheme": "hmac", "header": "X-Sig", "algorithm": "sha1", "signed": "{url}{form}", "url": "https://u"},
        }},
    ),
}  # fmt: skip


class Fuzzer:
    """Makes requests; knows which bodies were really signed or sent with the token."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.proven: set[bytes] = set()

    def value(self, depth: int = 0) -> Any:
        pick = self.random.random()
        if pick < 0.35 and depth < 4:
            keys = (
                "event",
                "type",
                "timestamp",
                "data",
                "contact",
                "id",
                "phone",
                "email",
                "name",
                "\x00",
                "\ud800",
            )
            return {self.random.choice(keys): self.value(depth + 1) for _ in range(self.random.randrange(5))}
        if pick < 0.45 and depth < 4:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return self.random.choice(
            [
                "call.ended",
                "",
                "x" * 3000,
                "\x00",
                "\ud83d",
                "+14165550123",
                "a@b.ca",
                0,
                -1,
                1e308,
                10**40,
                None,
                True,
            ]
        )

    def body(self) -> bytes:
        if self.random.random() < 0.2:
            return self.random.randbytes(self.random.randrange(200))
        text = json.dumps(self.value()).encode()
        return self.mutate(text) if self.random.random() < 0.3 else text

    def mutate(self, raw: bytes) -> bytes:
        for _ in range(self.random.randrange(1, 4)):
            at = self.random.randrange(len(raw) + 1)
            match self.random.randrange(4):
                case 0:
                    raw = raw[:at] + self.random.choice(WORDS) + raw[at:]
                case 1:
                    raw = raw[:at] + raw[at + self.random.randrange(1, 9) :]
                case 2:
                    raw = raw[:at] + self.random.randbytes(1) + raw[at + 1 :]
                case _:
                    raw += raw[at : at + 50]
        return raw

    def request(self) -> bytes:
        body = self.body()
        source = self.random.choice(
            ["varda", "autoreach", "tether", "supersend", "closed", "nobody", "%00", *CUSTOM]
        )
        headers = {"Host": "h", "Content-Type": "application/json", "Content-Length": str(len(body))}
        path = f"/outreach/in/{source}"
        forged = self.random.random() < 0.4
        signed = body + b" " if forged else body
        if source == "varda":
            (headers["X-Varda-Signature"],) = sign(
                Scheme.STRIPE, signed, [SECRET], message_id="m", now=datetime.now(UTC)
            ).values()
        elif source == "autoreach":
            headers |= sign(Scheme.AUTOREACH, signed, [SECRET], message_id="m", now=datetime.now(UTC))
        elif source in {"tether", "supersend"}:
            headers["X-Outreach-Token"] = TOKEN[:-1] if forged else TOKEN
        elif source in CUSTOM:
            proof, form = CUSTOM[source].facts.proof, source == "form"
            assert proof is not None
            if form:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            with contextlib.suppress(SignatureError):  # not even a form
                secret = SECRET + "x" if forged else SECRET
                headers |= proof.headers(body, secret, "m", datetime.now(UTC))
            if not forged:
                with contextlib.suppress(ValueError):
                    events = read_events(CUSTOM[source], body, headers, received_at=datetime.now(UTC))
                    self.proven |= {each.body for each in events}
        if not forged and source in {"varda", "autoreach", "tether", "supersend"}:
            self.proven.add(body)
        if self.random.random() < 0.1:
            headers["Content-Encoding"] = "gzip"
        head = f"POST {path} HTTP/1.1\r\n".encode()
        head += b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        if self.random.random() < 0.25:
            # What a mutated head makes of the body is not followed here; it must only not be a forgery.
            head = self.mutate(head)
            for cut in range(len(body) + 1):
                if not forged:
                    self.proven.add(body[:cut])
        return head + b"Connection: close\r\n\r\n" + body


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        answer = b""
        try:
            connection.sendall(request)
            while chunk := connection.recv(65536):
                answer += chunk
        except (ConnectionError, TimeoutError):
            pass
        return answer


@pytest.mark.slow
def test_fuzz(
    sqlite_url: str,
    sources: dict[str, SourceSettings],
    serving: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever arrives, the receiver answers below 500, lives on, and keeps only what was proven."""
    monkeypatch.setattr("airflow_outreach_provider.receiver.endpoint._BODY_SECONDS", 0.05)
    store = Store(sqlite_url)
    upgrade(store)
    closed = {name: source for name, source in sources.items() if name != "open"} | CUSTOM
    fuzzer = Fuzzer(20260325)
    statuses: dict[bytes, int] = {}
    with serving(create_app(closed, store)) as client:
        for number in range(REQUESTS):
            request = fuzzer.request()
            answer = exchange(client.port, request)
            statuses[answer[9:12]] = statuses.get(answer[9:12], 0) + 1
            assert answer[9:10] != b"5", (number, request, answer[:200])
        assert client.send("/health", method="GET")[0] == 200
    print(f"{REQUESTS} requests: {dict(sorted(statuses.items()))}")
    kept = stored_events(store)
    assert {b"202", b"400", b"401", b"404", b"415"} <= set(statuses)
    for event in kept:
        stored = inbox_lists.show(store, event.id)
        assert stored is not None
        assert stored.body in fuzzer.proven
    unanswered = statuses.get(b"", 0)
    several = sum(event.source == "batch" for event in kept)  # one request may hold many
    assert statuses[b"202"] - several <= len(kept) <= statuses[b"202"] + unanswered + several
    assert {"batch", "form"} <= {event.source for event in kept}
