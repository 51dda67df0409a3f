"""Fixtures shared by all tests: real stores on SQLite and PostgreSQL, a settable clock."""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from memory import temporary_folder

os.environ["TMPDIR"] = temporary_folder()
# Before anything imports Airflow: whatever it writes goes to a folder of this run's own.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="outreach-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# Python 3.14 has a warning for how Airflow 3.3 declares its commands, and Airflow prints it first, with what was asked for.
os.environ.setdefault("PYTHONWARNINGS", "ignore:FileType is deprecated:PendingDeprecationWarning")

import pytest
import sqlalchemy as sa
from hypothesis import settings
from stores import Reused, migrated_file, opened

from airflow_outreach_provider.demo.airflow import airflow_environment, migrate
from airflow_outreach_provider.simulator.process import RunningSimulator, running_simulator
from airflow_outreach_provider.store.engine import Store

atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)

# How long one example takes says nothing on a busy machine.
settings.register_profile("patient", deadline=None)
# ``pytest --hypothesis-profile=nightly``: ten times the examples, see ``strategies.examples``.
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
if (
    settings.get_current_profile_name() == "default"
):  # CI has its own, which begins at the same place each time
    settings.load_profile("patient")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What lasts longest begins first: at the end nobody waits for one test alone."""

    def lasts(item: pytest.Item) -> float:
        mark = item.get_closest_marker("lasts")
        return float(mark.args[0]) if mark else 0.0

    items.sort(key=lasts, reverse=True)


def pytest_collection_finish() -> None:
    """Thousands of tests and all that Airflow imported stay: looking through them for garbage is a tenth of the time."""
    gc.collect()
    gc.freeze()


POSTGRES_URL = os.environ.get(
    "OUTREACH_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
# A pgbouncer in front of it, which stores are reached through where it is set: databases instead of schemas then, as
# pgbouncer hands on no search path.
POOLER_URL = os.environ.get("OUTREACH_TEST_POOLER", "")


def _postgres_missing() -> str | None:
    try:
        engine = sa.create_engine(POSTGRES_URL, connect_args={"connect_timeout": 3})
        with engine.connect():
            return None
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the reader needs the same advice
        return (
            "needs PostgreSQL: start one on 127.0.0.1:5432 that lets user postgres in, or set "
            f"OUTREACH_TEST_POSTGRES to a URL ({type(error).__name__})"
        )


@pytest.fixture(scope="session")
def postgres_admin() -> Iterator[sa.Engine]:
    """An engine on a real PostgreSQL; skips with advice where there is none, fails in CI."""
    missing = _postgres_missing()
    if missing:
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    engine = sa.create_engine(POSTGRES_URL, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'outreach.db'}"


@pytest.fixture
def postgres_url(postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of an empty schema of its own, dropped afterwards."""
    with _schema(postgres_admin) as url:
        yield url


@contextmanager
def database(admin: sa.Engine, url: str) -> Iterator[str]:
    """A database of its own, dropped afterwards. :param url: of any of that server, or of a pooler in front of it."""
    name = f"outreach_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_database(postgres_admin: sa.Engine) -> Iterator[str]:
    """The URL of an empty database of its own: for who counts connections, or goes through a pooler."""
    with database(postgres_admin, POSTGRES_URL) as url:
        yield url


@contextmanager
def _schema(admin: sa.Engine) -> Iterator[str]:
    if POOLER_URL:
        with database(admin, POOLER_URL) as url:
            yield url
        return
    schema = f"outreach_{uuid.uuid4().hex[:12]}"
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    # Nobody cuts the power of the server: commits need not wait for its disk.
    options = f"-csynchronous_commit=off -csearch_path={schema}"
    url = sa.make_url(POSTGRES_URL).update_query_dict({"options": options})
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture(scope="session")
def migrated_sqlite() -> Path:
    """A migrated file without a row, to be copied."""
    return migrated_file()


@pytest.fixture(scope="session")
def shared_postgres(postgres_admin: sa.Engine) -> Iterator[Reused]:
    """A migrated schema that one test after the other uses; ``emptied`` in between."""
    with _schema(postgres_admin) as url:
        reused = Reused(url)
        yield reused
        reused.close()


@pytest.fixture
def emptied(shared_postgres: Reused, postgres_admin: sa.Engine) -> str | None:
    """The URL of the shared schema as a migration leaves it; None while somebody holds its locks."""
    if shared_postgres.empty() or _made_anew(shared_postgres, postgres_admin):
        return shared_postgres.url
    return None


