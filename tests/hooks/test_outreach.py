"""OutreachHook: its connection, its test button, one lead by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from servers import free_port, scripted

from airflow_outreach_provider.core.errors import (
    ConfigurationError,
    LeadRejected,
    OutcomeUnknown,
    OutreachUnavailable,
)
from airflow_outreach_provider.core.leads import Lead
from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook
from airflow_outreach_provider.hooks.outreach import OutreachHook
from airflow_outreach_provider.hooks.sources import OutreachSourceHook
from airflow_outreach_provider.net.contacts import ContactPage, TetherContacts
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator

LEAD = {"phoneNumber": "+14165550123", "firstName": "Jane"}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningSimulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def sim(server: RunningSimulator) -> RunningSimulator:
    server.reset()
    server.set_faults()
    return server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_connection(**fields: Any) -> OutreachHook:
        monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps({"conn_type": "outreach", **fields}))
        return OutreachHook()

    return set_connection


def test_the_test_button_knows_a_good_key(sim: RunningSimulator, connect: Any) -> None:
    """A good key passes the connection test, and neither a contact nor a text comes of it."""
    ok, message = connect(**sim.connection).test_connection()
    assert ok, message
    assert (sim.report()["people"], sim.report()["texts"]) == (0, 0)


@pytest.mark.parametrize("conn_type", ["postgres", "outreach_endpoint", "outreach_source", "smtp"])
def test_a_connection_of_another_type_is_sent_nothing(
    sim: RunningSimulator, connect: Any, conn_type: str
) -> None:
    """Its password is another system's, and nobody there waits for leads."""
    hook = connect(**{**sim.connection, "conn_type": conn_type})
    with pytest.raises(ConfigurationError, match=f"of type '{conn_type}' — name one of type outreach"):
        hook.submit_lead(LEAD)
    assert sim.report()["submissions"] == 0


@pytest.mark.parametrize("conn_type", ["http", "https", "generic", ""])
def test_a_connection_that_says_no_other_system_is_one(
    sim: RunningSimulator, connect: Any, conn_type: str
) -> None:
    """As a URL in the environment makes them: what it holds is the outreach API's."""
    hook = connect(**{**sim.connection, "conn_type": conn_type})
    assert hook.submit_lead(LEAD)


@pytest.mark.parametrize(
    ("login", "ok", "words"),
    [
        (
            {"contacts_email": "me@example.com", "contacts_password": "a-password"},
            True,
            "contact list answers (0 contacts",
        ),
        (
            {"contacts_email": "me@example.com", "contacts_password": "another"},
            False,
            "Tether refuses the log-in",
        ),
        ({"contacts_email": "me@example.com"}, False, "has no contacts_password"),
        ({"contacts_password": "a-password"}, False, "has no contacts_email"),
        ({"contacts_email": "", "contacts_password": None}, True, "Nobody was texted."),
    ],
)
def test_the_test_button_tries_the_log_in_for_the_contact_list(
    usual_simulator: RunningSimulator, connect: Any, login: dict[str, Any], ok: bool, words: str
) -> None:
    """One that is refused, or half of one, would show only when what is held has to be settled."""
    connection = usual_simulator.connection
    passed, message = connect(**{**connection, "extra": {"configuration_id": "c", **login}}).test_connection()
    assert (passed, words in message) == (ok, True), message
    assert "another" not in message


@pytest.mark.parametrize(
    ("extra", "ok", "words"),
    [
        ({"default_regoin": "CA"}, False, "'default_regoin' (did you mean 'default_region'?)"),
        ({"configurationId": "c"}, False, "(did you mean 'configuration_id'?)"),
        ({"color": "blue"}, True, "Nothing reads what its extra holds under 'color'."),
        ({"stop_words": "GENUG"}, True, "Nothing reads what its extra holds under 'stop_words'."),
        (
            {"whsec_MfKQ9r8GKYqrTwjU": "", "sk_live_4242": 1},
            True,
            "under 'whse…' (22 characters), 'sk_l…' (12 characters).",
        ),
        (
            {"default_region": "UK"},
            False,
            "connection 'outreach_default': default_region 'UK' is not a region",
        ),
        ({"headers": {"X-Team": "a"}, "verify": True, "default_region": "GB"}, True, ""),
    ],
)
def test_the_test_button_tells_what_nothing_reads(
    sim: RunningSimulator, connect: Any, extra: dict[str, Any], ok: bool, words: str
) -> None:
    """A mistyped name of a field fails the test and says which is meant; a name of somebody else's is only told."""
    fields = {**sim.connection, "extra": {**sim.connection.get("extra", {}), **extra}}
    passed, message = connect(**fields).test_connection()
    assert passed is ok, message
    assert words in message
    assert words or "Nothing reads" not in message


