"""docs/architecture.md says what is so: rooms and borders, states and what leads to which, and where things are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_outreach_provider.core.deliveries import DeliveryState
from airflow_outreach_provider.core.owner import Owner
from airflow_outreach_provider.core.rules import Draft, Memory, Resubmit, decide
from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.deliveries import attempts, endpoints
from airflow_outreach_provider.store.deliveries.endpoints import Release
from airflow_outreach_provider.store.deliveries.lists import DeliveryFilter
from airflow_outreach_provider.store.deliveries.redeliver import redeliver
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_outreach_provider"
PAGE = (PACKAGE / "docs" / "architecture.md").read_text("utf-8")
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
NOW = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)

Edge = tuple[str, str]


def table(header: str) -> list[list[str]]:
    """The cells of the table with this first column."""
    _, _, below = PAGE.partition(f"\n| {header} | ")
    lines = below.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def contract(name: str) -> dict[str, list[str]]:
    (found,) = (each for each in LINTER["contracts"] if each["name"] == name)
    return {key: [part.removeprefix(f"{PACKAGE.name}.") for part in value]
            for key, value in found.items() if isinstance(value, list)}  # fmt: skip


def test_the_rooms_are_those_of_the_package_in_the_linters_order() -> None:
    """Every room is in the table, in the layer that the linter puts it in, and nothing else is."""
    shown = [sorted(names(row[0])) for row in table("rooms")]
    layers = [
        sorted(part.removeprefix(f"{PACKAGE.name}.") for part in layer.split(" | "))
        for layer in contract("Rooms are layered")["layers"]
    ]
    assert shown == layers
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {room for layer in shown for room in layer}


def test_what_no_room_imports_is_what_the_linter_forbids() -> None:
    """The last column is the sum of the linter's contracts, for each room."""
    forbidden: dict[str, set[str]] = {}
    for each in LINTER["contracts"]:
        if each["type"] == "forbidden":
            rules = contract(each["name"])
            for room in rules["source_modules"]:
                forbidden.setdefault(room, set()).update(rules["forbidden_modules"])
    shown: dict[str, set[str]] = {}
    for rooms, _, never in table("rooms"):
        common, *own = never.split("; ")
        for room in names(rooms):
            shown[room] = set(names(common)).union(
                *(names(each)[1:] for each in own if names(each)[0] == room)
            )
    assert {room: modules for room, modules in shown.items() if modules} == forbidden


