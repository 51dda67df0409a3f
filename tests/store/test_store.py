"""The store itself: its errors, its clock, its rate, its upgrade."""

from __future__ import annotations

import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from processes import at_once
from stores import UPGRADE

from airflow_outreach_provider.core.errors import ConfigurationError, StoreError
from airflow_outreach_provider.store import rates
from airflow_outreach_provider.store.deliveries import rests
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import HEAD, check, current_revision, upgrade
from airflow_outreach_provider.store.schema import from_ms, to_ms

PHONE = "+14165550123"


def _add(store: Store, phone: str) -> None:
    with store.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', :p, '', '', 0)"
            ),
            {"p": phone},
        )


def test_an_error_of_the_database_tells_nobodys_number(store: Store) -> None:
    """Databases quote the row they refuse: neither the error nor what a log prints of it does."""
    _add(store, PHONE)
    with pytest.raises(StoreError) as caught:
        _add(store, PHONE)
    assert "unique" in str(caught.value).lower()
    printed = "".join(traceback.format_exception(caught.value))
    assert PHONE not in printed
    assert "4165550123" not in printed


@given(st.datetimes(timezones=st.just(UTC)))
@example(datetime.max.replace(tzinfo=UTC))
@example(datetime.min.replace(tzinfo=UTC))
def test_a_time_comes_back_from_its_milliseconds(moment: datetime) -> None:
    """Whatever the year, before 1970 too: the same millisecond, never the next one."""
    lost = moment - from_ms(to_ms(moment))
    assert timedelta(0) <= lost < timedelta(milliseconds=1)


@pytest.mark.parametrize("value", [-(10**17), 253402300800000, 10**17])
def test_milliseconds_beyond_every_datetime_are_the_nearest_one(value: int) -> None:
    """What an older version stored of year 10000 is read, not raised at."""
    assert from_ms(value).year in {1, 9999}


@pytest.mark.parametrize("value", [PHONE, "jane.doe@example.com"])
def test_a_value_the_database_quotes_is_masked(store: Store, value: str) -> None:
    """Even where the first line of the database's message holds the value."""
    statement = "SELECT CAST(:v AS integer)" if store.dialect == "postgresql" else f'SELECT :v FROM "{value}"'

    def ask() -> None:
        with store.write() as connection:
            connection.execute(sa.text(statement), {"v": value})

    with pytest.raises(StoreError) as caught:
        ask()
    assert value not in "".join(traceback.format_exception(caught.value))


def test_every_driver_error_is_a_store_error(store: Store) -> None:
    """Syntax, missing tables, NUL in a text: callers know one error."""
    for statement in ("SELEC 1", "SELECT * FROM nowhere", "INSERT INTO runs (id) VALUES (NULL)"):
        with pytest.raises(StoreError), store.write() as connection:
            connection.execute(sa.text(statement))
    assert store.now() is not None


def test_other_errors_pass(store: Store) -> None:
    """Nothing else is swallowed or renamed; what was written before is rolled back."""

    def fail() -> None:
        with store.write() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO suppressions (campaign, phone, reason, source, added_at) VALUES ('', 'x', '', '', 0)"
                )
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM suppressions")).scalar_one() == 0


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/x.db", "postgresql://postgres@127.0.0.1:9/x?connect_timeout=2"]
)
def test_a_database_that_is_away_is_a_store_error(url: str) -> None:
    """A missing folder, a closed port."""
    with pytest.raises(StoreError):
        upgrade(Store(url))


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    """Somebody else's file is not overwritten."""
    path = f"{tmp_path}/leads.csv"
    with open(path, "w") as file:
        file.write("phone\n" * 1000)
    with pytest.raises(StoreError):
        upgrade(Store(f"sqlite:///{path}"))
    with open(path) as file:
        assert file.read() == "phone\n" * 1000


def _listed(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(sa.text("SELECT phone FROM suppressions ORDER BY id")).scalars())


def _without_log(path: Path) -> Path:
    """The file of a store that others have closed, so that nothing stands beside it."""
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()
    return path


@pytest.mark.slow
def test_what_a_long_lived_process_writes_goes_into_the_file_that_stands_there(tmp_path: Path) -> None:
    """A backup put in its place while a receiver runs: nothing is acknowledged into the file that is gone."""
    path, backup = _without_log(tmp_path / "outreach.db"), _without_log(tmp_path / "backup.db")
    receiver = Store(f"sqlite:///{path}")
    _add(receiver, PHONE)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink()
    backup.replace(path)
    _add(receiver, "+14165550124")
    task = Store(f"sqlite:///{path}")
    assert _listed(receiver) == _listed(task) == ["+14165550124"]
    for store in (receiver, task):
        store.close()


