"""Expressions of a workflow: ``where: kind == 'replied'`` and ``map: "{{ row.title | trim }}"``.

The syntax is Jinja's, read by Jinja's own parser; nothing of Jinja runs. An expression becomes a chain of
small functions over look-ups in the event or the row, so there is no attribute, method or import to reach:
names, literals, comparisons, ``and/or/not``, ``in``, ``a if b else c``, arithmetic, and the filters and
tests of :mod:`core.expressions.functions`.

The law: evaluating never raises and takes time bounded by the expression's length. What cannot be
computed (a missing field, text minus text, a division by zero) is ``None``, and ``None`` compares as false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.code import Code
from airflow_outreach_provider.core.expressions.compiler import Compiler
from airflow_outreach_provider.core.expressions.functions import Type
from airflow_outreach_provider.core.expressions.parser import Mistake
from airflow_outreach_provider.core.expressions.scope import BODY, EVENT, ROW, Scope

__all__ = [
    "BODY", "EVENT", "ROW", "ExpressionError", "Scope", "Value", "compile_parts", "compile_value", "compile_where",
]  # fmt: skip

MAX_SOURCE = 2_000
_SHORTER = "make it shorter, or make the value before: in a column, or by a function"
# One alternative for each first character, so matching is linear in the source.
_PLACEHOLDER = re.compile(
    r"""\{\{((?:[^'"}]|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\}(?!\}))*)\}\}""", re.DOTALL
)

# What Airflow would render elsewhere.
_RENDERED = re.compile(r"\{\{([^{}]+)\}\}|\{%([^{}%]+)%\}")


class ExpressionError(ConfigurationError):
    """An expression that cannot be used.

    :param problem: what is wrong, one sentence.
    :param source: the expression as written.
    :param offset: where in ``source``, counted from 0.
    :param remedy: what to write instead.
    :param argument: what it was written for, e.g. ``where``; "" where a message says that in another way.
    """

    remedy: str

    def __init__(self, problem: str, source: str, offset: int, remedy: str, argument: str = "") -> None:
        self.problem, self.source, self.offset = problem, source, offset
        shown = source if len(source) <= 120 else source[:119] + "…"
        said = f"{argument}: {problem}" if argument else problem
        super().__init__(f"{said} (character {offset + 1} of {shown!r})", remedy)

    def of(self, argument: str) -> ExpressionError:
        """The same, which says what the expression was written for."""
        return ExpressionError(self.problem, self.source, self.offset, self.remedy, argument)


class Value:
    """A compiled ``map`` value. Call it with one row (or event); it gives the value for the payload.

    One ``{{ … }}`` alone keeps its type; text around it makes text, where a missing part is empty.

    :ivar columns: the row's columns it reads. :ivar named: what of the run it reads, e.g. ``ds``.
    """

    __slots__ = ("_run", "columns", "named", "source")

    def __init__(self, source: str, run: Callable[[Mapping[str, object]], object], compiler: Compiler):
        self.source, self._run = source, run
        self.columns, self.named = frozenset(compiler.columns), frozenset(compiler.named)

    def __call__(self, record: Mapping[str, object]) -> object:
        return self._run(record)

    def __repr__(self) -> str:
        return f"Value({self.source!r})"


class Condition(Value):
    """A compiled ``where``: whether one event or row passes."""

    __slots__ = ()

    def __call__(self, record: Mapping[str, object]) -> bool:
        return bool(self._run(record))


def compile_where(source: str, scope: Scope = EVENT, given: Mapping[str, object] | None = None) -> Condition:
    """A condition on an event, e.g. ``kind == 'replied' and contact.email is defined``.

    The result takes an event as a mapping: ``kind, type, source, platform, id, campaign_id, occurred_at,
    received_at, contact`` (a mapping) and ``data`` (a mapping, raw); it never raises. Over rows
    (:data:`ROW_CONDITION`) a name is a column.

    :param given: what the run gives, by name; None where there is no run yet.
    :raises ExpressionError: with the position; unknown fields, types that never match, and conditions that
        are always true are errors.
    """
    return _where(source, scope) if given is None else _read_where(source, scope, given)


@lru_cache(maxsize=1024)
def _where(source: str, scope: Scope) -> Condition:
    return _read_where(source, scope, None)


@contextmanager
def written_for(argument: str) -> Iterator[None]:
    """Where an expression of this argument is compiled: its error names the argument."""
    try:
        yield
    except ExpressionError as error:
        raise error.of(argument) from None


def _read_where(source: str, scope: Scope, given: Mapping[str, object] | None) -> Condition:
    if source.lstrip().startswith("{{"):
        offset = source.index("{{")
        raise ExpressionError(
            "a condition is an expression already", source, offset, "leave out the {{ and }} around it"
        )
    if (match := _RENDERED.search(source)) is not None:
        inner = match[1] or match[2]
        raise ExpressionError(
            "a condition is no template: this is compared as it stands", source, match.start(),
            f"write {inner.strip()} without quotes and braces, and ~ between parts of a text",
        )  # fmt: skip
    compiler = Compiler(scope, given, asks=True)
    code = _compile(source, source, 0, compiler)
    if code.type not in (Type.BOOL, Type.ANY) and code.always:
        raise ExpressionError(
            f"this is {code.type}, not a yes or no, so every {scope.name} would match",
            source,
            len(source) - len(source.lstrip()),
            "compare it, e.g. title == 'Nurse'" if scope.bare else "compare it, e.g. kind == 'replied'",
        )
    return Condition(source, compiler.truth(code), compiler)


def compile_value(template: str, scope: Scope = ROW, given: Mapping[str, object] | None = None) -> Value:
    """A template such as ``{{ row.title | trim }}`` as a function of one row: ``value(row)``, not ``{"row": row}``.

    :param scope: :data:`ROW` (names: ``row`` and what the run gives) or :data:`EVENT` (the event's fields).
    :param given: what the run gives, by name; None where there is no run yet.
    :raises ExpressionError: with the position in ``template``.
    """
    return _value(template, scope) if given is None else _read_value(template, scope, given)


@lru_cache(maxsize=4096)
def _value(template: str, scope: Scope) -> Value:
    return _read_value(template, scope, None)


def _read_value(template: str, scope: Scope, given: Mapping[str, object] | None) -> Value:
    compiler = Compiler(scope, given)
    parts = [code for code, _ in _parts(template, compiler)]
    if len(parts) == 1:
        return Value(template, parts[0].run, compiler)
    runs = tuple(part.run for part in parts)
    return Value(template, lambda record: scope.join([run(record) for run in runs]), compiler)


@lru_cache(maxsize=1024)
def compile_parts(template: str, scope: Scope = ROW) -> tuple[str | Value, ...]:
    """The pieces of a template, for whoever writes what stands and what is put in differently, as URLs do.

    :return: texts as they stand, and a value for each ``{{ … }}``, whose source has its braces.
    :raises ExpressionError: as :func:`compile_value`.
    """
    compiler = Compiler(scope)
    return tuple(
        Value(source, code.run, compiler) if source else str(code.constant)
        for code, source in _parts(template, compiler)
    )


def _parts(template: str, compiler: Compiler) -> list[tuple[Code, str]]:
    """Each piece with its source; that of a text that stands is empty."""
    if len(template) > MAX_SOURCE:
        raise ExpressionError(
            f"the template has {len(template)} characters, {MAX_SOURCE} at most", template, 0, _SHORTER
        )
    parts: list[tuple[Code, str]] = []
    end = 0
    for match in _PLACEHOLDER.finditer(template):
        _literal(template, end, match.start(), parts)
        code = _compile(match.group(1), template, match.start(1), compiler)
        parts.append((code, match.group()))
        end = match.end()
    _literal(template, end, len(template), parts)
    return parts


def _literal(template: str, start: int, end: int, parts: list[tuple[Code, str]]) -> None:
    text = template[start:end]
    for opening, problem, remedy in (
        ("{{", "this {{ is never closed", "end it with }}"),
        ("{%", "statements are not part of a template here", "write one expression: {{ … }}"),
        ("{#", "comments are not part of a template here", "write a YAML comment: # …"),
        ("}}", "this }} closes nothing", "begin the expression with {{"),
    ):
        if opening in text:
            raise ExpressionError(problem, template, start + text.index(opening), remedy)
    if text or (not parts and end == len(template)):
        parts.append((Code(lambda _record: text, Type.TEXT, always=True, constant=text), ""))


def _compile(expression: str, source: str, start: int, compiler: Compiler) -> Code:
    if len(expression) > MAX_SOURCE:
        raise ExpressionError(
            f"the expression has {len(expression)} characters, {MAX_SOURCE} at most", source, start, _SHORTER
        )
    try:
        return compiler.compile(expression)
    except Mistake as mistake:
        raise ExpressionError(
            mistake.problem, source, start + min(mistake.offset, len(expression)), mistake.remedy
        ) from None
