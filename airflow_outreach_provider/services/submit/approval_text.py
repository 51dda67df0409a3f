"""A plan as somebody who approves it reads it: in Markdown, on a page of Airflow's, in a mail or in a chat."""

from __future__ import annotations

from airflow_outreach_provider.core.markdown import NOTHING, Marked, code, plain, table
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.services.submit.tally import Tally

_REASONS, _RUNS, _FIELDS, _CAMPAIGNS = 5, 20, 20, 5
_NO_CELL = Marked("")


def people(number: int) -> str:
    """``1 person``, ``1,234 people``."""
    return f"{number:,} {'person' if number == 1 else 'people'}"


def approval_text(tally: Tally) -> str:
    """What approving does, rows by state and reason with their totals, whom earlier runs left, the first payloads.

    :return: Markdown, personal data masked.
    """
    parts = [_what_it_does(tally), _rows(tally), _left(tally), _first(tally)]
    parts += [f"Note: {plain(mask_text(note))}" for note in tally.notes]
    return "\n\n".join(part for part in parts if part)


def _what_it_does(tally: Tally) -> str:
    names = sorted(filter(None, tally.campaigns))
    shown = ", ".join(code(mask_text(name)) for name in names[:_CAMPAIGNS])
    if len(names) > _CAMPAIGNS:
        shown += f" and {len(names) - _CAMPAIGNS:,} more"
    where = f" in {'campaign' if len(names) == 1 else 'campaigns'} {shown}" if names else ""
    listed, left = tally.counts[RowState.PLANNED], tally.carried[RowState.PLANNED.value]
    whose = f"{listed:,} of {tally.read:,} rows read"
    whose += f", and {left:,} that earlier runs left" if left else ""
    return (
        f"**Approve** texts {people(tally.to_text)}{where}: {whose}. Should there be more by then, nobody is texted.\n"
        "**Reject** texts nobody."
    )


def _rows(tally: Tally) -> str:
    lines: list[list[Marked]] = []
    for state in RowState:
        if not tally.counts[state]:
            continue
        reasons = [(reason, n) for (of, reason), n in tally.reasons.most_common() if of == state.value]
        alone = len(reasons) == 1 and reasons[0][1] == tally.counts[state]
        if not alone:
            lines.append([plain(state.value), Marked("in all"), _number(tally.counts[state]), _NO_CELL])
        for reason, number in reasons[:_REASONS]:
            examples = "; ".join(tally.examples.get((state.value, reason), ()))
            lines.append([plain(state.value), code(mask_text(reason)), _number(number), plain(examples)])
        if len(reasons) > _REASONS:
            others = sum(n for _, n in reasons[_REASONS:])
            said = Marked(f"{len(reasons) - _REASONS:,} more reasons")
            lines.append([plain(state.value), said, _number(others), _NO_CELL])
    lines.append([Marked("**rows read**"), _NO_CELL, _number(tally.read), _NO_CELL])
    return table(["State", "Reason", "Rows", "For example"], lines, numbers={2})


def _left(tally: Tally) -> str:
    """Whom earlier runs left and this one would text; and the others of them, by what they would become."""
    runs = list(tally.by_run().items())
    lines = [[code(mask_text(run)), _number(number)] for run, number in runs[:_RUNS]]
    if len(runs) > _RUNS:
        rest = sum(number for _, number in runs[_RUNS:])
        lines.append([Marked(f"{len(runs) - _RUNS:,} more runs"), _number(rest)])
    for state, number in tally.carried.items():
        if state == RowState.PLANNED.value:
            lines.append([Marked("**to be texted**"), _number(number)])
        elif number:
            lines.append([plain(f"not now: {state}"), _number(number)])
    return table(["Left by", "People"], lines, numbers={1}) if lines else ""


def _first(tally: Tally) -> str:
    if not tally.first:
        return ""
    fields = list(dict.fromkeys(name for _, values in tally.first for name in values))
    lines = [
        [code(name), *(code(values[name]) if name in values else NOTHING for _, values in tally.first)]
        for name in fields[:_FIELDS]
    ]
    if len(fields) > _FIELDS:
        more = Marked(f"{len(fields) - _FIELDS:,} more fields")
        lines.append([more, *(_NO_CELL for _ in tally.first)])
    header = ["First payloads", *(whose for whose, _ in tally.first)]
    return table(header, lines)


def _number(number: int) -> Marked:
    return Marked(f"{number:,}")
