"""Params that templates and expressions of a workflow name: one that the run will not have is misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import Environment, TemplateSyntaxError, nodes

from airflow_outreach_provider.core.suggest import did_you_mean, nearest

_environment = Environment(autoescape=False)  # noqa: S701 - only its parser is used
_OF_A_MAPPING = frozenset(name for name in dir(dict) if not name.startswith("_"))
# Where they stand: what Airflow renders, and what reads rows.
_RENDERED = ("leads", "outreach", "where", "map", "dry_run", "to")


class NamedParam(NamedTuple):
    """:ivar optional: whether its writer has thought of a run without it. :ivar offset: in the text, from 0."""

    name: str
    optional: bool
    offset: int


def named_params(template: str) -> list[NamedParam]:
    """The params that a template names; none where it cannot be read, which is told elsewhere."""
    if "params" not in template:
        return []
    try:
        tree = _environment.parse(template)
    except (TemplateSyntaxError, RecursionError):
        return []
    optional = {id(each) for node in tree.find_all((nodes.Filter, nodes.Test)) for each in _guarded(node)}
    found = []
    for node in tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
        name = _param(node)
        if name is not None:
            may_lack = id(node) in optional or isinstance(node, nodes.Call)
            found.append(NamedParam(name, may_lack, max(0, template.find(name, template.find("params")))))
    return found


def _guarded(node: nodes.Node) -> Iterator[nodes.Node]:
    """What ``| default(…)`` and ``is defined`` are about."""
    if isinstance(node, nodes.Filter | nodes.Test) and node.name in {
        "default",
        "d",
        "defined",
        "undefined",
        "none",
    }:
        below = node.node
        while below is not None:
            yield below
            below = below.node if isinstance(below, nodes.Getattr | nodes.Getitem) else None


def _param(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Call):  # params.get('region', 'QC')
        asked = node.node
        get = isinstance(asked, nodes.Getattr) and asked.attr == "get" and _is_params(asked.node)
        first = node.args[0] if get and node.args else None
        return first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else None
    if isinstance(node, nodes.Getattr) and _is_params(node.node) and node.attr not in _OF_A_MAPPING:
        return node.attr
    if isinstance(node, nodes.Getitem) and _is_params(node.node) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value)
    return None


def _is_params(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "params"


def unknown_param(template: str, known: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """The first param of a template that a workflow does not have: message, hint, offset.

    One that may be missing is no mistake, unless its name resembles one that is there.
    """
    for each in named_params(template):
        if each.name in known or (each.optional and nearest(each.name, known) is None):
            continue
        hint = did_you_mean(each.name, known, f"write params: {{{each.name}: …}}, its default")
        return f"the workflow has no param {each.name!r}", hint, each.offset
    return None


def unknown_params(
    data: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Each of a workflow, with where its text stands. :param known: by name, what the run has."""
    for key in _RENDERED:
        yield from _below(data.get(key), (key,), known)
    deliver = data.get("deliver")
    if isinstance(deliver, Mapping):
        outreach = deliver.get("outreach")
        for key in ("conn_id", "configuration_id", "campaign"):
            value = outreach.get(key) if isinstance(outreach, Mapping) else None
            yield from _below(value, ("deliver", "outreach", key), known)


def _below(
    value: object, path: tuple[str | int, ...], known: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _below(each, (*path, key), known)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _below(each, (*path, index), known)
    elif isinstance(value, str):
        text = "{{ " + value + " }}" if path == ("where",) else value
        found = unknown_param(text, known)
        if found is not None:
            yield path, found[0], found[1]
