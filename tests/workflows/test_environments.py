"""``environments``: dev dry-runs what prod sends; nothing is sent because nobody knows where it runs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.models import EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml
from airflow_outreach_provider.simulator.process import RunningSimulator
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.workflows.explain import explain_workflow
from airflow_outreach_provider.workflows.files import load_files
from airflow_outreach_provider.workflows.lint import CLEAN, MISTAKES, lint
from airflow_outreach_provider.workflows.plan import plan_workflow

FOLDER = """\
environments:
  default: dev
  dev:
    lead_syncs: {dry_run: true, outreach: {conn_id: outreach_dev}}
  prod:
    lead_syncs: {schedule: "@hourly"}
"""
SYNC = """\
lead_syncs:
  web:
    dry_run: false
    leads: {csv: a.csv, delimiter: ";"}
    outreach: {configuration_id: abc}
    environments:
      dev: {limit: 10, leads: {csv: sample.csv}}
event_routes:
  on:
    deliver: {endpoint: crm, path: "x/{{ id }}"}
    retry_schedule: [5s]
    environments:
      dev: {deliver: {endpoint: crm_dev}, retries: 1}
      prod: {deliver: {suppress: true}, kinds: replied}
"""


def as_in(environment: str, **files: str) -> dict[str, Any]:
    """The models by name."""
    loaded = load_texts(
        {name.replace("__", "/"): text for name, text in files.items()}, lambda _found: environment
    )
    assert loaded.problems == []
    return {each.name: each.model for each in loaded.workflows}


def test_what_an_environment_says_wins_over_the_workflow() -> None:
    """Key by key; of the same way to deliver too, and another way replaces the whole."""
    files = {"_defaults.yaml": FOLDER, "a.yaml": SYNC}
    dev, prod = as_in("dev", **files), as_in("prod", **files)
    web, on = dev["web"], dev["on"]
    assert isinstance(web, LeadSync) and isinstance(on, EventRoute)
    assert (web.dry_run, web.limit, web.outreach.conn_id, web.outreach.configuration_id) == (
        True,
        10,
        "outreach_dev",
        "abc",
    )
    assert (web.leads[0].csv, web.leads[0].delimiter) == (["sample.csv"], ";")
    assert (on.deliver.endpoint, on.deliver.path, on.retries, on.retry_schedule) == (
        "crm_dev",
        "x/{{ id }}",
        1,
        None,
    )
    web, on = prod["web"], prod["on"]
    assert (web.dry_run, web.limit, str(web.schedule), web.outreach.conn_id) == (
        False,
        None,
        "@hourly",
        "outreach_default",
    )
    assert on.deliver.suppress and on.deliver.path is None and on.kinds == ["replied"]


def test_the_files_own_wins_over_the_folders_and_the_workflows_over_both() -> None:
    """And each may bring environments that the other does not have."""
    own = "environments: {dev: {lead_syncs: {limit: 2, tags: own}}, stage: {}}\nlead_syncs:\n  a: {leads: {csv: a.csv}}\n"
    own += "  b: {leads: {csv: a.csv}, environments: {dev: {limit: 3}}}\n"
    folder = "environments: {dev: {lead_syncs: {limit: 1, owner: data}}}\n"
    dev = as_in("dev", **{"_defaults.yaml": folder, "a.yaml": own})
    assert [(dev[name].limit, dev[name].owner, dev[name].tags) for name in "ab"] == [
        (2, "data", ["own"]),
        (3, "data", ["own"]),
    ]
    assert as_in("stage", **{"_defaults.yaml": folder, "a.yaml": own})["a"].limit is None


def test_lint_looks_at_every_environment(tmp_path: Path) -> None:
    """What is wrong in one alone says in which; what is wrong in all is said once."""
    (tmp_path / "a.yaml").write_text(
        "environments:\n  dev: {lead_syncs: {schedule: 5m}}\n  prod: {}\n"
        "lead_syncs:\n  web: {leads: {csv: a.csv}, depends_on: x}\n  x: {leads: {csv: a.csv}, retries: -1}\n"
    )
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == MISTAKES
    said = out.getvalue()
    assert "a.yaml:2:22: schedule and depends_on both say when it runs (in dev)" in said
    assert (
        said.count("this must be 0 or more, not -1") == 1
        and "not -1 (in" not in said
        and "2 mistakes" in said
    )
    (tmp_path / "a.yaml").write_text(FOLDER + SYNC)
    out = io.StringIO()
    assert lint([str(tmp_path)], out) == CLEAN
    assert out.getvalue() == "1 file, 2 workflows without a mistake, in each of dev, prod, no mistakes\n"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("environments: {}", "environments has no environment", "write their names below"),
        ("environments: {dev: {dry_run: true}}", "unknown key 'dry_run'", "write it below lead_syncs:"),
        ("environments: {dev: {lead_sync: {dry_run: true}}}", "unknown key 'lead_sync'", "did you mean 'lead_syncs'?"),
        ("environments: {dev: {lead_syncs: {leads: {csv: a.csv}}}}", "leads cannot be a default", "write it into each workflow"),
        ("environments: {dev: {lead_syncs: {dry_run: maybe}}}", "this must be true or false, not text", ""),
        ("environments: {dev: {lead_syncs: {environments: {dev: {}}}}}", "environments cannot be a default", "at the top of the file"),
        ("environments: {default: deb, dev: {}}", "there is no environment 'deb'", "did you mean 'dev'?"),
        ("environments: {dev: , prod: {}}", "dev must be a mapping, not nothing", "write {} for one"),
        ("environments: {variable: '{{ x }}', dev: {}}", "variable must be a name, not '{{ x }}'", "it cannot be a template"),
        ("environments: {my env: {}}", "'my env' cannot be the name of an environment", "use letters"),
        ("environments: [dev, prod]", "environments must be a mapping, not a list", "write their names below"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_environments_is_explained_where_it_stands(
    text: str, message: str, hint: str
) -> None:
    """Once, not for each workflow; in a folder's defaults as well."""
    for files in ({"a.yaml": text + "\n" + BOTH}, {"_defaults.yaml": text + "\n", "a.yaml": BOTH}):
        (problem,) = load_texts(files).problems
        assert (problem.message, problem.line) == (message, 1) and hint in problem.hint