def _made_anew(reused: Reused, admin: sa.Engine) -> bool:
    """The test before may have broken the schema itself: a table away, another revision."""
    if POOLER_URL:
        return False
    schema = str(sa.make_url(reused.url).query["options"]).rpartition("=")[2]
    try:
        with admin.connect() as connection:
            connection.execute(sa.text("SET lock_timeout = '3s'"))
            connection.execute(sa.text(f"DROP SCHEMA {schema} CASCADE"))
            connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    except sa.exc.DBAPIError:
        return False
    return reused.empty()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """The contract suite runs once for each database; empty, or migrated for a test that asks for a store."""
    migrated = not {"store", "still_store"}.isdisjoint(request.fixturenames)
    if request.param == "sqlite":
        url = str(request.getfixturevalue("sqlite_url"))
        if migrated:
            shutil.copy(request.getfixturevalue("migrated_sqlite"), url.removeprefix("sqlite:///"))
        return url
    if migrated and (url := request.getfixturevalue("emptied")):
        return str(url)
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def reused(request: pytest.FixtureRequest, store_url: str) -> Reused | None:
    """The shared schema, where it is the one of this test."""
    if store_url.startswith("sqlite"):
        return None
    shared: Reused = request.getfixturevalue("shared_postgres")
    return shared if shared.url == store_url else None


@pytest.fixture
def store(store_url: str, reused: Reused | None) -> Iterator[Store]:
    """A migrated store on each database, with the database's own clock."""
    with opened(store_url, reused=reused) as store:
        yield store


@pytest.fixture
def still_store(store_url: str, clock: Clock, reused: Reused | None) -> Iterator[Store]:
    """The same, and its time stands still until told otherwise."""
    with opened(store_url, clock, reused) as store:
        yield store


@pytest.fixture
def sqlite_store(sqlite_url: str, migrated_sqlite: Path) -> Iterator[Store]:
    """A migrated store on SQLite alone: for what the database has no part in."""
    shutil.copy(migrated_sqlite, sqlite_url.removeprefix("sqlite:///"))
    with opened(sqlite_url) as store:
        yield store


@pytest.fixture
def tasks_store(sqlite_store: Store, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A migrated store, the one that tasks and commands of this test use."""
    monkeypatch.setenv("AIRFLOW__OUTREACH__SQL_ALCHEMY_CONN", sqlite_url)
    yield sqlite_store
    # The next test may be given a folder of the same name, and another file in it.
    from airflow_outreach_provider.hooks import settings

    if used := settings._stores.pop(sqlite_url, None):
        used.close()


@pytest.fixture(scope="session")
def _simulator() -> Iterator[RunningSimulator]:
    states = {"on": "active", "off": "inactive", "bare": "unprompted", "two": "active", "three": "active"}
    with running_simulator(api_key="user_test", configurations=states) as sim:
        yield sim


@pytest.fixture
def sim(_simulator: RunningSimulator) -> RunningSimulator:
    """A simulator in a process of its own, without people and faults."""
    _simulator.set_faults(seed=0)
    _simulator.reset()
    return _simulator


@pytest.fixture(scope="session")
def _simulator_with_log_in() -> Iterator[RunningSimulator]:
    with running_simulator(contacts_email="me@example.com", contacts_password="a-password") as sim:
        yield sim


@pytest.fixture
def usual_simulator(_simulator_with_log_in: RunningSimulator) -> RunningSimulator:
    """A simulator with the usual configuration and key, without people and faults.

    me@example.com may read its contact list, by the password ``a-password``.
    """
    _simulator_with_log_in.set_faults(seed=0)
    _simulator_with_log_in.reset()
    return _simulator_with_log_in


@pytest.fixture
def tasks_simulator(usual_simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """The same, the outreach API of this test's tasks: ``outreach_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(usual_simulator.connection))
    return usual_simulator


class Clock:
    """A clock that moves when told to."""

    def __init__(self, start: datetime) -> None:
        self.time = start

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **by: float) -> datetime:
        self.time += timedelta(**by)
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 25, 18, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an Airflow that never ran, with its database."""
    home = tmp_path_factory.mktemp("migrated")
    migrate(airflow_environment(home, home / "dags", port=0))
    return home


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's own database, empty, in this run's AIRFLOW_HOME."""
    from airflow.utils import db

    db.initdb()
