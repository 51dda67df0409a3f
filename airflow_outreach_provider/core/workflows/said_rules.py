"""The rules of a workflow as a person reads them: those that differ from what every workflow does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple

from airflow_outreach_provider.core.times import span_words
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.outreach_sections import SendRules

_FIRST_WORDS = re.compile(r",? e\.g\.|[;:]|\.(?= |$)")


class SaidRule(NamedTuple):
    """:ivar value: as one writes it. :ivar means: the first words of the reference on it."""

    name: str
    value: str
    means: str


def said_rules(model: DagSettings) -> list[SaidRule]:
    """In the order of the reference; of a route those of the leads that it makes, of others none."""
    rules = _rules_of(model)
    if rules is None:
        return []
    return [
        SaidRule(name, _text(value), _FIRST_WORDS.split(field.description or "", maxsplit=1)[0])
        for name, field in type(rules).model_fields.items()
        if (value := getattr(rules, name)) is not None
        and value != field.get_default(call_default_factory=True)
    ]


def _rules_of(model: DagSettings) -> SendRules | None:
    if isinstance(model, LeadSync):
        return model.rules
    if isinstance(model, EventRoute) and model.deliver.outreach is not None:
        return model.deliver.outreach.rules
    return None


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return span_words(value.total_seconds())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