@pytest.mark.parametrize("status", [429, 503])
def test_the_test_button_says_that_the_api_is_busy(sim: RunningSimulator, connect: Any, status: int) -> None:
    """That is no mistake of the connection."""
    sim.set_faults(f"status={status},when=before", seed=1)
    passed, message = connect(**sim.connection).test_connection()
    assert not passed and f"is busy (HTTP {status}): test again" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong"}, "does not take this key"),
        ({"password": ""}, "has no API key"),
        ({"host": ""}, "has no host"),
        ({"host": "http://127.0.0.1:9"}, "nothing listens"),
        ({"host": "https://no-such-host.invalid"}, "cannot be resolved"),
        ({"host": "http://app.tetherai.ca"}, "allow_http"),
        ({"host": "app.tetherai.ca", "schema": "http"}, "in clear"),
        ({"host": "HTTP://10.0.0.1:8080"}, "write https://"),
        ({"host": "http://127.0.0.1.example.com"}, "in clear"),
        ({"host": "http://localhost.example.com"}, "in clear"),
        ({"host": "http://[::2]"}, "in clear"),
        ({"host": "http://app.tetherai.ca", "extra": {"allow_http": "perhaps"}}, "write true or false"),
        ({"host": "ftp://app.tetherai.ca"}, "not an http URL"),
        ({"host": "https://user:pass@app.tetherai.ca"}, "holds a user or password"),
        ({"host": "https://app.tetherai.ca/?tenant=a"}, "without ? and #"),
        ({"extra": {"timeout": "soon"}}, "'timeout'"),
        (
            {"extra": {"max_concurrency": 1001}},
            "'max_concurrency' is 1001 — write a whole number from 1 to 1,000",
        ),
        ({"extra": {"max_concurrency": 6.5}}, "'max_concurrency' is 6.5 — write a whole number"),
        ({"extra": {"headers": "X-A: b"}}, "'headers'"),
        ({"extra": {"cert": 1}}, "'cert' is 1 — write the path"),
        ({"extra": {"cert": ["a-certificate"]}}, "'cert' is a list"),
        ({"host": "http://127.0.0.1:9/T0/xoxb-1234567890abcdef"}, "from http://127.0.0.1:9/T0/•••: "),
        ({"host": "http://127.0.0.1:9/hook/0123456789abcdef"}, "from http://127.0.0.1:9/hook/•••: "),
        ({"host": "http://127.0.0.1:9/hook?token=a-secret"}, "write the base URL alone, without ? and #"),
        ({"extra": "[1]"}, "extra is not a JSON object"),
        ({"extra": "configuration_id=c"}, "extra is not a JSON object"),
    ],
)
def test_the_test_button_says_what_is_wrong(
    sim: RunningSimulator, connect: Any, change: dict[str, Any], words: str
) -> None:
    """A wrong key, a wrong host and a field that cannot be read each have their own advice."""
    ok, message = connect(**{**sim.connection, **change}).test_connection()
    assert not ok
    assert words in message
    assert sim.report()["people"] == 0


def test_the_test_button_knows_a_wrong_base_url(sim: RunningSimulator, connect: Any) -> None:
    """A server that is not the outreach API is told from one that is."""
    ok, message = connect(**{**sim.connection, "host": f"{sim.url}/docs"}).test_connection()
    assert not ok
    assert "no outreach API there" in message


def test_a_connection_that_is_not_there_is_a_configuration_fault() -> None:
    """The test says so as any other, and a call raises our own error with what to do."""
    ok, said = OutreachHook("nowhere").test_connection()
    assert not ok
    assert "there is no connection 'nowhere'" in said
    with pytest.raises(ConfigurationError, match="add it with type outreach"):
        OutreachHook("nowhere").submit_lead({"phone": "+14165550100"}, configuration_id="on")


@pytest.mark.parametrize("conn_id", [None, "", " ", 5, ["outreach_default"], "\ud800", "a\0b"], ids=ascii)
def test_what_is_no_id_of_a_connection_is_said_to_be_none(conn_id: Any) -> None:
    """By our own error, of all kinds of connection alike."""
    for hook in (OutreachHook(conn_id), OutreachSourceHook(conn_id), OutreachEndpointHook(conn_id)):
        ok, said = hook.test_connection()
        assert not ok and "the id of a connection is" in said
    with pytest.raises(ConfigurationError, match="write a text"):
        OutreachHook(conn_id).submit_lead(LEAD)


def test_a_configuration_id_that_is_no_text_is_the_callers_mistake(
    sim: RunningSimulator, connect: Any
) -> None:
    """And nothing is sent."""
    with pytest.raises(ConfigurationError, match="configuration_id is 5 — write a text"):
        connect(**sim.connection).submit_lead(LEAD, configuration_id=5)
    assert sim.report()["submissions"] == 0


