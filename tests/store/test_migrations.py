"""The store's schema: what the migrations build is what the code expects."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from processes import at_once
from stores import UPGRADE, make_first_revision

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.store import audit, migrate
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.tables import metadata


def schema_of(store: Store) -> dict[str, object]:
    """Columns, keys and indexes as the database reports them."""
    with store.read() as connection:
        inspector = sa.inspect(connection)
        return {
            name: (
                {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns(name)},
                inspector.get_pk_constraint(name)["constrained_columns"],
                sorted(sorted(u["column_names"]) for u in inspector.get_unique_constraints(name)),
                sorted(
                    (str(i["name"]), tuple(str(c) for c in i["column_names"]), bool(i["unique"]),
                     str(i.get("dialect_options", {}).get(f"{store.dialect}_where", "")))
                    for i in inspector.get_indexes(name)
                ),
            )
            for name in metadata.tables
        }  # fmt: skip


@pytest.mark.slow
def test_migrations_build_what_the_code_expects(
    store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A migrated store and the tables of the code are the same, columns, keys and partial indexes included."""
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    migrated = schema_of(store)
    with store.write() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert schema_of(store) == migrated


def test_the_head_is_the_last_revision() -> None:
    """The revision the code asks for is the last one that exists."""
    assert migrate._scripts().get_current_head() == migrate.HEAD


@pytest.mark.slow
def test_many_processes_may_upgrade_at_once(store_url: str) -> None:
    """The first use of a fresh store by many tasks at once creates it once, and nobody fails."""
    assert sorted(at_once(UPGRADE, [store_url] * 8)) == ["False\n"] * 7 + ["True\n"]
    migrate.check(Store(store_url))


def test_a_store_that_is_not_there_yet_says_what_to_run(store_url: str) -> None:
    """Without its tables a store names the command that makes them."""
    with pytest.raises(StoreError, match="airflow outreach db upgrade"):
        migrate.check(Store(store_url))


def test_a_newer_store_is_left_alone(store: Store) -> None:
    """A store of a later version is not touched by this one."""
    with store.write() as connection:
        connection.execute(sa.text(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999"):
        migrate.upgrade(store)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://root@localhost/x", "'mysql'"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file::memory:?uri=true", "as a URI — write its path"),
        ("sqlite:///file:outreach.db?uri=true", "as a URI — write its path"),
        ("sqlite:///file:/tmp/outreach.db?uri=true", "as a URI — write its path"),
        ("sqlite:///outreach.db", "relative path — write the whole path"),
        ("postgresql://outreach:f00@b4r@127.0.0.1/outreach", "more than one @ — write one .* as %40"),
        ("postgresql://outreach:f00@b4r/q@127.0.0.1/outreach", "more than one @ — write one .* as %40"),
    ],
)
def test_urls_that_cannot_be_a_store(url: str, words: str) -> None:
    """A wrong [outreach] sql_alchemy_conn says what to write instead, and nothing of a password."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        Store(url)
    assert "b4r" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("sqlite+aiosqlite:////tmp/x.db", "sqlite"),
        ("sqlite+pysqlite:////tmp/a@b.db", "sqlite"),
        ("postgres://o:f%40o@h/db", "postgresql+psycopg"),
        ("postgresql+asyncpg://o@h/db", "postgresql+psycopg"),
        ("postgresql+psycopg2://o@h/db", "postgresql+psycopg"),
        ("postgresql+pg8000://o@h/db", "postgresql+psycopg"),
    ],
)
def test_whatever_driver_is_named_ours_is_used(url: str, used: str) -> None:
    """A URL that was copied from Airflow's own database, the asynchronous one too, does."""
    store = Store(url)
    assert store.url.drivername == used
    store.close()


@pytest.mark.slow
def test_a_store_of_the_first_revision_is_upgraded_with_what_is_in_it(store_url: str) -> None:
    """An upgrade from the first schema ends at the tables of the code, keeps every row, and leaves one that tells it."""
    store = Store(store_url)
    with store.write() as connection:
        make_first_revision(connection)
        connection.execute(
            sa.text("INSERT INTO runs (campaign, owner, state, started_at, heartbeat_at, lease_until) "
                    "VALUES ('spring', 'o', 'succeeded', 1, 1, 1)")
        )  # fmt: skip
        connection.execute(sa.text("INSERT INTO inbox_pending (consumer, seq) VALUES ('crm', 1)"))
    assert migrate.upgrade(store, actor="cli:ann")
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        run = connection.execute(sa.text("SELECT campaign, conn_id, fraction FROM runs")).one()
        assert tuple(run) == ("spring", "", None)
        assert not connection.execute(sa.text("SELECT replayed FROM inbox_pending")).scalar_one()
    assert not migrate.upgrade(store)
    (told,) = audit.entries(store).rows
    assert (told.actor, told.action) == ("cli:ann", "upgrade")
    assert (told.action, told.subject) == ("upgrade", f"the store, from revision 0001 to {migrate.HEAD}")
    store.close()


