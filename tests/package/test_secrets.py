"""No secret shows where something is shown: not in a representation, and not past Airflow's masks."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
import re
from ipaddress import ip_network
from types import ModuleType

import pytest
from airflow.sdk import Connection
from yarl import URL

import airflow_outreach_provider
from airflow_outreach_provider.core.signing import Scheme
from airflow_outreach_provider.core.sources import SourceSettings
from airflow_outreach_provider.hooks.connection_fields import read_extra
from airflow_outreach_provider.hooks.outreach import OutreachConnection
from airflow_outreach_provider.net.outreach import ApiSettings
from airflow_outreach_provider.net.webhook import Target
from airflow_outreach_provider.services.deliveries.endpoint import Endpoint

ROOMS = ("core", "net", "services", "hooks", "receiver", "store", "simulator", "demo")
SECRETIVE = re.compile(
    r"(^|_)(passw\w*|secrets?|api_key|token|authorization|proxy|cert|headers|base_url|api_base)$"
)
# About a platform or a column, not anybody's; whether there is a token, whether headers are looked at.
HARMLESS = {
    ("CrmAnswer", "headers"), ("Reply", "headers"), ("EventDetail", "headers"), ("RequestPreview", "with_token"),
    ("CustomSource", "reads_headers"),
}  # fmt: skip


def modules() -> list[ModuleType]:
    path, prefix = airflow_outreach_provider.__path__, airflow_outreach_provider.__name__ + "."
    names = [each.name for each in pkgutil.walk_packages(path, prefix)]
    wanted = [
        name for name in names if name.split(".")[1] in ROOMS and not re.search("__main__|migrations", name)
    ]
    return [importlib.import_module(name) for name in wanted]


def test_no_representation_has_a_field_for_secrets() -> None:
    """Whatever class holds a password, key, token, header or proxy leaves it out of its representation."""
    shown = {
        (kind.__name__, field.name)
        for module in modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__ and dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
        if field.repr and SECRETIVE.search(field.name)
    }
    assert shown <= HARMLESS


def test_what_connections_become_shows_no_secret() -> None:
    """Settings made of connections can be logged and quoted: no secret, no path, no log-in is in them."""
    url = "https://hooks.example.com/services/T0/hidden-path?key=hidden"
    proxy = "http://user:hidden@proxy:3128"
    api = ApiSettings(url, "hidden", proxy=proxy, cert=("hidden", "hidden"), headers={"X-Key": "hidden"})
    target = Target(URL(url), {"X-Key": "hidden"}, 1.0, (ip_network("10.0.0.0/8"),), proxy=proxy)
    shown = [
        api,
        OutreachConnection(api, "c", "CA", 1, None, "hidden@example.com", "hidden"),
        target,
        Endpoint("crm", target, Scheme.GITHUB, ("hidden" * 3,)),
        SourceSettings("s", "varda", ("hidden" * 3,), api_base=url, api_login="hidden", api_secret="hidden"),
    ]
    assert "hidden" not in f"{shown!r} {shown!s}"


@pytest.mark.parametrize(
    ("fields", "secret"),
    [
        ({"password": "the-newest-secret the-older-secret"}, "the-newest-secret"),
        ({"password": "the-newest-secret the-older-secret"}, "the-older-secret"),
        ({"extra": {"headers": {"X-Crm": "header-secret-1"}}}, "header-secret-1"),
        ({"extra": {"headers": '{"X-Crm": "Token header-secret-2"}'}}, "header-secret-2"),
        ({"extra": {"contacts_password": "contacts-secret"}}, "contacts-secret"),
        ({"extra": {"proxy": "http://u:proxy-secret@proxy:1"}}, "proxy-secret"),
        ({"extra": {"proxies": {"https": "http://u:proxies-secret@proxy:1"}}}, "proxies-secret"),
        ({"extra": {"oauth2": {"client_secret": "client-secret-1"}}}, "client-secret-1"),
        ({"host": "https://crm.example.com/in?key=query-secret"}, "query-secret"),
        ({"host": "https://crm.example.com/in/path0secret0of0crm"}, "path0secret0of0crm"),
    ],
)
def test_every_secret_of_a_connection_is_masked(fields: dict[str, object], secret: str) -> None:
    """Each secret, single rotated ones and those in headers and URLs too, is masked by Airflow from its reading on."""
    from airflow._shared.secrets_masker import redact as redact_of_core
    from airflow.sdk._shared.secrets_masker import redact

    extra = json.dumps(fields.pop("extra", {}))
    read_extra(Connection(conn_id="c", conn_type="outreach_endpoint", extra=extra, **fields))  # type: ignore[arg-type]
    assert secret not in str(redact(f"it said {secret}!"))
    assert secret not in str(redact_of_core(f"it said {secret}!"))
