"""What goes wrong in reading a row in a way that nobody foresaw costs that row, and not the run."""

from __future__ import annotations

import logging
import traceback
from datetime import datetime
from pathlib import PurePath

from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachError
from airflow_outreach_provider.core.rules import Draft, LeadRules
from airflow_outreach_provider.services.rows.row import Row

NOT_READ = "row_not_read"
# Where so many rows fail so and none is read, it is no matter of a row.
_ENOUGH = 20

_log = logging.getLogger(__name__)


class RowFaults:
    """The faults met in rows that are read together; told by where they were met, for their words may hold a row's."""

    def __init__(self) -> None:
        self._met = 0
        self._said = ""

    def draft_of(self, row: Row, rules: LeadRules, now: datetime) -> Draft:
        """:raises LeadRejected: it is no lead, or it cannot be read."""
        if row.error is not None:
            raise LeadRejected(row.error, row.detail)
        try:
            return rules.draft(row.values, now)
        except OutreachError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this row
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> LeadRejected:
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} in {PurePath(last.filename).name}, line {last.lineno}"
        if not self._met:
            _log.error("A row cannot be read: %s. It is rejected, the others go on. Please report this", said)
        self._met, self._said = self._met + 1, said
        return LeadRejected(NOT_READ, f"reading it failed: {said}; it is read again with every run")

    def check(self, read: int) -> None:
        """:raises ConfigurationError: many rows met a fault and none was read.

        :param read: how many were.
        """
        if self._met >= _ENOUGH and not read:
            raise ConfigurationError(
                f"no row can be read: {self._said}", "report this; an earlier version may read them"
            )
