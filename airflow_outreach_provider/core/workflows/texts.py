"""The texts of a workflow's data, however deep."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_outreach_provider.core.workflows.problems import Path


def texts_in(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text below a value, with where it stands."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from texts_in(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts_in(each, (*path, index))
    elif isinstance(value, str):
        yield path, value
