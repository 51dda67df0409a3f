"""A lead list as people send them: numbers of many countries in many writings, repeats, and rows that are no leads."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

COLUMNS = ("Phone Number", "First Name", "Last Name", "E-Mail", "Company", "Note")
REGIONS = (
    "US", "CA", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "SE", "NO", "DK", "FI", "PL", "PT", "IE",
    "AU", "NZ", "BR", "MX", "AR", "CL", "CO", "IN", "JP", "KR", "SG", "ZA", "NG", "KE", "EG", "IL", "AE", "TR",
)  # fmt: skip

_FIRST = (
    "Ana",
    "Björn",
    "Chloé",
    "Dmitri",
    "Emeka",
    "Fatima",
    "Grace",
    "Hiroshi",
    "Inés",
    "Jürgen",
    "Kaito",
    "Léa",
)
_LAST = (
    "O'Neil",
    "García",
    "Müller",
    "Nguyễn",
    "Okafor",
    "Smith",
    "Rossi",
    "Šimek",
    "Tanaka",
    "van Dijk",
    "Wang",
)
_BAD = ("", "n/a", "call me", "12345", "+1 416", "1.41656E+10", "+999 123 456 789", "555-0123", "see note")


@dataclass(frozen=True, slots=True)
class Written:
    """What a messy file holds.

    :param people: different valid numbers.
    """

    rows: int
    people: int
    repeats: int
    bad: int


def write_messy_csv(path: Path, rows: int = 5_000, seed: int = 1) -> Written:
    """Write a semicolon-separated file as Excel does: with a BOM, quoted newlines and empty last lines."""
    dice = random.Random(seed)  # noqa: S311 - an example, not a secret
    bad, repeats = rows * 3 // 100, rows * 5 // 100
    people = rows - bad - repeats
    numbers = list(_numbers(people, dice))
    written = [_row(_writing(number, dice), dice) for number in numbers]
    written += [_row(_writing(dice.choice(numbers), dice), dice) for _ in range(repeats)]
    written += [_bad_row(dice) for _ in range(bad)]
    dice.shuffle(written)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(COLUMNS)
        writer.writerows(written)
        file.write("\r\n;;;;;\r\n")
    return Written(rows, people, repeats, bad)


def _numbers(count: int, dice: random.Random) -> Iterator[phonenumbers.PhoneNumber]:
    """Valid mobile numbers around each region's example number."""
    seen: set[str] = set()
    while len(seen) < count:
        example = phonenumbers.example_number_for_type(dice.choice(REGIONS), PhoneNumberType.MOBILE)
        assert example is not None
        digits = str(example.national_number)
        candidate = phonenumbers.PhoneNumber(
            country_code=example.country_code,
            national_number=int(digits[:-5] + f"{dice.randrange(100_000):05d}"),
        )
        text = phonenumbers.format_number(candidate, PhoneNumberFormat.E164)
        if text not in seen and phonenumbers.is_valid_number(candidate):
            seen.add(text)
            yield candidate


_WRITINGS: tuple[Callable[[phonenumbers.PhoneNumber], str], ...] = (
    lambda n: phonenumbers.format_number(n, PhoneNumberFormat.E164),
    lambda n: phonenumbers.format_number(n, PhoneNumberFormat.INTERNATIONAL),
    lambda n: phonenumbers.format_number(n, PhoneNumberFormat.RFC3966),
    lambda n: "00" + phonenumbers.format_number(n, PhoneNumberFormat.E164)[1:],
    lambda n: "'" + phonenumbers.format_number(n, PhoneNumberFormat.E164),
    lambda n: phonenumbers.format_number(n, PhoneNumberFormat.INTERNATIONAL).replace(" ", "\u00a0").replace("-", "."),
)  # fmt: skip


def _writing(number: phonenumbers.PhoneNumber, dice: random.Random) -> str:
    if number.country_code == 1 and dice.random() < 0.5:
        national = str(number.national_number)
        return dice.choice(
            (phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL), national, f"1.{national}E10")
        )
    return dice.choice(_WRITINGS)(number)


def _row(phone: str, dice: random.Random) -> list[str]:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    note = 'said "maybe";\ncall again' if dice.random() < 0.05 else ""
    return [
        phone,
        first,
        last,
        f"{first}.{last}@example.com".lower().replace(" ", ""),
        "Acme; Sons & Co",
        note,
    ]


def _bad_row(dice: random.Random) -> list[str]:
    row = _row(dice.choice(_BAD), dice)[:-1]
    return [*row, "", "one", "too many"] if dice.random() < 0.2 else [*row, ""]
