"""Whether a statement that runs for every poll, turn or batch costs more on a large store than on a small one.

    python bench/queries.py [--rows 1000000] [--statistics both] [--store both] [--only plan] [--strict]

Everything that is asked again and again is done to stores of 10, 1,000, 10,000 and a million rows a table, with up to
100,000 deliveries, events and leads waiting: on a database that never gathered statistics, and on an analysed one. The
work is the same each time and is rolled back, so its time should be, too: at the largest size at most 1.5 times that at
1,000. Where it is not, the slowest statement and its plan are shown. Of SQLite it is this process's processor time, of
PostgreSQL the time on the wall.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from shared.asked_often import Asked, asked_often
from shared.figures import Bench
from shared.filled import Undone, analyse, filled
from shared.places import postgres_schema

AIM = 1.5
SIZES = (10, 1_000, 10_000)
BASE = 1_000
# Less than this is the clock, not the database.
NOISE = 0.000_3
SECONDS = 1.5
TIMES = 14

bench = Bench(__doc__)
bench.size("rows", 1_000_000, 1_000, "rows a table of the largest store")
bench.parser.add_argument("--statistics", choices=["never", "analysed", "both"], default="both")
bench.parser.add_argument("--store", choices=["sqlite", "postgresql", "both"], default="both")
bench.parser.add_argument("--only", default="", help="what has this in its name")

Times = dict[tuple[str, str], dict[int, float]]
"""What and on which statistics → rows → seconds."""


@contextmanager
def urls(kind: str, sizes: Sequence[int]) -> Iterator[dict[int, str]]:
    """A fresh database of this kind for each size; none where no server answers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outreach-bench-")))
        if kind == "sqlite":
            yield {size: f"sqlite:///{folder / str(size)}.db" for size in sizes}
            return
        found = {size: stack.enter_context(postgres_schema()) for size in sizes}
        yield {size: url for size, url in found.items() if url is not None}


def seconds_of(works: Mapping[int, Callable[[], object]], clock: Callable[[], float]) -> dict[int, float]:
    """The least time on each store of the first and of the later calls, whichever is more: later ones may be planned otherwise.

    The stores take turns, so that whatever else the machine does falls on all of them.
    """
    for work in works.values():
        work()
    taken: dict[int, list[float]] = {size: [] for size in works}
    until = clock() + SECONDS * len(works)
    for number in range(TIMES):
        if number >= 2 and (bench.small or clock() > until):
            break
        for size, work in works.items():
            started = clock()
            work()
            taken[size].append(clock() - started)
    half = {size: len(some) // 2 for size, some in taken.items()}
    return {size: max(min(some[: half[size]]), min(some[half[size] :])) for size, some in taken.items()}


def slowest_plan(store: Undone, work: Callable[[], object]) -> str:
    """The statement that took longest, and how the database goes about it."""
    seen: list[tuple[float, str, Any]] = []
    began = 0.0

    def before(*_: Any) -> None:
        nonlocal began
        began = time.perf_counter()

    def after(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if not many:
            seen.append((time.perf_counter() - began, statement, parameters))

    sa.event.listen(store.engine, "before_cursor_execute", before)
    sa.event.listen(store.engine, "after_cursor_execute", after)
    work()
    sa.event.remove(store.engine, "before_cursor_execute", before)
    sa.event.remove(store.engine, "after_cursor_execute", after)
    if not seen:
        return "(a statement straight through the driver)"
    seconds, statement, parameters = max(seen, key=lambda each: each[0])
    how = "EXPLAIN QUERY PLAN" if store.dialect == "sqlite" else "EXPLAIN"
    with store.read() as connection:
        for _, earlier, given in seen:  # what it was planned by
            if "set_config" in earlier:
                connection.exec_driver_sql(earlier, given)
        rows = connection.exec_driver_sql(f"{how} {statement}", parameters).all()
    lines = [str(row[-1]) for row in rows]
    return "\n".join([f"{seconds * 1000:.1f} ms: {' '.join(statement.split())[:1500]}", *lines])


def measure_stores(
    found: Mapping[int, str], asked: argparse.Namespace, times: Times
) -> dict[tuple[str, str], str]:
    """Time everything on one store of each size. :return: the plans of what missed its aim."""
    stores = {}
    for size, url in found.items():
        started = time.monotonic()
        stores[size] = filled(url, size)
        print(f"  {size:,} rows filled in {time.monotonic() - started:.0f} s", file=sys.stderr)
    missed: dict[tuple[str, str], str] = {}
    chosen = {"both": ("never", "analysed")}.get(asked.statistics, (asked.statistics,))
    for statistics in chosen:
        if statistics == "analysed":
            for store in stores.values():
                analyse(store)
        each = {size: asked_often(store, size) for size, store in stores.items()}
        for same in zip(*each.values(), strict=True):
            if asked.only in same[0].name:
                missed |= _measured(stores, dict(zip(each, same, strict=True)), statistics, times)
    for store in stores.values():
        store.close()
    return missed


def _measured(
    stores: Mapping[int, Undone], same: Mapping[int, Asked], statistics: str, times: Times
) -> dict[tuple[str, str], str]:
    largest = max(stores)
    store, key = stores[largest], (same[largest].name, statistics)
    # SQLite works in this process, and its processor time is what others on the machine change least.
    clock = time.process_time if store.dialect == "sqlite" else time.perf_counter
    taken = times[key] = seconds_of({size: each.work for size, each in same.items()}, clock)
    base = max(taken.get(BASE, taken[largest]), NOISE)
    if taken[largest] > AIM * base and not bench.small:
        return {key: slowest_plan(store, same[largest].work)}
    return {}


def measure(asked: argparse.Namespace) -> None:
    """All sizes of one database beside each other, and a table; then the other database."""
    sizes = [*(size for size in SIZES if size < asked.rows and not bench.small), asked.rows]
    for kind in ("sqlite", "postgresql"):
        if asked.store not in (kind, "both"):
            continue
        with urls(kind, sizes) as found:
            if not found:
                bench.note("no PostgreSQL answers: SQLite alone")
                continue
            times: Times = {}
            missed = measure_stores(found, asked, times)
            report(kind, sizes, times, missed)


def report(name: str, sizes: list[int], times: Times, missed: dict[tuple[str, str], str]) -> None:
    """The table of one database, and the plans of what missed."""
    largest = sizes[-1]
    for (what, statistics), taken in sorted(times.items()):
        all_of_them = ", ".join(f"{size:,}: {taken[size] * 1000:.2f}" for size in sizes)
        bench.note(f"{name}, {statistics}: {what}, ms by rows: {all_of_them}")
        base = max(taken[BASE if BASE in taken else largest], NOISE)
        bench.compare(
            f"{name[:6]} {statistics[:8]} {what}", max(taken[largest], NOISE) * 1000, base * 1000,
            f"the same with {BASE:,} rows", unit="ms", at_most=AIM,
        )  # fmt: skip
        if plan := missed.get((what, statistics)):
            print("    " + plan.replace("\n", "\n    "))


if __name__ == "__main__":
    sys.exit(bench.run(measure))
