"""``airflow outreach person …``: all that is known of one person: shown, exported, forgotten."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg

from airflow_outreach_provider.cli.common import actor, exit_with_advice, parse_listed, print_rows

if TYPE_CHECKING:
    from airflow_outreach_provider.store.people.find import Found

_STAYS = """\
The number alone stays on the do-not-contact list, readable, as every writing of the line has to be known again (a
hash of so few digits hides nothing); without it the next sync would text them as somebody new. Addresses stay as hashes.
"""
_NOT_HERE = """\
What Airflow's own logs, platforms, endpoints, source files and backups hold of them is not the store's to remove.
"""


@exit_with_advice
def person_show(args: Namespace) -> None:
    """What is known of a person, in counts, masked."""
    from airflow_outreach_provider.services.people import summary

    print_rows(summary(_found(args)), args.output)


@exit_with_advice
def person_export(args: Namespace) -> None:
    """All that is known of a person as JSON, whole; audited."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services.people import export

    found = _found(args)
    if args.file is None:
        sys.stdout.write(_as_json(export(open_store(), found, actor=actor())))
        return
    file = _private(args.file)
    with os.fdopen(file, "w", encoding="utf-8") as stream:
        stream.write(_as_json(export(open_store(), found, actor=actor())))
    print(f"written to {args.file}, for its owner alone")


@exit_with_advice
def person_forget(args: Namespace) -> None:
    """Remove a person from ledger, inbox and deliveries; asks first, unless --yes."""
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services import actions
    from airflow_outreach_provider.services.people import find, summary

    numbers, emails = _who(args)
    store = open_store()
    if not args.yes:
        print("everything about this person would be removed:")
        for row in summary(find(store, numbers, emails)):
            print(f"{row['count']:>8,} {row['what']}{': ' if row['of which'] else ''}{row['of which']}")
        if not sys.stdin.isatty():
            print("add --yes to do it")
            return
        if input("Remove it for good? Write yes: ").strip().lower() != "yes":
            print("nothing was removed")
            return
    again = args.allow_contact_again
    done = actions.forget(store, phone=numbers, email=emails, actor=actor(), suppress=not again)
    for what, count in done.items():
        print(f"{count:>8,} {what}")
    left = find(store, numbers, emails).listed
    if left:
        print(f"{len(left)} entries of the do-not-contact list stay. {_STAYS}", end="")
        if again:
            print(
                "They were on it before: --allow-contact-again lifts nobody's no; suppressions remove does."
            )
    print(_NOT_HERE, end="")


def _found(args: Namespace) -> Found:
    from airflow_outreach_provider.hooks.settings import open_store
    from airflow_outreach_provider.services.people import find

    return find(open_store(), *_who(args))


def _who(args: Namespace) -> tuple[list[str], list[str]]:
    """Numbers (E.164, in every way they can be read) and addresses that name the person."""
    from airflow_outreach_provider.core.errors import ConfigurationError

    said = [*args.who, *([args.phone] if args.phone else []), *([args.email] if args.email else [])]
    emails = [each for each in said if "@" in each]
    if args.email and "@" not in args.email:
        raise ConfigurationError("--email holds no e-mail address", "write it whole, e.g. jane@example.com")
    numbers = [number for each in said if "@" not in each for number in parse_listed(each, args.region)]
    if not said:
        raise ConfigurationError("nobody is named", "say a number with country code, or an e-mail address")
    return list(dict.fromkeys(numbers)), emails


def _private(path: str) -> int:
    from airflow_outreach_provider.core.errors import ConfigurationError

    try:
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already", "name a file that is not") from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be made: {error.strerror}", "name a file you may write"
        ) from None


def _as_json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


_WHO = (
    Arg(flags=("who",), nargs="*", help="Number with country code, or e-mail address; several of one person too"),
    Arg(flags=("--phone",), help="The person's number"),
    Arg(flags=("--email",), help="The person's e-mail address"),
    Arg(flags=("--region",), help="Where numbers without country code belong, e.g. US"),
)  # fmt: skip
_THROUGH = "Found by number in any writing or by address, and through what their own leads and events bear."
FORGET_ARGS = (
    *_WHO,
    Arg(flags=("--allow-contact-again",), action="store_true", help="Do not put the number on the list"),
    Arg(flags=("--yes",), action="store_true", help="Do not ask"),
)

PERSON_COMMANDS = (
    ActionCommand(
        name="show",
        help="What is known of a person, in counts",
        description=_THROUGH,
        func=person_show,
        args=(*_WHO, ARG_OUTPUT),
    ),
    ActionCommand(
        name="export",
        help="All that is known of a person, whole, as JSON; audited",
        description=f"{_THROUGH} Times are UTC.",
        func=person_export,
        args=(*_WHO, Arg(flags=("--file",), help="Write to this new file, for its owner alone (default: print)")),
    ),
    ActionCommand(
        name="forget",
        help="Remove a person from ledger, inbox and deliveries; asks first, unless --yes",
        description=f"{_THROUGH} What only names them beside others is blanked. {_STAYS}"
        "SQLite is written anew, while others wait; on PostgreSQL the tables are vacuumed.",
        func=person_forget,
        args=FORGET_ARGS,
    ),
)  # fmt: skip
