"""Bring the outreach store to the schema this version of the package needs."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from airflow_outreach_provider.core.errors import StoreError
from airflow_outreach_provider.store import audit
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.private_file import tighten

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

# Named apart, so that the store may share a database with other applications.
VERSION_TABLE = "outreach_alembic_version"
HEAD = "0024"

_NO_RIGHT = "42501"  # PostgreSQL's insufficient_privilege
_ADVISORY_LOCK = 0x6F757472  # "outr": one upgrade at a time on PostgreSQL
# What is new goes where the store is: by PostgreSQL's own rule it would go into the schema that is named as the user is.
_WHERE_IT_IS = sa.text(
    "SELECT set_config('search_path', quote_ident(n.nspname) || ', ' || current_setting('search_path'), true) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(:version_table)"
)
_MAY_NOT = (
    "{store} needs revision {head}, and its user may not create or change tables there — grant it CREATE on the schema "
    "and make it the owner of the tables, or run 'airflow outreach db upgrade' with a user who may"
)


def current_revision(store: Store) -> str | None:
    """The schema revision the database is at; None when it has no outreach tables."""
    with store.read() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        row = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
        return None if row is None else str(row[0])


def upgrade(store: Store, *, actor: str = "airflow-provider-outreach") -> bool:
    """Create or upgrade the tables; safe to call from many processes at once.

    :param actor: who the audit names; by itself the first task of a new version does it.
    :return: whether anything was changed.
    :raises StoreError: the database is newer than this package, or its user may not change tables.
    """
    if current_revision(store) == HEAD:
        return False
    # Tasks of the version before may be at work, in tables that are changed in another order than theirs.
    changed = store.retrying(partial(_upgrade, store, actor))
    if changed:
        tighten(store.url)
    return changed  # not where another process was quicker


def _upgrade(store: Store, actor: str, connection: sa.Connection) -> bool:
    # Imported late, here and below: every task opens the store, and hardly any has something to upgrade.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext

    from airflow_outreach_provider.store.suppressions_write import spread
    from airflow_outreach_provider.store.tables import metadata

    scripts = _scripts()
    steps: list[Any] = []
    before: list[str] = []

    def revisions(revision: tuple[str, ...] | str, context: MigrationContext) -> list[object]:
        current = revision if isinstance(revision, str) else (revision[0] if revision else None)
        if current and not is_known(current):
            raise _too_new(current)
        before.extend([current] if current else [])
        steps.extend(scripts._upgrade_revs("head", revision))  # type: ignore[arg-type]
        return steps

    # Alembic tells its steps at INFO, which would open every first task's log.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if store.dialect == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        connection.execute(_WHERE_IT_IS, {"version_table": VERSION_TABLE})
    with EnvironmentContext(Config(), scripts, fn=revisions) as environment:
        environment.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=VERSION_TABLE,
            transaction_per_migration=False,
            transactional_ddl=True,
        )
        try:
            environment.run_migrations()
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _NO_RIGHT:
                raise
            raise StoreError(_MAY_NOT.format(store=store, head=HEAD)) from None
    # Here and now: a task of the version before would give what is not spread the writings that it knows, and no more.
    while steps and spread(connection):
        pass
    if steps and before:  # a store that is made anew is nothing anybody changed
        subject = f"the store, from revision {before[0]} to {HEAD}"
        audit.record_with(connection, store.now(connection), actor, "upgrade", subject=subject)
    return bool(steps)


def check(store: Store) -> None:
    """Raise a StoreError with the remedy unless the schema is the one this version needs."""
    revision = current_revision(store)
    if revision == HEAD:
        return
    if revision and not is_known(revision):
        raise _too_new(revision)
    raise StoreError(
        f"the outreach store is at revision {revision or 'none'}, this version needs {HEAD} — "
        "run 'airflow outreach db upgrade'"
    )


def is_known(revision: str) -> bool:
    """Whether this version knows the revision; a store at another one belongs to a newer version."""
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _too_new(revision: str) -> StoreError:
    return StoreError(
        f"the outreach store is at revision {revision}, which this version does not know — "
        "upgrade airflow-provider-outreach on this host"
    )


def _scripts() -> ScriptDirectory:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "airflow_outreach_provider.store:migrations")
    return ScriptDirectory.from_config(config)
