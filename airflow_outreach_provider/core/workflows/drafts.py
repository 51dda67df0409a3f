"""A workflow drafted from what is known of it: the columns of its source, and what somebody answered.

A draft is YAML as a person would write it. Each text in it is one scalar on one line, whatever stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import yaml

from airflow_outreach_provider.core.accents import without_accents
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.leads import CONFIGURATION_SPELLINGS, layout_of
from airflow_outreach_provider.core.mapping import SECTIONS, literal_text
from airflow_outreach_provider.core.suggest import did_you_mean

PHONE = "phoneNumber"
_RECOGNISED = (PHONE, "firstName", "lastName", "email")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
# Texts that readers of YAML, ours or an older one, take for something else.
_OTHERWISE = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_BRACES = ("{{", "}}", "{%", "{#")
_NO_KEY = re.compile(r"[^A-Za-z0-9_\-]+")


class LeadDraft(NamedTuple):
    """What is known of a lead sync.

    :param leads: what stands under ``leads``: key → value, or ``sql`` → its keys and values.
    :param columns: of its source. :param phone: the one with the number where no name tells it.
    """

    name: str
    leads: dict[str, str | dict[str, str]]
    columns: tuple[str, ...]
    phone: str | None = None
    conn_id: str | None = None
    configuration_id: str | None = None
    schedule: str | None = None
    default_region: str | None = None


class RouteDraft(NamedTuple):
    """What is known of an event route. :param deliver: the way and its value, e.g. ``endpoint``, ``crm``."""

    name: str
    deliver: tuple[str, str]
    source: str | None = None
    kinds: Sequence[str] = ()
    where: str | None = None


class Mapped(NamedTuple):
    """Target and value of each field: those that are recognised, and what the source has besides."""

    fields: list[tuple[str, str]]
    others: list[tuple[str, str]]


def scalar(text: str) -> str:
    """A text as one YAML scalar on one line; in quotes unless nobody could read anything else in it."""
    if _PLAIN.fullmatch(text) and text.lower() not in _OTHERWISE:
        return text
    return yaml.dump(text, Dumper=yaml.SafeDumper, default_style='"', allow_unicode=True, width=10**9).strip()


def recognises_phone(columns: Sequence[str]) -> bool:
    """Whether a column is known by its name to hold phone numbers."""
    layout = layout_of(tuple(columns))
    return bool(layout.phones) or PHONE in layout.names


def mapped(columns: Sequence[str], phone: str | None = None, *, configured: bool = False) -> Mapped | None:
    """Which column is which field, by the names that are recognised where nothing is mapped.

    :param phone: the column with the number, whatever its name. :param configured: the configuration is known.
    :return: None where labels beside the numbers say for each row which counts: a mapping could not.
    :raises ConfigurationError: no column is known to hold phone numbers, or there is none of that name.
    """
    known = tuple(columns)
    if phone is not None and phone not in known:
        raise ConfigurationError(f"the source has no column {phone!r}", did_you_mean(phone, known))
    layout = layout_of(known)
    if phone is None and any(column.label for column in layout.phones):
        return None
    fields: dict[str, str] = {}
    if phone is not None:
        fields[PHONE] = _value(phone)
    elif layout.phones:  # as they are tried for each row: the first that is filled in
        fields[PHONE] = f"{{{{ {' or '.join(_read(column.name) for column in layout.phones)} }}}}"
    for target, column in zip(layout.names, known, strict=True):
        wanted = target in _RECOGNISED or (target in CONFIGURATION_SPELLINGS and not configured)
        if wanted and not (target == PHONE and phone is not None):
            fields.setdefault(target, _value(column))
    if PHONE not in fields:
        raise ConfigurationError(
            f"no column is known to hold phone numbers: they are {', '.join(map(repr, known[:20]))}",
            "name it with --phone",
        )
    order = [*_RECOGNISED, *(each for each in fields if each not in _RECOGNISED)]
    used = set(fields.values())
    rest = [each for each in known if _value(each) not in used and each not in CONFIGURATION_SPELLINGS]
    return Mapped([(each, fields[each]) for each in order if each in fields], [*_others(rest, {*fields})])


def lead_sync_lines(draft: LeadDraft) -> list[str]:
    """The lines of a lead sync, from its name on.

    :raises ConfigurationError: as :func:`mapped`.
    """
    fields = mapped(draft.columns, draft.phone, configured=draft.configuration_id is not None)
    lines = [f"{scalar(draft.name)}:"]
    if draft.schedule is not None:
        lines.append(f"  schedule: {scalar(draft.schedule)}")
    else:
        lines.append('  # schedule: "*/15 * * * *" # cron, "@daily" or 15m; without it: only by hand')
    lines += _leads(draft.leads)
    outreach = {"conn_id": draft.conn_id, "configuration_id": draft.configuration_id}
    said = [f"    {key}: {scalar(value)}" for key, value in outreach.items() if value is not None]
    lines += ["  outreach:", *said] if said else []
    lines += _map(fields)
    return [*lines, *_rules(draft.default_region)]


def event_route_lines(draft: RouteDraft) -> list[str]:
    """The lines of an event route, from its name on."""
    way, value = draft.deliver
    goal = (
        f"{{conn_id: {scalar(value)}}}"
        if way == "outreach"
        else value
        if way == "suppress"
        else scalar(value)
    )
    lines = [f"{scalar(draft.name)}:"]
    if draft.source is not None:
        lines.append(f"  source: {scalar(draft.source)}")
    if draft.kinds:
        lines.append(f"  kinds: [{', '.join(map(scalar, draft.kinds))}]")
    if draft.where is not None:
        lines.append(f"  where: {scalar(draft.where)}")
    elif not draft.kinds:
        lines.append("  # where: kind == 'interested' # without it: every event")
    return [*lines, f"  deliver: {{{way}: {goal}}}"]


def _leads(leads: dict[str, str | dict[str, str]]) -> Iterator[str]:
    ((kind, value),) = leads.items()
    if isinstance(value, str):
        yield f"  leads: {{{kind}: {scalar(value)}}}"
        return
    yield "  leads:"
    yield f"    {kind}:"
    yield from (f"      {key}: {scalar(each)}" for key, each in value.items())


def _map(fields: Mapped | None) -> Iterator[str]:
    if fields is None:
        yield "  # Without map: the labels beside the numbers say for each row which of them is texted,"
        yield "  # the usual column names are recognised, and all other columns become custom properties."
        return
    yield "  map: # field of the lead: column, or a template over row"
    yield from (f"    {target}: {scalar(value)}" for target, value in fields.fields)
    if fields.others:
        yield "    # Also in the source; without the # it is sent, as a custom property:"
    yield from (f"    # {scalar(target)}: {scalar(value)}" for target, value in fields.others)


def _rules(region: str | None) -> list[str]:
    open_, below = ("  rules:", "    # ") if region is not None else ("  # rules:", "  #   ")
    first = f"    default_region: {scalar(region)}" if region is not None else below + "default_region: US"
    return [
        open_,
        f"{first} # of numbers without country code",
        f"{below}consent: sms_opt_in # the column that must say yes",
        f'{below}quiet_hours: "21:00-08:00" # nobody is texted then, in their own time zone',
    ]


def _read(column: str) -> str:
    escaped = column.encode("unicode-escape").decode("ascii")
    for sign in "'{}":
        escaped = escaped.replace(sign, f"\\x{ord(sign):02x}")
    return f"row['{escaped}']"


def _value(column: str) -> str:
    """A column as a value of ``map``: its name, where that is read as one."""
    plain = column.strip() and literal_text(column) is None and not any(each in column for each in _BRACES)
    return column if plain else f"{{{{ {_read(column)} }}}}"


def _others(columns: Sequence[str], taken: set[str]) -> Iterator[tuple[str, str]]:
    """A custom property of its own for each column, named after it as far as a property can be."""
    taken = {*taken, *SECTIONS, *CONFIGURATION_SPELLINGS, *_RECOGNISED}
    for at, column in enumerate(columns, 1):
        name = (
            _NO_KEY.sub("_", without_accents(column[:100])).strip("_-").lstrip("0123456789_-")
            or f"column_{at}"
        )
        number, target = 1, name
        while target in taken:
            number += 1
            target = f"{name}_{number}"
        taken.add(target)
        yield target, _value(column)
