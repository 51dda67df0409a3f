"""Webhooks by number that flow in, and what a customer's endpoint gets of them: who has what, when, in which order."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow_outreach_provider.demo.events import CrmAnswer, Sources, post, varda_webhook

_SENDERS = 4
_BEHIND = 10.0  # seconds that a sender may catch up with after receivers were away
FIRST_CONTACT = 1000  # as varda_webhook numbers them


class Platform:
    """Sends webhooks until it is told to stop, or has sent enough; what is not acknowledged is sent again, as platforms do.

    :param urls: of the receivers; what one does not take, the next is offered.
    :param rate: webhooks a second. :param most: how many in all; without end where None.
    :ivar acknowledged: the numbers of the events that the receiver took, by contact, in order.
    :ivar taken_at: seconds since the epoch at which each was acknowledged. :ivar latencies: seconds of each POST that was.
    """

    def __init__(
        self,
        urls: Sequence[str],
        sources: Sources,
        rate: float,
        *,
        contacts: int = 40,
        most: int | None = None,
    ) -> None:
        self.acknowledged: dict[int, list[int]] = {contact: [] for contact in range(contacts)}
        self.taken_at: dict[int, float] = {}
        self.latencies: list[float] = []
        self.refused = 0
        self._urls, self._sources, self._rate, self._most = urls, sources, rate, most
        self._over = threading.Event()
        self._senders = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(_SENDERS)]
        for sender in self._senders:
            sender.start()

    @property
    def wanted(self) -> set[int]:
        """The numbers of all events that were acknowledged."""
        return {number for numbers in self.acknowledged.values() for number in numbers}

    @property
    def is_done(self) -> bool:
        """Whether as many as it was to send are acknowledged."""
        return not self.under_way

    @property
    def under_way(self) -> int:
        """How many events may have been stored and not acknowledged yet."""
        return sum(sender.is_alive() for sender in self._senders)

    def stop(self, within: float | None = None) -> None:
        """Send no new ones, and wait until those under way are acknowledged; no longer than ``within`` seconds."""
        self._over.set()
        end = None if within is None else time.monotonic() + within
        for sender in self._senders:
            sender.join(None if end is None else max(0.0, end - time.monotonic()))

    def _send(self, sender: int) -> None:
        dice, number = random.Random(sender), sender
        contacts, due = len(self.acknowledged), time.monotonic()
        while not self._over.is_set() and (self._most is None or number < self._most):
            # One contact's events come from one sender, one after the other.
            contact = dice.randrange(contacts // _SENDERS) * _SENDERS + sender
            request, tries = varda_webhook(self._sources, number, contact), number
            while not self._is_taken(self._urls[tries % len(self._urls)], request):
                tries += 1
                time.sleep(0.5 / len(self._urls))
            self.acknowledged[contact].append(number)
            self.taken_at[number] = time.time()
            number += _SENDERS
            due = max(due, time.monotonic() - _BEHIND) + _SENDERS / self._rate
            self._over.wait(max(0.0, due - time.monotonic()))

    def _is_taken(self, url: str, request: tuple[str, bytes, dict[str, str]]) -> bool:
        with suppress(OSError, RuntimeError):
            started = time.monotonic()
            if post(url, *request) in (200, 202):
                self.latencies.append(time.monotonic() - started)
                return True
        self.refused += 1
        return False


class Endpoint:
    """What a customer's system was sent; it answers 503 to one first try in ten.

    :param failing: the share of first tries that it answers so.
    :ivar first: each contact's events in the order they were first sent in.
    :ivar taken: when each event was taken, in seconds since the epoch. :ivar again: how often more than once.
    """

    def __init__(self, dice: random.Random, contacts: int = 40, failing: float = 0.1) -> None:
        self.failing = failing
        self.first: dict[int, list[int]] = {contact: [] for contact in range(contacts)}
        self.taken: dict[int, float] = {}
        self.again: Counter[int] = Counter()
        self._dice = dice

    def answer(self, event: Mapping[str, Any], times: int) -> CrmAnswer:
        """What a :class:`Crm` answers."""
        number = int(event["data"]["id"])
        if times == 1:
            self.first[int(event["contact"]["external_id"]) - FIRST_CONTACT].append(number)
            if self._dice.random() < self.failing:
                return CrmAnswer(503)
        if number in self.taken:
            self.again[number] += 1
        self.taken.setdefault(number, time.time())
        return CrmAnswer()

    @property
    def mixed(self) -> list[int]:
        """Contacts whose events were first sent in another order than they happened in."""
        return [contact for contact, numbers in self.first.items() if numbers != sorted(numbers)]
