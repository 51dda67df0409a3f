"""Which params a template or an expression reads, told from Jinja's tree; one that is not there is misspelt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import nodes

from airflow_outreach_provider.core.expressions.parser import Mistake
from airflow_outreach_provider.core.suggest import did_you_mean

_OF_A_MAPPING = frozenset(name for name in dir(dict) if not name.startswith("_"))
_MAY_LACK = frozenset({"default", "d", "defined", "undefined", "none"})


class NamedParam(NamedTuple):
    """:ivar optional: whether its writer has thought of a run without it. :ivar offset: where it stands, as the tree's ``lineno`` says."""

    name: str
    optional: bool
    offset: int


def params_in(tree: nodes.Node) -> Iterator[NamedParam]:
    """All of them, in the tree's order."""
    guards = [tree] if isinstance(tree, nodes.Filter | nodes.Test) else []
    optional = {
        id(each) for node in [*guards, *tree.find_all((nodes.Filter, nodes.Test))] for each in _guarded(node)
    }
    own = [tree] if isinstance(tree, nodes.Getattr | nodes.Getitem) else []
    for node in [*own, *tree.find_all((nodes.Getattr, nodes.Getitem, nodes.Call))]:
        name = _param(node)
        if name is not None:
            yield NamedParam(name, id(node) in optional or isinstance(node, nodes.Call), node.lineno)


def check_params(tree: nodes.Node, given: Mapping[str, Any]) -> None:
    """As none it would let everybody through. :param given: what the run gives, its params too.

    :raises Mistake: the run has none of that name, and the writer has not thought of that.
    """
    params = given.get("params")
    if not isinstance(params, Mapping):
        return
    for each in params_in(tree):
        if not each.optional and each.name not in params:
            hint = did_you_mean(each.name, params, "give the DAG a param of that name")
            raise Mistake(f"this run has no param {each.name!r}", each.offset, hint)


def _guarded(node: nodes.Node) -> Iterator[nodes.Node]:
    """What ``| default(…)`` and ``is defined`` are about."""
    if isinstance(node, nodes.Filter | nodes.Test) and node.name in _MAY_LACK:
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
