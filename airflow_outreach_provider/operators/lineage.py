"""What our operators tell OpenLineage, through Airflow's own mechanism; nothing where its provider is not installed.

A sync: where its rows came from → its campaign, with the rows by state. A route: the inbox → where it delivers, with
its deliveries by state. Names of data sets follow OpenLineage's conventions where there is one for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

INBOX = ("outreach", "contact_events")
DataSetName = tuple[str, str]
"""Namespace and name."""


class SyncLineage:
    """A mixin for operators that submit leads."""

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> Any:
        """Source → campaign; None without the provider, or where nothing was begun."""
        run = getattr(self, "_run", None)
        if run is None:
            return None
        campaign = (f"outreach://{self.outreach_conn_id}", run.campaign)  # type: ignore[attr-defined]
        counts = run.tally.by_state()
        return lineage([source_of(self.leads)], [campaign], counts, counts.get("accepted", 0))  # type: ignore[attr-defined]


class RouteLineage:
    """A mixin for operators that work on batches of events."""

    states: Mapping[str, int] = {}

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> Any:
        """Inbox → endpoint, or the route where it has none."""
        endpoint = getattr(self, "endpoint_conn_id", None)
        to = ("outreach://endpoints", endpoint) if endpoint else ("outreach://routes", self.route)  # type: ignore[attr-defined]
        return lineage([INBOX], [to], self.states, self.states.get("delivered", 0))


def source_of(leads: Any) -> DataSetName | None:
    """The data set that leads were read from; None for a list, and for what was planned before."""
    if conn_id := getattr(leads, "conn_id", None):
        return f"airflow://{conn_id}", "query"
    uri = str(leads) if isinstance(leads, str) or hasattr(leads, "__fspath__") else ""
    if not uri or uri.lstrip().startswith(("[", "{")):
        return None
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return "file", parts.path
    return f"{parts.scheme}://{parts.hostname or ''}", parts.path.lstrip("/")


def lineage(
    inputs: list[DataSetName | None], outputs: list[DataSetName], counts: Mapping[str, int], rows: int
) -> Any:
    """An ``OperatorLineage``; None where the provider is not installed.

    :param counts: what was done, by state. :param rows: what reached the outputs.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
        from openlineage.client.event_v2 import InputDataset, OutputDataset
        from openlineage.client.generated.output_statistics_output_dataset import (
            OutputStatisticsOutputDatasetFacet,
        )
    except ImportError:
        return None
    written = {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
    return OperatorLineage(
        inputs=[InputDataset(*each) for each in inputs if each is not None],
        outputs=[OutputDataset(*each, outputFacets=written) for each in outputs],
        run_facets={"outreach_counts": _counts_facet()(counts=dict(counts))},
    )


@cache
def _counts_facet() -> Any:
    """``outreach_counts``: rows or deliveries by state. Made where OpenLineage is installed only."""
    try:
        import attr
        from openlineage.client.generated.base import RunFacet
    except ImportError:
        raise AssertionError("asked for where OpenLineage is installed only") from None

    @attr.define
    class OutreachCounts(RunFacet):
        counts: dict[str, int] = attr.field(factory=dict)

    return OutreachCounts
