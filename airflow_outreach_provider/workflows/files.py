"""Workflow files on disk → their text. Nothing of Airflow here."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.environments import Chooser
from airflow_outreach_provider.core.workflows.loading import DEFAULTS_FILE, Loaded, Workflows, load_texts
from airflow_outreach_provider.core.workflows.models import DagSettings
from airflow_outreach_provider.core.workflows.problems import Problem, WorkflowErrors
from airflow_outreach_provider.workflows.environment import present_environment

ENDINGS = (".yaml", ".yml")


_PYTHON = "a DAG in Python is no workflow: start it with dry_run for the same"


def load_files(paths: Iterable[str | PathLike[str]], chooser: Chooser | None = None) -> Workflows:
    """Read the workflow files under some paths; folders are searched, hidden ones left out.

    A single file is read together with the defaults of its folder.

    :param chooser: says which environment is the present one; None looks at all of them.

    :raises ConfigurationError: a path does not exist.
    """
    sources: dict[str, str] = {}
    unreadable: list[Problem] = []
    files = [file for path in paths for file in _find(Path(path))]
    defaults = [file.with_name(DEFAULTS_FILE) for file in files if file.with_name(DEFAULTS_FILE).is_file()]
    for file in dict.fromkeys([*files, *defaults]):
        try:
            sources[str(file)] = file.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
            said = f"byte {error.start} is not UTF-8"
            unreadable.append(Problem(str(file), line, column, said, "save it as UTF-8"))
        except OSError as error:
            unreadable.append(Problem(str(file), 1, 1, f"the file cannot be read: {error.strerror}"))
    loaded = load_texts(sources, chooser)
    loaded.problems += unreadable
    return loaded


def _find(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ConfigurationError(f"{path} does not exist", "name a workflow file or a folder of them")
    return sorted(
        file
        for file in path.rglob("*")
        if file.suffix in ENDINGS
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )


def find_workflow(name: str, path: str | PathLike[str]) -> Loaded[DagSettings]:
    """The workflow of a name or DAG id.

    :param path: a workflow file or a folder of them, or a DAGs folder with such a folder in it.
    :raises ConfigurationError: there is none, or two of the same name; with all mistakes where files have some.
    """
    loaded = load_files([path], present_environment())
    found = [each for each in loaded.workflows if name in (each.name, each.dag_id)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = " and ".join(each.dag_id for each in found)
        raise ConfigurationError(f"{name!r} is the name of {ids}", "give the DAG id")
    if loaded.problems:
        raise WorkflowErrors(loaded.problems, loaded.sources)
    if not loaded.workflows:
        raise ConfigurationError(
            f"there is no workflow under {path}", f"name a file or folder with --path; {_PYTHON}"
        )
    raise ConfigurationError(
        f"there is no workflow {name!r} under {path}",
        f"{did_you_mean(name, [each.name for each in loaded.workflows])}; {_PYTHON}",
    )
