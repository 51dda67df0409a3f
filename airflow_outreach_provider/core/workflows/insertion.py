"""One more workflow in the text of a workflow file, of which all else stays as it is."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_outreach_provider.core.workflows.yaml_source import read_yaml

_HEAD = "# Outreach workflows: each becomes a DAG. Check this file: airflow outreach lint"


def new_file(section: str, lines: Sequence[str]) -> str:
    """A file of one workflow. :param lines: from its name on, as :mod:`drafts` writes them."""
    return "\n".join([_HEAD, "", f"{section}:", *_indented(lines, 2)]) + "\n"


def is_written(text: str) -> bool:
    """Whether a file says anything: comments alone are none."""
    located, problems = read_yaml(text, "")
    return bool(problems) or (located is not None and located.data is not None)


def inserted(text: str, section: str, lines: Sequence[str]) -> str:
    """The text with a workflow at the end of a section, which is begun where there is none.

    Only lines are added, with the line ends of the file. Whether what comes out is read as it should be, the caller
    looks: a section may be written in braces.
    """
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    located, _ = read_yaml(text.removeprefix("\ufeff"), "")
    keys = located.keys if located is not None else {}
    old = text.splitlines(keepends=True)
    if old and not old[-1].endswith("\n"):
        old[-1] += end_of_line
    place = keys.get((section,))
    if place is None:
        while old and not old[-1].strip():
            old.pop()
        at, added = len(old), [*([""] if old else []), f"{section}:", *_indented(lines, 2)]
    else:
        first = min(
            (spot.column for path, spot in keys.items() if path[:1] == (section,) and len(path) == 2),
            default=3,
        )
        later = [spot.line for path, spot in keys.items() if len(path) == 1 and spot.line > place.line]
        at, added = min(later) - 1 if later else len(old), _indented(lines, first - 1)
        # What stands at the edge is the next section's, or nobody's.
        while at > place.line and not (old[at - 1].strip() and old[at - 1][0].isspace()):
            at -= 1
    return "".join([*old[:at], *(line + end_of_line for line in added), *old[at:]])


def _indented(lines: Sequence[str], by: int) -> list[str]:
    return [" " * by + line for line in lines]
