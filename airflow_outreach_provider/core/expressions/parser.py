"""An expression's source → Jinja's syntax tree with character offsets; what cannot be read is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from airflow_outreach_provider.core.expressions.habits import HABITS, QUOTED, straightened

_environment = Environment(autoescape=False)  # noqa: S701 - only its lexer and parser are used

REFUSED: dict[type[nodes.Expr], tuple[str, str]] = {
    nodes.Pow: ("powers (**) are not allowed", "multiply with *"),
    nodes.Dict: ("dictionaries are not allowed", "write a value or a list"),
    nodes.Slice: ("slices are not allowed", "take one item, e.g. name[0], or use first or last"),
}


class Mistake(Exception):
    """Something wrong at ``offset`` (from 0) of the expression, and what to write instead."""

    def __init__(self, problem: str, offset: int, remedy: str) -> None:
        self.problem, self.offset, self.remedy = problem, offset, remedy
        super().__init__(problem)


def parse(source: str) -> nodes.Expr:
    """The syntax tree, in which every node's ``lineno`` is its offset in ``source``: Jinja keeps no columns.

    :raises Mistake: with its offset.
    """
    if not source.strip():
        raise Mistake("the expression is empty", 0, "write a condition or a value")
    parser = Parser(_environment, "", state="variable")
    try:
        parser.stream = TokenStream(_environment.lexer.wrap(_tokens(source)), None, None)
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise _syntax_mistake(source, parser.stream.current.lineno, "something is left over here")
    except TemplateSyntaxError as error:
        if parser.stream.current.type == "eof":
            problem = "the expression ends too early"
            raise _syntax_mistake(source, len(source.rstrip()), problem) from None
        raise _syntax_mistake(source, error.lineno, "this cannot be read") from None
    return tree


def _tokens(source: str) -> Iterator[tuple[int, str, str]]:
    """Jinja's tokens with their offset where their line number was."""
    offset = 0
    try:
        for _line, token, text in _environment.lexer.tokeniter(source, None, None, "variable"):
            found = source.find(text, offset)
            offset = found if found >= 0 else offset
            yield offset, token, text
            offset += len(text)
    except TemplateSyntaxError as error:
        raise TemplateSyntaxError(str(error.message), offset) from None


def _syntax_mistake(source: str, offset: int, problem: str) -> Mistake:
    # Quoted text is blanked out: a habit from another language inside quotes is no mistake.
    bare = QUOTED.sub(lambda match: " " * len(match.group()), source)
    for pattern, said, remedy in HABITS:
        match = pattern.search(bare)
        if match:
            whole = straightened(source, _reads)
            return Mistake(said, match.start(), remedy if whole is None else f"write {whole}")
    quote = re.search(r"['\"]", bare)
    if quote:
        return Mistake(
            "the text that begins here is never closed", quote.start(), f"close it with {quote.group()}"
        )
    return Mistake(problem, offset, "write one value or comparison, e.g. name == 'text'")


def _reads(source: str) -> bool:
    parser = Parser(_environment, "", state="variable")
    try:
        parser.stream = TokenStream(_environment.lexer.wrap(_tokens(source)), None, None)
        parser.parse_expression()
    except TemplateSyntaxError:
        return False
    return bool(parser.stream.eos)
