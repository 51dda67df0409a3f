"""Access tokens against a real token server: cached, renewed once for all, never shown."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from airflow.sdk import Connection
from servers import as_json, scripted

from airflow_outreach_provider.core.errors import AddressForbidden, ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.hooks.endpoints import read_endpoint
from airflow_outreach_provider.services.deliveries.batch import Batch, Report, TaskTry
from airflow_outreach_provider.services.deliveries.sender import send_test
from airflow_outreach_provider.services.deliveries.webhooks import deliver
from airflow_outreach_provider.store.deliveries import lists
from airflow_outreach_provider.store.engine import Store

SECRET = "the client's secret+/="


class Api:
    """A token server and an API that takes only the tokens it has given and not taken back."""

    def __init__(self) -> None:
        self.url = ""
        self.granted: list[str] = []
        self.asked: list[tuple[dict[str, str], dict[str, list[str]]]] = []
        self.good: set[str] = set()
        self.delivered: list[str] = []
        self.token_answer: tuple[int, Any] | None = None
        self.more: dict[str, Any] = {"expires_in": 3600}
        self._lock = threading.Lock()

    def answer(self, _method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        with self._lock:
            return self._token(headers, body) if path == "/token" else self._event(headers, body)

    def _token(self, headers: Mapping[str, str], body: bytes) -> Any:
        self.asked.append((dict(headers), parse_qs(body.decode())))
        if self.token_answer is not None:
            status, said = self.token_answer
            return status, said if isinstance(said, bytes) else as_json(said), {"Retry-After": "42"}
        token = f"access-token-number-{len(self.granted)}-of-{self.url.rpartition(':')[2]}"
        self.granted.append(token)
        self.good = {token}
        return 200, as_json({"access_token": token, "token_type": "Bearer", **self.more}), {}

    def _event(self, headers: Mapping[str, str], body: bytes) -> Any:
        shown = headers.get("Authorization", "")
        if shown.removeprefix("Bearer ") not in self.good:
            return 401, f"expired: {shown}".encode(), {}
        self.delivered.append(json.loads(body)["id"])
        return 200, f"ok, {shown}".encode(), {}


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    with scripted(api.answer) as url:
        api.url = url
        yield api


def endpoint(api: Api, **extra: Any) -> Any:
    said = {
        "oauth2_url": f"{api.url}/token", "oauth2_client_id": "an app", "oauth2_client_secret": SECRET,
        "allow_networks": "127.0.0.0/8", **extra,
    }  # fmt: skip
    said = {name: value for name, value in said.items() if value is not None}
    host = f"{api.url}/events"
    return read_endpoint(
        Connection(conn_id="crm", conn_type="outreach_endpoint", host=host, extra=json.dumps(said))
    )


def run(store: Store, to: Any, first: int = 1, count: int = 1, form: RequestForm | None = None) -> Report:
    at = datetime(2026, 3, 25, 18, 0, tzinfo=UTC)
    made = [
        ContactEvent(
            f"evt_{n}", "dag", "airflow", "x", EventKind.REPLIED, at, at, Contact(external_id=f"c{n}")
        )
        for n in range(first, first + count)
    ]
    task = TaskTry(Owner("dag", "run", "deliver", 0, 1))
    return deliver(
        store, Batch("crm", [each.id for each in made], None, made), to, task, form=form or RequestForm()
    )


@pytest.mark.slow
def test_one_token_serves_every_task_of_a_process(sqlite_store: Store, api: Api) -> None:
    """The client's credentials go to the token server once; two tasks with 20 contacts each share what it gives."""
    assert run(sqlite_store, endpoint(api), count=20).states == {"delivered": 20}
    assert run(sqlite_store, endpoint(api), first=21, count=20).states == {"delivered": 20}
    assert len(api.granted) == 1
    [(headers, body)] = api.asked
    pair = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
    assert pair == f"{quote_plus('an app')}:{quote_plus(SECRET)}"
    assert body == {"grant_type": ["client_credentials"]}


