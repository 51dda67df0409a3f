"""``airflow outreach leads …``: look at leads, settle held ones, keep the do-not-contact list."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg

from airflow_outreach_provider.cli.common import (
    CENTURY_DAYS,
    actor,
    exit_with_advice,
    parse_listed,
    parse_number,
    positive_int,
    print_rows,
)
from airflow_outreach_provider.cli.person import FORGET_ARGS, person_forget

if TYPE_CHECKING:
    from airflow_outreach_provider.store.ledger.lists import LeadFilter

_STATES = ("planned", "sending", "accepted", "rejected", "held", "suppressed", "deferred")


@exit_with_advice
def leads_list(args: Namespace) -> None:
    """List leads, the latest first, numbers masked."""
    from airflow_outreach_provider.core.masking import mask_phone, mask_text
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store.ledger.lists import every_lead

    found = every_lead(open_store(), _filter(args))
    print_rows(
        [
            {
                "id": lead.id, "campaign": lead.campaign, "phone": mask_phone(lead.phone), "state": lead.state,
                "reason": lead.reason, "line": lead.line, "tries": lead.tries,
                "detail": mask_text(lead.detail),
            }
            for lead in islice(found, args.limit)
        ],
        args.output,
    )  # fmt: skip


@exit_with_advice
def leads_resolve(args: Namespace) -> None:
    """Settle held leads: says how many first, and does it with --yes."""
    from airflow_outreach_provider.core.states import LeadState
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    store, wanted, target = open_store(), _wanted(args), actions.resolve_target(args.to)
    found = actions.count_held(store, wanted)
    unsendable = found.held - found.sendable if target is LeadState.PLANNED else 0
    note = f"; {unsendable} of them have nothing left to send and stay held" if unsendable else ""
    if not args.yes:
        print(f"{found.held} held leads would become {target}{note}; add --yes to do it")
        return
    print(f"{actions.resolve(store, wanted, target, actor=actor())} leads are {target} now{note}")


@exit_with_advice
def leads_reconcile(args: Namespace) -> None:
    """Ask a connection's contact list what became of the held leads that were sent through it."""
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.outreach import OutreachHook
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.services.submit.reconcile import absent_after

    hook = OutreachHook(args.conn_id)
    contacts = hook.contacts()
    if contacts is None:
        raise ConfigurationError(
            f"connection {args.conn_id!r} has no log-in for the contact list",
            "set contacts_email and contacts_password in its extra",
        )
    done = actions.reconcile(
        open_store(),
        contacts,
        actor=actor(),
        conn_id=args.conn_id,
        delay=absent_after(hook.settings.api.timeout)
        if args.after is None
        else timedelta(minutes=args.after),
        campaign=args.campaign,
        limit=args.limit,
    )
    print(f"{done.accepted} accepted, {done.planned} planned again, {done.waiting} still held")


@exit_with_advice
def suppressions_list(args: Namespace) -> None:
    """List the do-not-contact list, the latest first, numbers masked, addresses by their hash."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.store import suppressions

    phone = parse_number(args.phone, args.region) if args.phone else None
    found = suppressions.every_entry(open_store(), phone=phone, campaign=args.campaign)
    print_rows(
        [
            {
                "id": row.id, "phone": suppressions.shown(row.phone), "campaign": row.campaign or "all", "reason": row.reason,
                "source": row.source, "added_at": row.added_at.isoformat(timespec="seconds"),
            }
            for row in islice(found, args.limit)
        ],
        args.output,
    )  # fmt: skip


@exit_with_advice
def suppressions_add(args: Namespace) -> None:
    """Put numbers, and addresses by their hash, on the do-not-contact list: counts first, and does it with --yes."""
    from airflow_outreach_provider.core.emails import emails_in
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    if any("@" in text and not emails_in(text) for text in args.phone):
        raise ConfigurationError("that is no e-mail address", "write it whole, e.g. jane@example.com")
    numbers = _named(args)
    if not args.yes:
        print(f"{len(numbers)} entries would be put on {_list_of(args.campaign)}; add --yes to do it")
        return
    added = actions.suppress(
        open_store(), numbers, actor=actor(), reason=args.reason, campaign=args.campaign or ""
    )
    print(f"{added} entries added, {len(numbers) - added} were on the list already")


@exit_with_advice
def suppressions_remove(args: Namespace) -> None:
    """Take numbers and addresses off the do-not-contact list: counts first, and does it with --yes."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions

    numbers = _named(args)
    if not args.yes:
        there = actions.suppressed(open_store(), numbers, campaign=args.campaign or "")
        print(f"{there} entries would be taken off {_list_of(args.campaign)}; add --yes to do it")
        return
    removed = actions.unsuppress(open_store(), numbers, actor=actor(), campaign=args.campaign or "")
    print(f"{removed} entries removed")


def _list_of(campaign: str | None) -> str:
    return f"the list of campaign {campaign}" if campaign else "the list of all campaigns"


