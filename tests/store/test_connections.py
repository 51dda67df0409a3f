"""Connections to PostgreSQL: how many, what a URL may say of them, and a database that lets nobody in."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from airflow.sdk import RetryAction
from sqlalchemy import exc

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy
from airflow_outreach_provider.store.connections import APPLICATION, PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.faults import FaultKind, fault_of
from airflow_outreach_provider.store.migrate import upgrade
from airflow_outreach_provider.store.one_trip import one_trip

URL = "postgresql://someone@127.0.0.1:5432/outreach"


# -- what a URL says --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    ["prepare_threshold=0", "prepare_threshold=None", "prepareThreshold=0", "statement_cache_size=0", "prepared_statement_cache_size=0"],
)  # fmt: skip
def test_no_prepared_statements_in_the_words_of_any_driver(said: str) -> None:
    """Whatever the driver it was written for calls it, nothing is prepared, and psycopg is not handed a text."""
    store = Store(f"{URL}?{said}&sslmode=prefer")
    arguments = store.engine.dialect.create_connect_args(store.engine.url)[1]
    assert arguments.keys() - {"context"} == {"host", "port", "user", "dbname", "sslmode"}
    assert arguments["sslmode"] == "prefer"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("ssl=require", "sslmode=require"),
        ("server_settings=x", "options=-csearch_path"),
        ("pool_size=3", r"\[outreach\] sql_alchemy_pool_size"),
        ("pgbouncer=true", "a pooler is noticed"),
        ("sslmod=require", "did you mean sslmode"),
        ("prepare_threshold=five", "prepare_threshold=0 for no prepared statements"),
        ("zzz=1", "leave it out"),
    ],
)
def test_an_option_that_psycopg_does_not_know_is_explained(said: str, words: str) -> None:
    """What was written for asyncpg, psycopg2 or SQLAlchemy says in one line what to write instead."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        Store(f"{URL}?{said}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "said",
    [
        "sslmode=require",
        "connect_timeout=3",
        "options=-csearch_path%3Dx",
        "keepalives_idle=30",
        "target_session_attrs=read-write",
        "host=a:1&host=b:2",
    ],
)
def test_what_libpq_knows_stays(said: str) -> None:
    Store(f"{URL}?{said}" if "host" not in said else f"postgresql://someone@/outreach?{said}")


# -- what an error means ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ('FATAL:  too many connections for role "x"', FaultKind.BUSY, "CONNECTION LIMIT"),
        ("FATAL:  sorry, too many clients already", FaultKind.BUSY, "max_connections"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", FaultKind.BUSY, "max_connections"),
        ("FATAL:  no more connections allowed (max_client_conn)", FaultKind.BUSY, "max_client_conn"),
        ("FATAL:  query_wait_timeout", FaultKind.BUSY, "default_pool_size"),
        ("FATAL:  the database system is starting up", FaultKind.BUSY, "started or stopped"),
        ("FATAL:  the database system is shutting down", FaultKind.BUSY, "started or stopped"),
        ('FATAL:  password authentication failed for user "x"', FaultKind.OTHER, "user and password?"),
        ("connection to server on socket failed: No such file or directory", FaultKind.OTHER, "is the database up"),
    ],
)  # fmt: skip
def test_what_a_server_says_before_it_lets_anybody_in(said: str, kind: FaultKind, words: str) -> None:
    """Full, starting and stopping are waited for, each with its remedy; a wrong password is not."""
    fault = fault_of(exc.OperationalError("", None, Exception(f"connection failed: {said}")))
    assert fault.kind is kind
    assert words in fault.remedy


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("database is locked", FaultKind.CONFLICT, "PostgreSQL"),
        ("no such table: runs", FaultKind.OTHER, "put it back"),
        ("file is not a database", FaultKind.OTHER, "sql_alchemy_conn"),
        ("database disk image is malformed", FaultKind.OTHER, "backup"),
        ("attempt to write a readonly database", FaultKind.OTHER, "the right to write"),
        ("database or disk is full", FaultKind.OTHER, "give it room"),
        ("unable to open database file", FaultKind.OTHER, "the right to write"),
    ],
)
def test_what_is_wrong_with_a_file_has_its_remedy(said: str, kind: FaultKind, words: str) -> None:
    """SQLite's own words name neither the file's owner nor where it is set."""
    fault = fault_of(sqlite3.OperationalError(said))
    assert fault.kind is kind
    assert words in fault.remedy


