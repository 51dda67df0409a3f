"""A source is judged by its rows before anybody of it is texted: are there enough, and are too many of them bad?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import TooManyRejected
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.submit.backlog import Backlog
from airflow_outreach_provider.services.submit.columns import LOOK_AHEAD
from airflow_outreach_provider.services.submit.limits import check_rows, check_suppressed, note_nobody
from airflow_outreach_provider.services.submit.options import SubmitOptions
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import runs


@dataclass(frozen=True, slots=True)
class Fewest:
    """How many rows there must be at least.

    :param rows: None for any number. :param said: the rule in words. :param notes: what a person should know of it.
    """

    rows: int | None = None
    said: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, store: Store, owner: Owner, campaign: str, options: SubmitOptions, *, listed: bool = True
    ) -> Fewest:
        """By the rule, and by the last run where the rule compares with it; blocks on the store.

        :param listed: whether there is a source to judge.
        """
        rule = options.fewest
        if not listed:
            return cls()
        if rule.share is None:
            return cls(_most(rule.count, options.max_rows), f"min_rows={rule}")
        last = runs.last_of(store, owner, campaign, of_task=options.apart or owner.map_index >= 0)
        if last is None:
            note = f"min_rows is {rule}: no earlier run of {owner.dag_id or 'this DAG'} for the campaign to compare with"
            return cls(notes=(note,))
        least, when = rule.rows(last.rows), f"{last.started_at:%Y-%m-%d %H:%M} UTC"
        said = f"min_rows: {rule}, of which {last.rows:,} were read at {when}, are {least:,}"
        return cls(_most(least, options.max_rows), said)


def _most(least: int | None, wanted: int | None) -> int | None:
    return least if least is None or wanted is None else min(least, wanted)


def reads_ahead(options: SubmitOptions, fewest: Fewest) -> bool:
    """Whether the whole source is to be read before anybody of it is texted; of a dry run, by the run that it is one of."""
    limited = options.max_rejected.limits or options.max_suppressed.limits
    return limited or (fewest.rows is not None and fewest.rows > LOOK_AHEAD)


class Judged:
    """Raises, or lets the backlog go.

    :param release: writes down that what the run planned may be sent.
    """

    def __init__(
        self,
        backlog: Backlog,
        tally: Tally,
        options: SubmitOptions,
        fewest: Fewest,
        release: Callable[[], Awaitable[None]],
    ) -> None:
        self.backlog, self.tally, self.options, self.fewest = backlog, tally, options, fewest
        self._release = release

    async def __call__(self) -> None:
        """Judge what was read.

        :raises TooManyRejected: too many rows are bad or suppressed, or too few there; all that was planned is refused.
        """
        try:
            judge(self.tally, self.options, self.fewest, sent=False)
        except TooManyRejected:
            self.backlog.count(RowState.SUPPRESSED, "batch_refused")
            raise
        await self._release()


def judge(tally: Tally, options: SubmitOptions, fewest: Fewest, *, sent: bool) -> None:
    """:param sent: whether what could be sent was. :raises TooManyRejected, OutcomeUnknown: a rule is broken."""
    note_nobody(tally)
    check_rows(tally.read, fewest.rows, fewest.said)
    options.max_rejected.check(tally, sent=sent)
    check_suppressed(options.max_suppressed, tally, sent=sent)
