"""Deliveries: an event on its way to a route. Their states, names and order; nothing here does anything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum
from typing import TypeVar

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_email, mask_phone

K = TypeVar("K", bound=Hashable)

# Airflow runs about four mapped task instances a second: beyond this many, seeing each event costs too much.
MAX_BATCHES = 64
# While more waits than a run may take: what its tasks find when they are done is more than they were given, and each
# that begins costs the processor time of a thousand deliveries.
MAX_BATCHES_IN_BACKLOG = 8
# While earlier events still wait for their task instances: a stream that Airflow could not keep up with one by one.
MAX_BATCHES_WHEN_BUSY = 2
# What a header may carry, and a task id too.
_ROUTE = re.compile(r"[A-Za-z0-9_.\-]{1,200}")


class DeliveryState(StrEnum):
    """The state of a delivery, unique on (event, route)."""

    PENDING = "pending"
    """Not tried yet, or to be tried again by a person's wish."""
    FAILED = "failed"
    """Tried without success; the task's retry, or the next run, tries again."""
    DELIVERED = "delivered"
    DEAD = "dead"
    """Tried as often as the task may, or refused for good; kept, and can be redelivered."""
    HELD = "held"
    """Its endpoint is disabled; waits until somebody enables it."""
    IGNORED = "ignored"
    """Its endpoint does not subscribe to this kind of event."""
    HANDED = "handed"
    """Given to a task that is not one of ours, which does not report back."""


OPEN_STATES = (DeliveryState.PENDING, DeliveryState.FAILED)


class DeliveryWord(StrEnum):
    """A delivery's state in the words of pages, JSON API and command line, which are Airflow's: what failed is tried no
    more, what is up for another try is retrying. The store keeps the values of :class:`DeliveryState`."""

    PENDING = "pending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    FAILED = "failed"
    HELD = "held"
    IGNORED = "ignored"
    HANDED = "handed"

    @property
    def state(self) -> DeliveryState:
        """As the store has it."""
        return next(state for state in DeliveryState if word_of(state) is self)


_OTHER_WORDS = {DeliveryState.FAILED: DeliveryWord.RETRYING, DeliveryState.DEAD: DeliveryWord.FAILED}
OLD_WORDS = {"dead": DeliveryWord.FAILED}
"""What was said before, and is still understood; ``failed`` meant what is ``retrying`` now."""


def word_of(state: str) -> DeliveryWord:
    """What a state of the store is called."""
    known = DeliveryState(state)
    return _OTHER_WORDS.get(known) or DeliveryWord(known.value)


def current_word(word: object) -> object:
    """An old word as it is said now; all else as it is."""
    return OLD_WORDS.get(word, word) if isinstance(word, str) else word


def message_id(event_id: str, route: str) -> str:
    """What a receiver de-duplicates on: the same for every try and redelivery of one event on one route."""
    return f"{event_id}:{route}".replace(".", "_")


def lane_of(event: ContactEvent) -> str:
    """Deliveries of one lane keep their order. A hash: who the contact is stays in the inbox."""
    return hashlib.sha256(event.ordering_key.encode(errors="replace")).hexdigest()[:24]


def label_of(event: ContactEvent) -> str:
    """Kind and masked contact, for task lists: ``replied +1416•••0123``."""
    contact = event.contact
    if contact.phone:
        return f"{event.kind.value} {mask_phone(contact.phone)}"
    if contact.email:
        return f"{event.kind.value} {mask_email(contact.email)}"
    return f"{event.kind.value} {event.id[:12]}"


def batched(items: Iterable[tuple[str, K]], most: int = MAX_BATCHES) -> list[list[K]]:
    """Group ``(lane, item)`` pairs into at most ``most`` batches; a lane stays in one batch, in order.

    Up to ``most`` lanes make a batch each; more are spread so that the batches are about equally long.
    """
    lanes: dict[str, list[K]] = {}
    for lane, item in items:
        kept = lanes.setdefault(lane, [])
        if item not in kept:
            kept.append(item)
    if len(lanes) <= most:
        return list(lanes.values())
    batches: list[list[K]] = [[] for _ in range(most)]
    # Longest lane first onto the shortest batch; ties go to the earlier one, so the result is stable.
    for lane_items in sorted(lanes.values(), key=len, reverse=True):
        min(batches, key=len).extend(lane_items)
    return batches


def batch_label(labels: Sequence[str], lanes: int) -> str:
    """What a mapped task instance is called in the UI: at most 250 characters, no personal data."""
    if len(labels) == 1:
        return labels[0][:250]
    kinds = sorted({label.split(" ", 1)[0] for label in labels})
    shown = ", ".join(kinds[:4]) + (" …" if len(kinds) > 4 else "")
    who = labels[0].split(" ", 1)[-1] if lanes == 1 else f"{lanes} contacts"
    return f"{len(labels)} events · {who} · {shown}"[:250]


def check_route(route: object) -> str:
    """The route's name, if it can be one.

    :raises ConfigurationError: it cannot; what can.
    """
    if not isinstance(route, str) or not _ROUTE.fullmatch(route):
        raise ConfigurationError(
            f"the route {route[:60] if isinstance(route, str) else route!r} has no usable name",
            "use letters, digits, '_', '-' and '.', at most 200",
        )
    return route
