"""One request for events of several contacts: how they stand in it, and which of them its answer takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.arguments import check_mapping, check_text, check_whole
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import compile_where, written_for
from airflow_outreach_provider.core.expressions.functions import Type
from airflow_outreach_provider.core.expressions.scope import Field, Scope
from airflow_outreach_provider.core.json_reading import read_json
from airflow_outreach_provider.core.suggest import did_you_mean

MOST_IN_ONE = 1000
RESULT = Scope("result", {"result": Field(Type.ANY, open=True, help="what the answer says of one event")})


@dataclass(frozen=True, slots=True)
class GroupForm:
    """How several events become one request.

    :ivar size: at most so many events in it.
    :ivar items: the name under which the payloads stand in the body; empty where the body is their list.
    :ivar body: what else is in the body.
    :ivar results: the name of the answer's list, in the order of the items; empty where the answer is that list.
    :ivar ok: a condition on ``result``, one of that list: the event is taken. Empty: the answer's status is for all.
    """

    size: int
    items: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    results: str = ""
    ok: str = ""

    def check(self) -> None:
        """:raises ConfigurationError: what cannot be used."""
        check_whole("batch size", self.size, f"write a number from 1 to {MOST_IN_ONE:,}", most=MOST_IN_ONE)
        for name in ("items", "results", "ok"):
            check_text(f"batch {name}", getattr(self, name), "write a text")
        check_mapping("batch body", self.body, "write names and values")
        if self.body and not self.items:
            raise ConfigurationError(
                "batch has a body and no name for the items in it", "write items: and the name"
            )
        if self.items in self.body:
            raise ConfigurationError(f"batch body has {self.items!r} already", "that is where the items go")
        if self.results and not self.ok:
            raise ConfigurationError(
                "batch results has no effect without ok", "write ok: and a condition, e.g. result.success"
            )
        if self.ok:
            with written_for("batch ok"):
                compile_where(self.ok, RESULT)

    def joined(self, items: Sequence[Any]) -> Any:
        """The body of a request."""
        return {**self.body, self.items: list(items)} if self.items else list(items)

    def taken(self, answer: str, count: int) -> list[tuple[bool, str]] | None:
        """Of each item whether the answer takes it, and what it says of it; None where it does not say so of each."""
        if not self.ok:
            return [(True, f"(one of {count} in a request)" if count > 1 else answer)] * count
        try:
            said = read_json(answer.encode())
        except ValueError:
            return None
        found = said.get(self.results) if self.results and isinstance(said, dict) else said
        if not isinstance(found, list) or len(found) != count:
            return None
        is_ok = compile_where(self.ok, RESULT)
        return [(is_ok({"result": each}), to_json(each, inf_nan_mode="null").decode()) for each in found]


def group_form(said: Mapping[str, Any] | None) -> GroupForm | None:
    """``batching`` as it is written; None for none.

    :raises ConfigurationError: it is no mapping, names what there is not, or says no size.
    """
    check_mapping("batching", said, 'write its parts, e.g. {"size": 100, "items": "events"}')
    if not said:
        return None
    known = [each.name for each in fields(GroupForm)]
    for name in said:
        if name not in known:
            raise ConfigurationError(f"batching has no part {name!r}", did_you_mean(name, known))
    return GroupForm(**{"size": None, **said})
