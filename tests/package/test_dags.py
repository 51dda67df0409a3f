"""The DAGs shipped in dags/ load as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_outreach_provider.workflows import scaffold

DAGS = Path(__file__).parents[2] / "dags"


def test_every_shipped_dag_loads(airflow_db: None) -> None:
    """The folder holds the DAG pair, the maintenance and the workflows, each with a description and our tag."""
    from airflow.dag_processing.dagbag import DagBag

    bag: Any = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert {"outreach_lead_sync", "outreach_event_fanout", "outreach_maintenance"} <= set(bag.dags)
    assert any(name.startswith("outreach_lead_sync__") for name in bag.dags)
    assert any(name.startswith("outreach_event_route__") for name in bag.dags)
    for dag in bag.dags.values():
        assert "outreach" in dag.tags
        assert dag.doc_md


def test_init_writes_the_shipped_dags() -> None:
    """What ``init`` writes is what the folder shows, byte for byte: nobody reads one and gets the other."""
    starter = Path(scaffold.__file__).parent / "starter"
    names = sorted(path.name for path in starter.glob("*.py"))
    assert names == sorted(path.name for path in DAGS.glob("*.py"))
    assert {name: (starter / name).read_bytes() for name in names} == {
        name: (DAGS / name).read_bytes() for name in names
    }
