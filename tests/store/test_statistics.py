"""What PostgreSQL knows of tables that were emptied, and how much is written since."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from stores import opened

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.statistics import TableStatistics

pytestmark = pytest.mark.postgres


def as_emptied(store: Store) -> None:
    """As a database counted that looked between a deletion and what is written after it."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE pg_class SET reltuples = 0, relpages = 5 "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')"
        )


def counted(store: Store, table: str) -> float:
    with store.read() as connection:
        query = sa.text("SELECT reltuples FROM pg_class WHERE oid = CAST(:table AS regclass)")
        return float(connection.execute(query, {"table": table}).scalar_one())


def fill(store: Store, rows: int) -> None:
    """Rows that no autovacuum looks at."""
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE rates SET (autovacuum_enabled = off)")
        connection.exec_driver_sql(
            f"INSERT INTO rates (key, next_free_at) SELECT 'k' || n, n FROM generate_series(1, {rows}) AS g(n)"
        )


def touch(store: Store) -> None:
    """Any transaction that writes."""
    with store.write() as connection:
        connection.execute(sa.text("SELECT 1"))


@pytest.fixture
def fresh(postgres_url: str) -> Iterator[Store]:
    with opened(postgres_url) as store:
        yield store


def test_a_table_that_was_counted_while_empty_is_counted_anew(fresh: Store, postgres_url: str) -> None:
    """By the first transaction of any process, where somebody else filled it."""
    fill(fresh, 2_000)
    as_emptied(fresh)
    fresh.close()  # the server hears of what a connection wrote when it is closed, or a second later
    with opened(postgres_url) as another:
        touch(another)
        assert counted(another, "rates") == 2_000


def test_what_a_process_writes_itself_counts_at_once(fresh: Store) -> None:
    """Before the server has heard of it."""
    touch(fresh)
    as_emptied(fresh)
    fill(fresh, 500)
    touch(fresh)
    assert counted(fresh, "rates") == 0, "it is not time to look"
    fresh.added("rates", 500)
    touch(fresh)
    assert counted(fresh, "rates") == 500


def test_few_rows_more_and_unknown_tables_are_left_alone(fresh: Store) -> None:
    """What is near enough, and other people's tables in the same schema."""
    with fresh.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs AS SELECT n FROM generate_series(1, 3000) AS g(n)")
    fill(fresh, 90)
    as_emptied(fresh)
    for table in ("rates", "theirs"):
        fresh.added(table, 90)
    fresh.added("theirs", 3_000)
    touch(fresh)
    assert (counted(fresh, "rates"), counted(fresh, "theirs")) == (0, 0)


def test_it_is_looked_at_each_time_what_was_written_has_doubled(fresh: Store) -> None:
    """So that a long run asks a few times, and not for each batch."""
    statistics, looks = TableStatistics(), 0
    for _ in range(1_000):
        statistics.added("leads", 100)
        looks += statistics._next == 0.0
        statistics._next = 1.0
    assert 5 < looks < 15


def test_whoever_has_the_table_in_hand_holds_nobody_up(fresh: Store, postgres_url: str) -> None:
    """A table that is being looked at, or changed, is left to who does so."""
    fill(fresh, 500)
    as_emptied(fresh)
    with opened(postgres_url) as other, other.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE rates IN SHARE UPDATE EXCLUSIVE MODE")
        fresh.added("rates", 500)
        touch(fresh)
        assert counted(fresh, "rates") == 0


def test_who_may_not_goes_on_as_before(fresh: Store, postgres_admin: sa.Engine, postgres_url: str) -> None:
    """A role that may write into the tables and owns none."""
    fill(fresh, 500)
    as_emptied(fresh)
    schema = str(sa.make_url(postgres_url).query["options"]).rpartition("=")[2]
    with postgres_admin.connect() as admin:
        admin.exec_driver_sql(f"CREATE ROLE {schema}_writer")
        admin.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_writer")
        admin.exec_driver_sql(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {schema}_writer")
    url = sa.make_url(postgres_url).update_query_dict(
        {"options": f"-crole={schema}_writer -csearch_path={schema}"}
    )
    writer = Store(url.render_as_string(hide_password=False))
    try:
        writer.added("rates", 500)
        touch(writer)
        assert counted(writer, "rates") == 0
    finally:
        writer.close()
        with postgres_admin.connect() as admin:
            admin.exec_driver_sql(f"DROP OWNED BY {schema}_writer")
            admin.exec_driver_sql(f"DROP ROLE {schema}_writer")
