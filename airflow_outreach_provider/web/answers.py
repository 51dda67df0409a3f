"""What every action takes and gives: it counts first, and ``go: true`` does it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field

from airflow_outreach_provider.web.asked import blank_as_none, moment

Blank = BeforeValidator(blank_as_none)
Ids = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], Field(max_length=1000)]
Words = Annotated[str | None, Blank, Field(max_length=250)]
When = Annotated[AwareDatetime | None, BeforeValidator(moment)]


class Answer(BaseModel):
    """What an action would do, or did. ``count``: how many rows it is about."""

    says: str
    count: int = 0
    done: bool = False


class Go(BaseModel):
    """``go``: do it; without it the action only counts."""

    go: bool = False


def amount(count: int, one: str, many: str | None = None) -> str:
    """``1 lead``, ``2,000 leads``; ``many`` where the plural is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
