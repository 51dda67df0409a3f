"""The plan that a person approves: counts that add up, the first payloads, and no row that breaks the page."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.flight import PlannedLead
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.submit.approval_text import approval_text
from airflow_outreach_provider.services.submit.tally import Tally

HOSTILE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["a|b", "x\ny", "`", "<script>alert(1)</script>", "\\|", "+14165550123", "a@b.example"]),
)
COUNTS = st.dictionaries(
    st.tuples(st.sampled_from(list(RowState)), HOSTILE), st.integers(1, 5000), max_size=12
)


def planned(line: int, **payload: object) -> PlannedLead:
    body = {"configurationId": "68d6", "phoneNumber": f"+1416555{line:04d}", **payload}
    return PlannedLead(0, json.dumps(body).encode(), line, f"+1416555{line:04d}")


def tables(text: str) -> list[list[list[str]]]:
    """The cells of each table in it, without the rule below the header."""
    found = [part.split("\n") for part in text.split("\n\n") if part.startswith("|")]
    return [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in (part[0], *part[2:])]
        for part in found
    ]


def test_the_plan_says_what_approving_does() -> None:
    """How many people, of which campaign, whose leads; each state with its reasons and total; the first payloads."""
    tally = Tally(read=1300, campaigns={"spring", ""})
    for line in range(2, 1202):
        tally.would_send(planned(line, firstName="Ada", jobTitle="Nurse"))
    tally.add(RowState.SUPPRESSED, "no_consent", "line 1202 +1416•••1202", times=60)
    tally.add(RowState.SUPPRESSED, "listed", times=10)
    tally.add(RowState.REJECTED, "phone_invalid", "line 9", times=30)
    tally.carried["planned"] = 34
    tally.left_by["early monday"] = 34
    text = approval_text(tally)
    assert text.startswith(
        "**Approve** texts 1,234 people in campaign `spring`: 1,200 of 1,300 rows read, and 34 that earlier runs left."
    )
    rows, left, first = tables(text)
    assert [
        "planned",
        "`would_be_sent`",
        "1,200",
        "line 2 +1416•••0002; line 3 +1416•••0003; line 4 +1416•••0004",
    ] in rows
    assert ["suppressed", "in all", "70", ""] in rows and ["suppressed", "`listed`", "10", ""] in rows
    assert rows[-1] == ["**rows read**", "", "1,300", ""]
    assert left[1:] == [["`early monday`", "34"], ["**to be texted**", "34"]]
    assert first[0] == ["First payloads", "line 2", "line 3", "line 4"]
    assert first[1:] == [
        ["`configurationId`", *["`68d6`"] * 3], ["`phoneNumber`", *[f"`+1416•••000{n}`" for n in (2, 3, 4)]],
        ["`firstName`", *["`A•••`"] * 3], ["`jobTitle`", *["`N•••`"] * 3],
    ]  # fmt: skip


@pytest.mark.slow
@given(
    COUNTS,
    st.lists(st.dictionaries(HOSTILE, HOSTILE, max_size=30), max_size=5),
    st.dictionaries(HOSTILE, st.integers(1, 99), max_size=25),
    st.sets(HOSTILE, max_size=9),
    st.lists(HOSTILE, max_size=2),
)
def test_no_row_breaks_the_plan(
    counts: dict[tuple[RowState, str], int],
    payloads: list[dict[str, str]],
    left: dict[str, int],
    campaigns: set[str],
    notes: list[str],
) -> None:
    """Whatever stands in rows, runs, campaigns and reasons: tables stay tables, nobody is whole, and it is bounded."""
    tally = Tally(notes=notes, campaigns=campaigns)
    for (state, reason), number in counts.items():
        tally.add(state, reason, times=number)
        tally.read += number
    for place, payload in enumerate(payloads):
        tally.show(f"line {place}", json.dumps(payload).encode())
    tally.left_by.update(left)
    tally.carried["planned"] = sum(left.values())
    text = approval_text(tally)
    for lines in tables(text):
        assert len({len(line) for line in lines}) == 1
        assert len(lines) <= 1 + len(RowState) * 7 + 1
    assert all(
        len({line.count("|") for line in part.split("\n")}) == 1 for part in text.split("\n\n") if "|" in part
    )
    assert "<script>" not in re.sub(r"`[^`\n]*`", "", text)
    assert "4165550123" not in text and "a@b.example" not in text.replace("a•••@b.example", "")


@pytest.mark.slow
@given(COUNTS)
def test_the_lines_add_up_to_the_rows_read(counts: dict[tuple[RowState, str], int]) -> None:
    """Each state's own line, or the one reason it has: together they are the rows read, however many reasons there are."""
    tally = Tally()
    for (state, reason), number in counts.items():
        tally.add(state, reason, times=number)
        tally.read += number
    [rows] = tables(approval_text(tally))
    totals = dict[str, int]()
    for state, _, number, _ in rows[1:-1]:
        totals.setdefault(state, int(number.replace(",", "")))  # a state's first line is its total
    assert sum(totals.values()) == tally.read
    assert rows[-1][2] == f"{tally.read:,}"