def test_the_whole_endpoint_pasted_as_host_works(sim: RunningSimulator, connect: Any) -> None:
    """People paste the endpoint from the platform's documentation; its base is what counts."""
    hook = connect(**{**sim.connection, "host": f"{sim.url}/api/webhook/outreach"})
    assert hook.settings.api.submit_url == f"{sim.url}/api/webhook/outreach"
    assert hook.test_connection()[0]


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "app.tetherai.ca"}, "https://app.tetherai.ca"),
        (
            {"host": "app.tetherai.ca", "schema": "http", "extra": '{"allow_http": true}'},
            "http://app.tetherai.ca",
        ),
        ({"host": "http://localhost:8080"}, "http://localhost:8080"),
        ({"host": "http://127.9.9.9"}, "http://127.9.9.9"),
        ({"host": "http://[::1]:8080"}, "http://[::1]:8080"),
        ({"host": "https://tether.example.com/", "port": 8443}, "https://tether.example.com:8443"),
        ({"host": "https://tether.example.com/base/"}, "https://tether.example.com/base"),
    ],
)
def test_base_urls(connect: Any, fields: dict[str, Any], url: str) -> None:
    """A host may be written with or without scheme, port and path; without a scheme it is https."""
    assert connect(password="k", **fields).settings.api.base_url == url


def test_one_lead(sim: RunningSimulator, connect: Any) -> None:
    """A lead submitted by hand comes back with the platform's ids."""
    ids = connect(**sim.connection).submit_lead(LEAD)
    assert set(ids) == {"contactId", "conversationId", "applicationId"}
    assert ids["contactId"]
    assert sim.texts("+14165550123")["texts"] == 1


def test_one_lead_from_inside_an_event_loop(sim: RunningSimulator, connect: Any) -> None:
    """The hook works where an event loop is running already."""
    hook = connect(**sim.connection)

    async def inside() -> dict[str, str | None]:
        return hook.submit_lead(LEAD)

    assert asyncio.run(inside())["contactId"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=401", ConfigurationError),
        ("status=404", ConfigurationError),
        ("status=400", ConfigurationError),
        ("status=422", LeadRejected),
        ("status=200,body=unsuccessful", LeadRejected),
        ("status=429,retry_after=9", OutreachUnavailable),
        ("status=503", OutreachUnavailable),
        ("status=500", OutcomeUnknown),
        ("drop,when=after", OutcomeUnknown),
    ],
)
def test_what_one_lead_raises(
    sim: RunningSimulator, connect: Any, fault: str, error: type[Exception]
) -> None:
    """Every answer but acceptance is an exception of the tree, with the wait the API asked for."""
    sim.set_faults(fault)
    with pytest.raises(error) as raised:
        connect(**sim.connection).submit_lead(LEAD)
    assert "4165550123" not in str(raised.value)
    if error is OutreachUnavailable and "retry_after" in fault:
        assert raised.value.retry_after == 9  # type: ignore[attr-defined]


def test_extras_are_no_headers_and_headers_are_sent(connect: Any) -> None:
    """What the connection's extra configures never leaves as a header; what it lists as headers does."""
    seen: dict[str, str] = {}

    def accept(_method: str, _path: str, headers: Mapping[str, str], _body: bytes) -> Any:
        seen.update({name.lower(): value for name, value in headers.items()})
        return 200, b'{"success": true, "data": {"contactId": "c"}}', {}

    extra = {
        "configuration_id": "c1", "contacts_password": "hidden-from-headers", "verify": False,
        "headers": {"X-Tenant": "acme"},
    }  # fmt: skip
    with scripted(accept) as url:
        hook = connect(host=url, password="key", extra=extra)
        assert hook.submit_lead(LEAD)["contactId"] == "c"
    assert seen["authorization"] == "Bearer key"
    assert seen["x-tenant"] == "acme"
    assert "hidden-from-headers" not in str(seen)
    assert "configuration_id" not in seen
    session = hook.get_conn()
    assert session.verify is False
    assert "configuration_id" not in session.headers
    assert "contacts_password" not in session.headers


def test_a_proxy_of_the_connection_is_used(connect: Any) -> None:
    """Proxies are configured as in every http connection; one that is not there is an outage, not a lost lead."""
    proxies = {"https": f"http://127.0.0.1:{free_port()}"}
    hook = connect(
        host="https://app.tetherai.example", password="k", extra={"configuration_id": "c", "proxies": proxies}
    )
    assert hook.settings.api.proxy == proxies["https"]
    with pytest.raises(OutreachUnavailable, match="proxy"):
        hook.submit_lead(LEAD)


