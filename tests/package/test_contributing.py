"""The contributor's house: hooks that fetch nothing, a CI that calls what people call, forms, and paths that exist."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import ROOT

from airflow_outreach_provider import __version__

GITHUB = ROOT / ".github"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def test_hooks_are_local_and_run_what_make_lint_runs() -> None:
    """No hook comes from elsewhere, and none of the lint commands is missing."""
    repos = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in repos] == ["local"]
    hooks = repos[0]["hooks"]
    assert {each["language"] for each in hooks} == {"system"}
    programs = {each["entry"].split()[0] for each in hooks}
    lint = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    assert {f".venv/bin/{name}" for name in re.findall(r"\$\(BIN\)/([\w-]+)", lint)} <= programs


def test_ci_calls_the_test_command_and_every_set() -> None:
    """``.ci/run``, and each set that ``.ci/sets`` knows; every make target it names exists."""
    jobs = loaded(GITHUB / "workflows" / "ci.yml")["jobs"]
    steps = {name: [step.get("run", "") for step in job["steps"]] for name, job in jobs.items()}
    assert ".ci/run" in steps["test"]
    sets = re.findall(r'\$wanted == \*" (\w+) "\*', (ROOT / ".ci" / "sets").read_text())
    assert jobs["sets"]["strategy"]["matrix"]["set"] == sets
    assert ".ci/sets ${{ matrix.set }}" in steps["sets"]
    for command in [each for job in steps.values() for each in job]:
        for target in command.removeprefix("make ").split() if command.startswith("make ") else ():
            assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize(
    "path", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_each_form_is_one(path: Path) -> None:
    """A name, a description, and fields that have labels."""
    form = loaded(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert form["name"] and form["description"]
    for field in form["body"]:
        assert field["type"] in ("markdown", "textarea", "input")
        assert field["attributes"].get("label") or field["type"] == "markdown"


def test_every_path_of_where_does_it_go_exists() -> None:
    """The table points into the package as it is; so do its links."""
    page = (GITHUB / "CONTRIBUTING.md").read_text("utf-8")
    table = page.partition("## Where does it go?")[2].partition("\n\nMore of it")[0]
    paths = [name for name in re.findall(r"`([\w/.]+)`", table) if "/" in name or "." in name]
    assert len(paths) > 10
    assert [name for name in paths if not (ROOT / "airflow_outreach_provider" / name).exists()] == []
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (GITHUB / link).exists(), link


def test_this_version_has_its_section() -> None:
    """CHANGELOG: what is not released yet, then the versions with their days, this one among them."""
    headings = re.findall(
        r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert headings[0] == ("Unreleased", "")
    assert __version__ in [version for version, _ in headings]
    for _, day in headings[1:]:
        date.fromisoformat(day)


def test_coverage_has_a_floor() -> None:
    """``make coverage`` fails below it."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    assert tools["coverage"]["report"]["fail_under"] >= 80
    assert "--cov" in MAKEFILE.partition("\ncoverage:")[2].partition("\n\n")[0]
