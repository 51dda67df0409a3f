"""Endpoint connections: what each field means, and what is said about one that cannot be meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.hooks.endpoints import OutreachEndpointHook, read_endpoint
from airflow_outreach_provider.services.deliveries.sender import send_test

STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "a-secret-of-16-or-more"


def connection(
    host: str = "https://crm.example.com/hook", password: str | None = None, **extra: Any
) -> Connection:
    return Connection(
        conn_id="crm", conn_type="outreach_endpoint", host=host, password=password, extra=json.dumps(extra)
    )


def test_every_field_is_read() -> None:
    """A fully filled-in connection becomes the endpoint it describes."""
    endpoint = read_endpoint(
        connection(
            password=f"{PLAIN} another-secret-in-rotation", signature="stripe", event_kinds=["replied", "opened"],
            enabled=False, headers={"X-Team": "sales"}, timeout=7, requests_per_second=2.5,
            allow_networks=["10.20.0.0/16"], method="put", content_type="form",
        )
    )  # fmt: skip
    assert str(endpoint.target.url) == "https://crm.example.com/hook"
    assert (endpoint.scheme, endpoint.secrets) == (Scheme.STRIPE, (PLAIN, "another-secret-in-rotation"))
    assert (endpoint.kinds, endpoint.enabled) == (frozenset({"replied", "opened"}), False)
    assert (endpoint.target.headers, endpoint.target.timeout) == ({"X-Team": "sales"}, 7.0)
    assert endpoint.requests_per_second == 2.5
    assert (endpoint.method, endpoint.content_type) == ("PUT", "form")
    assert [str(network) for network in endpoint.target.allow_networks] == ["10.20.0.0/16"]
    assert PLAIN not in repr(endpoint)


def test_what_a_form_leaves_empty_has_a_default() -> None:
    """Nulls and empty texts, as forms send them, mean the default; texts are read as lists, flags and numbers."""
    empty = dict.fromkeys(["signature", "event_kinds", "enabled", "headers", "timeout", "allow_networks"])
    endpoint = read_endpoint(connection(**empty, requests_per_second=""))
    assert (endpoint.scheme, endpoint.kinds, endpoint.enabled) == (Scheme.NONE, None, True)
    endpoint = read_endpoint(
        connection(
            event_kinds="replied, opened",
            enabled="false",
            headers='{"a": 1}',
            timeout="3",
            allow_networks="10.0.0.0/8 fd00::/8",
        )
    )
    assert endpoint.kinds == {"replied", "opened"}
    assert (endpoint.enabled, endpoint.target.timeout, endpoint.target.headers) == (False, 3.0, {"a": "1"})
    assert len(endpoint.target.allow_networks) == 2


def test_a_secret_without_a_scheme_signs_by_the_standard() -> None:
    """Whoever gives a secret gets signatures."""
    assert read_endpoint(connection(password=STANDARD)).scheme is Scheme.STANDARD_WEBHOOKS


@pytest.mark.parametrize(
    ("host", "url"),
    [("crm.example.com/hook", "https://crm.example.com/hook"), ("https://a.example", "https://a.example")],
)
def test_a_host_without_a_scheme_is_https(host: str, url: str) -> None:
    """The full URL may leave out https://."""
    assert str(read_endpoint(connection(host)).target.url).rstrip("/") == url


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": ""}, "URL cannot be read"),
        ({"host": "ftp://a.example"}, "URL cannot be read"),
        ({"host": "https://user:pw@a.example"}, "user name or password"),
        ({"signature": "hmac"}, "'signature' is 'hmac'"),
        ({"signature": "github"}, "needs at least one signing secret"),
        ({"password": "short", "signature": "github"}, "5 characters"),
        ({"password": "short", "signature": "none"}, "5 characters"),
        ({"password": PLAIN}, "whsec_"),
        ({"event_kinds": ["replyed"]}, "replyed"),
        ({"event_kinds": {"a": 1}}, "list of kinds"),
        ({"event_kinds": []}, "'event_kinds' is empty"),
        ({"enabled": "perhaps"}, "true or false"),
        ({"headers": "X-A: b"}, "not JSON"),
        ({"headers": ["a"]}, "not an object"),
        ({"headers": {"Host": "evil.example"}}, "sets Host"),
        ({"headers": {"Webhook-Signature": "v1,x"}}, "sets Webhook-Signature"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "no HTTP header"),
        ({"timeout": 0}, "'timeout' is 0"),
        ({"timeout": "soon"}, "'timeout' is 'soon'"),
        ({"requests_per_second": "nan"}, "requests_per_second"),
        ({"allow_networks": "0.0.0.0/0"}, "wider than"),
        ({"method": "GET"}, "method is 'GET'"),
        ({"method": 5}, "method is '5'"),
        ({"content_type": "text/html"}, "content_type is 'text/html'"),
        ({"content_type": "a/json\r\nX-B: c"}, "content_type is "),
        ({"oauth2": "token"}, "'oauth2' is not an object"),
        ({"oauth2": ["x"]}, "'oauth2' is not an object"),
        ({"oauth2": {"scopes": "x"}}, "'oauth2' holds 'scopes' — did you mean 'scope'?"),
        ({"oauth2": {"client_id": "x"}}, "'oauth2_url' is not"),
        ({"allow_networks": 10}, "allow_networks is 10"),
    ],
)
def test_a_field_that_cannot_be_used_is_named_with_its_connection(fields: dict[str, Any], words: str) -> None:
    """The error names the connection and the field, and shows no secret."""
    with pytest.raises(ConfigurationError, match=r"connection 'crm'") as raised:
        read_endpoint(connection(**fields))
    assert words in str(raised.value)
    if "password" in fields:
        assert fields["password"] not in str(raised.value)


