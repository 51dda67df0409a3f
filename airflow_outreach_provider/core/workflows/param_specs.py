"""Params of a workflow: the fields of its trigger form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.problems import Path

RESERVED_PARAMS = frozenset({"leads", "limit", "dry_run"})
"""What the trigger form of a lead sync already asks."""

_PARAM_KEYS = frozenset(
    [
        "default",
        "description",
        "title",
        "type",
        "enum",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "examples",
        "values_display",
        "section",
        "description_md",
        "items",
        "schema",
        "const",
    ]
)

Finding = tuple[Path, bool, str, str]


def check_params(params: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with each, as the checks of a workflow tell it."""
    for name, spec in params.items():
        path: Path = ("params", name)
        if not name.isidentifier():
            yield path, True, f"{name!r} is not the name of a param", "use letters, digits and _"
        if name in RESERVED_PARAMS:
            yield path, True, f"the trigger form has a field {name!r} already", "choose another name"
        for key in spec if isinstance(spec, dict) else ():
            if key not in _PARAM_KEYS:
                yield (*path, key), True, f"a param has no {key!r}", did_you_mean(key, _PARAM_KEYS)
