"""What an expression looks at, and what it saw there: why a condition was false."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import nodes

from airflow_outreach_provider.core.expressions.parser import Mistake, parse


def names_in(source: str) -> list[tuple[str, ...]]:
    """The fields that an expression reads, in its order: ``("contact", "email")``; none where it cannot be read."""
    try:
        tree = parse(source)
    except Mistake:
        return []
    return list(dict.fromkeys(_chains(tree)))


def value_at(record: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What stands there; None where nothing does."""
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _chains(node: nodes.Node) -> Iterator[tuple[str, ...]]:
    path = _path(node)
    if path:
        yield path
        return
    for child in node.iter_child_nodes():
        yield from _chains(child)


def _path(node: nodes.Node) -> tuple[str, ...]:
    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            above = _path(node.node)
            return (*above, node.attr) if above else ()
        case nodes.Getitem():
            above = _path(node.node)
            key = node.arg.value if isinstance(node.arg, nodes.Const) else None
            return (*above, key) if above and isinstance(key, str) else ()
        case _:
            return ()
