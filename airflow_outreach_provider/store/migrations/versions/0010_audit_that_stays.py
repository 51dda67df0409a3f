"""Audit rows are added and never changed, and the database itself says so.

What is left open: rows older than 365 days may be removed; and while a row says that somebody is being forgotten, and
none that this has ended, ``subject`` and ``note`` may be changed: who did what, when, and to how many, never is.
Whoever owns the tables can remove these triggers with them; nobody does so unawares.

A revision is history: it says what was changed then, and does not follow the tables as they are now.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_DAYS = 365
_REFUSED = "audit rows are only added: they are not changed, and not removed before they are 365 days old"
_SAME = ("id", "at", "actor", "action", "count", "settles")
_FORGETTING = (
    "EXISTS (SELECT 1 FROM {table} AS begun WHERE begun.action = 'forget' AND begun.settles IS NULL "
    "AND begun.note = 'begun' "
    "AND NOT EXISTS (SELECT 1 FROM {table} AS ended WHERE ended.settles = begun.id))"
)


def upgrade() -> None:
    op.add_column(
        "audit",
        sa.Column(
            "settles",
            sa.BigInteger(),
            nullable=True,
            comment="the row of the action that this one says the end of",
        ),
    )
    op.create_index(
        "uq_audit_settles",
        "audit",
        ["settles"],
        unique=True,
        sqlite_where=sa.text("settles IS NOT NULL"),
        postgresql_where=sa.text("settles IS NOT NULL"),
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
_CHANGED = " OR ".join(f"OLD.{name} IS NOT NEW.{name}" for name in _SAME)
_SQLITE = (
    f"CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit "
    f"WHEN {_CHANGED} OR NOT {_FORGETTING.format(table='audit')} BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    f"CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit "
    f"WHEN OLD.at > {_SQLITE_NOW} - {_DAYS} * 86400000 BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
    # INSERT OR REPLACE removes a row without asking the trigger before.
    f"CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit "
    f"WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id OR settles = NEW.settles) BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END",
)
_DISTINCT = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _SAME)
# The table by its own name, not by whatever the caller's search_path finds.
_FORGETTING_HERE = _FORGETTING.format(table="%1$I.%2$I").replace("'", "''")
# Whoever drops the tables to begin anew leaves the function there.
_POSTGRESQL = (
    f"""
    CREATE OR REPLACE FUNCTION outreach_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE forgetting boolean := false;
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.at <= extract(epoch FROM clock_timestamp()) * 1000 - {_DAYS}::bigint * 86400000 THEN
                RETURN OLD;
            END IF;
        ELSIF TG_OP = 'UPDATE' THEN
            EXECUTE format('SELECT {_FORGETTING_HERE}', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO forgetting;
            IF forgetting AND NOT ({_DISTINCT}) THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION '{_REFUSED}';
    END $$
    """,
    "CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION outreach_keep_audit()",
    "CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION outreach_keep_audit()",
)
