"""Requests that schemathesis makes up for every route there is, the receiver and the pages too: none is answered 5xx.

``OUTREACH_FUZZ_REQUESTS`` sets how many a route; the default keeps the test short.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web.app import create_app

pytestmark = pytest.mark.timeout(400)

REQUESTS = int(os.environ.get("OUTREACH_FUZZ_REQUESTS") or examples(10))
METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
# The receiver reads raw bytes, so nothing describes it: any name, any JSON or bytes.
RECEIVER = {
    "parameters": [{"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}],
    "requestBody": {"content": {
        "application/json": {"schema": {}}, "text/plain": {"schema": {"type": "string"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }},
    "responses": {"202": {"description": "taken"}},
}  # fmt: skip


def described() -> dict[str, Any]:
    """The OpenAPI document of the whole application, with what its own leaves out: pages, exports, the receiver."""
    app, routes = create_app(store=object()), []  # type: ignore[arg-type]
    for each in app.routes:
        if isinstance(each, APIRoute):
            route = copy.copy(each)
            route.include_in_schema = True
            routes.append(route)
    document = get_openapi(title="all", version="1", routes=routes)
    # Who asks is said by the test: made-up tokens would let nobody in.
    del document["components"]["securitySchemes"]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    document["paths"]["/in/{source}"] = {"post": RECEIVER}
    return document


DOCUMENT = described()
OPERATIONS = [
    (path, method)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method in METHODS
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# Names that exist, beside those that are made up.
KNOWN = {"connection_id": ["crm", "varda"], "source": ["varda", "varda/"], "event_id": ["evt_0"]}
IDS = st.integers(min_value=0, max_value=4)


@pytest.mark.slow
def test_every_route_is_described() -> None:
    """Nothing that the application answers is left out."""
    from fastapi.routing import Mount  # type: ignore[attr-defined]

    paths = {
        str(getattr(route, "path", "")).replace(":path}", "}")
        for route in create_app(store=object()).routes  # type: ignore[arg-type]
        if not isinstance(route, Mount)
    }
    assert paths == set(DOCUMENT["paths"])
    assert len(OPERATIONS) > 40


@pytest.fixture
def send(request: pytest.FixtureRequest, filled: Store, path: str) -> Callable[..., int]:
    """Send a made-up case as somebody; the status."""
    site = request.getfixturevalue("site_with_receiver" if path.startswith("/in/") else "site")
    browsers = {role: site(role) for role in ("OP", "VIEWER", None)}
    for browser in browsers.values():
        browser._transport.raise_server_exceptions = False

    def call(case: Any, role: str | None) -> int:
        request = case.as_transport_kwargs(base_url="http://testserver/af/outreach")
        request["content"] = request.pop("data", None)
        headers = {**(request.pop("headers", None) or {}), "X-Outreach-Action": "1"}
        request.pop("cookies", None)
        answer = browsers[role].request(**request, headers=headers, follow_redirects=False)
        return int(answer.status_code)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{m} {p}" for p, m in OPERATIONS])
def test_nothing_is_answered_5xx(send: Callable[..., int], path: str, method: str) -> None:
    """Whatever comes in, in whatever form and by whomever: it is done or refused, and nothing falls over."""
    cases = SCHEMA[path][method.upper()].as_strategy()
    seen: set[int] = set()

    @settings(
        max_examples=REQUESTS, deadline=None, database=None, derandomize=bool(os.environ.get("CI")),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, data=st.data(), role=st.sampled_from(["OP", "OP", "OP", "VIEWER", None]))
    def fuzz(case: Any, data: st.DataObject, role: str | None) -> None:
        for name in case.path_parameters or {}:
            known = st.sampled_from(KNOWN[name]) if name in KNOWN else IDS
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(known)
        if isinstance(case.body, dict) and case.body and data.draw(st.booleans()):
            kept = data.draw(st.sets(st.sampled_from(sorted(case.body))))
            case.body = {name: value for name, value in case.body.items() if name in kept} | {"go": True}
        status = send(case, role)
        seen.add(status)
        assert status < 500, (role, status)

    fuzz()
    assert seen
