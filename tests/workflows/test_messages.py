"""What people are told who make the mistakes that people make."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.schedules import ONCE
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.workflows.files import find_workflow
from airflow_outreach_provider.workflows.lint import MISTAKES, lint

ROOT = Path(__file__).parents[2]


def test_workflows_and_mistakes_are_counted_apart(tmp_path: Path, airflow_db: None) -> None:
    """Three workflows, one whose source lacks two columns: two are without a mistake, and two mistakes are told."""
    (tmp_path / "a.csv").write_text("phone\n+14165550199\n")
    (tmp_path / "a.yaml").write_text(
        "lead_syncs:\n  good: {leads: {csv: a.csv}}\n  good.too: {leads: {csv: a.csv}}\n"
        "  bad: {leads: {csv: a.csv}, map: {phoneNumber: mobile, firstName: name}}\n"
    )
    out = io.StringIO()
    assert lint([str(tmp_path)], out, data=True) == MISTAKES
    assert "1 file, 2 workflows without a mistake, 2 mistakes" in out.getvalue()
    out = io.StringIO()
    lint([str(tmp_path)], out, data=True, as_json=True)
    said = json.loads(out.getvalue())
    assert (said["workflows"], len(said["problems"])) == (2, 2)


@given(st.integers(0, 10_000))
def test_a_share_is_shown_as_it_is_written(hundredths: int) -> None:
    """``4%`` is never 0.04."""
    said = f"{hundredths / 100:g}%"
    assert str(RejectLimit.parse(said)) == f"{said} of the rows"


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz@ ", max_size=12))
def test_a_run_at_once_is_suggested_to_nobody_who_did_not_nearly_write_it(word: str) -> None:
    """Whatever stands for a schedule: @once would text people the moment the DAG is unpaused."""
    for section, rest in (
        ("lead_syncs", "leads: {csv: a.csv}"),
        ("event_routes", "deliver: {suppress: true}"),
    ):
        loaded = load_texts({"a.yaml": f'{section}:\n  a:\n    schedule: "{word}"\n    {rest}\n'})
        for problem in loaded.problems:
            assert ONCE not in problem.hint or "onc" in word


def test_the_reference_that_is_named_is_there() -> None:
    """Its path is that of the file."""
    loaded = load_texts({"a.yaml": "lead_syncs:\n  a:\n    colour: red\n    leads: {csv: a.csv}\n"})
    path = loaded.problems[0].hint.removeprefix("all keys: ")
    assert (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "there is no workflow under"),
        (
            {"a.yaml": "lead_syncs:\n  other: {leads: {csv: a.csv}}\n"},
            "there is no workflow 'outreach_lead_sync'",
        ),
    ],
)
def test_a_dag_in_python_has_no_plan_and_is_told_what_has(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    """``plan`` of it names the dry run that says the same."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=words) as raised:
        find_workflow("outreach_lead_sync", tmp_path)
    assert "a DAG in Python is no workflow: start it with dry_run" in str(raised.value)


@pytest.mark.slow
def test_an_event_route_ends_under_dag_test(load_dags: Any, outreach_store: Any, tmp_path: Path) -> None:
    """With nothing to deliver it does not wait for a day: it ends, however it is scheduled."""
    folder = tmp_path / "dags" / "workflows"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text(
        "event_routes:\n  by_events: {deliver: {suppress: true}}\n"
        '  by_cron: {deliver: {suppress: true}, schedule: "@daily"}\n'
        '  always: {deliver: {suppress: true}, schedule: "@continuous"}\n'
        "  by_hand: {deliver: {suppress: true}, schedule: }\n"
    )
    dags = load_dags()
    for name in ("by_events", "by_cron", "by_hand", "always"):
        states = dags.run(f"outreach_event_route__{name}")
        assert set(states.values()) <= {"success", "skipped"}, (name, states)
