"""What the page *Install* says about a store on PostgreSQL, done."""

from __future__ import annotations

import secrets

import pytest
import sqlalchemy as sa
from documents import DOCS, blocks

from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.migrate import upgrade

pytestmark = pytest.mark.postgres


@pytest.mark.slow
def test_the_role_and_database_of_the_page_hold_a_store(postgres_admin: sa.Engine) -> None:
    """The two statements, as they stand but for the name: their role makes the store and writes into it."""
    (block,) = [each for each in blocks(DOCS / "install.md") if each.language == "sql"]
    name = f"outreach_{secrets.token_hex(4)}"
    statements = [each for each in block.text.replace("outreach", name).split(";") if each.strip()]
    try:
        for statement in statements:
            _run(postgres_admin, statement)
        url = postgres_admin.url.set(username=name, password="change-me", database=name)
        store = Store(url.render_as_string(hide_password=False))
        assert upgrade(store)
        assert store.dialect == "postgresql"
        store.close()
    finally:
        _run(postgres_admin, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        _run(postgres_admin, f"DROP ROLE IF EXISTS {name}")


def _run(admin: sa.Engine, statement: str) -> None:
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
