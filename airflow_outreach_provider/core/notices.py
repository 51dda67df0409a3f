"""What somebody should hear of without watching a page: one sentence each, without personal data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class NoticeKind(StrEnum):
    """What happened in operation."""

    ENDPOINT_FAILING = "endpoint_failing"
    """Half of what disables it has passed without one success."""
    ENDPOINT_RESTING = "endpoint_resting"
    ENDPOINT_RECOVERED = "endpoint_recovered"
    ENDPOINT_DISABLED = "endpoint_disabled"
    DELIVERIES_DEAD = "deliveries_dead"
    SOURCE_REFUSING = "source_refusing"
    EVENTS_NOT_READ = "events_not_read"
    OPT_OUT_OF_NOBODY = "opt_out_of_nobody"
    """Somebody said no, and nothing in the event says who."""
    LEADS_HELD = "leads_held"


EVERYBODYS = frozenset({NoticeKind.SOURCE_REFUSING, NoticeKind.EVENTS_NOT_READ, NoticeKind.OPT_OUT_OF_NOBODY})
"""Kinds that belong to no task's own route, endpoint or campaign: whoever is at work tells them."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened.

    :ivar subject: connection id, route, consumer or campaign. :ivar at: timezone-aware.
    """

    kind: NoticeKind
    subject: str
    detail: str
    at: datetime
    count: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: ``kind, subject, detail, at`` (ISO 8601), ``count``."""
        return {**asdict(self), "kind": self.kind.value, "at": self.at.isoformat()}
