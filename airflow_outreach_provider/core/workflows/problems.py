"""What is wrong with a workflow file: where, why, what was meant; and how that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError

Path = tuple[str | int, ...]
"""Where something stands in a file's data, e.g. ``("lead_syncs", "website", "rules", "on_unknown")``."""
Finding = tuple[Path, bool, str, str]
"""Path below the workflow, whether its key is meant (not its value), message, hint."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A piece of one line: line and column count from 1, length in characters."""

    file: str
    line: int
    column: int
    length: int = 1
    text: bool = False
    """Whether the source shows a text as it is, so that an offset in it can be found."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake.

    :param message: what is wrong, one line.
    :param hint: what to write instead, e.g. ``did you mean 'schedule'?``; may be empty.
    :param path: the workflow's keys down to the mistake, dotted; empty where the file itself is wrong.
    """

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    path: str = ""
    length: int = 1

    @classmethod
    def at(cls, spot: Spot, message: str, hint: str = "", path: Path = ()) -> Problem:
        return cls(spot.file, spot.line, spot.column, message, hint, dotted(path), spot.length)

    def as_dict(self) -> dict[str, Any]:
        """For ``-o json``."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


class WorkflowErrors(ConfigurationError):
    """Workflow files that cannot be used; the message shows every mistake with its line and a caret."""

    def __init__(self, problems: Iterable[Problem], sources: Mapping[str, str]) -> None:
        self.problems = tidy(problems)
        count = len(self.problems)
        files = ", ".join(sorted({problem.file for problem in self.problems}))
        head = f"{count} mistake{'s' if count != 1 else ''} in {files}"
        shown = [render(problem, sources.get(problem.file, "")) for problem in self.problems]
        super().__init__("\n\n".join([head, *shown]))


def parted_number(data: object, key: str) -> tuple[str, str] | None:
    """What is wrong with the ``000`` of ``{limit: 1,000}``, whose comma ends the value; None of any other key."""
    if not isinstance(data, dict) or data.get(key) is not None or not (len(key) == 3 and key.isdecimal()):
        return None
    before = next((pair for pair, after in pairwise(data.items()) if after[0] == key), None)
    if before is None or type(before[1]) is not int:
        return None
    return f"the comma ends the number of {before[0]}", f"write {before[0]}: {before[1]}{key}"


def tidy(problems: Iterable[Problem]) -> list[Problem]:
    """In the order of the files' lines; a mistake in a default counts once, not once for each workflow."""
    unique: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        unique.setdefault((problem.file, problem.line, problem.column, problem.message), problem)
    return sorted(unique.values())


def dotted(path: Path) -> str:
    """``lead_syncs.website.leads``; list positions in brackets."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def render(problem: Problem, source: str, kind: str = "") -> str:
    """The mistake as a compiler would show it::

    leads.yaml:4:5: unknown key 'shedule'
        4 |     shedule: "@daily"
          |     ^^^^^^^ did you mean 'schedule'?
    """
    head = f"{problem.file}:{problem.line}:{problem.column}: {kind}{problem.message}"
    lines = source.split("\n")
    if not 0 < problem.line <= len(lines) or not lines[problem.line - 1].strip():
        return f"{head}\n      = {problem.hint}" if problem.hint else head
    line = lines[problem.line - 1].rstrip("\r").replace("\t", " ")
    start, width = problem.column - 1, max(1, problem.length)
    if len(line) > 110:  # show the part of a long line that matters
        cut = max(0, min(start - 20, len(line) - 110))
        line, start = line[cut : cut + 110], start - cut
    carets = " " * start + "^" * max(1, min(width, len(line) - start))
    tail = f" {problem.hint}" if problem.hint else ""
    return f"{head}\n{problem.line:>5} | {line}\n      | {carets}{tail}"