def test_a_file_that_was_removed_under_a_process_is_an_error_that_says_so(sqlite_store: Store) -> None:
    """Nothing is written where nobody will read it, and a person hears what has to be put back."""
    _add(sqlite_store, PHONE)
    for ending in ("", "-wal", "-shm"):
        Path(str(sqlite_store.url.database) + ending).unlink()
    with pytest.raises(StoreError, match="put it back"):
        _add(sqlite_store, "+14165550124")


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", ""])
def test_what_names_no_store_is_a_configuration_fault(url: str) -> None:
    """Another database, or no URL at all, is told with what to write instead."""
    with pytest.raises(ConfigurationError):
        Store(url)


def test_a_password_is_not_shown() -> None:
    """A store may be printed."""
    assert "secret" not in repr(Store("postgresql://me:secret@127.0.0.1/x"))


def test_the_clock_is_the_databases(store: Store) -> None:
    """Timezone-aware UTC, near the truth, and the same in SQL."""
    now = store.now()
    assert now.tzinfo is UTC
    assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
    with store.read() as connection:
        assert (
            abs(connection.execute(sa.select(store.now_ms())).scalar_one() - store.now_ms_value(connection))
            < 5000
        )


def test_a_tie_is_broken_by_trying_again(store: Store) -> None:
    """A deadlock or a serialisation conflict is run again, any other error is not."""
    calls = [0]

    def work(connection: sa.Connection) -> int:
        calls[0] += 1
        if calls[0] < 3:
            raise StoreError("deadlock detected", conflict=True)
        return calls[0]

    assert store.retrying(work) == 3
    with pytest.raises(StoreError, match="away"):
        store.retrying(lambda connection: (_ for _ in ()).throw(StoreError("away")))


@pytest.mark.slow
@pytest.mark.postgres
def test_a_real_deadlock_is_survived(postgres_url: str) -> None:
    """Two writers that take two rows in opposite order both end."""
    store = Store(postgres_url)
    upgrade(store)
    for phone in ("a", "b"):
        _add(store, phone)
    gate = threading.Barrier(2)
    first = [True, True]

    def work(number: int) -> None:
        def cross(connection: sa.Connection) -> None:
            for step, phone in enumerate(("a", "b")[:: 1 if number else -1]):
                connection.execute(
                    sa.text("UPDATE suppressions SET reason = reason || :n WHERE phone = :p"),
                    {"n": str(number), "p": phone},
                )
                if step == 0 and first[number]:
                    first[number] = False
                    gate.wait(10)

        store.retrying(cross)

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with store.read() as connection:
        reasons = connection.execute(sa.text("SELECT reason FROM suppressions")).scalars().all()
    assert [sorted(reason) for reason in reasons] == [["0", "1"], ["0", "1"]]
    store.close()


# -- rates --------------------------------------------------------------------------------------------------


def test_reservations_follow_each_other(store: Store, clock: object) -> None:
    """Each stretch begins where the one before ends; an idle time is not saved up; keys do not share."""
    store._clock = clock  # type: ignore[assignment]
    assert rates.reserve(store, "k", 10, 1.0) == 0.0
    assert rates.reserve(store, "k", 10, 1.0) == pytest.approx(1.0)
    assert rates.reserve(store, "k", 5, 0.5) == pytest.approx(2.0)
    assert rates.reserve(store, "other", 5, 0.5) == 0.0
    clock.advance(seconds=1)  # type: ignore[attr-defined]
    assert rates.reserve(store, "k", 5, 0.5) == pytest.approx(1.5)
    clock.advance(seconds=100)  # type: ignore[attr-defined]
    assert rates.reserve(store, "k", 5, 0.5) == 0.0


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=365), timedelta(days=5000)])
def test_a_clock_that_was_ahead_for_a_moment_stops_nobody(
    still_store: Store, clock: Any, ahead: timedelta
) -> None:
    """What was reserved, and the wait that was asked for, go by the time as it is known now; so does what follows."""
    clock.advance(seconds=ahead.total_seconds())
    rates.reserve(still_store, "api", 10, 1.0)
    rates.hold(still_store, "api", 30.0)
    clock.advance(seconds=-ahead.total_seconds())
    assert rates.held(still_store, "api") == 0.0
    assert [rates.reserve(still_store, "api", 10, 1.0) for _ in range(3)] == [0.0, 1.0, 2.0]
    rates.hold(still_store, "api", 3600.0)
    rates.hold(still_store, "api", 60.0)
    assert rates.held(still_store, "api") == 3600.0
    assert rates.reserve(still_store, "api", 1, 0.1) == 3600.0


