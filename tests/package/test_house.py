"""The house keeps its measures: small files, classes and functions, one class a name, every import declared.

``python tests/package/test_house.py`` prints what exceeds them today, ``--write`` notes it in ``house.json``: the
list of what is still to be made smaller, which may only ever get shorter.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_outreach_provider"
NOTED = Path(__file__).with_name("house.json")

FILE_LINES, CLASS_LINES, FUNCTION_LINES = 400, 200, 60
MIGRATIONS = "store/migrations/"

Measures = dict[str, dict[str, int]]
"""By rule: what exceeds it, and by how many lines or bearers it is borne."""


def trees(folder: Path) -> Iterator[tuple[str, str, ast.Module]]:
    """Every module below a folder: its path there, its text, its syntax tree."""
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text("utf-8")
        yield path.relative_to(folder).as_posix(), text, ast.parse(text)


def long_files(package: Path) -> dict[str, int]:
    """Files of too many lines, but migrations and tables of data."""
    return {
        path: lines
        for path, text, tree in trees(package)
        if (lines := len(text.splitlines())) > FILE_LINES
        and not path.startswith(MIGRATIONS)
        and not is_table(tree, lines)
    }


def is_table(tree: ast.Module, lines: int) -> bool:
    """Whether a file is a table of data: nine lines of ten are constants of the module."""
    rows = (node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign))
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in rows) >= 0.9 * lines


def definitions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, ast.AST, int]]:
    """Every class and function with its dotted name and its lines, decorators included."""
    for node in ast.iter_child_nodes(tree):
        name = above
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{above}.{node.name}" if above else node.name
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            yield name, node, (node.end_lineno or node.lineno) - first + 1
        yield from definitions(node, name)


def long_definitions(package: Path, kinds: tuple[type[ast.AST], ...], limit: int) -> dict[str, int]:
    """Classes or functions of too many lines, as ``path::name``, but migrations: they are tables of data too."""
    return {
        f"{path}::{name}": lines
        for path, _, tree in trees(package)
        if not path.startswith(MIGRATIONS)
        for name, node, lines in definitions(tree)
        if isinstance(node, kinds) and lines > limit
    }


def repeated_names(package: Path) -> dict[str, int]:
    """Class names that more than one class bears, wherever it stands."""
    bearers: defaultdict[str, int] = defaultdict(int)
    for _, _, tree in trees(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bearers[node.name] += 1
    return {name: count for name, count in sorted(bearers.items()) if count > 1}


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Every absolute import that must succeed: the file it stands in, the module it names."""
    for path, _, tree in trees(folder):
        optional = {id(each) for node in ast.walk(tree) if may_fail(node) for each in node.body}
        for node in ast.walk(tree):
            if id(node) in optional:
                continue
            if isinstance(node, ast.Import):
                yield from ((path, each.name) for each in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield from ((path, f"{node.module}.{each.name}") for each in node.names)


def may_fail(node: ast.AST) -> TypeGuard[ast.Try]:
    """Whether it tries an import and knows what to do without it."""
    return isinstance(node, ast.Try) and any(
        isinstance(each.type, ast.Name) and each.type.id in ("ImportError", "ModuleNotFoundError")
        for each in node.handlers
    )


@cache
def brought() -> dict[str, set[str]]:
    """The installed distributions by the modules they bring."""
    return {module: {canonical(name) for name in names} for module, names in packages_distributions().items()}


def distributions(module: str) -> set[str]:
    """The names of the distributions that may bring a module; none for the standard library and our own."""
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names or top == PACKAGE.name:
        return set()
    if top == "airflow":
        if rest[:1] != ["providers"]:
            return {"apache-airflow"}
        parts = rest[1:]
        return {f"apache-airflow-providers-{'-'.join(parts[:depth])}" for depth in range(1, len(parts) + 1)}
    return brought().get(top, {canonical(top)})


def canonical(name: str) -> str:
    """A distribution's name as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirements: Iterable[str]) -> set[str]:
    """The names in a list of requirements."""
    return {canonical(re.split(r"[\s\[<>=!~;]", each, maxsplit=1)[0]) for each in requirements}


def undeclared(project: Path) -> dict[str, int]:
    """What the package imports and pyproject does not name, its test extra aside; how many files import it."""
    facts = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))["project"]
    extras = facts.get("optional-dependencies", {})
    declared = required(
        [*facts["dependencies"], *(each for name in extras if name != "test" for each in extras[name])]
    )
    missing: defaultdict[str, set[str]] = defaultdict(set)
    for path, module in imported(project / PACKAGE.name):
        brought_by = distributions(module)
        if brought_by and not brought_by & declared:
            missing[min(brought_by, key=len)].add(path)
    return {name: len(paths) for name, paths in sorted(missing.items())}


def measure(project: Path = ROOT) -> Measures:
    """Everything that exceeds a measure, by rule."""
    package = project / PACKAGE.name
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        f"files over {FILE_LINES} lines": long_files(package),
        f"classes over {CLASS_LINES} lines": long_definitions(package, (ast.ClassDef,), CLASS_LINES),
        f"functions over {FUNCTION_LINES} lines": long_definitions(package, functions, FUNCTION_LINES),
        "class names borne twice": repeated_names(package),
        "imported, not declared": undeclared(project),
    }


def complaints(found: Measures, noted: Measures) -> list[str]:
    """What got worse against the list, and what the list need not hold any more."""
    said = []
    for rule, offenders in found.items():
        allowed = noted.get(rule, {})
        for name, size in offenders.items():
            if name not in allowed:
                said.append(f"{rule}: {name} ({size}) is new; make it smaller")
            elif size > allowed[name]:
                said.append(f"{rule}: {name} grew from {allowed[name]} to {size}; make it smaller")
        mended = allowed.keys() - offenders.keys()
        said += [f"{rule}: {name} is mended; take it off {NOTED.name}" for name in mended]
    return sorted(said)


@pytest.mark.slow
def test_the_house_does_not_get_worse() -> None:
    """Nothing exceeds a measure but what is noted, no more than noted, and nothing is noted that does not."""
    assert complaints(measure(), json.loads(NOTED.read_text("utf-8"))) == []


def _project(folder: Path, code: str, dependencies: str = "[]") -> Path:
    (folder / PACKAGE.name / "core").mkdir(parents=True)
    (folder / PACKAGE.name / "core" / "room.py").write_text(code)
    (folder / "pyproject.toml").write_text(
        f"[project]\ndependencies = {dependencies}\n[project.optional-dependencies]\ntest = ['pytest']\n"
    )
    return folder


BODY = "    x = 1\n"


@pytest.mark.parametrize(
    ("code", "rule", "offenders"),
    [
        ("def f(): ...\n" * 400, "files over 400 lines", {}),
        ("def f(): ...\n" * 401, "files over 400 lines", {"core/room.py": 401}),
        ("X = (\n" + "    1,\n" * 500 + ")\n", "files over 400 lines", {}),
        ("class A:\n" + BODY * 199, "classes over 200 lines", {}),
        ("@final\nclass A:\n" + BODY * 199, "classes over 200 lines", {"core/room.py::A": 201}),
        ("async def f():\n" + BODY * 59, "functions over 60 lines", {}),
        ("async def f():\n" + BODY * 60, "functions over 60 lines", {"core/room.py::f": 61}),
        (
            "class A:\n    def f(self):\n" + ("    " + BODY) * 60,
            "functions over 60 lines", {"core/room.py::A.f": 61},
        ),
        ("class A: pass\ndef f():\n    class A: pass\n", "class names borne twice", {"A": 2}),
        ("import json, sqlalchemy\n", "imported, not declared", {}),
        ("def f():\n    from aiohttp import web\n", "imported, not declared", {"aiohttp": 1}),
        ("try:\n    import uvloop\nexcept ImportError:\n    pass\n", "imported, not declared", {}),
        ("try:\n    import uvloop\nexcept OSError:\n    pass\n", "imported, not declared", {"uvloop": 1}),
        ("import pytest\nimport yaml.nodes\n", "imported, not declared", {"pytest": 1, "pyyaml": 1}),
        ("from airflow.sdk import DAG\nfrom airflow_outreach_provider.core import x\n", "imported, not declared", {}),
        ("from airflow.providers.http.hooks.http import H\n", "imported, not declared", {}),
        (
            "import airflow.providers.standard.sensors.filesystem\n",
            "imported, not declared", {"apache-airflow-providers-standard": 1},
        ),
    ],
)  # fmt: skip
def test_each_measure_finds_what_exceeds_it(
    tmp_path: Path, code: str, rule: str, offenders: dict[str, int]
) -> None:
    """A file, class, function, name or import just beyond its measure is found, one just within it is not."""
    dependencies = "['SQLAlchemy>=2', 'apache-airflow[x]>=3', 'apache-airflow-providers-http']"
    assert measure(_project(tmp_path, code, dependencies))[rule] == offenders


def test_the_list_only_gets_shorter() -> None:
    """New, grown and mended entries are each complained about; one that shrank a little is not."""
    noted = {"files": {"a": 500, "b": 500, "c": 500}}
    found = {"files": {"a": 450, "b": 501, "d": 401}}
    assert complaints(found, noted) == [
        "files: b grew from 500 to 501; make it smaller",
        "files: c is mended; take it off house.json",
        "files: d (401) is new; make it smaller",
    ]


if __name__ == "__main__":
    today = measure()
    for rule, offenders in today.items():
        print(f"{rule}: {len(offenders)}")
        for name, size in sorted(offenders.items(), key=lambda each: -each[1]):
            print(f"  {size:5}  {name}")
    if sys.argv[1:] == ["--write"]:
        NOTED.write_text(json.dumps(today, indent=2) + "\n", "utf-8")
