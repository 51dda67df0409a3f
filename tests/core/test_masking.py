"""No whole phone number and no whole address gets into a log, an exception, an XCom or a trigger event."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.masking import mask_email, mask_phone, mask_text, printable


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("+14165550123", "+1416•••0123"),
        ("+442079460958", "+4420•••0958"),
        ("+2905123", "+29•••23"),
        ("12345", "1•••45"),
        ("123", "•••"),
        ("", "–"),
        (None, "–"),
    ],
)
def test_a_phone_keeps_enough_to_be_found_and_not_to_be_called(phone: str | None, masked: str) -> None:
    """At most the first five and the last four characters of a number stay."""
    assert mask_phone(phone) == masked


@pytest.mark.parametrize(
    ("email", "masked"),
    [
        ("jane.doe@example.com", "j•••@example.com"),
        ('"jane@home"@example.com', '"•••@example.com'),
        ("@example.com", "•••"),
        ("jane", "•••"),
        (None, "–"),
    ],
)
def test_an_address_keeps_its_domain(email: str | None, masked: str) -> None:
    """Of an e-mail address the first letter and the domain stay."""
    assert mask_email(email) == masked


SECRETIVE = [
    "phone +14165550123 is invalid",
    "phone +1 (416) 555-0123 is invalid",
    "416 - 555 - 0123",
    "416–555–0123",
    "416‑555‑0123",
    "416·555·0123",
    "416_555_0123",
    "+1,416,555,0123",
    "+1*416*555*0123",
    "416, 555, 0123",
    '{"phoneNumber":"4165550123"}',
    "tel:+1-416-555-0123;ext=2",
    "+1.416.555.0123/+1.647.555.0199",
    "%2B14165550123",
    "４１６５５５０１２３",
    "4165550123@example.com",
]


@pytest.mark.parametrize("text", SECRETIVE)
def test_phones_in_any_writing_are_masked_in_text(text: str) -> None:
    """The API echoes numbers as it pleases; of none of them can the digits be put together again."""
    masked = mask_text(text)
    digits = re.sub(r"\D", "", masked.split("•••")[0])
    assert "•••" in masked
    assert len(digits) < 7
    assert "555" not in masked
    assert "５５５" not in masked


@pytest.mark.parametrize(
    "text",
    [
        "contact jane.doe@example.com exists",
        "<jane.doe@example.com>",
        "email=jane.doe%40example.com&x=1",
        "jane.doe＠example.com",
        '{"email":"jane.doe@example.com"}',
        "mailto:jane.doe@example.com",
        "JANE.DOE@EXAMPLE.COM",
        'no mailbox "jane doe"@example.com here',
    ],
)
def test_addresses_are_masked_in_text(text: str) -> None:
    """Addresses are masked as they are echoed, URL-encoded ones too."""
    assert "doe" not in mask_text(text).lower()
    assert "example.com" in mask_text(text).lower()


def test_ordinary_words_stay_as_they_are() -> None:
    """A message without personal data is not touched."""
    text = "configuration 42 is inactive since 2026; ask support (code E-1001)"
    assert mask_text(text) == text


def test_long_text_is_cut() -> None:
    """A body of megabytes becomes one line of the asked length."""
    assert len(mask_text("word " * 100_000, 200)) == 200
    assert mask_text("word " * 100_000, 200).endswith("…")


pieces = st.sampled_from(
    [
        "+",
        "1",
        "4165550123",
        "416",
        "555",
        " ",
        "-",
        ".",
        ")",
        "(",
        "/",
        "@",
        "a@b.c",
        "jane",
        "\n",
        "x",
        ",",
        "٤١٦",
        "%40",
    ]
)


@given(st.lists(pieces, max_size=30).map("".join) | st.text(max_size=200))
def test_no_run_of_seven_digits_and_no_address_survives(text: str) -> None:
    """Law: whatever the text, its mask holds no seven digits in a row and no local part of two or more letters."""
    masked = mask_text(text, 300)
    assert not re.search(r"\d{7}", masked)
    for local in re.findall(r"([^\s@<>\"',;:()]+)@[^\s@<>\"',;:()]", masked):
        assert local.endswith("•••")


@given(st.text(alphabet=st.characters(), max_size=50))
def test_what_is_printable_can_be_stored(text: str) -> None:
    """Law: nothing a database or a log refuses is left, and nothing else is changed."""
    clean = printable(text)
    assert "\0" not in clean
    clean.encode("utf-8")
    assert len(clean) == len(text)


def test_nul_and_half_surrogates_never_leave_the_mask() -> None:
    """A hostile message must not make the row that tells of it impossible to write."""
    assert mask_text("bad \x00 \ud800 \x1b[31m value") == "bad � � �[31m value"
