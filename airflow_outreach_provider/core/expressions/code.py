"""A compiled piece of an expression, and what can be said about pieces before there is any data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from airflow_outreach_provider.core.expressions.functions import FILTERS, Type, type_of
from airflow_outreach_provider.core.expressions.parser import Mistake
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.times import read_time

UNKNOWN = object()
"""In place of a constant: known only when the data is there."""


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled node: how to compute it and what is known of it beforehand."""

    run: Callable[[Any], Any]
    type: Type
    always: bool = False
    choices: frozenset[str] = frozenset()
    constant: object = UNKNOWN
    label: str = "this"
    column: bool = False
    """Whether it is a text only because its file holds nothing else."""
    literal: bool = False
    """Whether it is written out: a constant that nothing gives."""


def compared(code: Code, other: Code) -> Callable[[Any], Any]:
    """How it is computed to be compared with another.

    Beside a time a text is read as one: an event's JSON writes its times as text. Beside none an empty cell is none.
    """
    if other.constant is None or (isinstance(other.constant, list | tuple) and None in other.constant):
        return or_none(code)
    if Type.TIME not in (code.type, other.type):
        return code.run
    if code.constant is not UNKNOWN:
        moment = read_time(code.constant)
        return lambda _record: moment
    run = code.run
    return lambda record: read_time(run(record))


def or_none(code: Code) -> Callable[[Any], Any]:
    """A column of texts alone knows no other way to say none than an empty cell; any other code as it is."""
    run = code.run
    if not code.column:
        return run

    def empty_is_none(record: Any) -> Any:
        value = run(record)
        return None if isinstance(value, str) and not value.strip() else value

    return empty_is_none


def common(left: Code, right: Code) -> Type:
    return left.type if left.type is right.type else Type.ANY


def arguments(node: nodes.Filter) -> list[nodes.Expr]:
    """The arguments in the filter's own order; the number and the names are checked here."""
    spec = FILTERS[node.name]
    if node.dyn_args or node.dyn_kwargs:
        raise Mistake("* and ** are not allowed", node.lineno, "write each argument")
    named: dict[Any, Any] = {each.key: each.value for each in node.kwargs}
    for key in named:
        if key not in spec.arguments[len(node.args) :]:
            known = did_you_mean(key, spec.arguments, f"write {', '.join(spec.arguments) or 'no arguments'}")
            raise Mistake(f"the filter {node.name} has no argument {key!r}", node.lineno, known)
    arguments = list(node.args)
    for position, name in enumerate(spec.arguments[len(node.args) :], len(node.args)):
        if name not in named:
            break
        arguments.append(named.pop(name))
        assert len(arguments) == position + 1
    if named or not spec.required <= len(arguments) <= len(spec.arguments):
        wants = ", ".join(spec.arguments) or "no arguments"
        example = f"write … | {node.name}({wants})" if spec.arguments else f"write … | {node.name}"
        raise Mistake(f"the filter {node.name} takes {wants}", node.lineno, example)
    return arguments


def check_filter(node: nodes.Filter, value: Code) -> None:
    takes = FILTERS[node.name].takes
    if value.type not in takes:
        raise Mistake(
            f"{value.label} is {value.type}, {node.name} cannot take that",
            node.lineno,
            f"it takes {', '.join(sorted(each.value for each in takes - {Type.ANY, Type.NONE}))}",
        )


def check_arithmetic(sign: str, *sides: tuple[Code, nodes.Expr]) -> None:
    types = {side.type for side, _ in sides}
    if sign == "+" and types <= {Type.TEXT, Type.ANY}:
        return
    for side, where in sides:
        if side.type not in (Type.NUMBER, Type.ANY):
            hint = "join texts with ~" if Type.TEXT in types else "write a number"
            hint = f"write {side.label} | float" if side.column else hint
            raise Mistake(f"{side.label} is {side.type}, {sign} needs numbers", where.lineno, hint)


def check_asked(code: Code, node: nodes.Expr) -> None:
    """What is asked for yes or no must be able to say no."""
    if code.always and code.type not in (Type.BOOL, Type.ANY):
        raise Mistake(
            f"{code.label} is {code.type}, so this is always true", node.lineno, "compare it, or leave it out"
        )


