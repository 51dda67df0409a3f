"""What goes wrong in reading a row in a way that nobody foresaw costs that row, and not the run."""

from __future__ import annotations

import logging
import traceback
from pathlib import PurePath

from airflow_outreach_provider.core.errors import LeadRejected

NOT_READ = "row_not_read"
# Where so many rows fail so and none is read, it is no matter of a row.
_ENOUGH = 20

_log = logging.getLogger(__name__)


class RowFaults:
    """The faults met in rows that are read together."""

    def __init__(self) -> None:
        self._met = 0
        self._last: Exception | None = None

    def refusal(self, error: Exception) -> LeadRejected:
        """What becomes of the row; the log says where it went wrong, and nothing of the row."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__} in {PurePath(last.filename).name}, line {last.lineno}"
        if self._last is None:
            _log.error("A row cannot be read: %s. It is rejected, the others go on. Please report this", said)
        self._met, self._last = self._met + 1, error
        return LeadRejected(NOT_READ, f"reading it failed: {said}; it is read again with every run")

    def check(self, read: int) -> None:
        """:raises Exception: the last one met, where many rows met one and none was read.

        :param read: how many were.
        """
        if self._last is not None and self._met >= _ENOUGH and not read:
            raise self._last
