"""What airflow.cfg says in ``[outreach]``: read, with its default, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.get_provider_info import get_provider_info
from airflow_outreach_provider.hooks.connection_fields import database_hook
from airflow_outreach_provider.hooks.endpoints import read_endpoint
from airflow_outreach_provider.hooks.settings import (
    consumer_abandoned_after,
    endpoint_disabled_after,
    lease,
    max_body_bytes,
    retention,
)

DAYS: dict[str, Callable[[], timedelta]] = {
    "endpoint_disabled_after_days": endpoint_disabled_after,
    "consumer_abandoned_after_days": consumer_abandoned_after,
}


@pytest.mark.parametrize("option", DAYS)
def test_days_are_as_declared_unless_said_otherwise(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default that Airflow lists is the one that holds; other numbers count, decimals too; empty is the default."""
    declared = get_provider_info()["config"]["outreach"]["options"][option]
    assert DAYS[option]() == timedelta(days=float(declared["default"]))
    for said, days in (("2", 2.0), (" 0.5 ", 0.5), ("", float(declared["default"]))):
        monkeypatch.setenv(f"AIRFLOW__OUTREACH__{option.upper()}", said)
        assert DAYS[option]() == timedelta(days=days)


@pytest.mark.parametrize("option", DAYS)
@pytest.mark.parametrize("said", ["five", "5d", "0", "-1", "nan", "inf", "1e9"])
def test_what_is_no_number_of_days_is_refused_by_name(
    option: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Section, option, what it says, and what to write."""
    monkeypatch.setenv(f"AIRFLOW__OUTREACH__{option.upper()}", said)
    with pytest.raises(ConfigurationError, match=rf"\[outreach\] {option} is '{said}'.*is the default"):
        DAYS[option]()


WHOLE: dict[str, Callable[[], object]] = {
    "lease_seconds": lease,
    "max_body_bytes": max_body_bytes,
    "retention_days": retention,
}


@pytest.mark.parametrize("option", WHOLE)
def test_a_number_that_is_left_empty_is_the_declared_one(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of all our settings; and others count."""
    declared = int(get_provider_info()["config"]["outreach"]["options"][option]["default"])
    as_meant = {
        "lease_seconds": timedelta(seconds=declared),
        "max_body_bytes": declared,
        "retention_days": None,
    }
    for said in ("", " ", str(declared)):
        monkeypatch.setenv(f"AIRFLOW__OUTREACH__{option.upper()}", said)
        assert WHOLE[option]() == as_meant[option]
    monkeypatch.setenv(f"AIRFLOW__OUTREACH__{option.upper()}", " 90 ")
    assert WHOLE[option]() in (timedelta(seconds=90), 90, timedelta(days=90))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        *(("lease_seconds", said) for said in ("soon", "0", "9", "-1", "1.5", "1e3", "9" * 30)),
        *(("max_body_bytes", said) for said in ("1MB", "0", "-1", "1.5")),
        *(("retention_days", said) for said in ("soon", "-1", "1.5", "36501", "9" * 30)),
    ],
)
def test_what_is_no_such_number_is_refused_by_name(
    option: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that a person mends, and no retry; a receiver that takes nothing, or a store that keeps all, is nobody's wish."""
    monkeypatch.setenv(f"AIRFLOW__OUTREACH__{option.upper()}", said)
    with pytest.raises(ConfigurationError, match=rf"\[outreach\] {option} is '{said}'.*is usual here"):
        WHOLE[option]()


def test_endpoints_have_the_limit_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """What airflow.cfg says reaches the deliveries; a mistake there is not blamed on a connection."""
    connection = Connection(
        conn_id="crm", conn_type="outreach_endpoint", host="https://crm.example.com/", extra=json.dumps({})
    )
    monkeypatch.setenv("AIRFLOW__OUTREACH__ENDPOINT_DISABLED_AFTER_DAYS", "2")
    assert read_endpoint(connection).disabled_after == timedelta(days=2)
    monkeypatch.setenv("AIRFLOW__OUTREACH__ENDPOINT_DISABLED_AFTER_DAYS", "two")
    with pytest.raises(ConfigurationError, match=r"^\[outreach\]"):
        read_endpoint(connection)


def test_a_connection_of_something_else_is_no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API's connection where a query or an export needs a database: said at once, not as what its hook lacks."""
    monkeypatch.setenv("AIRFLOW_CONN_API", '{"conn_type": "http", "host": "example.com"}')
    with pytest.raises(ConfigurationError, match="'api' is of type 'http', which is no database"):
        database_hook("api")


@pytest.mark.parametrize(
    "said",
    [
        AirflowException('Unknown hook type "postgres"'),
        AttributeError("'NoneType' object has no attribute 'rsplit'"),
        ImportError("No module named 'psycopg2'"),
    ],
)
def test_a_database_without_its_provider_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, said: Exception
) -> None:
    """Whichever of its own errors Airflow has for it; what else goes wrong stays what it is."""

    def fails(_conn_id: str) -> None:
        raise said

    monkeypatch.setenv("AIRFLOW_CONN_DWH", '{"conn_type": "postgres", "host": "db"}')
    monkeypatch.setattr("airflow.sdk.BaseHook.get_hook", fails)
    with pytest.raises(ConfigurationError, match=r"'postgres'.*apache-airflow-providers-postgres"):
        database_hook("dwh")
    said = AttributeError("'Hook' object has no attribute 'x'")
    with pytest.raises(AttributeError):
        database_hook("dwh")