def check_or(left: Code, right: Code, node: nodes.Or) -> None:
    check_asked(left, node.left)
    if right.always and right.type not in (Type.BOOL, Type.ANY) and left.type is Type.BOOL:
        raise Mistake(
            f"{right.label} is {right.type}, so this is always true",
            node.right.lineno,
            "repeat the comparison: kind == 'opened' or kind == 'clicked', or: kind in ['opened', 'clicked']",
        )


def check_comparison(left: Code, operator: str, right: Code, operand: nodes.Expr) -> None:
    offset = operand.lineno
    check_texts(left, operator, right, offset)
    if operator in {"in", "notin"}:
        if right.type not in (Type.LIST, Type.TEXT, Type.ANY):
            raise Mistake(f"{right.label} is {right.type}", offset, "after in comes a list or a text")
        if isinstance(operand, nodes.Const) and right.type is Type.TEXT and left.constant is UNKNOWN:
            raise Mistake(
                f"this asks whether {left.label} is a part of {right.label}, which an empty text is of any",
                offset,
                f"write a list, in [{right.label}], or what it holds first, {right.label} in {left.label}",
            )
        if isinstance(operand, (nodes.List, nodes.Tuple)):
            for item in operand.items:
                check_choice(left, getattr(item, "value", None), item.lineno)
        return
    for one, other in ((left, right), (right, left)):
        check_choice(one, other.constant, offset)
        if one.type is Type.TIME and other.type is Type.TEXT:
            if other.constant is not UNKNOWN and read_time(other.constant) is None:
                raise Mistake(
                    f"{other.label} is not a time", offset, "write ISO 8601, e.g. '2026-03-25T18:30:00Z'"
                )
            return
    known = {left.type, right.type} - {Type.ANY}
    if operator in {"eq", "ne"}:
        known -= {Type.NONE}
    if len(known) > 1:
        raise Mistake(
            f"{left.label} is {left.type}, {right.label} is {right.type}: they never compare",
            offset,
            "put quotes around it"
            if left.type is Type.TEXT and right.type is Type.NUMBER
            else f"compare with {(left.type if left.type in known else right.type).value}",
        )


_NEVER = {Type.LIST: "in a list without texts"}
_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def check_texts(left: Code, operator: str, right: Code, offset: int) -> None:
    """A column that holds texts alone is never true, and no number: what asks for that would decide for everybody."""
    for column, other in ((left, right), (right, left)):
        kind = other.type if other.constant is UNKNOWN else type_of(other.constant)
        if not column.column or kind in (Type.TEXT, Type.TIME, Type.ANY, Type.NONE):
            continue
        if kind is Type.LIST and column is left and _may_hold_texts(operator, other.constant):
            continue
        raise Mistake(
            f"{column.label} is text in a CSV and never {_NEVER.get(kind, kind)}",
            offset,
            _as_text(column, operator, other, kind, mirrored=column is right),
        )


def _may_hold_texts(operator: str, items: object) -> bool:
    if operator not in {"in", "notin"}:
        return False
    return not isinstance(items, list | tuple) or not items or any(isinstance(each, str) for each in items)


def _shown(code: Code) -> str:
    return str(code.constant).lower() if isinstance(code.constant, bool) else code.label


def _as_text(column: Code, operator: str, other: Code, kind: Type, *, mirrored: bool) -> str:
    """How it is written of a text."""
    shown, sign = _shown(other), _SIGNS.get(operator)
    if kind is Type.BOOL and sign in {"==", "!="}:
        said = f"'{shown}'" if isinstance(other.constant, bool) else f"{shown} | string"
        return f"write {column.label} | lower {sign} {said}"
    if kind is Type.NUMBER and sign is not None:
        left, right = f"{column.label} | float", shown
        return f"write {right} {sign} {left}" if mirrored else f"write {left} {sign} {right}"
    return "write texts in quotes, e.g. ['true', '1'], or a number as score | float"


def check_test(value: Code, name: str, offset: int) -> None:
    """The same of ``is true``, ``is number``."""
    if value.column and name in {"true", "false", "number", "boolean"}:
        remedy = (
            f"write {value.label} | lower == '{name}'"
            if name in {"true", "false"}
            else "compare it with a text"
        )
        raise Mistake(f"{value.label} is text in a CSV, so it is never {name}", offset, remedy)


def check_choice(code: Code, constant: object, offset: int) -> None:
    if code.choices and isinstance(constant, str) and constant not in code.choices:
        raise Mistake(f"{code.label} is never {constant!r}", offset, did_you_mean(constant, code.choices))
