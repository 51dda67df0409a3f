"""Several rows of a run with one number: the first counts, or of those that are read together the first that says no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from airflow_outreach_provider.core.rules import Draft
from airflow_outreach_provider.services.submit.refused_rows import says_no
from airflow_outreach_provider.services.submit.tally import SeenHashes
from airflow_outreach_provider.store.ledger.staging import Key


class _Read(Protocol):
    draft: Draft

    @property
    def line(self) -> Key: ...


Item = TypeVar("Item", bound=_Read)


class Repeats:
    """:param kept: whether what was read is remembered here, because the ledger is told nothing: of a dry run."""

    def __init__(self, *, kept: bool) -> None:
        self._kept, self._seen = kept, SeenHashes()

    def split(self, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """The rows that count, and the others."""
        lines = [item.line for item in items]
        first: dict[Key, Item] = {}
        for item, line in zip(items, lines, strict=True):
            before = first.get(line)
            if before is None or (says_no(item.draft) and not says_no(before.draft)):
                first[line] = item
        counts: list[Item] = []
        others: list[Item] = []
        for item, line in zip(items, lines, strict=True):
            known = self._kept and line in self._seen
            (counts if first[line] is item and not known else others).append(item)
        if self._kept:
            for line in first:
                self._seen.add(line)
        return counts, others
