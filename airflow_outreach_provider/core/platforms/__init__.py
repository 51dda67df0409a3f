"""The platforms events come from: one module each, and the table of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from airflow_outreach_provider.core.platforms import autoreach, supersend, tether, varda
from airflow_outreach_provider.core.platforms.reading import Parsed, Platform

__all__ = ["OUTREACH", "PLATFORMS", "Parsed", "Platform", "PlatformRow", "platform_rows", "platform_table"]

PLATFORMS: Mapping[str, Platform] = {
    each.name: each for each in (tether.PLATFORM, supersend.PLATFORM, varda.PLATFORM, autoreach.PLATFORM)
}


OUTREACH = tether.PLATFORM.name
"""The platform that leads are sent to: its id of a contact is the one a lead bears."""


class PlatformRow(NamedTuple):
    """One line of the documentation's table: a platform's type and our kind."""

    platform: str
    type: str
    kind: str
    note: str


def platform_rows() -> Iterator[PlatformRow]:
    """Every documented type of every platform with the kind it becomes."""
    for platform in PLATFORMS.values():
        for row in platform.rows:
            kind = row.kind.value if row.kind != "other" else "…"
            yield PlatformRow(platform.name, row.types[0], kind, row.note)


def platform_table() -> str:
    """The same as a Markdown table."""
    lines = ["| platform | its type | our kind | when |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.platform} | `{row.type}` | `{row.kind}` | {row.note} |" for row in platform_rows()]
    return "\n".join(lines) + "\n"
