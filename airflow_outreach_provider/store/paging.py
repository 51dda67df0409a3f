"""Pages of a long table, newest or oldest first, in bounded time whatever is asked for.

A page is read by key, never by offset, and nothing is counted. Where no index answers a filter, the first
``DEPTH`` rows are looked through, over all of its branches together; when that does not fill the page, the page says so and where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.store.schema import to_ms

T = TypeVar("T")
U = TypeVar("U")

DEPTH = 20_000
PAGE_SIZE = 50
EXACT_UP_TO = 1000
"""More rows in an hour than this are estimated, see :func:`counts_between`."""

Condition = Callable[[Any], sa.ColumnElement[bool]]
"""A condition on the columns of a table, or of a subquery of it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list.

    :ivar next: the cursor of the page after it; None at the end.
    :ivar cut: the search stopped early: there may be more matches further on.
    """

    rows: list[T] = field(default_factory=list)
    next: str | None = None
    cut: bool = False

    def of(self, kind: Callable[..., U]) -> Page[U]:
        """The same page with ``kind(*row)`` for each row."""
        return Page([kind(*cast("Iterable[Any]", row)) for row in self.rows], self.next, self.cut)


@dataclass(frozen=True, slots=True)
class Few:
    """A branch of few rows, found by an index that does not lead on to the key: they are sorted.

    A database without statistics takes them for many, and would look for them along the key, through all of the table.
    """

    conditions: Sequence[sa.ColumnElement[bool]]


Branch = Sequence[sa.ColumnElement[bool]] | Few


@dataclass(frozen=True, slots=True)
class Scan:
    """A table read along its key, backwards unless the oldest is to come first.

    :ivar key: columns that order it and are unique together; an index leads to them from each branch that is not `Few`.
    :ivar columns: what is read, the key among it. :ivar asked: what conditions ask for beside it.
    """

    table: sa.Table
    key: Sequence[sa.Column[Any]]
    columns: Sequence[sa.Column[Any]]
    asked: Sequence[sa.Column[Any]] = ()

    def page(
        self,
        connection: sa.Connection,
        *,
        branches: Sequence[Branch] = ((),),
        residual: Sequence[Condition] = (),
        cursor: str | None = None,
        limit: int = PAGE_SIZE,
        oldest: bool = False,
    ) -> Page[sa.Row[Any]]:
        """The page after ``cursor``.

        :param branches: each a set of conditions that an index answers in key order, or `Few`; the page merges them.
        :param residual: conditions that no index answers. :param oldest: the smallest key first, by the same index.
        :raises ConfigurationError: the cursor is not one of ours.
        """
        after = _parse(cursor, len(self.key))
        found: list[sa.Row[Any]] = []
        frontier: tuple[int, ...] | None = None
        # Rows met branch by branch lie scattered and cost more than those of one stretch.
        depth = DEPTH if len(branches) == 1 else max(limit + 1, DEPTH // (4 * max(1, len(branches))))
        nearest = min if oldest else max
        for branch in branches:
            rows, stopped = self._branch(connection, branch, residual, after, limit, depth, oldest)
            found += rows
            if stopped is not None:
                frontier = stopped if frontier is None else nearest(frontier, stopped)
        found.sort(key=self._key_of, reverse=not oldest)
        # Beyond the frontier some branch has not been looked at: what is there belongs to a later page.
        known = [
            row
            for row in found
            if frontier is None or nearest(self._key_of(row), frontier) == self._key_of(row)
        ]
        if len(known) > limit:
            return Page(known[:limit], _format(self._key_of(known[limit - 1])))
        return Page(known, None if frontier is None else _format(frontier), cut=frontier is not None)

    def _branch(
        self,
        connection: sa.Connection,
        branch: Branch,
        residual: Sequence[Condition],
        after: tuple[int, ...] | None,
        limit: int,
        depth: int,
        oldest: bool,
    ) -> tuple[list[sa.Row[Any]], tuple[int, ...] | None]:
        """:return: at most limit + 1 rows, and the key up to which the branch was looked at, None for all."""
        towards = sa.asc if oldest else sa.desc
        conditions, few = (branch.conditions, True) if isinstance(branch, Few) else (branch, False)
        order = [towards(column + 0 if few else column) for column in self.key]
        base = sa.select(*self.columns).where(*conditions).order_by(*order)
        if after is not None:
            key, there = sa.tuple_(*self.key), sa.tuple_(*(sa.literal(part, sa.BigInteger) for part in after))
            base = base.where(key > there if oldest else key < there)
        query = base.limit(limit + 1)
        if residual:
            inner = base.add_columns(*self.asked).limit(depth).subquery()
            conditions = [condition(inner.c) for condition in residual]
            ordered = [towards(inner.c[column.name]) for column in self.key]
            read = [inner.c[column.name] for column in self.columns]
            query = sa.select(*read).where(*conditions).order_by(*ordered).limit(limit + 1)
        rows = list(connection.execute(query))
        if len(rows) > limit:
            return rows, self._key_of(rows[-1])
        if residual:
            deepest = base.with_only_columns(*self.key).offset(depth - 1).limit(1)
            last = connection.execute(deepest).first()
            if last is not None:
                return rows, self._key_of(last)
        return rows, None

    def _key_of(self, row: sa.Row[Any]) -> tuple[int, ...]:
        return tuple(as_int(getattr(row, column.name)) for column in self.key)


def every(page_at: Callable[[str | None], Page[T]]) -> Iterator[T]:
    """All rows of a list. :param page_at: reads the page after a cursor; None for the first."""
    cursor: str | None = None
    while True:
        page = page_at(cursor)
        yield from page.rows
        cursor = page.next
        if cursor is None:
            return


def capped_count(connection: sa.Connection, query: sa.Select[Any], most: int = 1000) -> int:
    """How many rows ``query`` has, counting no further than ``most`` + 1."""
    some = query.limit(most + 1).subquery()
    return int(connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one())


def counts_between(
    connection: sa.Connection,
    at: sa.Column[datetime],
    key: sa.Column[int],
    bounds: Sequence[datetime],
    *,
    condition: sa.ColumnElement[bool] | None = None,
    most: int = EXACT_UP_TO,
) -> list[int]:
    """Rows between each two neighbours of ``bounds``, exact up to ``most``, above that estimated.

    A busier stretch is judged by its first ``most`` rows: as many are thought to be among each of its keys.

    :param at: indexed with ``key``, :param key: ascends with time, with gaps. :param condition: spelt as in an index.
    """
    found = []
    for earlier, later in pairwise(sa.literal(to_ms(bound), sa.BigInteger) for bound in bounds):
        inside = [at >= earlier, at < later, *([] if condition is None else [condition])]
        some = sa.select(key.label("key")).where(*inside).order_by(at).limit(most + 1).subquery()
        count, first, last = connection.execute(
            sa.select(sa.func.count(), sa.func.min(some.c.key), sa.func.max(some.c.key))
        ).one()
        if count > most:
            latest = sa.select(key.label("key")).where(*inside).order_by(at.desc()).limit(50).subquery()
            final = connection.execute(sa.select(sa.func.max(latest.c.key))).scalar_one()
            count = round(count * max(1.0, (final - first + 1) / (last - first + 1)))
        found.append(int(count))
    return found


def distinct(
    connection: sa.Connection,
    column: sa.Column[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    most: int = 200,
) -> list[str] | None:
    """The values of an indexed column, hopping from one to the next; None where there are more than ``most``."""
    found: list[str] = []
    query = sa.select(column).where(*conditions).order_by(column).limit(1)
    while len(found) <= most:
        where = [column > found[-1]] if found else []
        value = connection.execute(query.where(*where)).scalar()
        if value is None:
            return found
        found.append(str(value))
    return None


def as_int(value: Any) -> int:
    """A key column's value as the number it is stored as."""
    if isinstance(value, datetime):
        return to_ms(value)
    return int(value)


def _format(key: tuple[int, ...]) -> str:
    return "-".join(map(str, key))


def _parse(cursor: str | None, parts: int) -> tuple[int, ...] | None:
    if not cursor:
        return None
    pieces = cursor.split("-")
    if len(pieces) != parts or not all(
        piece.isascii() and piece.isdigit() and len(piece) < 19 for piece in pieces
    ):
        raise ConfigurationError(f"{cursor[:40]!r} is no page of this list", "start from its first page")
    return tuple(int(piece) for piece in pieces)
