"""The rules of a workflow as a person reads them: those that differ from what every workflow does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from airflow_outreach_provider.core.times import span_words
from airflow_outreach_provider.core.workflows.models import DagSettings, EventRoute, LeadSync
from airflow_outreach_provider.core.workflows.outreach_sections import SendRules
from airflow_outreach_provider.core.workflows.section import Section

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
    return _said(rules, type(rules).model_fields)


def _said(section: Section, names: Iterable[str]) -> list[SaidRule]:
    fields = type(section).model_fields
    return [
        SaidRule(name, _text(value), _FIRST_WORDS.split(fields[name].description or "", maxsplit=1)[0])
        for name in names
        if (value := getattr(section, name)) is not None
        and value != fields[name].get_default(call_default_factory=True)
    ]


_SETTINGS = ("order_by", "unique", "incremental", "dry_run", "limit")


def said_settings(model: DagSettings) -> list[SaidRule]:
    """What else a lead sync says of which rows go out, and whether: what differs from every other's."""
    return [] if not isinstance(model, LeadSync) else _said(model, _SETTINGS)


def _rules_of(model: DagSettings) -> SendRules | None:
    if isinstance(model, LeadSync):
        return model.rules
    if isinstance(model, EventRoute) and model.deliver.outreach is not None:
        return model.deliver.outreach.rules
    return None


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return span_words(value.total_seconds())
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
