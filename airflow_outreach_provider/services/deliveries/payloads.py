"""The bytes of a delivery: the event as received, in canonical form, or by a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.expressions.compile import compile_value
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.store.deliveries.fan_out import bodies
from airflow_outreach_provider.store.engine import Store

CANONICAL, RECEIVED = "canonical", "received"

Payload = str | Mapping[str, Any]
"""``"canonical"``, ``"received"``, or a template: a mapping whose texts may hold ``{{ contact.email }}``."""
MakeBody = Callable[[ContactEvent], bytes]


def check_payload(payload: Payload) -> None:
    """Raise a ConfigurationError unless ``payload`` is one of the three forms."""
    if isinstance(payload, Mapping):
        _compile(payload)
    elif payload not in {CANONICAL, RECEIVED}:
        raise ConfigurationError(
            f"payload is {payload!r}", f"use {CANONICAL!r}, {RECEIVED!r} or a mapping with {{{{ … }}}} in it"
        )


def body_maker(store: Store, payload: Payload, event_ids: Sequence[str]) -> MakeBody:
    """A function from an event to the bytes to send: the same bytes on every try.

    :param event_ids: of the batch; their raw bodies are read at once.
    """
    check_payload(payload)
    if isinstance(payload, Mapping):
        template = _compile(payload)
        return lambda event: to_json(template(event.to_dict()), inf_nan_mode="null")
    if payload == CANONICAL:
        return ContactEvent.to_json
    raw = bodies(store, event_ids)
    return lambda event: raw[event.id] if event.id in raw else to_json(event.data, inf_nan_mode="null")


def _compile(value: Any) -> Callable[[Mapping[str, object]], Any]:
    if isinstance(value, str):
        return compile_value(value, EVENT)
    if isinstance(value, Mapping):
        items = [(str(key), _compile(each)) for key, each in value.items()]
        return lambda event: {key: make(event) for key, make in items}
    if isinstance(value, list | tuple):
        makers = [_compile(each) for each in value]
        return lambda event: [make(event) for make in makers]
    return lambda _event: value