def test_the_test_button_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that leads to an internal address is refused by the button as it would be when sending."""
    monkeypatch.setenv(
        "AIRFLOW_CONN_CRM", json.dumps({"conn_type": "outreach_endpoint", "host": "https://10.0.0.1/"})
    )
    ok, message = OutreachEndpointHook("crm").test_connection()
    assert not ok
    assert "RFC 1918" in message


def test_a_missing_connection_is_a_configuration_error() -> None:
    """What to create is said."""
    with pytest.raises(ConfigurationError, match="no connection 'nowhere'"):
        OutreachEndpointHook("nowhere").endpoint()


def http(host: str = "api.example.com", **fields: Any) -> Connection:
    extra = json.dumps(fields.pop("extra", {}))
    return Connection(conn_id="crm", conn_type="http", host=host, extra=extra, **fields)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "http://api.example.com"),
        ({"schema": "https"}, "https://api.example.com"),
        ({"schema": "https", "port": 8443}, "https://api.example.com:8443"),
        ({"host": "https://api.example.com/v1", "port": 8443}, "https://api.example.com:8443/v1"),
        ({"host": "https://api.example.com/v1"}, "https://api.example.com/v1"),
    ],
)
def test_an_http_connection_means_what_it_means_to_airflow(fields: dict[str, Any], url: str) -> None:
    """Its URL is the one Airflow's own hook calls."""
    from airflow.providers.http.hooks.http import HttpHook

    connection = http(**fields)
    assert str(read_endpoint(connection).target.url).rstrip("/") == url
    if "/v1" not in url or "port" not in fields:  # HttpHook writes a port behind the path
        hook = HttpHook()
        hook._set_base_url(connection)
        assert hook.base_url == url


