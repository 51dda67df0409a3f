"""How many texts a person may get in a span of time, whichever campaigns they are of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.times import read_span, span_advice, span_words

PER_PERSON = "per_person"
"""The reason of a lead that waits because its person had as many texts as they may."""

_WRITING = re.compile(r"(?P<most>\S+)\s+per\s+(?P<span>.+)", re.IGNORECASE)
_COUNT = re.compile(r"[1-9]\d{0,5}", re.ASCII)
_EXAMPLE = 'write e.g. "1 per 7d" or "3 per 30 days"'


@dataclass(frozen=True, slots=True)
class PerPerson:
    """At most ``most`` texts in any ``span``."""

    most: int
    span: timedelta

    @classmethod
    def parse(cls, value: object) -> PerPerson:
        """Read ``"1 per 7d"``; a unit alone is one of it: ``"2 per week"``.

        :raises ConfigurationError: it is nothing of the kind; the message says which half.
        """
        match = _WRITING.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ConfigurationError(f"per_person is {value!r}, not so many texts per span of time", _EXAMPLE)
        most, text = match["most"], match["span"].strip()
        if not _COUNT.fullmatch(most):
            raise ConfigurationError(
                f"per_person is {value!r}, and {most!r} is not a number of texts from 1 on", _EXAMPLE
            )
        span = read_span(text if text[0].isdigit() else f"1 {text}")
        if span is None:
            raise ConfigurationError(
                f"per_person is {value!r}, and {text!r} is not a span of time",
                span_advice(text if text[0].isdigit() else f"1 {text}", _EXAMPLE),
            )
        return cls(int(most), span)

    def __str__(self) -> str:
        return f"{self.most} per {span_words(self.span.total_seconds())}"

    def open_from(self, texted: Sequence[datetime], now: datetime) -> datetime | None:
        """When the next text is allowed; None for now.

        :param texted: when the person was texted, or may have been, in any order; timezone-aware.
        """
        recent = sorted(moment for moment in texted if moment > now - self.span)
        return recent[-self.most] + self.span if len(recent) >= self.most else None
