"""Sources by name, asked for rarely: every request names one, and a stranger may name anything."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.sources import SourceSettings

log = logging.getLogger(__name__)

Sources = Mapping[str, SourceSettings] | Callable[[str], SourceSettings | None]
Answer = SourceSettings | ConfigurationError | None

KNOWN_SECONDS = 5.0
_STALE_SECONDS = 600.0
_MAX_NAMES = 1_000
_MAX_NAME_LENGTH = 250
_LOOKUPS_PER_SECOND = 50
_MAX_WAITING = 1_000
_LOG_EVERY_SECONDS = 10.0


class TooManyLookups(Exception):
    """More names wait to be looked up than can be held."""


class LookupFailed(Exception):
    """Connections cannot be read just now."""


@dataclass(slots=True)
class _Known:
    answer: Answer
    at: float


class SourceLookup:
    """Settings by source name, remembered for a few seconds, the unknown ones too.

    :param sources: a mapping, or a function that may block (it runs in a thread) and returns None for a
        name it does not know.
    :param seconds: how long an answer is good.
    """

    def __init__(self, sources: Sources, *, seconds: float = KNOWN_SECONDS) -> None:
        self._mapping = sources if isinstance(sources, Mapping) else None
        self._resolve = sources if callable(sources) else None
        self._seconds = seconds
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._second, self._lookups = 0, 0
        self._one_by_one = asyncio.Lock()
        self._waiting = 0
        self._told_at = -_LOG_EVERY_SECONDS

    def recall(self, name: str) -> Answer | _Known:
        """What is known without asking; a _Known that is stale when asking is needed."""
        if self._mapping is not None:
            return self._mapping.get(name)
        known = self._known.get(name)
        if known is not None and time.monotonic() - known.at < self._seconds:
            return known.answer
        return _Known(None, 0)

    async def find(self, name: str) -> SourceSettings | None:
        """The settings, or None for a name that is no source.

        :raises ConfigurationError: the source is declared wrongly.
        :raises TooManyLookups: too many different names wait.
        :raises LookupFailed: connections could not be read.
        """
        answer = self.recall(name)
        if isinstance(answer, _Known):
            answer = await self._ask(name)
        if isinstance(answer, ConfigurationError):
            raise answer
        return answer

    async def _ask(self, name: str) -> Answer:
        if len(name) > _MAX_NAME_LENGTH or not name.isprintable():
            return None
        task = self._asking.get(name)
        if task is None:
            many = self._are_many(name)
            if many and self._waiting >= _MAX_WAITING:
                raise TooManyLookups
            task = asyncio.ensure_future(self._ask_in_turn(name) if many else self._ask_once(name))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        return await asyncio.shield(task)

    async def _ask_in_turn(self, name: str) -> Answer:
        """One after another: a source nobody asked for yet waits a moment behind made-up names, and is not refused."""
        self._waiting += 1
        try:
            async with self._one_by_one:
                return await self._ask_once(name)
        finally:
            self._waiting -= 1

    def _are_many(self, name: str) -> bool:
        """Names seen before are looked up at once; strange ones only so many in a second."""
        known = self._known.get(name)
        if known is not None and known.answer is not None:
            return False
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lookups = second, 0
        self._lookups += 1
        return self._lookups > _LOOKUPS_PER_SECOND

    async def _ask_once(self, name: str) -> Answer:
        assert self._resolve is not None
        answer: Answer
        try:
            answer = await asyncio.to_thread(self._resolve, name)
        except ConfigurationError as error:
            log.error("Source %s cannot be used: %s", name, error)
            answer = error
        except Exception as error:
            known = self._known.get(name)
            if known is not None and time.monotonic() - known.at < _STALE_SECONDS:
                log.warning("Connections cannot be read (%s); using what is known of %s", error, name)
                return known.answer
            if time.monotonic() - self._told_at >= _LOG_EVERY_SECONDS:  # whatever name was asked for
                self._told_at = time.monotonic()
                log.exception("Connections cannot be read")
            raise LookupFailed from error
        while len(self._known) >= _MAX_NAMES:
            self._forget_one()
        self._known[name] = _Known(answer, time.monotonic())
        return answer

    def _forget_one(self) -> None:
        """The oldest unknown name; only when there is none, the oldest."""
        strange = (name for name, known in self._known.items() if known.answer is None)
        del self._known[next(strange, next(iter(self._known)))]