def test_an_http_connections_login_and_headers_are_sent() -> None:
    """Basic authentication as HttpHook has it, names of the extra as headers, none of it shown; our settings are none."""
    from airflow.sdk._shared.secrets_masker import redact

    extra = {
        "X-Api-Version": "7-of-headers",
        "Content-Type": "application/json",
        "timeout": 3,
        "allow_networks": "10.0.0.0/8",
    }
    endpoint = read_endpoint(http(schema="https", login="ada", password="pass:word", extra=extra))
    assert endpoint.target.headers == {
        "X-Api-Version": "7-of-headers", "Authorization": "Basic YWRhOnBhc3M6d29yZA==",
    }  # fmt: skip
    assert (endpoint.scheme, endpoint.secrets, endpoint.target.timeout) == (Scheme.NONE, (), 3.0)
    assert (
        "YWRhOnBhc3M6d29yZA" not in f"{endpoint!r} {redact('it said YWRhOnBhc3M6d29yZA== and 7-of-headers')}"
    )
    assert not endpoint.target.allow_http and len(endpoint.target.allow_networks) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "p"}, "a password and no login"),
        ({"login": "a", "extra": {"authorization": "Bearer x"}}, "say the same"),
        ({"extra": {"verify": False}}, "'verify' is not for endpoints — leave it out; a CA of your own"),
        ({"extra": {"cert": "/etc/c.pem"}}, "'cert' is not for endpoints — leave it out"),
        (
            {"extra": {"proxies": {"https": "http://p:1"}}},
            "'proxies' is not for endpoints — leave it out: deliveries go through HTTPS_PROXY",
        ),
        (
            {"extra": {"signature": "github"}},
            "'signature' is not for endpoints — make a connection of type outreach_endpoint",
        ),
        ({"extra": {"srv_lookup": True}}, "'srv_lookup' is not for endpoints — leave it out"),
        ({"extra": {"Host": "evil.example"}}, "sets Host"),
        ({"extra": {"X-A": "b\r\nX-B: c"}}, "no HTTP header"),
    ],
)
def test_an_http_connection_that_asks_for_more_is_refused(fields: dict[str, Any], words: str) -> None:
    """What deliveries do not do is said, and not passed over."""
    with pytest.raises(ConfigurationError, match=r"connection 'crm'") as raised:
        read_endpoint(http(**fields))
    assert words in str(raised.value)


PASTED = "sup3r-s3cret-value-of-forty-characters-x"
OBJECT = {"Authorization": f"Bearer {PASTED}"}


@pytest.mark.parametrize(
    "value", [PASTED, OBJECT, [PASTED], [OBJECT]], ids=["text", "object", "list", "objects"]
)
@pytest.mark.parametrize(
    "name",
    [
        "signature", "allow_networks", "enabled", "allow_http", "timeout", "requests_per_second", "event_kinds",
        "headers", "oauth2_auth",
    ],
)  # fmt: skip
def test_a_secret_in_the_wrong_field_is_not_told(name: str, value: Any) -> None:
    """Whichever field of an endpoint's extra it was pasted into, the error holds no secret as a whole."""
    others = {"oauth2_url": "https://a.example/token", "oauth2_client_id": "a", "oauth2_client_secret": "b"}
    if name == "headers" and isinstance(value, dict):
        value = {f"{PASTED}:": "x"}
    with pytest.raises(ConfigurationError, match=name) as raised:
        read_endpoint(connection(**{**(others if name.startswith("oauth2") else {}), name: value}))
    assert PASTED not in str(raised.value)


def test_a_key_in_place_of_the_host_is_not_told() -> None:
    """Nothing resolves it, and the answer of the test names it not."""
    ok, said = send_test(read_endpoint(connection(host=PASTED)), datetime.now(UTC))
    assert (ok, "•••" in said, PASTED in said) == (False, True, False), said


@pytest.mark.parametrize(
    "written", ["Infinity", "-Infinity", "NaN", "1e999", "1" + 400 * "0"], ids=lambda written: written[:9]
)
@pytest.mark.parametrize("name", ["timeout", "requests_per_second"])
def test_a_number_beyond_all_is_named(name: str, written: str) -> None:
    """JSON may hold numbers that no float can be: an error that names the field, and nobody else's."""
    with pytest.raises(ConfigurationError, match=f"^connection 'crm': extra '{name}' is "):
        read_endpoint(connection(**json.loads(f'{{"{name}": {written}}}')))
