"""Conditions that read like a choice, and are the same for every event or row."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import nodes

from airflow_outreach_provider.core.expressions.code import Code
from airflow_outreach_provider.core.expressions.functions import Type
from airflow_outreach_provider.core.expressions.parser import Mistake

_SIGNS = {
    "eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">=", "in": "in", "notin": "not in",
}  # fmt: skip
_ORDERS = {"lt", "lteq", "gt", "gteq"}
_OTHER_WAY = {"eq": "ne", "ne": "eq", "in": "notin", "notin": "in"}
# Longer ones may be years, dates or codes of one length, whose letters are in the order of the numbers.
_SMALL_NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d*)?|[+-]?\d*\.\d+")


def check_sides(left: Code, operator: str, right: Code, operand: nodes.Expr) -> None:
    """:raises Mistake: both sides are written out, or a number is compared by its letters."""
    if left.literal and right.literal:
        named, other = (left, right) if isinstance(left.constant, str) else (right, left)
        remedy = "leave it out"
        if isinstance(named.constant, str):
            name = named.constant if named.constant.isidentifier() else "name"
            value = list(other.constant) if isinstance(other.constant, tuple) else other.constant
            remedy = f"a name stands without quotes: {name} {_SIGNS[operator]} {value!r}"
        raise Mistake(
            f"both sides are written out, {left.label} and {right.label}: this is the same for all",
            operand.lineno,
            remedy,
        )
    if operator not in _ORDERS:
        return
    for number, other in ((left, right), (right, left)):
        value = number.constant
        if not number.literal or not isinstance(value, str) or other.type is Type.TIME:
            continue
        if _SMALL_NUMBER.fullmatch(value.strip()):
            sides = (value.strip(), f"{other.label} | float")
            first, last = sides if number is left else sides[::-1]
            raise Mistake(
                f"{number.label} is text, and texts compare letter by letter: '5' comes after '18'",
                operand.lineno,
                f"write {first} {_SIGNS[operator]} {last}",
            )


def check_alternatives(node: nodes.Or | nodes.And) -> None:
    """:raises Mistake: ``x != 'a' or x != 'b'``, true of all, or ``x == 'a' and x == 'b'``, true of none."""
    either = isinstance(node, nodes.Or)
    wanted = {"ne", "notin"} if either else {"eq", "in"}
    seen: list[tuple[nodes.Expr, tuple[object, ...]]] = []
    for part in _parts(node, type(node)):
        found = _choice(part)
        if found is None or found[1] not in wanted:
            continue
        value, _, items = found
        if None in items:  # an empty cell is none beside it, and a text beside a text
            continue
        for before, others in seen:
            if before == value and not any(each in items for each in others):
                joined = f"[{', '.join(map(repr, (*others, *items)))}]"
                raise Mistake(
                    "one of these is always true, whatever the value"
                    if either
                    else "these are never both true",
                    part.lineno,
                    f"write and in place of or, or one list: not in {joined}"
                    if either
                    else f"write or in place of and, or one list: in {joined}",
                )
        seen.append((value, items))


def _parts(node: nodes.Expr, joint: type[nodes.Or | nodes.And]) -> Iterator[nodes.Expr]:
    """What one word joins, from the left."""
    if isinstance(node, joint):
        yield from _parts(node.left, joint)
        yield from _parts(node.right, joint)
    else:
        yield node


def _choice(node: nodes.Expr) -> tuple[nodes.Expr, str, tuple[object, ...]] | None:
    """A comparison with what is written out: of what, how, and with which values."""
    if isinstance(node, nodes.Not):
        found = _choice(node.node)
        return None if found is None else (found[0], _OTHER_WAY[found[1]], found[2])
    if not isinstance(node, nodes.Compare) or len(node.ops) != 1 or node.ops[0].op not in _OTHER_WAY:
        return None
    value, operator, other = node.expr, node.ops[0].op, node.ops[0].expr
    if operator in {"eq", "ne"}:
        if isinstance(value, nodes.Const):
            value, other = other, value
        return (value, operator, (other.value,)) if isinstance(other, nodes.Const) else None
    if not isinstance(other, (nodes.List, nodes.Tuple)):
        return None
    values = [each.value for each in other.items if isinstance(each, nodes.Const)]
    return (value, operator, tuple(values)) if len(values) == len(other.items) else None
