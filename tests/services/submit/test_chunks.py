"""Rows are read and written in chunks: where they end changes nothing."""

from __future__ import annotations

import random
from typing import Any

import pytest


def rows(version: int) -> list[dict[str, object]]:
    """A dozen people, some of them several times: the same row, another writing, other values; and rows without a number."""
    people = [{"phone": f"+1416{2_000_000 + n}", "firstName": f"P{n}"} for n in range(12)]
    again = [dict(people[n]) for n in (0, 1, 1, 5)]
    spelled = [{"phone": f"(416) 200-{n:04}", "firstName": f"P{n}"} for n in (2, 5)]
    changed = [{"phone": f"+1416{2_000_000 + n}", "firstName": f"v{version}"} for n in (3, 4, 5)]
    bad = [{"phone": "12"}, {"phone": "12"}, {"phone": "", "firstName": "Nobody"}]
    mixed: list[dict[str, object]] = [*people, *again, *spelled, *changed, *bad]
    random.Random(version).shuffle(mixed)
    return mixed


@pytest.mark.slow
@pytest.mark.parametrize("resubmit", ["never", "changed"])
def test_where_a_chunk_ends_changes_nothing(
    sqlite_api: Any, monkeypatch: pytest.MonkeyPatch, resubmit: str
) -> None:
    """Of one person the first row counts, of two runs the second texts whom the rule allows, in chunks of any size."""
    seen = []
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr("airflow_outreach_provider.services.submit.run.CHUNK", size)
        given = {"campaign": f"in {size}", "default_region": "US", "resubmit": resubmit}
        got = [sqlite_api.send(rows(version), **given) for version in (1, 2, 2)]
        assert [each.error for each in got] == [None] * 3
        seen.append([each.states for each in got])
    assert seen == [seen[-1]] * len(seen)
