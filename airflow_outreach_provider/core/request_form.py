"""The request an event becomes: method, address, headers and content, as templates over the event.

What a template says stands as written; what an event brings is percent-encoded and can neither leave its place in the
path, nor bring a header along, nor change the host. An event that has nothing for a place of the path is refused:
``/contacts/`` without its id is another address, and DELETE would mean all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

from pydantic_core import to_json, to_jsonable_python

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.errors import ConfigurationError, OutreachError
from airflow_outreach_provider.core.expressions.compile import (
    ExpressionError,
    Value,
    compile_parts,
    compile_value,
    written_for,
)
from airflow_outreach_provider.core.expressions.functions import text_of
from airflow_outreach_provider.core.expressions.scope import REQUEST, RESPONSE, Scope
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.masking import shown_value

Record = Mapping[str, object]
Payload = str | Mapping[str, Any] | Sequence[Any]
"""A word of :data:`PAYLOADS`, or a template: a mapping or list whose texts may hold ``{{ contact.email }}``."""

CANONICAL, RECEIVED, NOTHING = "canonical", "received", "none"
PAYLOADS = (CANONICAL, RECEIVED, NOTHING)
POST, DELETE = "POST", "DELETE"
METHODS = (POST, "PUT", "PATCH", DELETE)
JSON, FORM = "json", "form"
CONTENT_TYPES: Mapping[str, str] = {JSON: "application/json", FORM: "application/x-www-form-urlencoded"}

HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2
HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff\t]*")
# Ours to set, or the connection's business; a value from elsewhere would break the request or its signature.
OUR_HEADERS = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "expect", "host", "proxy-authorization",
        "te", "trailer", "transfer-encoding", "upgrade", "webhook-id", "webhook-signature", "webhook-timestamp",
    }
)  # fmt: skip
# A type of its own for what is JSON all the same, as application/vnd.api+json.
_JSON_TYPE = re.compile(r"[a-z0-9!#$&^_.-]+/(?:[a-z0-9!#$&^_.-]+\+)?json", re.IGNORECASE)
_SIGNED = frozenset({"stripe-signature", "x-hub-signature-256", "x-outreach-event", "x-webhook-signature"})
# RFC 3986 section 3.3: what may stand in a path as it is; "%" begins what is encoded already.
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")
_SAVED = re.compile(r"\{\{.*\bsaved\b", re.DOTALL)
MOST_SAVED = 1000
"""Characters of a text that is kept of an answer; a longer one is no id."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DOTS = frozenset({".", ".."})


class EventUnfit(OutreachError):
    """An event that cannot become the request its route asks for; others can."""


@dataclass(frozen=True, slots=True)
class RequestForm:
    """How events become requests.

    :ivar payload: of the body; None for ``"canonical"``, with DELETE for ``"none"``.
    :ivar path: below the endpoint's own path: ``"contacts/{{ contact.email }}"``.
    :ivar query: name → template; a list repeats the name, none leaves it out.
    :ivar headers: name → template, besides those of the endpoint.
    :ivar omit_empty: leave out of a payload's mapping whatever is none, an empty text, list or mapping.
    :ivar method, content_type: None for what the endpoint says, else POST and JSON. The latter is ``"json"``, ``"form"``
        for a payload that is a mapping, or a type of content as a header has it, e.g. ``application/vnd.api+json``.
    :ivar save: name → template over ``response``, the answer's JSON; later events of the contact have it as ``saved``.
    :ivar batch: several events in one request; the payload is then one event's part of it.
    """

    payload: Payload | None = None
    method: str | None = None
    path: str = ""
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    omit_empty: bool = False
    content_type: str | None = None
    save: Mapping[str, Any] = field(default_factory=dict)
    batch: GroupForm | None = None

    @property
    def said_payload(self) -> Payload:
        if self.payload is not None:
            return self.payload
        return NOTHING if self.method == DELETE else CANONICAL

    @property
    def of_record(self) -> bool:
        """Whether each event has an address of its own: what its answer says of the address is the event's."""
        return "{{" in self.path

    def filled(self, method: str | None = None, content_type: str | None = None) -> RequestForm:
        """With what it leaves open as the endpoint has it, where that says something."""
        methods, types = (self.method, method, POST), (self.content_type, content_type, JSON)
        return replace(self, method=_first(methods), content_type=_first(types))

    def check(self) -> None:
        """:raises ConfigurationError: what cannot be used, and what to write instead."""
        CompiledForm(self)


