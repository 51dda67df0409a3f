"""``airflow outreach db …`` and ``purge``."""

from __future__ import annotations

import shlex
from argparse import Namespace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.cli.cli_config import ActionCommand, Arg

from airflow_outreach_provider.cli.common import CENTURY_DAYS, actor, exit_with_advice, positive_int

if TYPE_CHECKING:
    from airflow_outreach_provider.store.engine import Store


@exit_with_advice
def db_upgrade(_args: Namespace) -> None:
    """Create or upgrade the tables of the outreach store."""
    from airflow_outreach_provider.hooks.settings import store_url
    from airflow_outreach_provider.store.engine import Store
    from airflow_outreach_provider.store.migrate import HEAD, upgrade
    from airflow_outreach_provider.store.private_file import tighten

    store = Store(store_url())
    changed = upgrade(store, actor=actor())
    print(f"{store}: {'upgraded to' if changed else 'already at'} revision {HEAD}")
    if tighten(store.url):
        print("an older version had left it readable for everybody; only its owner may read it now")
    _tell_modes(store)


@exit_with_advice
def db_check(_args: Namespace) -> None:
    """Exit with an error unless the store answers and has the schema this version needs."""
    from airflow_outreach_provider.hooks.settings import store_url
    from airflow_outreach_provider.store.engine import Store
    from airflow_outreach_provider.store.migrate import HEAD, check

    store = Store(store_url())
    check(store)
    print(f"{store}: at revision {HEAD}")
    _tell_modes(store)


def _tell_modes(store: Store) -> None:
    from airflow_outreach_provider.store.private_file import open_to_others

    for path, mode in open_to_others(store.url):
        print(
            f"{path} holds personal data and more than its owner may use it (mode {mode:04o}) — "
            f"unless that is meant: chmod 600 {shlex.quote(str(path))}"
        )


@exit_with_advice
def purge(args: Namespace) -> None:
    """Remove what is settled and old; counts are printed."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.settings import consumer_abandoned_after, open_store, retention
    from airflow_outreach_provider.services.actions import purge as purge_store

    age = timedelta(days=args.older_than) if args.older_than else retention()
    if age is None:
        raise ConfigurationError("no age is given", "say --older-than DAYS, or set [outreach] retention_days")
    store = open_store()
    before = store.now() - age
    if not args.yes:
        print(f"everything settled before {before:%Y-%m-%d %H:%M} UTC would be removed; add --yes to do it")
        return
    for what, count in purge_store(
        store, before, actor=actor(), abandoned_after=consumer_abandoned_after()
    ).items():
        print(f"{count:>10,} {what}")


DB_COMMANDS = (
    ActionCommand(
        name="upgrade", help="Create or upgrade the tables of the outreach store", func=db_upgrade, args=()
    ),
    ActionCommand(
        name="check", help="Check that the outreach store answers and is up to date", func=db_check, args=()
    ),
)
PURGE = ActionCommand(
    name="purge",
    help="Remove settled leads, events and deliveries older than so many days; only says so, unless --yes",
    description="Who was texted stays known by number, and the do-not-contact list stays whole.",
    func=purge,
    args=(
        Arg(
            flags=("--older-than",),
            metavar="DAYS",
            type=positive_int(allow_zero=False, most=CENTURY_DAYS),
            help="Age in days (default: retention_days of section outreach)",
        ),
        Arg(flags=("--yes",), action="store_true", help="Do it"),
    ),
)