@pytest.mark.parametrize("written", [dict, json.dumps], ids=["as an object", "as its text"])
def test_the_fields_may_stand_together(sqlite_store: Store, api: Api, written: Any) -> None:
    """``oauth2`` holds token URL, client and scope as one; each has the name it has alone, or the usual one."""
    together = {
        "token_url": f"{api.url}/token",
        "client_id": "an app",
        "client_secret": SECRET,
        "scope": "crm",
    }
    alone = dict.fromkeys(("oauth2_url", "oauth2_client_id", "oauth2_client_secret"))
    assert run(sqlite_store, endpoint(api, oauth2=written(together), **alone)).states == {"delivered": 1}
    [(_, body)] = api.asked
    assert body == {"grant_type": ["client_credentials"], "scope": ["crm"]}


def test_a_token_that_is_not_taken_is_renewed_once_for_all(sqlite_store: Store, api: Api) -> None:
    """Every contact gets 401 at once: one renewal, and each delivery is tried once more, in the same attempt."""
    run(sqlite_store, endpoint(api))
    api.good = set()
    assert run(sqlite_store, endpoint(api), first=2, count=12).states == {"delivered": 12}
    assert len(api.granted) == 2


@pytest.mark.slow
def test_a_token_is_renewed_before_it_runs_out(sqlite_store: Store, api: Api) -> None:
    """What is as good as over is not shown: no 401 is needed to get another."""
    api.more = {"expires_in": 1}
    run(sqlite_store, endpoint(api))
    time.sleep(1)
    run(sqlite_store, endpoint(api), first=2)
    assert len(api.granted) == 2
    assert api.delivered == ["evt_1", "evt_2"]


@pytest.mark.parametrize("auth", ["header", "body"])
def test_a_refresh_token_is_shown_and_its_successor_kept(sqlite_store: Store, api: Api, auth: str) -> None:
    """The grant of a user: the refresh token of the connection first, then the one the server handed out instead."""
    api.more = {"expires_in": 3600, "refresh_token": "the-next-refresh-token"}
    to = endpoint(
        api, oauth2_refresh_token="the-first-refresh-token", oauth2_scope="crm read", oauth2_auth=auth
    )
    run(sqlite_store, to)
    api.good = set()
    run(sqlite_store, to, first=2)
    (_, first), (_, second) = api.asked
    assert (first["grant_type"], first["scope"]) == (["refresh_token"], ["crm read"])
    assert first["refresh_token"] == ["the-first-refresh-token"]
    assert second["refresh_token"] == ["the-next-refresh-token"]
    sent = {"client_id": ["an app"], "client_secret": [SECRET]} if auth == "body" else {}
    assert {name: first[name] for name in ("client_id", "client_secret") if name in first} == sent


def test_further_fields_are_sent_along(sqlite_store: Store, api: Api) -> None:
    """As servers want them that know several APIs."""
    run(sqlite_store, endpoint(api, oauth2_params='{"audience": "https://api.example"}'))
    assert api.asked[0][1]["audience"] == ["https://api.example"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {"error": "invalid_client", "error_description": f"wrong secret {SECRET}"}), "invalid_client"),
        (
            (400, {"error": "invalid_grant", "error_description": "jane.doe@example.com left"}),
            "invalid_grant",
        ),
        ((200, {"error": "invalid_scope"}), "invalid_scope"),
        ((200, b"<html>log in</html>"), "missing_token"),
        ((200, ["no", "object"]), "no token"),
        ((200, {"access_token": "a\r\nX-Smuggled: 1"}), "no token"),
        ((404, b"nothing here"), "HTTP 404"),
        ((302, {"access_token": "from-elsewhere"}), "HTTP 302"),
        ((503, b"busy"), "HTTP 503"),
    ],
)
def test_without_a_token_everything_waits(sqlite_store: Store, api: Api, answer: Any, said: str) -> None:
    """What the token server refuses is the endpoint's: it rests, no try is used up, and nobody reads a secret of it."""
    api.token_answer = answer
    report = run(sqlite_store, endpoint(api), count=3)
    assert report.states == {"failed": 3}
    assert report.rest and api.delivered == []
    assert "no access token" in report.reason() and said in report.reason()
    assert SECRET not in report.reason() and "jane.doe" not in report.reason()


