"""A broken workflow file in Airflow's real DAG processor and database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_outreach_provider.demo.airflow import begin_like
from airflow_outreach_provider.workflows.scaffold import write_starter

AIRFLOW = Path(sys.executable).with_name("airflow")
GOOD = 'lead_syncs:\n  good: {leads: {csv: a.csv}, schedule: "@daily"}\n'
BROKEN = 'lead_syncs:\n  bad:\n    shedule: "@daily"\n    leads: {csv: a.csv}\n'


class Processor:
    """Airflow's DAG processor over a DAGs folder of its own."""

    def __init__(self, home: Path, like: Path) -> None:
        self.home = home
        begin_like(like, home)
        self.environment = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}

    def parse(self) -> None:
        """One round over the folder, as a restart would do it."""
        self._airflow("dag-processor", "--num-runs", "1")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(query).fetchall()

    def _airflow(self, *arguments: str) -> None:
        subprocess.run(
            [str(AIRFLOW), *arguments], env=self.environment, capture_output=True, timeout=120, check=True
        )


@pytest.mark.e2e
@pytest.mark.lasts(40)
def test_a_broken_file_is_an_import_error_and_the_healthy_dags_stay_scheduled(
    tmp_path: Path, migrated_home: Path
) -> None:
    """The UI's import error has line, caret and "did you mean"; once mended, error and waiting are over."""
    write_starter(tmp_path / "dags")
    workflows = tmp_path / "dags" / "workflows"
    (workflows / "starter.yaml").write_text(GOOD)
    (workflows / "bad.yaml").write_text(BROKEN)
    processor = Processor(tmp_path, migrated_home)
    processor.parse()
    processor.parse()  # a second round must not stop the healthy ones either
    dags = "SELECT dag_id, is_stale, has_import_errors, next_dagrun IS NOT NULL FROM dag WHERE dag_id GLOB 'outreach_lead_sync__*'"
    assert processor.rows(dags) == [("outreach_lead_sync__good", 0, 0, 1)]
    [(file, text)] = processor.rows("SELECT filename, stacktrace FROM import_error")
    assert file == "workflows/bad.yaml"
    assert "bad.yaml:3:5: unknown key 'shedule'" in str(text)
    assert "did you mean 'schedule'?" in str(text)
    (workflows / "bad.yaml").write_text(BROKEN.replace("shedule", "schedule"))
    processor.parse()
    assert {row[0] for row in processor.rows(dags)} == {"outreach_lead_sync__good", "outreach_lead_sync__bad"}
    assert processor.rows("SELECT * FROM import_error") == []
