"""How many rows a source must have, and how many of them may fail, for a run to be meant and called a success."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import ConfigurationError, OutcomeUnknown, TooManyRejected
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.submit.tally import Tally

_ROUNDING = 1e-6  # 29 of 100 rows are 29 %, though 0.29 * 100 is a little less than 29
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*", re.ASCII)
_BY_LINE_TYPE = (RowState.SUPPRESSED.value, "line_type")
_LINE_TYPES = "where mobile and fixed lines cannot be told apart, line_types needs fixed_line_or_mobile too"
NOBODY = "nobody was texted"


@dataclass(frozen=True, slots=True)
class RejectLimit:
    """A share of the rows read, or a count.

    :param share: 0 to 1.
    """

    share: float | None = 0.05
    count: int | None = None

    @classmethod
    def parse(cls, value: object, rule: str = "max_rejected") -> RejectLimit:
        """Read ``"5%"`` (a share), ``20`` (a count) or None (no limit).

        :param rule: whose value it is. :raises ConfigurationError: it is none of these.
        """
        if value is None:
            return cls(None, None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return cls(None, value)
        if isinstance(value, str):
            if (match := _SHARE.fullmatch(value)) and float(match.group(1)) <= 100:
                return cls(float(match.group(1)) / 100, None)
            if value.strip().isdecimal():
                return cls(None, int(value))
        raise ConfigurationError(
            f"{rule} {value!r} is neither a share nor a count",
            'write e.g. "5%" or 20, or None for no limit',
        )

    @property
    def limits(self) -> bool:
        """Whether there is a limit at all."""
        return self.share is not None or self.count is not None

    def __str__(self) -> str:
        return f"{self.share * 100:g}% of the rows" if self.share is not None else f"{self.count} rows"

    def exceeded(self, failed: int, read: int) -> bool:
        """Whether so many failed rows are too many."""
        if self.share is not None:
            return failed > self.share * read + _ROUNDING
        return self.count is not None and failed > self.count

    def check(self, tally: Tally, *, sent: bool = True) -> None:
        """Turn too many failed rows into an error.

        :param sent: whether all other rows are done; else nobody was texted yet, nor will be.
        :raises TooManyRejected: rejected rows alone are too many.
        :raises OutcomeUnknown: rejected and held rows together are too many.
        """
        counts = tally.by_state()
        rejected, held = counts[RowState.REJECTED], counts[RowState.HELD]
        if self.exceeded(rejected, tally.considered):
            others = "all other rows are done" if sent else NOBODY
            raise TooManyRejected(
                f"{rejected:,} of {tally.considered:,} rows were rejected, more than max_rejected allows "
                f"({self}): {_most_frequent(tally)}; {others}. Look at the reasons, "
                "mend the source and run again: accepted leads are never texted twice",
                counts,
            )
        if not sent:
            return
        if held and self.exceeded(rejected + held, tally.considered):
            raise OutcomeUnknown(
                f"{held:,} of {tally.considered:,} leads were sent with unknown outcome and are held ({_most_frequent(tally)}); "
                "they are not sent again by themselves: settle them with 'airflow outreach leads resolve'"
            )


def check_rows(read: int, least: int | None, said: str) -> None:
    """:param said: the rule in words. :raises TooManyRejected: there are fewer rows than ``least``."""
    if least is not None and read < least:
        raise TooManyRejected(
            f"the source has {read:,} rows, fewer than {said}; {NOBODY}: check the source", {}
        )


def note_nobody(tally: Tally) -> None:
    """Say so where ``line_types`` lets nobody through: it may be meant, and hardly ever is."""
    said = f"line_types let none of the rows through: {_LINE_TYPES}"
    if tally.considered and tally.reasons[_BY_LINE_TYPE] == tally.considered and said not in tally.notes:
        tally.notes.append(said)


def check_suppressed(limit: RejectLimit, tally: Tally, *, sent: bool = True) -> None:
    """Turn too many suppressed rows into an error: a rule that lets nobody through is more often a mistake than meant.

    :param sent: as of :meth:`RejectLimit.check`. :raises TooManyRejected: they are too many.
    """
    suppressed = tally.counts[RowState.SUPPRESSED]
    if not limit.exceeded(suppressed, tally.considered):
        return
    others = "all other rows are done" if sent else NOBODY
    advice = "look at the reasons, and correct the rule or the source"
    advice += f"; {_LINE_TYPES}" if tally.reasons[_BY_LINE_TYPE] else ""
    raise TooManyRejected(
        f"{suppressed:,} of {tally.considered:,} rows were suppressed, more than max_suppressed allows ({limit}): "
        f"{_most_frequent(tally, RowState.SUPPRESSED)}; {others}: {advice}",
        tally.by_state(),
    )


def _most_frequent(tally: Tally, *states: RowState) -> str:
    wanted = states or (RowState.REJECTED, RowState.HELD)
    failing = [(reason, n) for (state, reason), n in tally.reasons.most_common() if state in wanted]
    return ", ".join(f"{reason} {n:,}" for reason, n in failing[:3])