def test_a_token_that_is_never_taken_is_renewed_once_a_delivery(sqlite_store: Store, api: Api) -> None:
    """401 to the new one as well is the endpoint's answer: it rests."""
    run(sqlite_store, endpoint(api))
    api._event = lambda _headers, _body: (401, b"no", {})  # type: ignore[method-assign]
    report = run(sqlite_store, endpoint(api), first=2)
    assert report.states == {"failed": 1} and "401" in report.rest
    assert len(api.granted) == 2


def test_no_token_is_shown(sqlite_store: Store, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the log, not in what is kept of an answer, not in a representation, not past Airflow's masks."""
    from airflow.sdk._shared.secrets_masker import redact

    caplog.set_level(logging.DEBUG)
    to = endpoint(api)
    run(sqlite_store, to)
    token = api.granted[0]
    [delivery] = lists.every_delivery(sqlite_store, lists.DeliveryFilter())
    attempts = lists.attempts_of(sqlite_store, delivery.id)
    assert [each.answer for each in attempts] == ["ok, Bearer •••"]
    assert token not in f"{caplog.text} {to!r} {attempts!r}" and SECRET not in f"{caplog.text} {to!r}"
    assert token not in str(redact(f"it said {token}!"))


def test_the_token_server_is_guarded_like_the_endpoint(sqlite_store: Store, api: Api) -> None:
    """No secret goes to an internal address that is not allowed."""
    to = endpoint(api, oauth2_url="http://10.1.2.3/token")
    with pytest.raises((AddressForbidden, ConfigurationError)):
        run(sqlite_store, to)
    assert api.asked == []


def test_the_connection_test_gets_a_token(api: Api) -> None:
    """It says what the token server says, and what the endpoint says once there is a token."""
    assert send_test(endpoint(api), datetime.now(UTC))[0]
    api._event = lambda _headers, _body: (404, b"no", {})  # type: ignore[method-assign]
    assert send_test(endpoint(api), datetime.now(UTC))[1].startswith(
        "an access token was had, and the endpoint itself says"
    )
    api.token_answer = (401, {"error": "invalid_client"})
    ok, said = send_test(endpoint(api, oauth2_client_id="another"), datetime.now(UTC))
    assert not ok and "invalid_client" in said


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"oauth2_url": None}, "'oauth2_url' is not"),
        ({"oauth2_url": "login.example.com"}, "'oauth2_url' is no URL"),
        ({"oauth2_client_id": None}, "'oauth2_client_id' is missing"),
        ({"oauth2_client_secret": None}, "'oauth2_client_secret' is missing"),
        ({"oauth2_auth": "query"}, "'oauth2_auth' is 'query'"),
        ({"oauth2_params": "audience=x"}, "'oauth2_params' is not an object"),
        ({"oauth2_params": {"scope": "x"}}, "'oauth2_params' holds scope"),
        ({"headers": {"authorization": "Bearer x"}}, "sets Authorization"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(api: Api, extra: dict[str, Any], said: str) -> None:
    """With the connection, and with what to write."""
    with pytest.raises(ConfigurationError, match="connection 'crm'") as raised:
        endpoint(api, **extra)
    assert said in str(raised.value)


def test_a_route_does_not_set_what_the_token_sets(sqlite_store: Store, api: Api) -> None:
    """Authorization of the route beside that of the connection is a mistake; nothing is sent."""
    with pytest.raises(ConfigurationError, match="keep one of the two"):
        run(sqlite_store, endpoint(api), form=RequestForm(headers={"authorization": "x"}))
    assert api.asked == [] and api.delivered == []
