"""What is asked of the store for every poll, turn or batch costs no more on a large store than on a small one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

BENCH = Path(__file__).parents[2] / "bench"
SMALL, LARGE, WAITING = 1_000, 20_000, 10_000
# SQLite tells of its steps in hundreds; a step more is a row or two more.
EVERY, SLACK = 100, 1_000


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Any]]:
    """A small and a large store, filled as ``bench/queries.py`` does, half of the large one done."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCH))
        from shared import filled

        patch.setattr(filled, "PENDING", WAITING)
        folder = tmp_path_factory.mktemp("growth")
        yield {size: filled.filled(f"sqlite:///{folder / str(size)}.db", size) for size in (SMALL, LARGE)}


def steps(store: Any, size: int) -> dict[str, int]:
    """Steps of SQLite's machine by what is asked: the same on any computer, however busy."""
    from shared.asked_often import asked_often

    taken: dict[str, int] = {}
    count = 0

    def counted() -> int:
        nonlocal count
        count += EVERY
        return 0

    def connected(connection: Any, _record: Any) -> None:
        connection.set_progress_handler(counted, EVERY)

    store.close()
    sa.event.listen(store.engine, "connect", connected)
    for each in asked_often(store, size):
        count = 0
        each.work()
        taken[each.name] = count
    return taken


def test_nothing_that_is_asked_often_grows_with_what_is_stored(stores: dict[int, Any]) -> None:
    """Twenty times the rows, ten times as many waiting: nothing takes half as many steps again."""
    small, large = (steps(stores[size], size) for size in (SMALL, LARGE))
    assert len(small) > 50
    assert sum(small.values()) > 100 * EVERY, "no step was counted"
    grown = {name: (small[name], n) for name, n in large.items() if n > math.ceil(1.5 * small[name]) + SLACK}
    assert grown == {}