@pytest.mark.slow
def test_what_was_in_flight_when_a_task_died_is_an_attempt_after_an_upgrade(store_url: str) -> None:
    """Those before had none: sent again, such a lead would have counted as texted once."""
    store = Store(store_url)
    held = "INSERT INTO leads (id, campaign, phone, state, reason, run_id, sent_at, created_at, updated_at) "
    with store.write() as connection:
        make_first_revision(connection)
        for values in (
            "(1, 'c', '+14165550101', 'held', 'worker_died', 3, 2000, 1, 1)",
            "(2, 'c', '+14165550102', 'held', 'answer_timeout', 3, 2000, 1, 1)",
            "(3, 'c', '+14165550103', 'held', 'worker_died', 3, 2000, 1, 1)",
            "(4, 'c', '+14165550104', 'accepted', '', 3, 2000, 1, 1)",
        ):
            connection.execute(sa.text(f"{held} VALUES {values}"))
        connection.execute(
            sa.text(
                "INSERT INTO attempts (lead_id, run_id, at, outcome) VALUES (3, 3, 2000, 'unknown'), (1, 2, 1999, 'unavailable')"
            )
        )
    assert migrate.upgrade(store)
    with store.read() as connection:
        found = connection.execute(
            sa.text(
                "SELECT lead_id, run_id, at, reason FROM attempts WHERE outcome = 'unknown' ORDER BY lead_id"
            )
        )
        assert list(map(tuple, found)) == [(1, 3, 2000, "worker_died"), (3, 3, 2000, "")]
    store.close()


@pytest.mark.slow
def test_a_store_whose_tables_were_dropped_is_made_anew(store: Store) -> None:
    """Whoever begins anew drops the tables: what else there was is in nobody's way."""
    with store.write() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f"DROP TABLE {migrate.VERSION_TABLE}"))
    assert migrate.upgrade(store)
    assert not audit.entries(store).rows


@pytest.mark.slow
def test_an_upgrade_that_a_task_stood_in_the_way_of_is_tried_again(postgres_url: str) -> None:
    """A task of the version before has one table in use and asks for another: PostgreSQL ends one of the two."""
    store, task = Store(postgres_url), Store(postgres_url)
    waits = sa.text(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'inbox_pending'::regclass"
    )
    with store.write() as connection:
        make_first_revision(connection)
    with ThreadPoolExecutor(1) as threads:
        with task.write() as connection:
            connection.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))  # not this one
            connection.execute(sa.text("SELECT count(*) FROM inbox_pending"))
            upgraded = threads.submit(migrate.upgrade, store)
            while not connection.execute(waits).scalar_one():
                time.sleep(0.01)
            connection.execute(sa.text("SELECT count(*) FROM runs"))
        assert upgraded.result(30)
    assert migrate.current_revision(store) == migrate.HEAD
    store.close()
    task.close()


@pytest.mark.slow
def test_what_an_upgrade_adds_stands_where_the_store_is(postgres_database: str) -> None:
    """Whoever upgrades it may have a schema of their own, which PostgreSQL puts first: others would not see what is there."""
    store = Store(postgres_database)
    with store.write() as connection:
        make_first_revision(connection)
        connection.execute(sa.text("CREATE SCHEMA AUTHORIZATION CURRENT_USER"))
    assert migrate.upgrade(store)
    with store.read() as connection:
        places = "SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relname = ANY(:names)"
        names = [*metadata.tables, "audit_id_seq"]
        assert connection.execute(sa.text(places), {"names": names}).scalars().all() == ["public"]
        function = (
            "SELECT pronamespace::regnamespace::text FROM pg_proc WHERE proname = 'outreach_keep_audit'"
        )
        assert connection.execute(sa.text(function)).scalar_one() == "public"
    store.close()


def _next_id(connection: sa.Connection, table: str) -> int:
    """The id that a row like the last one gets once that is removed."""
    names = [each.name for each in metadata.tables[table].columns if each.name != "id"]
    columns = ", ".join(names)
    found = connection.execute(sa.text(f"SELECT {columns} FROM {table} ORDER BY id DESC LIMIT 1"))
    last = dict(found.mappings().one())
    connection.execute(sa.text(f"DELETE FROM {table} WHERE id = (SELECT MAX(id) FROM {table})"))
    values = ", ".join(f":{name}" for name in names)
    made = sa.text(f"INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id")
    return int(connection.execute(made, last).scalar_one())


@pytest.mark.parametrize(
    ("table", "known", "indexed"),
    [
        ("runs", 12, "state"),
        ("leads", 23, "state"),
        ("deliveries", 31, "state"),
        ("suppressions", 9, "reason"),
    ],
    ids=["runs", "leads", "deliveries", "suppressions"],
)
def test_no_id_is_given_out_again_after_an_upgrade(
    sqlite_url: str, table: str, known: int, indexed: str
) -> None:
    """Whatever was removed before or is removed after it; rows, and indexes beside those of the tables, stay."""
    store = Store(sqlite_url)
    with store.write() as connection:
        make_first_revision(connection)
        for statement in (
            "INSERT INTO runs (id, campaign, owner, state, started_at, heartbeat_at, lease_until) "
            "VALUES (3, 'spring', 'o', 'succeeded', 1, 1, 1)",
            "INSERT INTO leads (id, campaign, phone, state, run_id, created_at, updated_at) "
            "VALUES (7, 'spring', '+14165550123', 'accepted', 12, 1, 1)",
            "INSERT INTO attempts (lead_id, run_id, at, outcome) VALUES (23, 3, 1, 'accepted')",
            "INSERT INTO deliveries (id, event_id, route, lane, state, created_at, updated_at) "
            "VALUES (5, 'evt', 'crm', 'l', 'delivered', 1, 1)",
            "INSERT INTO delivery_attempts (delivery_id, at, verdict) VALUES (31, 1, 'delivered')",
            "INSERT INTO suppressions (id, phone, added_at) VALUES (9, '+14165550123', 1)",
            f"CREATE INDEX somebodys_own ON {table} ({indexed})",
        ):
            connection.execute(sa.text(statement))
    assert migrate.upgrade(store)
    with store.write() as connection:
        assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 1
        assert "somebodys_own" in {each["name"] for each in sa.inspect(connection).get_indexes(table)}
        assert [_next_id(connection, table) for _ in range(2)] == [known + 1, known + 2]
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    store.close()
