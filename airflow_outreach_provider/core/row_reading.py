"""A lead sync's ``map`` and ``where``, compiled once for all rows of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from airflow_outreach_provider.core.changes import values_hash
from airflow_outreach_provider.core.expressions.compile import compile_value, compile_where, written_for
from airflow_outreach_provider.core.expressions.scope import ROW, ROW_CONDITION
from airflow_outreach_provider.core.leads import ReadLead, build_mapper, names_configuration, names_phone
from airflow_outreach_provider.core.mapping import flat_mapping, read_texts

_PREFIXES = ("", "applications.", "conversations.")


class RowReading:
    """How a row becomes values by target, and whether it is for this sync at all.

    :param mapping: target field → what it is made of (:mod:`core.mapping`); None recognises the usual column names.
    :param where: a condition on a row's columns; None takes every row.
    :param given: what the run gives to both: ``ds``, ``params``, ``var``, …; None where none runs yet.
    :param texts: whether the rows hold texts alone, as those of CSV files do.
    :raises ConfigurationError: a target, a template or the condition cannot be.
    """

    def __init__(
        self,
        mapping: Mapping[str, Any] | None,
        where: str | None = None,
        given: Mapping[str, object] | None = None,
        *,
        texts: bool = False,
    ) -> None:
        row, condition = (each.over_texts() if texts else each for each in (ROW, ROW_CONDITION))
        self.values = build_mapper(mapping, partial(compile_value, scope=row, given=given))
        with written_for("where"):
            self.takes = None if where is None else compile_where(where, condition, given)
        self._of_the_run = frozenset(
            target.removeprefix("contacts.")
            for target, value in flat_mapping(mapping or {}).items()
            if any(text.template and compile_value(text.text, ROW).named for text in read_texts(value))
        )

    def hidden(self, columns: Iterable[str]) -> list[str]:
        """Of a source's columns those that ``where`` cannot mean by their bare name: the run's own values have it."""
        return sorted(self.takes.named.intersection(columns)) if self.takes is not None else []

    @property
    def run_values(self) -> dict[str, Any] | None:
        """What the run makes of a row without columns; None where nothing is made of the run."""
        return self.values({}) if self._of_the_run else None

    def hash_of(self, lead: ReadLead, region: str | None) -> str:
        """A lead's values, without those made of what the run gives: another day alone is no change of a person."""
        sections: tuple[dict[str, Any], ...] = (lead.contact, lead.application, lead.conversation)
        if self._of_the_run:
            sections = tuple(
                {key: value for key, value in section.items() if prefix + key not in self._of_the_run}
                for prefix, section in zip(_PREFIXES, sections, strict=True)
            )
        return values_hash(lead.configuration_id, *sections, region=region)

    def names_configuration(self, row: Mapping[str, Any]) -> bool:
        """Whether a row names the configuration it is for."""
        return names_configuration(self.values(row))

    def names_phone(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has a column that is known to hold a phone number."""
        return names_phone(self.values(row))
