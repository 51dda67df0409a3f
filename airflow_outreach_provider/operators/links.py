"""The extra link from a task instance to its leads or deliveries in the outreach pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class OutreachLink(BaseOperatorLink):
    """Leads and deliveries of this task instance, try by try."""

    name = "Outreach"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """A path within this Airflow: workers may know it under another host than people do."""
        return tab_of(ti_key.dag_id, ti_key.run_id, ti_key.task_id, ti_key.map_index)


def tab_of(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """The path of a task instance's leads or deliveries, in Airflow's page around ours."""
    base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    query = urlencode({"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index})
    # The rest of the page's path is the address inside the frame.
    return f"{base}/plugin/outreach{base}/outreach/task?{query}"
