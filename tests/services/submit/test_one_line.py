"""A line that has several numbers in use is one lead, in whichever of them a row writes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

ONE_LINE = [
    ("+541123456789", "+5491123456789"), ("+972599123456", "+970599123456"), ("+37744123456", "+38344123456"), ("+38643123456", "+38343123456"),
    ("+24107412345", "+24177412345"), ("+551177654321", "+5511977654321"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("numbers", ONE_LINE)
def test_a_line_with_two_numbers_in_use_is_texted_once(api: Any, numbers: tuple[str, str]) -> None:
    """In one list, in two chunks, in two runs, either way round; and a change is one of the same lead."""
    for campaign, (one, other) in (("a", numbers), ("b", numbers[::-1])):
        both = api.send([{"phone": one}, {"phone": other}], campaign=f"{campaign} together", dry_run=True)
        assert both.states == {"planned": 1, "duplicate": 1}
        both = api.send([{"phone": one}, {"phone": other}], campaign=f"{campaign} together")
        assert both.states == {"accepted": 1, "duplicate": 1}
        assert api.send([{"phone": one}], campaign=campaign).states == {"accepted": 1}
        again = api.send([{"phone": other}], campaign=campaign, resubmit="changed")
        assert again.states == {"unchanged": 1}
        changed = [{"phone": other, "firstName": "Ann"}]
        assert api.send(changed, campaign=campaign).states == {"unchanged": 1}
        assert api.send(changed, campaign=campaign, resubmit="changed").states == {"accepted": 1}
    assert sum(api.texts().values()) == 6


def test_a_number_that_was_refused_is_tried_in_the_other_writing_of_its_line(api: Any) -> None:
    """Somebody mended the writing: nobody was texted, and the other number may be the one that is reached."""
    api.send([{"phone": "+5491123456789"}], campaign="c")
    api.sql("UPDATE leads SET state = 'rejected', reason = 'refused', accepted_at = NULL")
    before = sum(api.texts().values())
    rows = [{"phone": "+541123456789"}, {"phone": "+5491123456789"}]
    assert api.send(rows, campaign="c").states["accepted"] == 1
    assert sum(api.texts().values()) == before + 1


@pytest.mark.slow
def test_two_runs_at_once_text_a_line_once(api: Any) -> None:
    """Both look before either has written; the number of today is one lead for both."""
    lists = [[{"phone": number.replace("3456", f"3{n:03}")} for n in range(100)] for number in ONE_LINE[0]]
    with ThreadPoolExecutor(2) as pool:
        runs = pool.map(lambda rows: api.send(rows, campaign="c", owner=rows[0]["phone"]), lists)
    assert all(run.error is None for run in runs)
    api.send([], campaign="c")
    assert sum(api.texts().values()) == 100