BOTH = "lead_syncs:\n  a: {leads: {csv: a.csv}}\n  b: {leads: {csv: a.csv}}\n"


def test_a_workflow_has_only_environments_that_are_declared() -> None:
    """Else its values would never hold, and nobody would know."""
    sync = "lead_syncs:\n  a: {leads: {csv: a.csv}, environments: {dv: {limit: 1}}}\n"
    (alone,) = load_texts({"a.yaml": sync}).problems
    assert "there is no environment 'dv'" in alone.message and "declare it: environments:" in alone.hint
    (near,) = load_texts({"a.yaml": f"environments: {{dev: {{}}}}\n{sync}"}).problems
    assert near.hint == "did you mean 'dev'?"


def test_the_editors_schema_knows_them() -> None:
    """Values of sections, and no others."""
    for text, good in (
        (FOLDER + SYNC, True),
        (FOLDER, True),
        ("environments: {dev: {lead_syncs: {dry: true}}}\n" + SYNC, False),
    ):
        located, _ = read_yaml(text, "a.yaml")
        assert located is not None
        assert jsonschema.Draft202012Validator(workflow_schema()).is_valid(located.data) is good


@pytest.mark.parametrize(
    ("default", "value", "found"),
    [("dev", None, "dev"), ("dev", "prod", "prod"), (None, "dev", "dev"), (None, " prod\n", "prod"),
     (None, None, "is not set, and says which environment"), ("dev", "production", "says 'production', which is no environment"),
     ("dev", "", "says '', which is no environment")],
)  # fmt: skip
def test_a_missing_or_unknown_environment_is_never_a_silent_send(
    load_dags: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    default: str | None,
    value: str | None,
    found: str,
) -> None:
    """The declared default where nothing is said; else an import error that names variable, value and what is known."""
    text = FOLDER.replace("  default: dev\n", f"  default: {default}\n" if default else "")
    if value is not None:
        monkeypatch.setenv("AIRFLOW_VAR_OUTREACH_ENVIRONMENT", value)
    dags = load_dags(**{"a.yaml": text + SYNC})
    if len(found) > 4:
        (error,) = dags.import_errors.values()
        assert found in error and dags.bag.dags == {}
        with pytest.raises(ConfigurationError, match=found.split(",")[0]):
            plan_workflow("web", tmp_path / "dags", io.StringIO())
        return
    dag = dags["outreach_lead_sync__web"]
    assert dag.params["dry_run"] is (found == "dev") and (dag.schedule == "@hourly") is (found == "prod")
    assert f"in the environment `{found}`" in dag.doc_md


def test_the_variable_is_read_once_for_all_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many workflows go by it; and not at all where there are no environments, or lint looks at all of them."""
    from airflow_outreach_provider.workflows import environment

    read: list[str] = []
    monkeypatch.setattr(environment, "_variable", lambda name: read.append(name) or "prod")
    (tmp_path / "plain.yaml").write_text(BOTH)
    assert len(load_files([tmp_path], environment.present_environment()).workflows) == 2
    (tmp_path / "plain.yaml").unlink()
    (tmp_path / "_defaults.yaml").write_text(FOLDER)
    for number in range(5):
        (tmp_path / f"{number}.yaml").write_text(
            SYNC.replace("web", f"web{number}").replace("on:", f"on{number}:")
        )
    load_files([tmp_path])
    assert read == []
    assert len(load_files([tmp_path], environment.present_environment()).workflows) == 10
    assert read == ["outreach_environment"]


@pytest.mark.slow
def test_dev_dry_runs_what_prod_sends(
    load_dags: Callable[..., Any],
    simulator: RunningSimulator,
    outreach_store: Store,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """One file; plan and explain say which environment holds."""
    text = "environments:\n  default: dev\n  dev: {lead_syncs: {dry_run: true}}\n  prod: {}\n"
    dags = load_dags(
        **{
            "a.yaml": f"{text}lead_syncs:\n  web: {{leads: {{csv: a.csv}}}}\n",
            "a.csv": "phone\n+14165550199\n",
        }
    )
    assert set(dags.run("outreach_lead_sync__web").values()) == {"success"}
    assert simulator.texts() == {}
    monkeypatch.setenv("AIRFLOW_VAR_OUTREACH_ENVIRONMENT", "prod")
    out, data, explained = io.StringIO(), io.StringIO(), io.StringIO()
    plan_workflow("web", tmp_path / "dags", out)
    plan_workflow("web", tmp_path / "dags", data, as_json=True)
    explain_workflow("web", tmp_path / "dags", explained)
    assert out.getvalue().startswith("in prod: web: 1 of 1 rows would be texted")
    assert (
        json.loads(data.getvalue())["environment"] == "prod"
        and "in the environment prod" in explained.getvalue()
    )
    assert set(dags.run("outreach_lead_sync__web").values()) == {"success"}
    assert simulator.texts() == {"+14165550199": 1}
