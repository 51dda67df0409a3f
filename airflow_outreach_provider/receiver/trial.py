"""One request through the receiver without a network: what comes back, and what is stored, is as of any other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from airflow_outreach_provider.core.events import EventKind
from airflow_outreach_provider.core.intake import challenge
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.core.trial_events import TrialRequest, trial_request
from airflow_outreach_provider.receiver.app import receiver_route
from airflow_outreach_provider.services.events.ingest import Ingest
from airflow_outreach_provider.store.engine import Store


def make_trial(
    source: SourceSettings, kind: EventKind, now: datetime, *, body: bytes | None = None
) -> TrialRequest:
    """:func:`~airflow_outreach_provider.core.trial_events.trial_request` of an event that is like none before."""
    return trial_request(source, kind, now, uuid4().hex, body=body)


def send_trial(store: Store, source: SourceSettings, trial: TrialRequest) -> tuple[int, str]:
    """Give it to the receiver: the status, and in words what became of it."""
    status, answer = asyncio.run(_knock(store, source, trial.body, trial.headers))
    if status == HTTPStatus.OK and challenge(source, trial.body) is not None:
        return status, f"{status:d}: a handshake, which is answered; nothing is stored"
    return status, _words(status, answer)


async def _knock(
    store: Store, source: SourceSettings, body: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    ingest = Ingest(store)
    route = receiver_route({source.name: source}, ingest, store)
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path_params": {"source": source.name},
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    try:
        await route.endpoint(scope, receive, send)
    finally:
        await asyncio.to_thread(ingest.close)
    return int(said[0]["status"]), b"".join(each.get("body", b"") for each in said[1:])


def _words(status: int, answer: bytes) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        said = None
    if not isinstance(said, dict):  # a source may have an answer of its own
        said = {}
    if status in (200, 202):
        event = said.get("id")
        return f"{status}: stored{f' as {event}' if event else ''}; every route that asks for it takes it as a real one"
    return f"{status}: {said.get('error', 'refused')}"