def _named(args: Namespace) -> list[str]:
    """Entries of the list: numbers, and addresses as they are kept."""
    from airflow_outreach_provider.core.emails import email_hashes, hash_email
    from airflow_outreach_provider.store.suppressions import EMAIL

    entries = [
        entry
        for text in args.phone
        for entry in (
            [EMAIL + each for each in email_hashes(text) or (hash_email(text),)]
            if "@" in text
            else parse_listed(text, args.region)
        )
    ]
    return list(dict.fromkeys(entries))


@exit_with_advice
def suppressions_import(args: Namespace) -> None:
    """Put the people of a CSV or JSON Lines file on the do-not-contact list: counts first, and does it with --yes.

    Bad rows are named, not taken.
    """
    from airflow_outreach_provider.core.errors import ConfigurationError
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.store import suppressions

    path = Path(args.file)
    if not path.is_file():
        raise ConfigurationError(f"{path} is not a file", "name a .csv or .jsonl file")
    by_campaign: dict[str, list[str]] = {}
    bad: list[str] = []
    rows = 0
    for line, campaign, listed, problem in _listed(path, args.column, args.region):
        rows += 1
        by_campaign.setdefault(args.campaign or campaign, []).extend(listed)
        if problem:
            bad.append(f"line {line}: {problem}")
    if not rows:
        raise ConfigurationError(
            f"there is nothing in {path}: not one row, and nobody would be listed",
            "name the file that holds the people, below a line with the names of its columns where it is a .csv",
        )
    people = [each for listed in by_campaign.values() for each in listed]
    addresses = sum(each.startswith(suppressions.EMAIL) for each in people)
    also = f" and {addresses} e-mail addresses" if addresses else ""
    read = f"{len(people) - addresses} numbers{also} read, "
    if args.yes:
        added = sum(
            actions.suppress(open_store(), listed, actor=actor(), reason=args.reason, campaign=campaign)
            for campaign, listed in by_campaign.items()
        )
        read += f"{added} added, "
    print(f"{read}{len(bad)} rows that hold no number")
    for text in bad[:20]:
        print(f"  {text}")
    if len(bad) > 20:
        print(f"  … and {len(bad) - 20} more")
    if people and not args.yes:
        lists = " and ".join(_list_of(campaign) for campaign, listed in by_campaign.items() if listed)
        print(f"they would be put on {lists}; add --yes to do it")
    if bad:
        raise SystemExit(1)


def _listed(path: Path, column: str | None, region: str | None) -> Iterator[tuple[int, str, list[str], str]]:
    """(line, campaign where the row is one of our own export, who is listed by number and address, what is wrong)."""
    from airflow_outreach_provider.core.emails import email_columns, email_hashes
    from airflow_outreach_provider.core.leads import build_mapper
    from airflow_outreach_provider.core.phone_columns import PhoneCells
    from airflow_outreach_provider.core.phone_listed import read_cells
    from airflow_outreach_provider.core.phones import check_region
    from airflow_outreach_provider.core.suggest import did_you_mean
    from airflow_outreach_provider.services.rows.open import open_rows
    from airflow_outreach_provider.store.suppressions import EMAIL, is_hashed

    known = check_region(region)
    mapper = build_mapper(None, lambda template: lambda row: template)
    with path.open("rb") as stream:
        for row in open_rows(stream, name=path.name):
            value: Any = row.values.get(column) if column else mapper(row.values).get("phoneNumber")
            if not column and value is None and len(row.values) == 1:
                value = next(iter(row.values.values()))
            if isinstance(value, PhoneCells):
                value = [cell for _, cell in value]
            cells = value if isinstance(value, list) and value else [value]
            named = [row.values[name] for name in (email_columns(tuple(row.values)) if not column else ())]
            addresses = [EMAIL + each for each in email_hashes([*named, *cells])]
            hashed = [cell for cell in cells if isinstance(cell, str) and is_hashed(cell)]
            addresses += hashed
            campaign = _campaign_of(row.values)
            if row.error:
                yield row.number, campaign, addresses, row.error
            elif column and column not in row.values:
                known_columns = did_you_mean(column, row.values)
                yield row.number, campaign, addresses, f"there is no column {column!r}: {known_columns}"
            else:
                written = [cell for cell in cells if cell not in hashed]
                numbers, problem = read_cells(written, known, alone=not addresses)
                yield row.number, campaign, [*numbers, *addresses], problem


def _campaign_of(values: Mapping[str, Any]) -> str:
    """Whose list a row of our own export is of; of any other file a column of this name says where somebody was met."""
    from airflow_outreach_provider.store.suppressions import SuppressionRow
    from airflow_outreach_provider.web.export import as_it_was

    return as_it_was(str(values["campaign"] or "")) if tuple(values) == SuppressionRow.__slots__ else ""