def test_every_folder_within_a_room_is_named() -> None:
    """A folder that is made, moved or removed is so on the page too."""
    there = {f"{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.glob("*/*/__init__.py")}
    assert {names(row[0])[0] for row in table("folder")} == there


def test_every_path_named_exists() -> None:
    """In the prose below the package or below the repository; in the diagrams below the package."""
    diagrams = re.findall(r"(?<![\w/.])(?:[a-z_]+/)+(?:[a-z_]+\.py)?", "".join(mermaid("flowchart")))
    prose = [
        name
        for name in re.findall(r"`([\w./-]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
        if "/" in name or name.endswith((".py", ".md", ".toml"))
    ]
    assert len(prose) > 40
    assert len(diagrams) > 10
    assert [name for name in diagrams if not (PACKAGE / name).exists()] == []
    # "The room's tables.py" is many files.
    assert [
        name
        for name in prose
        if name != "tables.py" and not (PACKAGE / name).exists() and not (ROOT / name).exists()
    ] == []


# -- the state machines -------------------------------------------------------------------------------------


def mermaid(kind: str) -> list[str]:
    return [
        each for each in re.findall(r"```mermaid\n(.*?)```", PAGE, flags=re.DOTALL) if each.startswith(kind)
    ]


def edges(place: int) -> set[Edge]:
    """What a state diagram draws; from ``[*]`` where something begins."""
    drawn = mermaid("stateDiagram-v2")[place].splitlines()[1:]
    matches = [re.fullmatch(r"    (\S+) --> (\w+)(?:: .+)?", line) for line in drawn]
    found = [(match[1], match[2]) for match in matches if match]
    assert len(found) == len(drawn) == len(set(found))
    return set(found)


@pytest.mark.parametrize(("place", "states"), [(0, LeadState), (1, DeliveryState)])
def test_each_diagram_has_all_states(place: int, states: type[LeadState] | type[DeliveryState]) -> None:
    """No state is missing, none is made up, and each can be reached."""
    drawn = edges(place)
    assert {end for _, end in drawn} == {state.value for state in states}
    assert {begin for begin, _ in drawn} - {"[*]"} <= {state.value for state in states}


def decided() -> Iterator[Edge]:
    """Every change of a lead that reading its row again can decide on."""
    fresh = [
        (LeadState.PLANNED, ""),
        (LeadState.DEFERRED, "quiet_hours"),
        (LeadState.SUPPRESSED, "no_consent"),
    ]
    pasts: list[tuple[LeadState | None, datetime | None]] = [
        (None, None), *product(LeadState, (None, NOW - timedelta(days=400))),
    ]  # fmt: skip
    resubmits: list[Resubmit] = ["never", "changed", timedelta(days=30)]
    for (state, reason), (before, accepted), same, listed, resubmit, resend in product(
        fresh, pasts, (True, False), (None, "asked to stop"), resubmits, (True, False)
    ):
        memory = None if before is None else Memory(before, "", same, accepted)
        draft = Draft("c", "+14165550123", state, reason, "", "{}", "hash", None)
        write = decide(draft, memory, listed, resubmit, NOW, resend=resend).write
        if write is not None and write is not before:
            yield before.value if before else "[*]", write.value


def test_what_a_row_decides_is_drawn() -> None:
    """Each change of a lead's state that its row can bring about is an arrow."""
    assert set(decided()) <= edges(0)


def test_only_what_was_claimed_is_sent_and_nobody_is_claimed_but_from_planned() -> None:
    """The promise of the ledger, as drawn: one way into sending, and from there no way to be forgotten."""
    assert {edge for edge in edges(0) if edge[1] == "sending"} == {("planned", "sending")}
    assert {end for begin, end in edges(0) if begin == "sending"} == {
        "accepted",
        "rejected",
        "held",
        "planned",
    }


def test_what_people_and_endpoints_do_to_deliveries_is_drawn(sqlite_store: Store) -> None:
    """Redelivered, given up, endpoint disabled, enabled with and without what was held: no other arrow, and no fewer."""
    drawn = edges(1)

    def after(act: Callable[[], object]) -> set[Edge]:
        rows = [
            {"event_id": state.value, "route": "r", "endpoint": "crm", "lane": "l", "kind": "replied",
             "state": state.value, "created_at": NOW, "updated_at": NOW} for state in DeliveryState
        ]  # fmt: skip
        with sqlite_store.write() as connection:
            connection.execute(deliveries.delete())
            connection.execute(deliveries.insert(), rows)
        act()
        with sqlite_store.read() as connection:
            found = connection.execute(sa.select(deliveries.c.event_id, deliveries.c.state)).all()
        return {(row.event_id, str(row.state)) for row in found if row.event_id != row.state}

    def give_up() -> None:
        owner = Owner("dag", "task")
        with sqlite_store.write() as connection:
            connection.execute(deliveries.update().values(claim=owner.key))
        attempts.give_up(sqlite_store, range(100_000), owner)

    again = after(lambda: redeliver(sqlite_store, DeliveryFilter()))
    disabled = after(lambda: endpoints.disable(sqlite_store, "crm", reason="down", by="ada"))
    released = after(lambda: endpoints.enable(sqlite_store, "crm", Release.ALL))
    dropped = after(lambda: endpoints.enable(sqlite_store, "crm", Release.NONE))
    given_up = after(give_up)
    assert {("dead", "pending"), ("delivered", "pending"), ("ignored", "pending")} == again
    assert {("pending", "held"), ("failed", "held")} == disabled
    assert (released, dropped, given_up) == ({("held", "pending")}, {("held", "dead")}, {("failed", "dead")})
    assert again | disabled | released | dropped | given_up <= drawn
    assert {edge for edge in drawn if edge[1] == "pending"} == again | released | {("[*]", "pending")}
    assert {edge for edge in drawn if edge[1] == "held"} == disabled


def test_no_conftest_is_imported() -> None:
    """It would run a second time: Airflow's home would move, and processes of a test look for its tables elsewhere."""
    imports = re.compile(r"^\s*(?:from|import)\s+(?:\w+\.)*conftest\b", re.MULTILINE)
    tests = (ROOT / "tests").rglob("*.py")
    assert [str(each) for each in tests if imports.search(each.read_text("utf-8"))] == []