class CompiledForm:
    """The templates of a form, ready for any number of events.

    :raises ConfigurationError: as :meth:`RequestForm.check`.
    """

    def __init__(self, form: RequestForm) -> None:
        form = form.filled()
        self.method = check_method(form.method)
        self.content_type = read_content_type(form.content_type)
        payload = form.said_payload
        if isinstance(payload, str):
            if payload not in PAYLOADS:
                known = ", ".join(map(repr, PAYLOADS))
                raise ConfigurationError(
                    f"payload is {payload!r}", f"use {known}, or a mapping with {{{{ … }}}} in it"
                )
            if form.omit_empty:
                raise ConfigurationError(
                    "omit_empty has no effect without a payload of templates", "write payload as a mapping"
                )
        if self.is_form and not isinstance(payload, Mapping):
            raise ConfigurationError("a form is made of names and values", "write payload as a mapping")
        if form.batch is not None:
            _check_batch(form, form.batch)
        self.form = form
        with written_for("payload"):
            self._payload = None if isinstance(payload, str) else compile_deep(payload)
        with written_for("path"):
            self._path = path_parts(form.path)
        with written_for("query"):
            self._query = {str(name): compile_deep(each) for name, each in form.query.items()}
        with written_for("headers"):
            self._headers = {check_header(name): compile_deep(each) for name, each in form.headers.items()}
        with written_for("save"):
            self._save = {check_saved(name): compile_deep(each, RESPONSE) for name, each in form.save.items()}
        self.reads_event = bool(form.path or self._query or self._headers or self._payload is not None)
        said = (form.path, form.query, form.headers, payload)
        self.reads_saved = any(_SAVED.search(text) for each in said for text in texts_of(each))

    @property
    def templated(self) -> bool:
        """Whether the payload is made of templates, and not one of :data:`PAYLOADS`."""
        return self._payload is not None

    @property
    def is_form(self) -> bool:
        """Whether bodies are the fields of a form, and no JSON."""
        return self.content_type == CONTENT_TYPES[FORM]

    def body(self, record: Record) -> bytes:
        """The bytes of a templated payload: the same for the same event."""
        made = self.item(record)
        if self.is_form:
            return urlencode(list(_fields(to_jsonable_python(made, inf_nan_mode="null")))).encode()
        return to_json(made, inf_nan_mode="null")

    def item(self, record: Record) -> Any:
        """What a templated payload is for one event, before it is written."""
        assert self._payload is not None
        made = self._payload(record)
        return _full(made) if self.form.omit_empty else made

    def path(self, record: Record) -> str:
        """Encoded, without a slash at its beginning. :raises EventUnfit: the event has nothing for it."""
        return "".join(
            part if isinstance(part, str) else _segment(part(record), part.source) for part in self._path
        )

    def query(self, record: Record) -> list[tuple[str, str]]:
        """Names and values, not encoded yet."""
        made = {name: value(record) for name, value in self._query.items()}
        fields = _fields(to_jsonable_python(made, inf_nan_mode="null"))
        return [(name, text) for name, text in fields if text or not self.form.omit_empty]

    def headers(self, record: Record) -> dict[str, str]:
        """:raises EventUnfit: a value that no header can have."""
        return {name: text for name, value in self._headers.items() if (text := _header(name, value(record)))}

    @property
    def saves(self) -> bool:
        """Whether something of the answers is kept."""
        return bool(self._save)

    def saved(self, record: Record, answer: str) -> dict[str, object]:
        """What is kept of an answer: texts, numbers and booleans that it has; nothing of one that is no JSON."""
        try:
            response = read_json(answer.encode())
        except ValueError:
            return {}
        told = {**record, "response": response}
        found = {name: value(told) for name, value in self._save.items()}
        return {name: each for name, each in found.items() if _keepable(each)}


def _check_batch(form: RequestForm, batch: GroupForm) -> None:
    batch.check()
    is_form = read_content_type(form.content_type) == CONTENT_TYPES[FORM]
    if not isinstance(form.said_payload, Mapping) or is_form:
        raise ConfigurationError(
            "a batch is made of payloads of its own events", "write payload as a mapping, as JSON"
        )
    if form.save:
        raise ConfigurationError("what a batch answers cannot be saved", "leave out save or batch")
    for key, value in (("path", form.path), ("query", form.query), ("headers", form.headers)):
        if any("{{" in text for text in texts_of(value)):
            raise ConfigurationError(
                f"{key} is of one event, and a batch has several", f"leave {{{{ … }}}} out of {key}"
            )


def compile_deep(value: Any, scope: Scope = REQUEST) -> Callable[[Record], Any]:
    """A value with every text in it, however deep, as a template over the event."""
    if isinstance(value, str):
        return compile_value(value, scope)
    if isinstance(value, Mapping):
        items = [(str(key), compile_deep(each, scope)) for key, each in value.items()]
        return lambda event: {key: make(event) for key, make in items}
    if isinstance(value, list | tuple):
        makers = [compile_deep(each, scope) for each in value]
        return lambda event: [make(event) for make in makers]
    return lambda _event: value


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_of(each)