def _wanted(args: Namespace) -> list[int] | LeadFilter:
    """Leads by their ids, or those a filter finds.

    :raises ConfigurationError: both: it is not told which of them is meant.
    """
    from airflow_outreach_provider.core.errors import ConfigurationError

    if not args.id:
        return _filter(args)
    if filters := [f"--{name}" for name in ("campaign", "reason", "phone") if getattr(args, name)]:
        raise ConfigurationError(f"--id names the leads, and so does {filters[0]}", "give one of the two")
    return list(args.id)


def _filter(args: Namespace) -> LeadFilter:
    from airflow_outreach_provider.core.states import LeadState
    from airflow_outreach_provider.store.ledger.lists import LeadFilter

    state = getattr(args, "state", None)
    return LeadFilter(
        campaign=args.campaign,
        state=LeadState(state) if state else None,
        reason=args.reason,
        phone=parse_number(args.phone, args.region) if args.phone else None,
    )


_CAMPAIGN = Arg(flags=("--campaign",), help="Only this campaign")
_REASON = Arg(flags=("--reason",), help="Only with this reason, e.g. worker_died")
_REGION = Arg(flags=("--region",), help="Where numbers without country code belong, e.g. US")
_PHONE = Arg(flags=("--phone",), help="Only this number")
_LIMIT = Arg(
    flags=("--limit",), type=positive_int(allow_zero=False), default=50, help="At most (default: 50)"
)
_YES = Arg(flags=("--yes",), action="store_true", help="Do it, not only count")
_PHONES = Arg(flags=("phone",), nargs="+", help="Numbers, with country code or --region, or e-mail addresses")
_FOR_CAMPAIGN = Arg(flags=("--campaign",), help="Only for this campaign (default: all)")
_WHY = Arg(flags=("--reason",), default="manual", help="Why (default: manual)")

_IMPORT_ARGS = (
    Arg(flags=("file",), help="A .csv or .jsonl file"),
    Arg(flags=("--column",), help="The column that holds the number (default: recognised)"),
    _REGION, _WHY, _FOR_CAMPAIGN, _YES,
)  # fmt: skip

LEADS_COMMANDS = (
    ActionCommand(
        name="list",
        help="List leads, the latest first",
        func=leads_list,
        args=(
            Arg(flags=("--state",), choices=_STATES, help="Only in this state"),
            _CAMPAIGN, _REASON, _PHONE, _REGION, _LIMIT, ARG_OUTPUT,
        ),
    ),
    ActionCommand(
        name="resolve",
        help="Settle held leads; counts only, unless --yes",
        func=leads_resolve,
        args=(
            Arg(flags=("--as",), dest="to", required=True, choices=("accepted", "planned"),
                help="accepted: they were texted; planned: they were not, send them again"),
            Arg(flags=("--id",), type=positive_int(allow_zero=False), action="append",
                help="This lead; may be given several times"),
            _CAMPAIGN, _REASON, _PHONE, _REGION, _YES,
        ),
    ),
    ActionCommand(
        name="reconcile",
        help="Settle the held leads of a connection by its contact list",
        func=leads_reconcile,
        args=(
            Arg(flags=("--conn-id",), default="outreach_default", help="Connection (default: outreach_default)"),
            Arg(flags=("--after",), metavar="MINUTES", type=positive_int(allow_zero=True, most=CENTURY_DAYS * 1440),
                help="Only attempts older than this (default: 15, and the time-out of a request)"),
            _CAMPAIGN,
            Arg(flags=("--limit",), type=positive_int(allow_zero=False), default=500, help="At most (default: 500)"),
        ),
    ),
    ActionCommand(
        name="import-suppressions",
        help="The same as suppressions import",
        func=suppressions_import,
        args=_IMPORT_ARGS,
    ),
    ActionCommand(name="forget", help="The same as person forget", func=person_forget, args=FORGET_ARGS),
)  # fmt: skip
SUPPRESSIONS_COMMANDS = (
    ActionCommand(
        name="list",
        help="List the do-not-contact list",
        func=suppressions_list,
        args=(_PHONE, _REGION, _CAMPAIGN, _LIMIT, ARG_OUTPUT),
    ),
    ActionCommand(
        name="add",
        help="Put numbers and addresses on the do-not-contact list; counts only, unless --yes",
        func=suppressions_add,
        args=(_PHONES, _REGION, _WHY, _FOR_CAMPAIGN, _YES),
    ),
    ActionCommand(
        name="remove",
        help="Take numbers and addresses off the do-not-contact list; counts only, unless --yes",
        func=suppressions_remove,
        args=(
            _PHONES,
            _REGION,
            Arg(flags=("--campaign",), help="Of this campaign's list (default: all's)"),
            _YES,
        ),
    ),
    ActionCommand(
        name="import",
        help="Put the numbers of a file on the do-not-contact list; counts only, unless --yes",
        func=suppressions_import,
        args=_IMPORT_ARGS,
    ),
)