@pytest.mark.parametrize(
    "lead",
    ["+14165550123", None, [LEAD], {1: "+14165550123"}, {**LEAD, "note": "\ud800"}, {**LEAD, "n": {1}},
     Lead(phone="+14165550123", configuration_id="c", contact={"note": "\ud800"})],
    ids=repr,
)  # fmt: skip
def test_what_is_no_lead_is_rejected_before_anything_is_sent(
    sim: RunningSimulator, connect: Any, lead: Any
) -> None:
    """Whatever a caller hands over, it is a lead or LeadRejected, and no error of a library."""
    with pytest.raises(LeadRejected):
        connect(**sim.connection).submit_lead(lead)
    assert sim.report()["submissions"] == 0


def test_a_lead_without_a_configuration_anywhere_is_the_connections_fault(
    sim: RunningSimulator, connect: Any
) -> None:
    """It would be the same for every lead."""
    hook = connect(**{**sim.connection, "extra": {}})
    with pytest.raises(ConfigurationError, match="configuration_id"):
        hook.submit_lead(LEAD)


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_contact_list_that_ignores_the_page_ends(
    sim: RunningSimulator, connect: Any, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """The same page for ever is read once, also when none of it is new enough."""
    asked: list[int] = []

    async def page(self: TetherContacts, number: int) -> ContactPage:
        asked.append(number)
        assert len(asked) < 5
        return ContactPage(
            [{"_id": str(n), "updatedAt": "2026-01-02T00:00:00Z"} for n in range(rows)], number + 1, None
        )

    monkeypatch.setattr(TetherContacts, "page", page)
    login = {"contacts_email": "me@example.com", "contacts_password": "a-password"}
    hook = connect(**{**sim.connection, "extra": login})
    assert len(hook.list_contacts()) == rows
    asked.clear()
    assert hook.list_contacts(datetime(2027, 1, 1, tzinfo=UTC)) == []
    for since in (datetime(2026, 1, 2), "2026-01-02T00:00:00Z", "2026-01-01"):
        asked.clear()
        assert len(hook.list_contacts(updated_since=since)) == rows


@pytest.mark.parametrize("since", ["yesterday", "", 0, 1767225600])
def test_what_is_no_time_is_told_before_the_list_is_read(connect: Any, since: Any) -> None:
    """Nobody waits for a list of thousands to hear of it."""
    hook = connect(host="https://a.example", password="k")
    with pytest.raises(ConfigurationError, match=f"updated_since is {since!r} — give a datetime"):
        hook.list_contacts(since)


@pytest.mark.parametrize(
    "name", ["timeout", "max_concurrency", "requests_per_second", "default_region", "allow_http", "headers"]
)
def test_a_secret_in_the_wrong_field_is_not_told(connect: Any, name: str) -> None:
    """Whichever field of the extra it was pasted into, the error holds no secret as a whole."""
    secret = "sup3r-s3cret-value-of-forty-characters-x"
    ok, message = connect(host="https://a.example", password="k", extra={name: secret}).test_connection()
    assert (ok, name in message) == (False, True)
    assert secret not in message


def test_a_key_in_place_of_the_host_is_not_told(connect: Any) -> None:
    """Nothing resolves it, and no error of whoever tried names it."""
    key = "sk-live-51HabcDEF9876543210zyx"
    ok, message = connect(host=key, password="k").test_connection()
    assert (ok, "No answer from https://•••" in message) == (False, True), message
    assert key.lower() not in message.lower()


@pytest.mark.parametrize(
    "written", ["Infinity", "-Infinity", "NaN", "1e999", "1" + 400 * "0"], ids=lambda written: written[:9]
)
@pytest.mark.parametrize("name", ["timeout", "max_concurrency", "requests_per_second"])
def test_a_number_beyond_all_is_named(connect: Any, name: str, written: str) -> None:
    """JSON may hold numbers that no float can be: an error that names the field, and nobody else's."""
    hook = connect(host="https://a.example", password="k", extra=f'{{"{name}": {written}}}')
    ok, message = hook.test_connection()
    assert (ok, f"extra '{name}' is " in message) == (False, True), message


@pytest.mark.parametrize("written", ['{"conn_type": "outreach"', "{'conn_type': 'outreach'}"])
def test_a_connection_that_cannot_be_read_is_not_one_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """Whoever set the variable is told of the variable, without what is in it."""
    monkeypatch.setenv("AIRFLOW_CONN_HALF_WRITTEN", written)
    with pytest.raises(
        ConfigurationError, match="'half_written' cannot be read from AIRFLOW_CONN_HALF_WRITTEN"
    ):
        _ = OutreachHook("half_written").settings