def path_parts(template: str) -> list[str | Value]:
    """The pieces of a path: text as it goes over the wire, and values that are still to be encoded.

    :raises ExpressionError: with the place in ``template``.
    """
    parts = list(compile_parts(template, REQUEST)) if template else []
    offset = 0
    for part in parts:
        if not isinstance(part, str):
            offset += len(part.source)
            continue
        problem, at = _path_problem(part)
        if problem:
            remedy = "write what follows the endpoint's own URL, e.g. contacts/{{ contact.email }}"
            raise ExpressionError(problem, template, offset + at, remedy)
        offset += len(part)
    whole = "".join(part if isinstance(part, str) else "x" for part in parts)
    if any(unquote(segment) in _DOTS for segment in whole.split("/")):
        raise ExpressionError("a path has no . and no .. in it", template, 0, "write the path itself")
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].removeprefix("/")
    return parts


def _path_problem(text: str) -> tuple[str, int]:
    end = _PATH.match(text).end()  # type: ignore[union-attr]  # it matches the empty text too
    if end < len(text):
        if text[end] == "?":
            return "what follows ? does not belong to the path: write query:", end
        return f"a path has no {text[end]!r}", end
    if "://" in text or text.startswith("//"):
        return "this is a path, not a URL: the host is the connection's", max(0, text.find("//"))
    return "", 0


def _segment(value: object, source: str) -> str:
    text = text_of(value)
    if not text or not text.strip():
        raise EventUnfit(f"the path has nothing for {source}: not sent, as it would be another address")
    # Servers differ in what they undo before they look: dots between encoded slashes lead elsewhere too.
    deep = text
    for _ in range(3):
        if _CONTROL.search(deep) or any(each in _DOTS for each in re.split(r"[/\\]", deep)):
            raise EventUnfit(f"the path's {source} would lead to another address")
        deep = unquote(deep)
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise EventUnfit(f"the path's {source} is no text that can be sent") from None


def check_header(name: str) -> str:
    """:raises ConfigurationError: no header's name, or one that deliveries set themselves."""
    if not HEADER_NAME.fullmatch(name):
        raise ConfigurationError(
            f"headers holds {name[:40]!r}, which is no header's name", "write e.g. X-Source"
        )
    if name.lower() in OUR_HEADERS | _SIGNED:
        raise ConfigurationError(f"headers sets {name}", "leave it out: the delivery sets it itself")
    return name


def check_saved(name: str) -> str:
    """:raises ConfigurationError: it cannot stand behind ``saved.``"""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"save holds {name[:40]!r}, which is no name", "use letters, digits and _, e.g. crm_id"
        )
    return name


def _keepable(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MOST_SAVED
    return isinstance(value, bool | int | float) and abs(value) < 2**63


def _header(name: str, value: object) -> str:
    text = (text_of(value) or "").strip()
    if not HEADER_VALUE.fullmatch(text):
        raise EventUnfit(f"the header {name} cannot be made of this event: it has a value no header can have")
    return text


def _full(value: Any) -> Any:
    """Without what is empty, from the inside out."""
    if isinstance(value, Mapping):
        kept = {key: _full(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if not _empty(each)}
    if isinstance(value, list | tuple):
        return [each for each in map(_full, value) if not _empty(each)]
    return value


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str | Mapping | list | tuple) and not value)


def _fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A mapping as the fields of a form: ``a[b]=c`` for what is within, ``a=b&a=c`` for a list."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _fields(each, f"{name}[{key}]" if name else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _fields(each, f"{name}[{index}]" if isinstance(each, Mapping | list) else name)
    elif value is not None:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _first(said: Iterable[str | None]) -> str | None:
    return next((each for each in said if each is not None), None)


def _shown(value: object) -> str:
    return shown_value(value) if isinstance(value, str) else repr(value)[:60]


def check_method(value: object) -> str:
    """:raises ConfigurationError: no method of a delivery."""
    if not isinstance(value, str) or value not in METHODS:
        raise ConfigurationError(f"method is {_shown(value)}", f"use one of {', '.join(METHODS)}")
    return value


def read_content_type(value: object) -> str:
    """As a header has it. :raises ConfigurationError: neither JSON nor a form, in any writing."""
    said = value.strip() if isinstance(value, str) else ""
    if said in CONTENT_TYPES:
        return CONTENT_TYPES[said]
    if said.lower() in CONTENT_TYPES.values():
        return said.lower()
    if not _JSON_TYPE.fullmatch(said):
        known = f"use one of {', '.join(CONTENT_TYPES)}, or a type such as application/vnd.api+json"
        raise ConfigurationError(f"content_type is {_shown(value)}", known)
    return said