@pytest.mark.parametrize("ahead", [timedelta(hours=3), timedelta(days=365)])
@pytest.mark.parametrize("asking", [False, True])
def test_an_endpoint_that_rests_by_a_clock_that_was_ahead_is_asked(
    still_store: Store, clock: Any, ahead: timedelta, asking: bool
) -> None:
    """Its rest is over, whoever began it or was asking then; a new one is as long as any."""
    clock.advance(seconds=ahead.total_seconds())
    rests.rest(still_store, "crm", "HTTP 503")
    if asking:
        clock.advance(minutes=1)
        assert rests.leave(still_store, "crm")[0] is rests.Leave.ONE
        clock.advance(minutes=-1)
    clock.advance(seconds=-ahead.total_seconds())
    with still_store.read() as connection:
        assert connection.execute(rests.at_rest(still_store.now())).all() == []
    assert rests.leave(still_store, "crm")[0] is rests.Leave.ONE
    assert rests.leave(still_store, "crm")[0] is rests.Leave.NOT, "somebody is asking"
    assert rests.rest(still_store, "crm", "HTTP 503").until - still_store.now() <= timedelta(minutes=5)
    assert rests.leave(still_store, "crm")[0] is rests.Leave.NOT


def test_reservations_at_once_never_overlap(store: Store) -> None:
    """Six tasks reserving at the same moment get stretches one after the other."""
    starts: list[float] = []
    lock = threading.Lock()

    def take() -> None:
        for _ in range(4):
            before = time.time()
            wait = rates.reserve(store, "k", 10, 1.0)
            with lock:
                starts.append(before + wait)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    starts.sort()
    assert len(starts) == 24
    assert starts[-1] - starts[0] == pytest.approx(23, abs=1.0)
    assert min(b - a for a, b in pairwise(starts)) > 0.2


# -- upgrade ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_many_processes_upgrade_at_once(store_url: str) -> None:
    """The first tasks of a new installation start together: one creates the tables, the others find them."""
    at_once(UPGRADE, [store_url] * 5)
    store = Store(store_url)
    assert current_revision(store) == HEAD
    check(store)
    assert upgrade(store) is False
    store.close()


@pytest.mark.slow
def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite refuses two who switch a new file's journal at the same moment, without waiting: the store waits itself."""
    errors: list[BaseException] = []

    def work(url: str, gate: threading.Barrier) -> None:
        store = Store(url)
        gate.wait(10)
        try:
            with store.write() as connection:
                connection.execute(sa.text("CREATE TABLE IF NOT EXISTS t (x)"))
        except StoreError as error:
            errors.append(error)
        store.close()

    for number in range(40):
        gate = threading.Barrier(8)
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        threads = [threading.Thread(target=work, args=(url, gate)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert errors == []


@pytest.mark.slow
def test_threads_of_one_process_upgrade_at_once(store_url: str) -> None:
    """A web server's threads meet the store for the first time together."""
    errors: list[BaseException] = []

    def work() -> None:
        store = Store(store_url)
        try:
            upgrade(store)
            check(store)
        except BaseException as error:  # noqa: BLE001 - collected
            errors.append(error)
        finally:
            store.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


def test_an_older_package_refuses_a_newer_store(store: Store) -> None:
    """A revision this version does not know is refused with the remedy, and nothing is changed."""
    with store.write() as connection:
        connection.execute(sa.text("UPDATE outreach_alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="upgrade airflow-provider-outreach"):
        upgrade(store)
    with pytest.raises(StoreError, match="upgrade airflow-provider-outreach"):
        check(store)
    assert current_revision(store) == "9999"


def test_an_empty_database_is_told_what_to_do(store_url: str) -> None:
    """Without tables: the command that makes them."""
    store = Store(store_url)
    assert current_revision(store) is None
    with pytest.raises(StoreError, match="airflow outreach db upgrade"):
        check(store)
    store.close()
