"""What is imported is declared, and what is declared can be had beside Airflow."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_outreach_provider"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = {canonicalize_name(Requirement(text).name): Requirement(text) for text in PROJECT["dependencies"]}
DEMO = {canonicalize_name(Requirement(text).name) for text in PROJECT["optional-dependencies"]["demo"]}

# Constraints of a managed Airflow, where the test finds some: beside the checkout, or as the environment says.
CONSTRAINTS = Path(os.environ.get("OUTREACH_TEST_CONSTRAINTS", ROOT.parent / "shared"))


def imports(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[str, bool]]:
    """Absolute imports, and whether each may fail: ``try: import x; except ImportError``."""
    for node in ast.iter_child_nodes(tree):
        inside = guarded or (isinstance(node, ast.Try) and any(map(_catches_import_error, node.handlers)))
        if isinstance(node, ast.Import):
            yield from ((alias.name, guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, guarded
        yield from imports(node, inside)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and "ImportError" in ast.unparse(handler.type)


@cache
def modules() -> dict[str, list[str]]:
    """Third-party modules that the package cannot do without → the files that import them."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / PACKAGE).rglob("*.py")):
        for name, guarded in imports(ast.parse(file.read_text("utf-8"))):
            if not guarded and name.partition(".")[0] not in {
                *sys.stdlib_module_names,
                PACKAGE,
                "__future__",
            }:
                found.setdefault(name, []).append(str(file.relative_to(ROOT)))
    return found


_installed = cache(metadata.packages_distributions)


def distributions(module: str) -> set[str]:
    """The installed distributions that may bring a module."""
    if module.startswith("airflow.providers."):
        parts = module.split(".")
        return {f"apache-airflow-providers-{parts[2]}"}
    if module.partition(".")[0] == "airflow":
        return {"apache-airflow"}  # which brings core and task SDK in matching versions
    known = _installed().get(module.partition(".")[0], [])
    return {canonicalize_name(name) for name in known}


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted(modules()))
def test_every_import_is_declared(module: str) -> None:
    """No module is there by luck, because something else brings it today; what the simulator needs is the extra ``demo``."""
    files = modules()[module]
    simulated = all(file.startswith((f"{PACKAGE}/simulator/", f"{PACKAGE}/demo/")) for file in files)
    declared = set(DECLARED) | (DEMO if simulated else set())
    assert distributions(module) & declared, f"{module} ({files[0]}) is in no dependency"


def test_nothing_is_declared_that_is_not_imported() -> None:
    """A dependency that nothing uses is a reason to fail for nobody's benefit."""
    used = {name for module in modules() for name in distributions(module)}
    assert set(DECLARED) <= used


def test_every_extra_is_told_by_the_set_up_and_by_the_page_that_installs() -> None:
    """But those of who works on the package itself."""
    from airflow_outreach_provider.hooks.setup import _EXTRAS

    page = (ROOT / PACKAGE / "docs" / "install.md").read_text("utf-8")
    told = page[page.index("Extras: ") :].partition("\n\n")[0]
    extras = PROJECT["optional-dependencies"].keys() - {"docs", "test"}
    assert extras == _EXTRAS.keys() == {name for name in extras if f"`{name}`" in told}


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_dependency_says_from_which_version(name: str) -> None:
    """A lower bound each, which ``make sets`` installs; an upper one only against a version known to break."""
    assert any(each.operator in (">=", "~=") for each in DECLARED[name].specifier)


def _pins(file: Path) -> dict[str, str]:
    lines = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", file.read_text("utf-8"), re.MULTILINE)
    return {str(canonicalize_name(name)): version for name, version in lines}


def _constraint_files() -> list[Any]:
    """Those of Airflow's that are here, beside our own; ``.ci/sets`` says where there are none."""
    files = [CONSTRAINTS] if CONSTRAINTS.is_file() else sorted(CONSTRAINTS.glob("constraints-airflow-*.txt"))
    return [pytest.param(file, id=file.name) for file in files]


@pytest.mark.parametrize("file", [pytest.param(ROOT / "constraints.txt", id="ours"), *_constraint_files()])
def test_constraints_are_within_the_declared_ranges(file: Path) -> None:
    """What an Airflow pins is what we take, in every package that both name; nothing is left to chance."""
    pins = _pins(file)
    refused = {
        name: f"{wanted} does not take {pins[name]}"
        for name, wanted in DECLARED.items()
        if name in pins and not wanted.specifier.contains(pins[name], prereleases=True)
    }
    assert refused == {}
