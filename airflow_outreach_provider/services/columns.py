"""Whether the rows of a source have what the rules take from them: a mistake in the DAG is no mistake of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.rules import LeadRules
from airflow_outreach_provider.services.reading_row import Row

_MOST_NAMES = 1_000


class Columns:
    """Watches the rows of one source go by."""

    def __init__(self, rules: LeadRules) -> None:
        self._rules = rules
        self._names: dict[str, None] = {}
        self._wants_id = not rules.configuration_id
        self._wants_consent = rules.require_consent is not None

    def look(self, rows: Iterable[Row]) -> None:
        """Look at a chunk of rows before anything is made of it.

        :raises ConfigurationError: the task names no configuration, and none of the first rows does.
        """
        if not (self._wants_id or self._wants_consent):
            return
        readable = [row.values for row in rows if row.error is None]
        if self._wants_id and readable:
            if not any(self._rules.names_configuration(values) for values in readable):
                raise ConfigurationError(
                    f"neither the task, nor its connection, nor any of the first {len(readable):,} rows names a "
                    "configuration",
                    "set configuration_id on the task or the connection, or give each row a configurationId",
                )
            self._wants_id = False
        if self._wants_consent:
            self._wants_consent = not any(self._rules.require_consent in values for values in readable)
            for values in readable:
                if len(self._names) < _MOST_NAMES:
                    self._names.update(dict.fromkeys(values))

    def end(self) -> None:
        """The source is read to its end.

        :raises ConfigurationError: no row had the column that ``require_consent`` names, so nobody could be sent.
        """
        if not (self._wants_consent and self._names):
            return
        wanted = str(self._rules.require_consent)
        near = get_close_matches(wanted, self._names, n=1)
        known = ", ".join(list(self._names)[:20])
        raise ConfigurationError(
            f"no row has the column {wanted!r} that require_consent names",
            f"did you mean {near[0]!r}?" if near else f"use one of {known}",
        )
