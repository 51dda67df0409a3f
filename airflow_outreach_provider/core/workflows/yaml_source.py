"""YAML text → plain data in which every key and value knows its line and column.

Read event by event, so neither deep nesting nor a "billion laughs" of aliases costs anything: both stop at a
bound. Scalars are those of YAML 1.2's core schema, as editors read them: ``no`` and ``on`` are texts (so
``default_region: NO`` is Norway) and ``21:00`` is not a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from airflow_outreach_provider.core.workflows.problems import Path, Problem, Spot

MAX_CHARACTERS = 1_000_000
_MAX_VALUES = 50_000
_MAX_DEPTH = 40
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORD = re.compile(r"\w+|'[^']*'")
_TAGS = {"!", "tag:yaml.org,2002:str"}
_SIGNED = re.compile(r"![A-Za-z_][\w.]*")


@dataclass
class Located:
    """A file's data, with the spots of its keys and values by path.

    :ivar nulls: where null is written, rather than nothing.
    """

    data: Any = None
    keys: dict[Path, Spot] = field(default_factory=dict)
    values: dict[Path, Spot] = field(default_factory=dict)
    nulls: set[Path] = field(default_factory=set)

    def spot(self, path: Path, key: bool = False) -> Spot:
        """The spot of a value (or of its key), or of the nearest thing above it that is there."""
        while path:
            for places in (self.keys, self.values) if key else (self.values, self.keys):
                if path in places:
                    return places[path]
            # One item alone may stand without brackets: then the list's place is the item's.
            path, key = path[:-1], isinstance(path[-1], str)
        return self.values[()]


@dataclass(slots=True)
class _Node:
    """A value before its path is known; aliases share it."""

    kind: str  # scalar, map or list
    spot: Spot
    value: Any = None  # a scalar's value, or the (key, node) / node items
    written: bool = True


class _Refused(Exception):
    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def read_yaml(text: str, file: str) -> tuple[Located | None, list[Problem]]:
    """Read one file.

    :param text: its content.
    :param file: its name as it should be shown.
    :return: the data, and what is wrong with it; no data where it is no YAML at all. Duplicate keys, unknown
        tags, a second document and unbounded expansion are problems.
    """
    if len(text) > MAX_CHARACTERS:
        spot = Spot(file, 1, 1)
        return None, [Problem.at(spot, f"the file has {len(text):,} characters, {MAX_CHARACTERS:,} at most")]
    reader = _Reader(file)
    try:
        root = reader.read(text)
        located = Located(values={(): Spot(file, 1, 1)})
        located.data = _unfold(root, (), located, [0]) if root is not None else None
    except _Refused as refused:
        return None, [*reader.problems, refused.problem]
    except yaml.YAMLError as error:
        return None, [*reader.problems, _syntax_problem(error, text, file)]
    return located, reader.problems


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._anchors: dict[str, _Node] = {}
        self._merged = 0

    def read(self, text: str) -> _Node | None:
        root: _Node | None = None
        stack: list[tuple[_Node, list[Any]]] = []
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document begins here", "put it into a file of its own")
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                node, items = stack.pop()
                node.value = self._pairs(items) if node.kind == "map" else items
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event)
                if stack:
                    stack[-1][1].append(node)
                else:
                    root = node
                if node.kind != "scalar" and not isinstance(event, yaml.AliasEvent):
                    stack.append((node, []))
                    if len(stack) > _MAX_DEPTH:
                        self._refuse(event, f"this is nested more than {_MAX_DEPTH} deep", "make it flatter")
        return root

    def _node(self, event: Any) -> _Node:
        spot = self._spot(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, str(event.anchor))
        if event.tag is not None and event.tag not in _TAGS:
            self.problems.append(
                Problem.at(spot, f"the tag {event.tag} is not allowed here", _tag_hint(event.tag))
            )
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style and event.tag is None
            value = _scalar(event.value) if plain else event.value
            if _SIGNED.fullmatch(event.tag or ""):  # nothing behind it would be said to be empty
                value = f"{event.tag} {value}".rstrip()
            node = _Node("scalar", spot, value, written=event.value != "")
        else:
            node = _Node("map" if isinstance(event, yaml.MappingStartEvent) else "list", spot)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, anchor: str) -> _Node:
        if anchor not in self._anchors:
            self._refuse(event, f"there is no anchor &{anchor} before this", _star_hint(anchor))
        node = self._anchors[anchor]
        if node.value is None and node.kind != "scalar":
            self._refuse(event, f"&{anchor} contains itself")
        return node

    def _pairs(self, items: list[_Node]) -> list[tuple[_Node, _Node]]:
        pairs: dict[str, tuple[_Node, _Node]] = {}
        merged: list[tuple[_Node, _Node]] = []
        for key, value in zip(items[::2], items[1::2], strict=True):
            if key.kind != "scalar":
                hint = "put quotes around {{ … }}" if key.kind == "map" else "write a word"
                raise _Refused(Problem.at(key.spot, "a key must be a word", hint))
            if key.value is None:
                self.problems.append(
                    Problem.at(key.spot, "a name is missing here", "write one; null and ~ are none")
                )
                continue
            name = key.value if isinstance(key.value, str) else str(key.value)
            if name[:1].isspace() and name[0] not in " \t\n":
                said = "a blank that is no plain space stands before this name"
                raise _Refused(Problem.at(key.spot, said, "indent with plain spaces"))
            if name == "<<" and key.spot.text:
                merged += self._merge(value)
            elif name in pairs:
                first = pairs[name][0].spot
                self.problems.append(
                    Problem.at(key.spot, f"{name!r} is here twice", f"the first is in line {first.line}")
                )
            else:
                key.value = name
                pairs[name] = (key, value)
        for key, value in merged:
            pairs.setdefault(key.value, (key, value))
        return list(pairs.values())

    def _merge(self, value: _Node) -> list[tuple[_Node, _Node]]:
        sources = value.value if value.kind == "list" else [value]
        if any(source.kind != "map" for source in sources) or value.kind == "scalar":
            self.problems.append(Problem.at(value.spot, "<< takes a mapping", "e.g. <<: *defaults"))
            return []
        pairs: list[tuple[_Node, _Node]] = []
        for source in sources:
            self._merged += 1 + len(source.value or [])
            if self._merged > _MAX_VALUES:
                said = f"merges (<<) make this more than {_MAX_VALUES:,} values"
                raise _Refused(Problem.at(value.spot, said, "merge less"))
            pairs += source.value or []
        return pairs

    def _spot(self, event: Any) -> Spot:
        start, end = event.start_mark, event.end_mark
        same_line = start.line == end.line
        length = end.column - start.column if same_line else 1
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            length = 1
        return Spot(self.file, start.line + 1, start.column + 1, max(1, length), self._is_text(event, length))

    @staticmethod
    def _is_text(event: Any, length: int) -> bool:
        """Whether the source shows the scalar as it is: on one line, without escapes."""
        if not isinstance(event, yaml.ScalarEvent):
            return False
        return len(event.value) == length - (2 if event.style else 0)

    def _refuse(self, event: Any, message: str, hint: str = "") -> Any:
        raise _Refused(Problem.at(self._spot(event), message, hint))


def spot_within(spot: Spot, value: str, offset: int) -> Spot:
    """The spot of the word at ``offset`` (from 0) of a text; the whole text where its source looks different."""
    if not spot.text:
        return spot
    quote = 1 if spot.length == len(value) + 2 else 0
    word = _WORD.match(value, offset)
    return replace(spot, column=spot.column + quote + offset, length=len(word.group()) if word else 1)


def _unfold(node: _Node, path: Path, located: Located, count: list[int]) -> Any:
    """Plain data of a node, aliases copied; as many values as a person could have written."""
    count[0] += 1
    if count[0] > _MAX_VALUES:
        raise _Refused(
            Problem.at(node.spot, f"aliases make this more than {_MAX_VALUES:,} values", "use fewer")
        )
    located.values[path] = node.spot
    if node.kind == "scalar":
        if node.value is None and node.written:
            located.nulls.add(path)
        return node.value
    if len(path) > _MAX_DEPTH:
        raise _Refused(
            Problem.at(node.spot, f"this is nested more than {_MAX_DEPTH} deep", "make it flatter")
        )
    if node.kind == "list":
        return [_unfold(item, (*path, index), located, count) for index, item in enumerate(node.value)]
    data = {}
    for key, value in node.value:
        below = (*path, key.value)
        located.keys[below] = key.spot
        data[key.value] = _unfold(value, below, located, count)
    return data


def _scalar(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
        return float(text)
    return text


def _tag_hint(tag: str) -> str:
    """``where: !opted_out`` without its sign would ask for the contrary."""
    if _SIGNED.fullmatch(tag):
        return f'put quotes around a text that begins with !; as a condition write "not {tag[1:]}"'
    return "leave it out"


def _star_hint(anchor: str) -> str:
    return (
        'put quotes around it: "*…"'
        if not anchor.isidentifier()
        else "define it first, or put quotes around it"
    )


_AFTER_QUOTE = re.compile(r""":\s+(?:'[^']*'|"[^"]*")\s*$""")
# What libyaml says, what it mostly means, what to do.
_SYNTAX: tuple[tuple[str, str, str], ...] = (
    ("found character that cannot start any token", "this character cannot begin a value", "put quotes around it"),
    ("found a tab character", "a tab stands where spaces belong", "indent with spaces"),
    ("mapping values are not allowed", "a second ': ' in one line", "put quotes around the text, or end the line above with ':'"),
    ("did not find expected alphabetic or numeric character", "a text that begins with * or & needs quotes", 'e.g. "*/15 * * * *"'),
    ("could not find expected ':'", "this is not 'key: value'", "is a ':' or the space after it missing?"),
    ("found unexpected end of stream", "the file ends inside a quoted text", "close the quote"),
    ("did not find expected key", "this does not fit what is around it", "check the indentation"),
    ("did not find expected '-' indicator", "a list item must begin with '- '", "check the indentation"),
    ("did not find expected ',' or ']'", "this [ list is not closed", "separate with commas, end with ]"),
    ("did not find expected ',' or '}'", "this { mapping is not closed", "separate with commas, end with }; quotes around {{ … }}"),
    ("did not find expected node content", "a value is missing here", "write one, or put quotes around the text"),
    ("found unknown escape character", "an unknown escape in a text in double quotes", "use single quotes"),
    ("did not find expected hexdecimal number", "an unknown escape in a text in double quotes", "use single quotes"),
    ("found undefined tag handle", "this tag is not allowed here", "put quotes around the text"),
    ("control characters are not allowed", "the file has a control character", "remove it"),
    ("special characters are not allowed", "the file has a control character", "remove it"),
    ("block sequence entries are not allowed", "a list cannot begin here", "begin it on a line of its own"),
)  # fmt: skip


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    said = " ".join(str(error).split())
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context = getattr(error, "context_mark", None)
    for pattern, message, hint in _SYNTAX:
        if pattern in said:
            if context is not None and ("[" in message or "{" in message or "quoted" in message):
                mark = context
            spot = _mark_spot(mark, file)
            before = "".join(text.split("\n")[spot.line - 1 : spot.line])[: spot.column]
            if "\t" in before:
                message, hint = "a tab stands where spaces belong", "indent with spaces"
            elif _AFTER_QUOTE.search(before[:-1]):
                message = "a value that begins with a quote ends with it"
                hint = "put quotes of the other kind around all of it"
            return Problem.at(spot, message, hint)
    return Problem.at(
        _mark_spot(mark, file), f"this is not YAML: {getattr(error, 'problem', None) or said[:120]}"
    )


def _mark_spot(mark: Any, file: str) -> Spot:
    return Spot(file, mark.line + 1, mark.column + 1) if mark is not None else Spot(file, 1, 1)
