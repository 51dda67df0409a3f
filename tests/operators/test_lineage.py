"""OpenLineage: what a sync and a route say of themselves, and that nothing is said without its provider."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_outreach_provider.operators.lineage import lineage, source_of
from airflow_outreach_provider.operators.outreach import (
    DeliverEventsOperator,
    HandleEventsOperator,
    SqlLeads,
    SubmitLeadsOperator,
)

SOURCES: dict[str, tuple[Any, tuple[str, str] | None]] = {
    "a file": ("/data/leads.csv", ("file", "/data/leads.csv")),
    "a file's URI": ("file:///data/leads.csv", ("file", "/data/leads.csv")),
    "a path": (Path("/data/leads.csv"), ("file", "/data/leads.csv")),
    "an object store": ("s3://key:secret@bucket/day/leads.csv?token=1", ("s3://bucket", "day/leads.csv")),
    "a query": (SqlLeads("warehouse", "SELECT 1"), ("airflow://warehouse", "query")),
    "a list": ([{"phone": "+14165550123"}], None),
    "a list as text": ('[{"phone": "+14165550123"}]', None),
    "what was planned": (None, None),
}


@pytest.mark.parametrize("case", SOURCES)
def test_the_source_is_a_data_set(case: str) -> None:
    """By its place, without what opens it, and never a person."""
    leads, expected = SOURCES[case]
    assert source_of(leads) == expected


def test_nothing_is_said_without_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, Airflow's listener is not there either; a call does no harm."""
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    assert lineage([None], [("a", "b")], {}, 0) is None
    operator = SubmitLeadsOperator(task_id="t", leads=[])
    assert operator.get_openlineage_facets_on_complete(None) is None
    assert (
        HandleEventsOperator(
            task_id="h", batch=[], route="r", python_callable=print
        ).get_openlineage_facets_on_complete(None)
        is None
    )


def test_a_route_says_where_it_delivered() -> None:
    """The inbox, the endpoint, deliveries by state: as the provider's own classes."""
    pytest.importorskip("airflow.providers.openlineage.extractors")
    operator = DeliverEventsOperator(task_id="d", batch=[], route="r", endpoint_conn_id="crm")
    operator.states = {"delivered": 3, "dead": 1}
    said = operator.get_openlineage_facets_on_complete(None)
    assert [(each.namespace, each.name) for each in said.inputs] == [("outreach", "contact_events")]
    (to,) = said.outputs
    assert (to.namespace, to.name, to.outputFacets["outputStatistics"].rowCount) == (
        "outreach://endpoints",
        "crm",
        3,
    )
    assert said.run_facets["outreach_counts"].counts == {"delivered": 3, "dead": 1}


def test_a_run_says_what_it_did(run_task: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After Airflow ran it: a sync its file, campaign and rows; a route its deliveries."""
    pytest.importorskip("airflow.providers.openlineage.extractors")
    connection = {"conn_type": "outreach", "host": "https://app.example.com", "password": "user_key"}
    monkeypatch.setenv("AIRFLOW_CONN_OUTREACH_DEFAULT", json.dumps(connection))
    ended: list[Any] = []  # the listener is given the copy that Airflow ran

    def note(context: Any, result: Any) -> None:
        ended.append(context["ti"].task)

    file = tmp_path / "leads.csv"
    file.write_text("phone\n+12125550123\nnobody\n")
    sync = SubmitLeadsOperator(
        task_id="s",
        leads=str(file),
        configuration_id="spring",
        dry_run=True,
        max_rejected=None,
        post_execute=note,
    )
    assert run_task(sync).state == "success"
    said = ended[-1].get_openlineage_facets_on_complete(None)
    assert [(each.namespace, each.name) for each in said.inputs] == [("file", str(file))]
    assert [(each.namespace, each.name) for each in said.outputs] == [
        ("outreach://outreach_default", "spring")
    ]
    assert said.run_facets["outreach_counts"].counts["rejected"] == 1
    made = [{"type": "lead.won", "kind": "other", "contact": {"external_id": "1"}}]
    route = HandleEventsOperator(
        task_id="h", batch=made, route="r", python_callable=lambda event: None, post_execute=note
    )
    assert run_task(route).state == "success"
    assert ended[-1].get_openlineage_facets_on_complete(None).run_facets["outreach_counts"].counts == {
        "delivered": 1
    }
