"""An error that nobody foresaw in reading one row costs that row, and is told without a word of it."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_outreach_provider.core import rules
from airflow_outreach_provider.core.errors import ConfigurationError

BAD = "+14165550199"


def _broken(monkeypatch: pytest.MonkeyPatch, phones: set[str]) -> None:
    usual = rules.read_lead

    def read_lead(values: Any, **given: Any) -> Any:
        if values.get("phoneNumber") in phones:
            raise IndexError(f"string index out of range of {values['phoneNumber']!r}")
        return usual(values, **given)

    monkeypatch.setattr(rules, "read_lead", read_lead)


def test_one_row_is_rejected_and_the_others_go_on(
    sqlite_api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither list nor log has its number; once the fault is mended the same row is read, and texted."""
    rows = [{"phone": "+14165550101"}, {"phone": BAD}, {"phone": "+14165550102"}]
    with monkeypatch.context() as fault:
        _broken(fault, {BAD})
        for expected in ({"accepted": 2, "rejected": 1}, {"unchanged": 2, "rejected": 1}):
            got = sqlite_api.send(rows)
            assert (got.error, got.states) == (None, expected)
    (lead,) = [each for each in sqlite_api.leads() if each["state"] == "rejected"]
    assert lead["reason"] == "row_not_read"
    assert "line 2: reading it failed: IndexError in test_row_faults.py" in lead["detail"]
    assert "5550199" not in lead["detail"] + caplog.text
    assert "A row cannot be read: IndexError" in caplog.text
    assert sqlite_api.send(rows).states == {"unchanged": 2, "accepted": 1}
    assert BAD in sqlite_api.texts()


def test_where_no_row_can_be_read_the_run_fails(
    sqlite_api: Any, monkeypatch: pytest.MonkeyPatch, people: Any
) -> None:
    """Then it is no matter of a row, and nobody takes a sync that rejects everybody for one that worked."""
    rows = people(25)
    _broken(monkeypatch, {each["phone"] for each in rows})
    got = sqlite_api.send(rows)
    assert isinstance(got.error, ConfigurationError)
    assert str(got.error).startswith("no row can be read: IndexError in test_row_faults.py")
    assert not sqlite_api.texts()
