"""From what somebody asks for to a run, and the one way to run it and to stop it.

A task, one of its mapped shares, an event's lead, a plan on the command line and a dry run all begin here.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.core.notices import NoticeKind
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.runtime import loop
from airflow_outreach_provider.services.submit.columns import PartLook, as_they_come, part_checker
from airflow_outreach_provider.services.submit.options import (
    ConnectionDefaults,
    SubmitArguments,
    SubmitOptions,
)
from airflow_outreach_provider.services.submit.run import Progress, SubmitRun
from airflow_outreach_provider.services.submit.senders import Client
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store import notices
from airflow_outreach_provider.store.engine import Store

# Airflow gives a killed task five seconds before it is killed for good.
_STOP_SECONDS = 4.5


class SubmitConnection(Protocol):
    """Whom leads are submitted through; ``hooks.outreach.OutreachHook`` is one."""

    outreach_conn_id: str

    @property
    def settings(self) -> ConnectionDefaults: ...

    def client(self) -> AbstractAsyncContextManager[Client]: ...


class RowSource(Protocol):
    """An open source of rows; None for rows is what is planned in the ledger."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str:
        """What tells it from others, today and tomorrow; empty where nothing does, as of a list that another task gives."""

    @property
    def holds_texts(self) -> bool:
        """Whether its rows hold texts alone, as those of a CSV file do."""

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> Iterator[Row] | None:
        """:param look: at each of its parts where it has several. :param one_of: whether it is a part itself."""

    def fraction(self) -> float | None:
        """How much of it was read, 0 to 1; None where that cannot be known."""


def _over_texts(options: SubmitOptions) -> SubmitOptions:
    """What the rules ask of rows that hold texts alone.

    :raises ConfigurationError: of a text it would be decided the same for everybody.
    """
    rules = replace(options.rules, texts=True)
    rules.check()
    return replace(options, rules=rules)


def start(
    arguments: SubmitArguments,
    connection: SubmitConnection,
    source: Callable[[], RowSource],
    owner: Owner,
    *,
    store: Store,
    lease: timedelta,
    progress: Callable[[RowSource], Progress] | None = None,
) -> SubmitRun:
    """A run, ready to begin.

    :param source: opened once the arguments are known to be in order.
    :raises ConfigurationError: an argument or the connection cannot be; the message names it. So where a condition or
        template asks of a CSV file's texts what only a number, true or false can be.
    """
    options = arguments.options(connection.settings, conn_id=connection.outreach_conn_id, lease=lease)
    opened = source()
    if opened.holds_texts:
        options = _over_texts(options)
    look = part_checker(options.rules, options.incremental)
    return SubmitRun(
        store, connection.client(), opened.rows(look), options, owner=owner, source=opened.name, key=opened.key,
        progress=progress(opened) if progress else None, fraction=opened.fraction,
    )  # fmt: skip


def run_to_the_end(run: SubmitRun) -> Tally:
    """In a thread of its own: a time-out or a kill then interrupts the waiting here, never a request or a commit.

    :raises: as :meth:`SubmitRun.run`.
    """
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="outreach-submit") as thread:
        done: Future[Tally] = thread.submit(context.run, loop.run, run.run())
        try:
            return loop.awaited(done)
        except BaseException as error:
            if not done.done():
                run.stop(type(error).__name__)
                with contextlib.suppress(TimeoutError, CancelledError):
                    done.exception(timeout=_STOP_SECONDS)
            raise
        finally:
            _note_held(run)


def _note_held(run: SubmitRun) -> None:
    held = run.tally.counts[RowState.HELD]
    if held and not run.options.dry_run:
        said = "sent with unknown outcome; they are not sent again by themselves"
        with contextlib.suppress(StoreError):  # the run's own error says that the store is away
            notices.note(
                run.store, NoticeKind.LEADS_HELD, run.campaign, said, once=f"run {run.run_id}", count=held
            )
