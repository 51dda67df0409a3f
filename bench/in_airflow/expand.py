"""What one task instance a lead costs: ``HttpOperator.expand`` over some records, in a real Airflow of its own.

Run by ``bench/submit.py`` in a process and an ``AIRFLOW_HOME`` of its own; prints seconds for the mapped tasks.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

DAG = """
import json, os
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG

records = json.loads(os.environ["BENCH_RECORDS"])
with DAG("bench_expand", schedule=None) as dag:
    HttpOperator.partial(
        task_id="post", http_conn_id="bench", endpoint="/api/webhook/outreach",
        headers={"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["BENCH_KEY"]},
    ).expand(data=[json.dumps(record) for record in records])
"""


def main() -> None:
    home = Path(os.environ["AIRFLOW_HOME"])
    (home / "dags").mkdir(parents=True, exist_ok=True)
    (home / "dags" / "bench_expand.py").write_text(DAG)
    from airflow.utils import db

    db.initdb()
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        if session.get(DagBundleModel, "dags-folder") is None:
            session.add(DagBundleModel(name="dags-folder"))
    bag = DagBag(home / "dags", bundle_name="dags-folder")
    sync_bag_to_db(bag, "dags-folder", None)
    dag = bag.dags["bench_expand"]
    started = time.perf_counter()
    result = dag.test()
    seconds = time.perf_counter() - started
    states = sorted({str(instance.state) for instance in result.get_task_instances()})
    sys.stdout.write(json.dumps({"seconds": seconds, "states": states}) + "\n")


if __name__ == "__main__":
    main()
