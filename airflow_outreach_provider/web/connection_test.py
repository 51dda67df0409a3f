"""Airflow's *Test* button for connections of ours.

The button of Airflow 3.3 sends port 0 for a connection without port, and an empty host for one without host. Compared with
what is stored that is another place, for which stored secrets are not used: 400 for the port, whatever the connection is;
for the host 3.3.1 tests the masks it has shown. So both are taken out of the request on its way: what is stored counts. So is
an extra of which a value is masked in part, as one is that contains a secret: Airflow puts back whole values alone.
"""

from __future__ import annotations

import json
import math
from typing import Any

from airflow_outreach_provider.hooks.tested import TESTED
from airflow_outreach_provider.web.middleware import App, Receive, Scope, Send, own_path, read_body, replay

CONNECTION_TYPES = frozenset({"outreach", "outreach_source", "outreach_endpoint"})
_PATH = "/api/v2/connections/test"
_MASK = "***"
# What the page sends for null.
_NOTHING = {"port": 0, "host": ""}


class ConnectionTest:
    """An ASGI middleware around all of Airflow's API server; every other request goes through untouched."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or own_path(scope) != _PATH:
            await self.app(scope, receive, send)
            return
        body = await read_body(receive, math.inf) or b""  # as long as Airflow itself would read it
        asked = _asked(body)
        if asked is None:
            await self.app(scope, replay(body, receive), send)
            return
        made_up = [name for name, nothing in _NOTHING.items() if asked.get(name) == nothing]
        made_up += ["extra"] if _is_masked_within(asked.get("extra")) else []
        if made_up:
            for name in made_up:
                del asked[name]
            body = json.dumps(asked).encode()
            headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
            scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
        known = TESTED.set(str(asked.get("connection_id") or "") or None)
        try:
            await self.app(scope, replay(body, receive), send)
        finally:
            TESTED.reset(known)


def _is_masked_within(extra: object) -> bool:
    try:
        left = [json.loads(extra)] if isinstance(extra, str) else []
    except (ValueError, RecursionError):
        return False
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
        elif isinstance(value, str) and _MASK in value and value != _MASK:
            return True
    return False


def _asked(body: bytes) -> dict[str, Any] | None:
    """The request where it is about a connection of ours."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None  # Airflow says what is wrong with it
    ours = isinstance(asked, dict) and str(asked.get("conn_type")) in CONNECTION_TYPES
    return asked if ours else None
