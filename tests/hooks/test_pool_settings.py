"""``[outreach] sql_alchemy_pool_…``: how many connections a process keeps."""

from __future__ import annotations

import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.hooks import settings
from airflow_outreach_provider.store.connections import SERVING, PoolSettings


def test_a_task_keeps_one_and_has_two_and_a_server_ten() -> None:
    """Where nothing is set: what a task needs, and more for who answers many at a time."""
    assert settings.pool() == PoolSettings(size=1, max_overflow=1, recycle=1800, pre_ping=True, prepare=None)
    assert settings.pool(SERVING) == SERVING
    assert SERVING.size + SERVING.max_overflow == 10


def test_what_is_set_holds_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """One place reads it, whoever asks."""
    said = {
        "POOL_SIZE": "3",
        "MAX_OVERFLOW": "0",
        "POOL_RECYCLE": "-1",
        "POOL_PRE_PING": "off",
        "PREPARE": "False",
    }
    for name, value in said.items():
        monkeypatch.setenv(f"AIRFLOW__OUTREACH__SQL_ALCHEMY_{name}", value)
    for usual in (PoolSettings(), SERVING):
        assert settings.pool(usual) == PoolSettings(3, 0, -1, False, False, usual.patience)


@pytest.mark.parametrize(
    ("name", "value"),
    [("POOL_SIZE", "0"), ("POOL_SIZE", "many"), ("MAX_OVERFLOW", "-1"), ("POOL_RECYCLE", "-2"), ("POOL_PRE_PING", "maybe"), ("PREPARE", "never")],
)  # fmt: skip
def test_what_is_no_such_number_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong setting says which one, and what to write."""
    monkeypatch.setenv(f"AIRFLOW__OUTREACH__SQL_ALCHEMY_{name}", value)
    with pytest.raises(
        ConfigurationError, match=rf"\[outreach\] sql_alchemy_{name.lower()} is '{value}'.* — set it to"
    ):
        settings.pool()