# -- a real database that is full ---------------------------------------------------------------------------


@pytest.fixture
def narrow_url(postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of a role that may have one connection."""
    role = f"outreach_{uuid.uuid4().hex[:12]}"
    with postgres_admin.connect() as connection:
        connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD 'narrow'"))
        connection.execute(sa.text(f"ALTER ROLE {role} CONNECTION LIMIT 1"))
    yield postgres_admin.url.set(username=role, password="narrow").render_as_string(hide_password=False)
    with postgres_admin.connect() as connection:
        connection.execute(sa.text(f"DROP ROLE {role}"))


@pytest.mark.slow
@pytest.mark.postgres
def test_a_full_database_is_waited_for(narrow_url: str) -> None:
    """Whoever comes while the last connection is taken waits, and goes on as soon as it is free."""
    first, second = Store(narrow_url), Store(narrow_url, pool=PoolSettings(patience=30))
    taken, began = threading.Event(), time.monotonic()

    def hold() -> None:
        with first.read():
            taken.set()
            time.sleep(0.7)
        first.close()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    with second.read() as connection:
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    holder.join()
    second.close()
    assert time.monotonic() - began >= 0.7


@pytest.mark.slow
@pytest.mark.postgres
def test_a_database_that_stays_full_is_left_to_the_task_s_retry(narrow_url: str) -> None:
    """After its patience the task is up for retry; its reason says what is full and what to do about it."""
    first, second = Store(narrow_url), Store(narrow_url, pool=PoolSettings(patience=0.5))
    began = time.monotonic()
    with (
        first.read(),
        pytest.raises(StoreError, match=r"too many connections.* — .*CONNECTION LIMIT") as raised,
        second.read(),
    ):
        pass
    assert time.monotonic() - began < 10
    decision = OutreachRetryPolicy().evaluate(raised.value, 1, 3)
    assert decision.action is RetryAction.RETRY
    assert "CONNECTION LIMIT" in str(decision.reason)
    first.close()
    second.close()


@pytest.mark.postgres
def test_connections_have_a_name(postgres_url: str) -> None:
    """An administrator finds them in pg_stat_activity, by ours or by the name that the URL gives."""
    for url, name in ((postgres_url, APPLICATION), (f"{postgres_url}&application_name=crm", "crm")):
        store = Store(url)
        with store.read() as connection:
            assert connection.execute(sa.text("SHOW application_name")).scalar_one() == name
        store.close()


# -- what is usual in that database -----------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("level", ["serializable", "repeatable read", "read uncommitted"])
def test_transactions_go_by_our_isolation(
    postgres_database: str, postgres_admin: sa.Engine, level: str
) -> None:
    """Whatever is usual in that database: a claim is seen by who waited for it, and an upgrade by the next."""
    name = sa.make_url(postgres_database).database
    with postgres_admin.connect() as admin:
        admin.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_isolation TO '{level}'")
    store, asked = Store(postgres_database), sa.text("SHOW transaction_isolation")
    with store.read() as connection:
        assert connection.execute(asked).scalar() == "read committed"
    with store.write() as connection:
        assert connection.execute(asked).scalar() == "read committed"
    with store.read() as connection:
        assert one_trip(store, connection, (asked, {})) == [[("read committed",)]]
    store.outside_transactions("VACUUM")
    with store.write() as connection:
        assert connection.execute(asked).scalar() == "read committed"
    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252"])
def test_a_database_that_names_do_not_fit_into_is_refused(postgres_admin: sa.Engine, encoding: str) -> None:
    """Before anything is stored there, with what to do: an event with an emoji would be lost in it."""
    name = f"outreach_{uuid.uuid4().hex[:12]}"
    with postgres_admin.connect() as admin:
        admin.exec_driver_sql(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    url = postgres_admin.url.set(database=name).render_as_string(hide_password=False)
    store = Store(url)
    try:
        for _ in range(2):
            with pytest.raises(StoreError, match=f"encoded in {encoding}.*CREATE DATABASE"):
                upgrade(store)
    finally:
        store.close()
        with postgres_admin.connect() as admin:
            admin.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.postgres
def test_what_the_environment_says_of_encodings_changes_nothing(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``PGCLIENTENCODING`` is some other program's."""
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    store = Store(postgres_url)
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT CAST(:said AS text)"), {"said": "ő 😀"}).scalar() == "ő 😀"
    store.close()
