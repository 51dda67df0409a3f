"""What every action takes and gives: it counts first, and ``go: true`` does it."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.web.params import Blank, Line, RowId, moment

Ids = Annotated[tuple[RowId, ...], Field(min_length=1, max_length=1000)]
Words = Annotated[Line | None, Blank]
When = Annotated[AwareDatetime | None, BeforeValidator(moment)]


class ActionResult(BaseModel):
    """What an action would do, or did. ``count``: how many rows it is about. ``follow``: the page that shows how what it
    began goes on."""

    says: str
    count: int = 0
    done: bool = False
    follow: str | None = None


class ActionRequest(BaseModel):
    """``go``: do it; without it the action only counts.

    ``expect``: the count that was confirmed; ``confirmed``: the sentence that was. Where by now another number of
    rows is meant, or something else would be said, nothing is done.
    """

    model_config = ConfigDict(extra="forbid")

    go: bool = False
    expect: Annotated[int, Field(ge=0)] | None = None
    confirmed: Annotated[str, Field(max_length=2000)] | None = None

    def agreed(self, plan: ActionResult) -> bool:
        """Whether to act. :param plan: what would be done now.

        :raises HTTPException: 409, that is not what was confirmed.
        """
        if not self.go:
            return False
        if self.expect is not None and plan.count != self.expect:
            raise HTTPException(
                409, f"{plan.count:,} rows are meant by now, {self.expect:,} were confirmed: look again"
            )
        if self.confirmed is not None and plan.says != self.confirmed:
            raise HTTPException(409, f"something else was confirmed; by now: {plan.says} Look again")
        return True


def one_way_to_choose(ids: object, filters: dict[str, object], everything: bool) -> None:
    """Rows are chosen by id, by filter, or all of them on purpose.

    :raises ConfigurationError: by more than one way, or by none.
    """
    named = [name for name, value in filters.items() if value is not None]
    if ids is not None and (named or everything):
        raise ConfigurationError(f"both ids and {', '.join(named) or 'all'} were given", "give one of them")
    if ids is None and not named and not everything:
        raise ConfigurationError("nothing says which rows", "give ids, a filter, or all: true")


def amount(count: int, one: str, many: str | None = None) -> str:
    """``1 lead``, ``2,000 leads``; ``many`` where the plural is not ``one`` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
