"""The tests stand in the rooms of what they test."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE, TESTS = ROOT / "airflow_outreach_provider", ROOT / "tests"


def folders_with_tests(room: str) -> list[str]:
    """The folders below a room of tests that hold any, from there."""
    above = TESTS / room
    return sorted({path.parent.relative_to(above).as_posix() for path in above.rglob("test_*.py")})


@pytest.mark.parametrize("room", ["core", "services", "store"])
def test_each_folder_of_tests_is_a_room_of_the_package(room: str) -> None:
    """Whoever changes a room finds its tests under the same name: no folder of tests is left behind by a move."""
    folders = folders_with_tests(room)
    assert folders
    assert [each for each in folders if not (PACKAGE / room / each / "__init__.py").is_file()] == []
