"""Checks of an installation: each by itself, within its time, none with a traceback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError, StoreError
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.setup import (
    CheckResult,
    CheckState,
    fail,
    judge_clocks,
    ok,
    unknown,
    warn,
)
from airflow_outreach_provider.store import rights
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import HEAD, current_revision, is_known

log = logging.getLogger(__name__)

_USER = {"sqlite": "the user who runs Airflow", "postgresql": "the user in [outreach] sql_alchemy_conn"}
_MAY_NOT = {
    "sqlite": "make its folder, give the user who runs Airflow the right to write there, or name another file in "
    "[outreach] sql_alchemy_conn",
    "postgresql": "grant it CREATE on the schema and make it the owner of the tables, or run 'airflow outreach db upgrade' "
    "with a user who may",
}
SECONDS = 15.0
"""How long a check may take; longer than any time-out within one."""
Explain = Callable[[BaseException], str | None]
"""An exception → what went wrong and what to do, in one line; None for one that nobody foresaw."""


@dataclass(frozen=True, slots=True)
class SetupCheck:
    """:param look: what finds it out; may block and may raise."""

    name: str
    look: Callable[[], CheckResult | Sequence[CheckResult]]


def run_checks(checks: Iterable[SetupCheck], explain: Explain, seconds: float = SECONDS) -> list[CheckResult]:
    """All of them at once, in the order they came.

    :param seconds: what takes longer is given up, and said to be unknown.
    """
    asked = list(checks)
    found: list[Sequence[CheckResult] | None] = [None] * len(asked)

    def look(place: int) -> None:
        found[place] = _looked_at(asked[place], explain)

    # Daemons: what hangs must not keep a command from ending.
    threads = [threading.Thread(target=look, args=(place,), daemon=True) for place in range(len(asked))]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {seconds:g} s"
    return [
        finding
        for check, findings in zip(asked, found, strict=True)
        for finding in (findings if findings is not None else [unknown(check.name, late, "try again; is the network slow?")])
    ]  # fmt: skip


def _looked_at(check: SetupCheck, explain: Explain) -> Sequence[CheckResult]:
    try:
        found = check.look()
    except Exception as error:
        log.debug("The check %s failed", check.name, exc_info=True)
        return [_failed(check.name, error, explain)]
    return [found] if isinstance(found, CheckResult) else found


def _failed(name: str, error: Exception, explain: Explain) -> CheckResult:
    if isinstance(error, ConfigurationError) and error.remedy:
        return fail(name, mask_text(str(error).removesuffix(f" — {error.remedy}")), mask_text(error.remedy))
    said = explain(error)
    if said is None:
        # Only its type: nobody knows what it quotes.
        return unknown(name, f"it could not be found out ({type(error).__name__})", "see the log at DEBUG")
    what, _, remedy = mask_text(said).partition(" — ")
    if isinstance(error, StoreError):
        remedy = (
            remedy or "is the database up, and does [outreach] sql_alchemy_conn name it, user and password?"
        )
    state = CheckState.FAIL if isinstance(error, OutreachError) else CheckState.UNKNOWN
    return CheckResult(name, state, what, remedy or "see the log at DEBUG")


def store_checks(
    open_it: Callable[[], Store], *, may_upgrade: Callable[[], bool], many_hosts: Callable[[], str]
) -> list[SetupCheck]:
    """What is asked of the store, without making it.

    :param open_it: a store of our own to look at, closed afterwards.
    :param may_upgrade: ``[outreach] auto_upgrade``.
    :param many_hosts: the executor that spreads tasks over hosts; empty where tasks run on one.
    """

    def looking(look: Callable[[Store], CheckResult]) -> Callable[[], CheckResult]:
        def looked() -> CheckResult:
            store = open_it()
            try:
                return look(store)
            finally:
                store.close()

        return looked

    return [
        SetupCheck("store", looking(lambda store: _look_at_store(store, may_upgrade(), many_hosts()))),
        SetupCheck("rights", looking(lambda store: _look_at_rights(store, may_upgrade()))),
        SetupCheck("clock", looking(_look_at_clock)),
    ]


def _look_at_store(store: Store, may_upgrade: bool, many_hosts: str) -> CheckResult:
    revision = None if _is_missing(store) else current_revision(store)
    by_hand = "run 'airflow outreach db upgrade'"
    if revision and not is_known(revision):
        return fail(
            "store", f"{store} is at revision {revision}, which this version does not know",
            "upgrade airflow-provider-outreach on this host",
        )  # fmt: skip
    if revision != HEAD:
        found = f"{store} is at revision {revision or 'none'}, this version needs {HEAD}"
        if not may_upgrade:
            return fail("store", found, by_hand)
        if not rights.may_upgrade(store):
            return fail("store", f"{found}, and its user may not make it so", _MAY_NOT[store.dialect])
        return warn("store", found, f"the first task or page makes it so; or {by_hand}")
    if store.dialect == "sqlite" and many_hosts:
        return fail(
            "store", f"{store} is a file of one host, and the {many_hosts} runs tasks on others",
            "name a PostgreSQL in [outreach] sql_alchemy_conn",
        )  # fmt: skip
    return ok("store", f"{store} answers and is at revision {HEAD}")


def _look_at_rights(store: Store, may_upgrade: bool) -> CheckResult:
    if _is_missing(store):
        return unknown("rights", f"{rights.file_of(store)} is not there yet")
    allowed = rights.rights(store)
    if allowed.missing:
        return fail(
            "rights", f"the store's user lacks {', '.join(allowed.missing[:5])}",
            f"give {_USER[store.dialect]} the right to read and write there",
        )  # fmt: skip
    if not allowed.may_upgrade:
        found = "the store's user may read and write, and not change tables"
        if not may_upgrade:
            return ok("rights", f"{found}: an administrator upgrades")
        return warn(
            "rights", found,
            "grant it CREATE and the tables, or set [outreach] auto_upgrade to False and upgrade as an administrator",
        )  # fmt: skip
    return ok("rights", "the store's user may read, write, and create and change tables")


def _look_at_clock(store: Store) -> CheckResult:
    if _is_missing(store):
        return unknown("clock", f"{rights.file_of(store)} is not there yet")
    if store.dialect == "sqlite":
        return ok("clock", "the store goes by this host's clock")
    before = time.time()
    database = store.now().timestamp()
    return judge_clocks(database, (before + time.time()) / 2)


def _is_missing(store: Store) -> bool:
    """Whether it is a file that is not there: looking must not make it."""
    file = rights.file_of(store)
    return file is not None and not file.exists()
