"""What this installation says in airflow.cfg, section ``[outreach]``, and the store it names."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

from airflow.configuration import AIRFLOW_HOME, conf

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.flags import flag_of
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rests import DISABLE_AFTER
from airflow_outreach_provider.core.stop_words import StopWords
from airflow_outreach_provider.core.stop_words import stop_words as read_stop_words
from airflow_outreach_provider.store.connections import PoolSettings
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.housekeeping import ABANDONED_AFTER
from airflow_outreach_provider.store.migrate import check, upgrade

_DAY = timedelta(days=1)
# When a consumer looked is written down to the hour; and nothing is kept for longer than a century.
_FEWEST_DAYS, _MOST_DAYS = 0.1, 36_500
_LONGEST_LEASE = 30 * 86_400
_stores: dict[str, Store] = {}
_lock = threading.Lock()


def store_url() -> str:
    """``[outreach] sql_alchemy_conn``, with ``{AIRFLOW_HOME}`` filled in."""
    url = conf.get("outreach", "sql_alchemy_conn", fallback="") or "sqlite:///{AIRFLOW_HOME}/outreach.db"
    return url.replace("{AIRFLOW_HOME}", AIRFLOW_HOME)


def open_store(usual: PoolSettings = PoolSettings()) -> Store:  # noqa: B008 - frozen
    """The store of this installation, one a process.

    :param usual: how many connections it keeps where nobody has set it; a task's by default.

    It is created and upgraded at first use, unless ``[outreach] auto_upgrade`` leaves that to an administrator.

    :raises StoreError: it cannot be reached, or its schema is not the one this version needs.
    """
    url = store_url()
    with _lock:
        store = _stores.get(url)
        if store is None:
            store = Store(url, pool=pool(usual))
            if auto_upgrade():
                upgrade(store)
            else:
                check(store)
            _stores[url] = store
        return store


def pool(usual: PoolSettings = PoolSettings()) -> PoolSettings:  # noqa: B008 - frozen
    """``[outreach] sql_alchemy_pool_size`` and its kin: how many connections to PostgreSQL a process keeps.

    :param usual: what holds where nothing is said.
    :raises ConfigurationError: one of them is no such number.
    """
    said = conf.get("outreach", "sql_alchemy_prepare", fallback="").strip().lower()
    return PoolSettings(
        size=_whole("sql_alchemy_pool_size", usual.size, at_least=1),
        max_overflow=_whole("sql_alchemy_max_overflow", usual.max_overflow, at_least=0),
        recycle=_whole("sql_alchemy_pool_recycle", usual.recycle, at_least=-1),
        pre_ping=_flag("sql_alchemy_pool_pre_ping", usual.pre_ping),
        prepare=usual.prepare if said in {"", "auto"} else _flag("sql_alchemy_prepare", True, usual="auto"),
        patience=usual.patience,
    )


def _whole(option: str, default: int, *, at_least: int, at_most: int | None = None) -> int:
    said = conf.get("outreach", option, fallback="").strip() or str(default)
    try:
        number = int(said)
    except ValueError:
        number = at_least - 1
    if number < at_least or (at_most is not None and number > at_most):
        most = "" if at_most is None else f" and at most {at_most:,}"
        raise ConfigurationError(
            f"[outreach] {option} is {said[:40]!r}",
            f"set it to a whole number, at least {at_least}{most}; {default} is usual here",
        )
    return number


def _flag(option: str, default: bool, usual: str = "") -> bool:
    said = conf.get("outreach", option, fallback="").strip().lower() or str(default).lower()
    if (flag := flag_of(said)) is None:
        raise ConfigurationError(
            f"[outreach] {option} is {said[:40]!r}",
            f"set it to True or False; {usual or default} is the default",
        )
    return flag


def auto_upgrade() -> bool:
    """``[outreach] auto_upgrade``: whether whoever comes first creates and upgrades the store's tables.

    :raises ConfigurationError: it is neither yes nor no.
    """
    return _flag("auto_upgrade", True)


def lease() -> timedelta:
    """``[outreach] lease_seconds``: how long a silent run is believed to be alive.

    :raises ConfigurationError: it is no number of seconds, or too few for any heartbeat.
    """
    return timedelta(seconds=_whole("lease_seconds", 300, at_least=10, at_most=_LONGEST_LEASE))


def max_body_bytes() -> int:
    """``[outreach] max_body_bytes``: the largest webhook the receiver takes.

    :raises ConfigurationError: it is no number of bytes: with none at all every event would be refused.
    """
    return _whole("max_body_bytes", 1024 * 1024, at_least=1)


def stop_words() -> StopWords:
    """``[outreach] stop_words``: what counts as a stop word, besides the usual ones or not any more."""
    return read_stop_words(conf.get("outreach", "stop_words", fallback="") or "")


def retention() -> timedelta | None:
    """``[outreach] retention_days``: how long settled leads, events and deliveries are kept; None for ever.

    :raises ConfigurationError: it is no number of days: whoever meant some would keep everything.
    """
    return timedelta(days=_whole("retention_days", 0, at_least=0, at_most=_MOST_DAYS)) or None


def endpoint_disabled_after() -> timedelta:
    """``[outreach] endpoint_disabled_after_days``: without one success for so long an endpoint is disabled."""
    return _days("endpoint_disabled_after_days", DISABLE_AFTER)


def consumer_abandoned_after() -> timedelta:
    """``[outreach] consumer_abandoned_after_days``: a consumer that has not looked for so long keeps no events."""
    return _days("consumer_abandoned_after_days", ABANDONED_AFTER)


def _days(option: str, default: timedelta) -> timedelta:
    """A setting in days, decimals allowed.

    :raises ConfigurationError: it is none, or not a time that anybody waits.
    """
    usual = f"{default / _DAY:g}"
    said = conf.get("outreach", option, fallback="").strip() or usual
    try:
        days = float(said)
    except ValueError:
        days = float("nan")
    if not _FEWEST_DAYS <= days <= _MOST_DAYS:
        raise ConfigurationError(
            f"[outreach] {option} is {said[:40]!r}, which is no number of days",
            f"set it to a number from {_FEWEST_DAYS:g} to {_MOST_DAYS:,}; {usual} is the default",
        )
    return timedelta(days=days)


def owner_of(ti: Any) -> Owner:
    """The task instance as the store knows it. :param ti: Airflow's."""
    map_index = ti.map_index if ti.map_index is not None else -1
    return Owner(ti.dag_id, ti.task_id, ti.run_id, map_index, ti.try_number)
