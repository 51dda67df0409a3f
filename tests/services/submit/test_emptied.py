"""A ledger whose leads were all deleted, and that its database took for empty when the next list came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.store.tables import metadata


@pytest.mark.slow
def test_the_next_list_is_sent_as_any_other(api: Any, people: Callable[..., list[dict[str, object]]]) -> None:
    """Each claim would go through all leads for each of its own otherwise: a minute for 900 people."""
    api.send(people(300, 7_000), owner="early")
    for table in ("attempts", "consents", "leads"):
        api.sql(f"DELETE FROM {table}")
    if api.store.dialect == "postgresql":
        with api.store.engine.connect() as connection:
            for table in metadata.tables:
                connection.exec_driver_sql(f"ANALYZE {table}")
            connection.commit()
    assert api.send(people(900)).states == {"accepted": 900}
    if api.store.dialect == "postgresql":
        [(counted,)] = api.sql("SELECT reltuples FROM pg_class WHERE oid = CAST('leads' AS regclass)")
        assert counted > 100
    with api.store.read() as connection:
        count = sa.select(sa.func.count()).select_from(metadata.tables["leads"])
        assert connection.execute(count).scalar_one() == 900
