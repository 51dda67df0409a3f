"""Held leads, settled by a person: count first, then go.

A held lead was sent and its outcome is not known. *Accepted* says that the person was texted: it is not sent
again. *Planned* says that they were not: the next run of the campaign sends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.masking import mask_phone
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store import resolving
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.resolving import Target
from airflow_outreach_provider.store.views_leads import LeadFilter, every_lead, lead_story

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class HeldCount:
    """:ivar held: leads that are held. :ivar sendable: those of them whose payload is still kept."""

    held: int
    sendable: int


def check_target(word: str) -> Target:
    """``accepted`` or ``planned``.

    :raises ConfigurationError: any other word.
    """
    if word == LeadState.ACCEPTED:
        return LeadState.ACCEPTED
    if word == LeadState.PLANNED:
        return LeadState.PLANNED
    raise ConfigurationError(
        f"a held lead cannot become {word[:40]!r}",
        "use 'accepted' (it was texted) or 'planned' (send it again)",
    )


def count(store: Store, wanted: LeadFilter | Collection[int]) -> HeldCount:
    """How many held leads are meant."""
    total = sendable = 0
    for group in _groups(store, wanted):
        total += len(group)
        sendable += resolving.sendable(store, group)
    return HeldCount(total, sendable)


def resolve(store: Store, wanted: LeadFilter | Collection[int], to: Target, *, actor: str) -> int:
    """Settle held leads, in groups of 500 with an audit row each; how many.

    :param wanted: a filter, whose ``state`` is taken for *held*, or ids of leads.
    :param actor: who decided it: kept in the audit and in each lead's history.
    """
    # Read before the first is settled: settling takes leads out of the list that is being read.
    return sum(
        resolving.settle(store, group, to, actor=actor, subject=_subject(store, wanted, group))
        for group in list(_groups(store, wanted))
    )


def _groups(store: Store, wanted: LeadFilter | Collection[int]) -> Iterator[list[int]]:
    group: list[int] = []
    for lead_id in _ids(store, wanted):
        group.append(lead_id)
        if len(group) == _AT_ONCE:
            yield group
            group = []
    if group:
        yield group


def _ids(store: Store, wanted: LeadFilter | Collection[int]) -> Iterator[int]:
    if isinstance(wanted, LeadFilter):
        yield from (lead.id for lead in every_lead(store, replace(wanted, state=LeadState.HELD)))
        return
    for lead_id in dict.fromkeys(wanted):
        story = lead_story(store, lead_id)
        if story is not None and story.lead.state == LeadState.HELD:
            yield lead_id


def _subject(store: Store, wanted: LeadFilter | Collection[int], group: list[int]) -> str:
    if len(group) == 1:
        story = lead_story(store, group[0])
        return f"lead {group[0]} {mask_phone(story.lead.phone if story else None)}"
    if not isinstance(wanted, LeadFilter):
        return f"{len(group)} leads by id"
    parts = [f"campaign {wanted.campaign}"] if wanted.campaign else []
    parts += [f"reason {wanted.reason}"] if wanted.reason else []
    parts += [f"run {wanted.run_id}"] if wanted.run_id is not None else []
    parts += [mask_phone(wanted.phone)] if wanted.phone else []
    return f"{len(group)} held leads: {', '.join(parts) or 'all'}"
