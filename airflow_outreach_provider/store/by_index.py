"""Plans that do not depend on statistics: what is asked again and again is found by indexes, on a database nobody analysed.

SQLite does so without them; analysed, it goes by how many rows a value has on the average (:func:`narrowly`). PostgreSQL
guesses without statistics, or with those of a small table that has grown since: that nearly all of a table is wanted, and
reads it from end to end; or that next to nothing is, and sorts what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from airflow_outreach_provider.store.engine import Store


def _off(*names: str) -> sa.TextClause:
    # What is off still happens where there is no other way, and counts as so dear that it would be compiled first, and shared
    # with further processes: to start them takes longer than a few rows do.
    settings = {
        **dict.fromkeys(("jit", *(f"enable_{name}" for name in names)), "off"),
        "max_parallel_workers_per_gather": "0",
    }
    return sa.text(
        "SELECT " + ", ".join(f"set_config('{each}', '{value}', true)" for each, value in settings.items())
    )


PROBE = _off("seqscan", "hashjoin", "mergejoin")
"""What :func:`probe` asks of PostgreSQL."""
_WALK = _off("seqscan", "hashjoin", "mergejoin", "bitmapscan", "sort")


def probe(connection: sa.Connection) -> None:
    """Until this transaction ends, rows are looked up one by one: for a few keys of a large table."""
    if connection.dialect.name == "postgresql":
        connection.execute(PROBE)


def walk(connection: sa.Connection) -> None:
    """Until this transaction ends, indexes are walked in their order until enough is found: for a few of many rows."""
    if connection.dialect.name == "postgresql":
        connection.execute(_WALK)


def in_passing(
    store: Store,
    ids: Callable[[int], sa.Executable],
    work: Callable[[Sequence[int], sa.Connection], int],
) -> int:
    """Do ``work`` on rows of a table in the order of their ids, in small transactions; the sum of what it says.

    What stays is passed once, and not again before each group; nor does anybody who writes wait while it is passed.

    :param ids: some ids behind one, in their order. :param work: what it is given was read before: it has to look again.
    """
    total = after = 0
    while True:
        with store.read() as connection:
            walk(connection)
            found: list[int] = list(connection.execute(ids(after)).scalars())
        if not found:
            return total
        total += store.retrying(partial(work, found))
        after = found[-1]


def is_one(
    of: sa.FromClause, *where: sa.ColumnElement[bool], order: sa.ColumnElement[int] | None = None
) -> sa.ColumnElement[bool]:
    """Whether there is such a row, looked for anew for each row of ``of``.

    Not EXISTS: PostgreSQL would make a join or a hash of it, and read all there is where it has no statistics.

    :param order: of an index that is to be walked.
    """
    one: sa.ColumnElement[Any] = sa.literal_column("1")
    return (
        sa.select(one).where(*where).order_by(order).limit(one).correlate(of).scalar_subquery().is_not(None)
    )


def narrowly(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """That a column has this value, or one below it, looked up in the smallest index that begins with it and holds what is asked for.

    SQLite that was analysed would choose the one with the fewest rows a value: not that of the few that wait, where
    other values of its have many; and none where a few values have all rows.
    """
    return cast(sa.ColumnElement[bool], _Narrowly(condition))


class _Narrowly(FunctionElement[Any]):
    name = "narrowly"
    inherit_cache = True


@compiles(_Narrowly)
def _as_it_is(element: _Narrowly, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.clauses, **how)


@compiles(_Narrowly, "sqlite")
def _as_a_share(element: _Narrowly, compiler: SQLCompiler, **how: Any) -> str:
    # Said to be a share of all rows, it makes of two indexes that with fewer rows the cheaper one.
    return f"likelihood({compiler.process(element.clauses, **how)}, 0.001)"
