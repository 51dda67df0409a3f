"""What holds about a person in one campaign, in words: texted, perhaps, not yet, or not and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_outreach_provider.core.states import LeadState


@dataclass(frozen=True, slots=True)
class Standing:
    """A clause of the sentence.

    :ivar word: ``texted``, ``perhaps texted``, ``not``, ``not yet``. :ivar at: when it was texted.
    :ivar why: in words. :ivar until: when that ends, where it is known.
    """

    campaign: str
    word: str
    at: datetime | None = None
    why: str = ""
    until: datetime | None = None

    def says(self) -> str:
        """``texted 25 Nov 16:00 in spring``; ``not in evening: quiet hours until 26 Nov 09:00``; UTC."""
        told = " ".join([self.word, *([_clock(self.at)] if self.at else []), f"in {self.campaign}"])
        if not (self.why or self.until):
            return told
        until = f" until {_clock(self.until)}" if self.until else ""
        return f"{told}: {self.why}{until}"


def standing(
    campaign: str,
    state: str,
    *,
    reason: str,
    texted_at: datetime | None,
    not_before: datetime | None,
    listed: str | None,
) -> Standing:
    """What one lead's row says of the person.

    :param texted_at: when the API last took it, or may have. :param listed: why the number is on the do-not-contact list.
    """
    why = reason.replace("_", " ")
    match state:
        case LeadState.ACCEPTED:
            return Standing(campaign, "texted", texted_at)
        case LeadState.HELD:
            return Standing(
                campaign,
                "perhaps texted",
                texted_at,
                f"outcome unknown ({why})" if why else "outcome unknown",
            )
        case LeadState.PLANNED | LeadState.SENDING if listed is None:
            return Standing(
                campaign,
                "not yet",
                None,
                "being sent now" if state == LeadState.SENDING else "the next run sends it",
            )
        case LeadState.DEFERRED:
            return Standing(campaign, "not yet", None, why, not_before)
    if listed is not None and state != LeadState.REJECTED:
        why = f"on the do-not-contact list ({listed.replace('_', ' ')})"
    return Standing(campaign, "not", None, why or state)  # fmt: skip


def in_order(clauses: list[Standing]) -> list[Standing]:
    """The latest texted first, then those who were not."""
    texted = sorted((each for each in clauses if each.at), key=_at, reverse=True)
    return [*texted, *(each for each in clauses if not each.at)]


def sentence(clauses: list[Standing], listed: dict[str, str]) -> str:
    """All of it. :param listed: campaign, "" for all → why, of the do-not-contact list."""
    said = [each.says() for each in in_order(clauses)]
    for campaign, why in sorted(listed.items()):
        where = f"of {campaign}" if campaign else "of every campaign"
        said.append(f"on the do-not-contact list {where} ({why.replace('_', ' ')})")
    text = "; ".join(said) or "never texted, and not on the do-not-contact list"
    return f"{text[:1].upper()}{text[1:]}."


def _at(clause: Standing) -> float:
    return clause.at.timestamp() if clause.at else 0.0


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %H:%M}"
