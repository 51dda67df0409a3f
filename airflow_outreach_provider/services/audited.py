"""An action with its audit row: written down before it is done, and again with what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store

T = TypeVar("T")


def counted(store: Store, actor: str, action: str, subject: str, count: int, do: Callable[[], int]) -> int:
    """Write down, do, and correct what was written by how many rows were changed."""
    return audited(store, actor, action, subject, count, do, lambda done: (done, "done"))


def audited(
    store: Store,
    actor: str,
    action: str,
    subject: str,
    count: int,
    do: Callable[[], T],
    told: Callable[[T], tuple[int, str]],
) -> T:
    """Write down, do, and correct what was written by what was done; an action that fails says so.

    :param count: rows it is expected to change. :param told: rows it changed, and what else is to be said.
    """
    return audited_as(store, actor, action, subject, count, lambda _written: do(), told)


def audited_as(
    store: Store,
    actor: str,
    action: str,
    subject: str,
    count: int,
    do: Callable[[int], T],
    told: Callable[[T], tuple[int, str]],
) -> T:
    """The same for what is done under the id of its audit row."""
    written = audit.record(store, actor, action, subject=subject, count=count, note="begun")
    try:
        done = do(written)
    except BaseException as error:  # somebody who breaks it off is told of too
        audit.settle(store, written, count=0, note=f"failed: {type(error).__name__}")
        raise
    changed, note = told(done)
    audit.settle(store, written, count=changed, note=note)
    return done
