"""Several rows of a run with one number: the first counts, or of those that are read together the first that says no."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from airflow_outreach_provider.core.rules import Draft
from airflow_outreach_provider.services.submit.refused_rows import parted, says_no
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
        """Of rows that are read together those that count, and the others."""
        lines = [item.line for item in items]
        first: dict[Key, Item] = {}
        for item, line in zip(items, lines, strict=True):
            before = first.get(line)
            if before is None or (says_no(item.draft) and not says_no(before.draft)):
                first[line] = item
        return parted(items, [first[line] is item for item, line in zip(items, lines, strict=True)])

    def split_known(self, items: list[Item]) -> tuple[list[Item], list[Item]]:
        """Of such rows those of lines that no earlier ones had, and the others; a run's are told apart by their leads."""
        if not self._kept:
            return items, []
        return parted(items, [self._seen.add(item.line) for item in items])
