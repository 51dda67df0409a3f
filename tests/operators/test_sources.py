"""What a task takes as ``leads``: tables in memory, files of every kind, several of them; and what it tells Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from airflow_outreach_provider.operators.lead_source import LeadRows, SourceList, open_source
from airflow_outreach_provider.operators.outreach import FileLeads, SqlLeads, SubmitLeadsOperator
from airflow_outreach_provider.simulator.process import RunningSimulator

ADA, GRACE, ALAN = "+12125550123", "+14165550199", "+12125550177"
TABLE = pa.table({"phone": [ADA, GRACE], "score": [1.5, None], "tags": [["a"], []]})


@pytest.fixture
def sim(tasks_simulator: RunningSimulator) -> RunningSimulator:
    return tasks_simulator


def submit(**arguments: Any) -> SubmitLeadsOperator:
    return SubmitLeadsOperator(task_id="submit", patience=1.0, **arguments)


class Frame:
    """As pandas hands out its rows."""

    columns = ("phone", "name")

    def __len__(self) -> int:
        return 2

    def __bool__(self) -> bool:
        raise ValueError("the truth value of a frame is ambiguous")

    def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[Any, ...]]:
        assert not index and name is None
        yield from ((ADA, "Ada"), (GRACE, float("nan")))


@pytest.mark.parametrize(
    "leads",
    [TABLE, TABLE.to_batches()[0], TABLE.to_reader(), Frame()],
    ids=["table", "batch", "reader", "frame"],
)
def test_a_table_in_memory_is_a_list_of_leads(
    sim: RunningSimulator, run_task: Callable[..., Any], leads: Any
) -> None:
    """Each row once; of who is in it Airflow's database sees nothing."""
    task = submit(leads=leads)
    assert isinstance(task.leads, LeadRows) and ADA not in str(task.leads)
    ran = run_task(task)
    assert ran.state == "success", ran.error
    assert sim.texts() == {ADA: 1, GRACE: 1}


def test_several_sources_are_read_one_after_the_other(
    sim: RunningSimulator, run_task: Callable[..., Any], tmp_path: Path
) -> None:
    """Paths and files of which more is said; a person in two of them has one text."""
    (tmp_path / "a.csv").write_text(f"phone;name\n{ADA};Ada\n")
    (tmp_path / "b.json").write_text(json.dumps([{"phone": GRACE}, {"phone": ADA}]))
    parquet.write_table(pa.table({"phone": [ALAN, "nobody"]}), tmp_path / "c.parquet")
    leads = [
        FileLeads(str(tmp_path / "a.csv"), delimiter=";"),
        str(tmp_path / "b.json"),
        str(tmp_path / "*.parquet"),
    ]
    ran = run_task(submit(leads=leads, max_rejected=1))
    assert ran.state == "success", ran.error
    assert {state: n for state, n in ran.xcom.items() if n} == {"accepted": 3, "duplicate": 1, "rejected": 1}
    assert sim.texts() == {ADA: 1, GRACE: 1, ALAN: 1}


def test_what_is_read_in_place_of_all_of_them(tmp_path: Path) -> None:
    """The trigger form's file."""
    (tmp_path / "other.csv").write_text(f"phone\n{ALAN}\n")
    source = open_source(
        SourceList(["nowhere.csv", SqlLeads("nowhere", "SELECT 1")], str(tmp_path / "other.csv"))
    )
    assert [row.values for row in source.rows() or ()] == [{"phone": ALAN}] and source.fraction() == 1.0


def test_where_mapping_and_order_come_from_the_operator(
    sim: RunningSimulator, run_task: Callable[..., Any]
) -> None:
    """As they do from a workflow."""
    leads = [{"phone": ADA, "at": 1}, {"phone": GRACE, "at": 3}, {"phone": ALAN, "at": 2}]
    ran = run_task(submit(leads=leads, where="at > 1", order_by="at desc", max_rows=2,
                          mapping={"phoneNumber": "phone", "score": 42, "source": "'web'"}))  # fmt: skip
    assert ran.state == "success", ran.error
    assert sim.texts() == {GRACE: 1, ALAN: 1}
    payload = sim.texts(GRACE)["last_payload"]
    assert (payload["score"], payload["source"]) == (42, "web")
