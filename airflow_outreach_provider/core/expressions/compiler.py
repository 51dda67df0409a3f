"""Jinja's syntax tree → one function of a record. Every mistake is found here, with its position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from airflow_outreach_provider.core.expressions.code import (
    UNKNOWN,
    Code,
    arguments,
    check_arithmetic,
    check_asked,
    check_comparison,
    check_filter,
    check_or,
    check_test,
    common,
    compared,
    or_none,
)
from airflow_outreach_provider.core.expressions.functions import (
    ARITHMETIC,
    ASK_FOR_NONE,
    COMPARISONS,
    FILTERS,
    TESTS,
    Type,
    below_in,
    negative,
    says_yes,
    type_of,
)
from airflow_outreach_provider.core.expressions.params import check_params
from airflow_outreach_provider.core.expressions.parser import REFUSED, Mistake, parse
from airflow_outreach_provider.core.expressions.scope import (
    NULLS,
    YES_NO,
    Field,
    Scope,
    advice_for_name,
    written_column,
)
from airflow_outreach_provider.core.expressions.slips import check_alternatives, check_sides
from airflow_outreach_provider.core.suggest import did_you_mean

_MAX_NODES = 300
_MAX_DEPTH = 40

_ARITHMETIC_NODES: dict[type[nodes.BinExpr], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
}


class Compiler:
    """Compiles expressions over one scope.

    :param given: what the run gives; None where there is no run yet: then these names are none.
    :param asks: whether they are conditions: a template may say ``{{ row.vip and 'dear' }}``.
    :ivar columns: the record's columns they read. :ivar named: what of the run they read.
    """

    def __init__(self, scope: Scope, given: Mapping[str, object] | None = None, asks: bool = False) -> None:
        self.scope, self.given, self.asks = scope, given, asks
        self.columns: set[str] = set()
        self.named: set[str] = set()
        self._nodes = 0

    def compile(self, source: str) -> Code:
        """:raises Mistake: with its offset in ``source``."""
        try:
            tree = parse(source)
            if self.given is not None and "params" in self.scope.given:
                check_params(tree, self.given)
            return self._node(tree, 0)
        except RecursionError:
            raise Mistake("the expression is nested too deeply", 0, "make it simpler") from None

    def _node(self, node: nodes.Expr, depth: int) -> Code:
        self._nodes += 1
        if depth > _MAX_DEPTH:
            raise Mistake("the expression is nested too deeply", node.lineno, "make it simpler")
        if self._nodes > _MAX_NODES:
            raise Mistake(f"the expression has more than {_MAX_NODES} parts", node.lineno, "make it simpler")
        for type_, (problem, remedy) in REFUSED.items():
            if isinstance(node, type_):
                raise Mistake(problem, node.lineno, remedy)
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise Mistake(
                "this is not allowed in an expression", node.lineno, "write values, comparisons and filters"
            )
        return handler(self, node, depth + 1)

    def _asked(self, node: nodes.Expr, depth: int) -> Code:
        code = self._node(node, depth)
        if self.asks:
            check_asked(code, node)
        return code

    def truth(self, code: Code) -> Callable[[Any], Any]:
        """What is asked for nothing but yes or no: of texts those that say no are no."""
        if not self.scope.texts or code.type is Type.BOOL or code.constant is not UNKNOWN:
            return code.run
        run = code.run
        return lambda record: says_yes(run(record))

    # names -------------------------------------------------------------------------------------------

    def _top_field(self, node: nodes.Name) -> Field:
        field = self.scope.fields.get(node.name)
        if field is not None:
            return field
        if node.name in YES_NO:
            raise Mistake(f"{node.name} is not known", node.lineno, f"write {node.name.lower()}")
        if self.scope.bare and node.name not in NULLS:
            return self.scope.column
        raise Mistake(f"unknown name {node.name!r}", node.lineno, advice_for_name(node.name, self.scope))

    def _getattr(self, node: nodes.Getattr, depth: int) -> Code:
        return self._below(node.node, node.attr, node.lineno, depth)

    def _getitem(self, node: nodes.Getitem, depth: int) -> Code:
        if not isinstance(node.arg, nodes.Const) or not isinstance(node.arg.value, (str, int)):
            raise Mistake(
                "what stands in [ ] must be a text or a whole number", node.lineno, "e.g. row['First name']"
            )
        return self._below(node.node, node.arg.value, node.lineno, depth)

    def _below(self, parent: nodes.Expr, key: str | int, offset: int, depth: int) -> Code:
        """The value under ``key``: one look-up in a mapping or list, never a Python attribute."""
        if isinstance(parent, nodes.Name):
            field = self._top_field(parent)
            if parent.name == self.scope.record:
                self.columns.add(str(key))
                return _column(self.scope, str(key), written_column(str(key)))
            above = _top(self, parent, field)
            if field.fields:
                below = field.fields.get(str(key))
                if below is None:
                    after = offset + 1  # behind the dot or the bracket
                    variable = f"an Airflow variable is written {parent.name}.value.{key}"
                    hint = did_you_mean(
                        str(key), field.fields, variable if parent.name in self.scope.given else None
                    )
                    raise Mistake(f"{parent.name} has no field {key!r}", after, hint)
                return _under(above, key, below, f"{parent.name}.{key}")
        else:
            above = self._node(parent, depth)
        if above.type not in (Type.ANY, Type.LIST):
            whole = (
                f"write {written_column(f'{above.label}.{key}')}"
                if above.column
                else f"write {above.label} alone"
            )
            raise Mistake(f"{above.label} is {above.type} and has nothing below it", offset, whole)
        return _under(above, key, Field(Type.ANY, open=True), f"{above.label}.{key}")

    # values ------------------------------------------------------------------------------------------

    def _list(self, node: nodes.List | nodes.Tuple, depth: int) -> Code:
        items = [self._node(item, depth) for item in node.items]
        runs, literal = tuple(item.run for item in items), all(item.literal for item in items)
        constant = tuple(item.constant for item in items)
        if not any(each is UNKNOWN for each in constant):
            return Code(
                lambda _record: constant,
                Type.LIST,
                True,
                constant=constant,
                label="the list",
                literal=literal,
            )
        return Code(lambda record: [run(record) for run in runs], Type.LIST, always=True, label="the list")

    # operators ---------------------------------------------------------------------------------------

    def _and(self, node: nodes.And, depth: int) -> Code:
        left, right = self._asked(node.left, depth), self._asked(node.right, depth)
        check_alternatives(node)
        a, b, kind, always = left.run, right.run, common(left, right), left.always and right.always
        if self.scope.texts:
            return Code(lambda record: b(record) if says_yes(value := a(record)) else value, kind, always)
        return Code(lambda record: a(record) and b(record), kind, always)

    def _or(self, node: nodes.Or, depth: int) -> Code:
        left, right = self._node(node.left, depth), self._node(node.right, depth)
        check_or(left, right, node)
        check_alternatives(node)
        a, b, kind, always = left.run, right.run, common(left, right), left.always or right.always
        if self.scope.texts:
            return Code(lambda record: value if says_yes(value := a(record)) else b(record), kind, always)
        return Code(lambda record: a(record) or b(record), kind, always)

    def _not(self, node: nodes.Not, depth: int) -> Code:
        run = self.truth(self._asked(node.node, depth))
        return Code(lambda record: not run(record), Type.BOOL, always=True)

    def _condition(self, node: nodes.CondExpr, depth: int) -> Code:
        test, then = self.truth(self._node(node.test, depth)), self._node(node.expr1, depth)
        a = then.run
        if node.expr2 is None:
            return Code(lambda record: a(record) if test(record) else None, then.type)
        otherwise = self._node(node.expr2, depth)
        b = otherwise.run
        return Code(
            lambda record: a(record) if test(record) else b(record),
            common(then, otherwise),
            then.always and otherwise.always,
        )

    def _compare(self, node: nodes.Compare, depth: int) -> Code:
        left = self._node(node.expr, depth)
        steps: list[tuple[Callable[[Any], Any], Callable[[object, object], bool], Callable[[Any], Any]]] = []
        for operand in node.ops:
            right = self._node(operand.expr, depth)
            check_comparison(left, operand.op, right, operand.expr)
            check_sides(left, operand.op, right, operand.expr)
            steps.append((compared(left, right), COMPARISONS[operand.op], compared(right, left)))
            left = right
        if len(steps) == 1:
            a, compare, b = steps[0]
            return Code(lambda record: compare(a(record), b(record)), Type.BOOL, always=True)
        return Code(
            lambda record: all(compare(a(record), b(record)) for a, compare, b in steps),
            Type.BOOL,
            always=True,
        )

    # filters -----------------------------------------------------------------------------------------

    def _filter(self, node: nodes.Filter, depth: int) -> Code:
        spec = FILTERS.get(node.name)
        if spec is None:
            raise Mistake(f"unknown filter {node.name!r}", node.lineno, did_you_mean(node.name, FILTERS))
        if node.node is None:
            raise Mistake("a filter needs a value before it", node.lineno, f"write value | {node.name}")
        optional = node.name in {"default", "d"}
        value = self._node(node.node, depth)
        check_filter(node, value)
        given = [self._node(each, depth).run for each in arguments(node)]
        run, a = spec.run, value.run
        if not given:
            return Code(lambda record: run(a(record)), spec.gives, optional, label=value.label)
        return Code(
            lambda record: run(a(record), *[each(record) for each in given]),
            value.type if optional and value.column else spec.gives,
            label=value.label,
            column=optional and value.column,
        )


def _name(compiler: Compiler, node: nodes.Name, _depth: int) -> Code:
    field = compiler._top_field(node)
    if node.name == compiler.scope.record:
        raise Mistake(
            f"{node.name} is the whole {node.name}", node.lineno, f"name a column, e.g. {node.name}.phone"
        )
    if field.fields:
        names = ", ".join(f"{node.name}.{each}" for each in field.fields)
        raise Mistake(f"{node.name} is not a value", node.lineno, f"name one of its fields: {names}")
    return _top(compiler, node, field)


def _top(compiler: Compiler, node: nodes.Name, field: Field) -> Code:
    """The value of a name at the top: of the record, or given by the run."""
    name, given = node.name, compiler.given
    if name in compiler.scope.given:
        compiler.named.add(name)
        if given is None:
            return Code(lambda _record: None, field.type, label=name)
        if given.get(name) is None:
            remedy = "one that assets or the API began may have none; take a param, or schedule it by time"
            raise Mistake(f"this run has no {name}", node.lineno, remedy)
        return _fixed(given[name], field.type, name)
    if name not in compiler.scope.fields:
        compiler.columns.add(name)
        return _column(compiler.scope, name, name)
    return _lookup(_identity, name, field, name)


def _concat(compiler: Compiler, node: nodes.Concat, depth: int) -> Code:
    runs = tuple(compiler._node(each, depth).run for each in node.nodes)
    written = any(isinstance(each, nodes.Const) and each.value for each in node.nodes)
    join = compiler.scope.join
    return Code(lambda record: join([run(record) for run in runs]), Type.TEXT, always=written)


def _binary(compiler: Compiler, node: nodes.BinExpr, depth: int) -> Code:
    sign = _ARITHMETIC_NODES[type(node)]
    left, right = compiler._node(node.left, depth), compiler._node(node.right, depth)
    check_arithmetic(sign, (left, node.left), (right, node.right))
    run, a, b = ARITHMETIC[sign], left.run, right.run
    gives = Type.NUMBER if sign != "+" else common(left, right)
    return Code(lambda record: run(a(record), b(record)), gives)


def _negative(compiler: Compiler, node: nodes.Neg, depth: int) -> Code:
    inner = compiler._node(node.node, depth)
    if inner.type not in (Type.NUMBER, Type.ANY):
        number = f"write -({inner.label} | float)" if inner.column else "leave the - out"
        raise Mistake(f"{inner.label} is {inner.type}, - needs a number", node.lineno, number)
    run = inner.run
    if inner.constant is not UNKNOWN:
        value = negative(inner.constant)
        return Code(
            lambda _record: value, Type.NUMBER, True, constant=value, label=str(value), literal=inner.literal
        )
    return Code(lambda record: negative(run(record)), Type.NUMBER)


def _test(compiler: Compiler, node: nodes.Test, depth: int) -> Code:
    test = TESTS.get(node.name)
    if test is None and node.name in NULLS:
        raise Mistake(f"{node.name} is not known", node.lineno, "write is none, or is not none")
    if test is None:
        raise Mistake(f"unknown test {node.name!r}", node.lineno, did_you_mean(node.name, TESTS))
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Mistake(f"the test {node.name!r} takes no arguments", node.lineno, f"write is {node.name}")
    value = compiler._node(node.node, depth)
    check_test(value, node.name, node.lineno)
    run = or_none(value) if node.name in ASK_FOR_NONE else value.run
    return Code(lambda record: test(run(record)), Type.BOOL, always=True)


def _const(_compiler: Compiler, node: nodes.Const, _depth: int) -> Code:
    value = node.value
    if isinstance(value, (int, float)) and abs(value) > 1e18:
        raise Mistake(
            "this number is too big",
            node.lineno,
            "write at most 1000000000000000000, or put quotes around it",
        )
    return Code(lambda _record: value, type_of(value), True, constant=value, label=repr(value), literal=True)


def _call(_compiler: Compiler, node: nodes.Call, _depth: int) -> Code:
    name = node.node.attr if isinstance(node.node, nodes.Getattr) else getattr(node.node, "name", "")
    name = {"strip": "trim", "len": "length", "str": "string"}.get(name, name)
    remedy = f"write it as a filter: … | {name}" if name in FILTERS else "use a filter, e.g. … | lower"
    if name in {"startswith", "endswith", "contains", "find"}:
        remedy = "write e.g. '@example.com' in contact.email"
    raise Mistake("functions and methods cannot be called", node.node.lineno, remedy)


_HANDLERS: dict[type[nodes.Expr], Callable[[Compiler, Any, int], Code]] = {
    nodes.Name: _name,
    nodes.Getattr: Compiler._getattr,
    nodes.Getitem: Compiler._getitem,
    nodes.Const: _const,
    nodes.List: Compiler._list,
    nodes.Tuple: Compiler._list,
    nodes.And: Compiler._and,
    nodes.Or: Compiler._or,
    nodes.Not: Compiler._not,
    nodes.CondExpr: Compiler._condition,
    nodes.Compare: Compiler._compare,
    nodes.Concat: _concat,
    nodes.Neg: _negative,
    nodes.Filter: Compiler._filter,
    nodes.Test: _test,
    nodes.Call: _call,
    **dict.fromkeys(_ARITHMETIC_NODES, _binary),
}


def _identity(record: Any) -> Any:
    return record


def _column(scope: Scope, name: str, label: str) -> Code:
    return Code(lambda record: record.get(name), scope.column.type, label=label, column=scope.texts)


def _fixed(value: object, type_: Type, label: str) -> Code:
    """What is the same for every record."""
    return Code(lambda _record: value, type_, constant=value, label=label)


def _under(above: Code, key: str | int, field: Field, label: str) -> Code:
    """What stands below: looked up once where all records have the same."""
    if above.constant is UNKNOWN:
        return _lookup(above.run, key, field, label)
    return _fixed(below_in(above.constant, key), field.type, label)


def _lookup(parent: Callable[[Any], Any], key: str | int, field: Field, label: str) -> Code:
    if parent is _identity:
        return Code(lambda record: record.get(key), field.type, field.always, field.choices, label=label)
    return Code(
        lambda record: below_in(parent(record), key), field.type, field.always, field.choices, label=label
    )
