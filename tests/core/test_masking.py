"""No whole phone number and no whole address gets into a log, an exception, an XCom or a trigger event."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.masking import (
    mask_email,
    mask_phone,
    mask_text,
    printable,
    shown_host,
    shown_url,
    shown_value,
    shown_words,
)
from airflow_outreach_provider.core.phones import parse_phone


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
    "416|555|0123",
    "+1%20416%20555%200123",
    "%2B1%20%28416%29%20555%2D0123",
    "%252B1%2520416%2520555%25200123",
    "416__555____0123",
    "416+555+0123",
    "416~555~0123",
    r"\u002b1\u0020416\u0020555\u00200123",
    "+1&nbsp;416&nbsp;555&nbsp;0123",
    "%34%31%36%35%35%35%30%31%32%33",
    "2026-03-25-5550123",
    "phone_20260325123",
    "number=20260325",
    "416\u200b555\u200b0123",
    "416\u2060555\ufeff0123",
    "\u202a416\u00ad555\u200e0123\u202c",
    "416:555:0123",
    "+1:416:555:0123",
    "416:5550123",
    "06:12:34:56:78",
    "416;555;0123",
    "416'555'0123",
    "416\u2019555\u20190123",
    "416#555#0123",
    "416•555•0123",
    "416⁄555⁄0123",
    "416 555 [0123]",
    "[416] 555-0123",
    "{416} <555> 0123",
    "（416）555－0123",
    "416％555；0123",
    "416\x00555\x000123",
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
        r"jane.doe\u0040example.com",
        r"jane.doe\x40example.com",
        "jane.doe%2540example.com",
        "jane.doe&#64;example.com",
        "jane.doe&commat;example.com",
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


@pytest.mark.parametrize(
    "text",
    [
        "settled before 2026-03-25 18:30 UTC",
        "since 2026-03-25T18:30:00.123456+00:00",
        "run manual__2026-03-25T18:30:00+00:00 of scheduled__2026-03-25T00:00:00Z_x1",
        "s3://leads/2026/03/25/18/leads.csv",
        "s3://leads/dt=20260325/leads_20260325.csv",
        "/data/leads_20260325T183000Z.csv.gz",
        "from 2026-03-25 to 2026-04-01",
        "event evt_0123456789abcdef0123456789012345",
        "configuration 68d6d7de324658b8a1760d5e",
        "delivery 01234567-0123-4123-8123-012345678901",
        "18:30:00 to 19:45:10",
        "took 0:01:23.456",
        "at 18:30:00, 19:30:00 and 20:30:00",
        "127.0.0.1:8080 answered 500",
        "[2001:db8::1]:8443 and 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
        "airflow 3.3.1, provider 1.2.0+4",
        "rejected 12%; 34%; 56%",
        "[1] [2] [3] [4]",
        '{"read": 120, "sent": 118, "held": 2}',
        "2026:03:25 18:30:00",
    ],
)
def test_dates_and_ids_are_no_phone_numbers(text: str) -> None:
    """When something happened and what it is called can be read, in the audit above all."""
    assert mask_text(text) == text


HOSTILE = [
    "1" * 6 + "x", "1 ", "1%20", "%20", "%25", "%2525", "a", "a@", "@", '"a', "+1", r"\u0020", "1___", "2026-", "2026-03-25 ",
    "f", "0123456789abcdef0-", "&#", "1" + " " * 12, "(", "1:", "12:", "123:", "1;", "1[", "1\u200b", "a:", "::", "1:a",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece: str) -> None:
    """Four times the text takes about four times as long: nobody can make a log line take minutes."""

    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        mask_text(text, size)
        return time.process_time() - began

    assert seconds(400_000) < 10 * seconds(100_000) + 0.2


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


def _locals(text: str) -> set[str]:
    """What stands before the @ of addresses, and does not only begin with its first letter."""
    found = re.findall(r"([^\s@<>\"',;:()]+)@[^\s@<>\"',;:()]", text.replace("%40", "@"))
    return {local for local in found if not local.endswith("•••")}


@given(st.lists(pieces, max_size=30).map("".join) | st.text(max_size=200))
def test_no_run_of_seven_digits_and_no_address_survives(text: str) -> None:
    """Law: whatever the text, its mask holds no seven digits in a row and no local part of two or more letters."""
    masked = mask_text(text, 300)
    assert not re.search(r"\d{7}", masked)
    assert not _locals(masked).intersection(_locals(text))


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


MARKS = ["", " ", "-", ".", "/", " - ", ") ", " (", "[", "] ", "\u200b", "\u2060", "\u2068", "\u061c", "\ufe0f", "\u00ad", "\ufeff", "\u00a0", "\u2009", "–", "−", "ー",
         "·", "•", "⁄", "（", "）", "～", "|", "'"]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=examples(800), deadline=None)
@given(
    st.sampled_from(
        ["+14165550123", "4165550123", "+436641234567", "01711234567", "+33612345678", "27123456"]
    ),
    st.lists(st.sampled_from(MARKS), min_size=14, max_size=14),
    st.sampled_from(["US", "DE", "LU"]),
)
def test_whatever_is_read_as_a_number_is_masked_as_one(number: str, marks: list[str], region: str) -> None:
    """Law: no writing that a lead may have its number in gets into a log with more than nine of its digits."""
    text = "".join(mark + digit for mark, digit in zip(marks, number, strict=False))
    with contextlib.suppress(LeadRejected):
        parse_phone(text, region)
        masked = mask_text(f"phone {text} is invalid")
        assert "•••" in masked
        assert sum(map(str.isdigit, masked)) <= min(9, sum(map(str.isdigit, number)) - 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("standart", "'standart'"),
        ("US1", "'US1'"),
        ("hmac-sha", "'hmac-sha'"),
        ("192.168.100.1/33", "'192.168.100.1/33'"),
        ("2001:db8::/129", "'2001:db8::/129'"),
        (0, "0"),
        (-2.5, "-2.5"),
        (True, "True"),
        (None, "None"),
        ("sup3r-s3cret-value-of-forty-characters-xx", "'sup3…' (41 characters)"),
        ("a1b2c3d4e5", "'a1b…' (10 characters)"),
        ("Bearer abc", "'Bea…' (10 characters)"),
        (12345678901234567890, "1234… (20 characters)"),
        ({"Authorization": "Bearer abc"}, "a dict"),
        (["abc"], "a list"),
        ("{'a': 'b'}", '"{\'a…" (10 characters)'),
    ],
)
def test_a_value_of_an_extra_is_shown_as_far_as_it_can_be_no_secret(value: object, shown: str) -> None:
    """A typo is seen as it is written; of what may be a secret the start, of objects what they are."""
    assert shown_value(value) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.com/v1/contacts", "https://api.example.com/v1/contacts"),
        ("https://api.example.com:8443/v1?key=k", "https://api.example.com:8443/v1?•••"),
        ("https://api.example.com/hooks/0123456789abcdef/in", "https://api.example.com/hooks/•••/in"),
        ("https://ann:a-password@api.example.com/v1", "https://•••@api.example.com/v1"),
    ],
)
def test_a_url_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    """A log-in, a token in the path and whatever the query holds stay out of messages."""
    assert shown_url(url) == shown


HOSTS = (
    "webserver01", "postgres16",
    "app.tetherai.ca", "localhost", "crm", "127.0.0.1", "[::1]", "ip-10-0-0-5", "outreach-simulator-service", "crm.example.com.",
    "prod-27.westeurope.logic.azure.com", "my-load-balancer-1234567890.us-east-1.elb.amazonaws.com", "xn--exmple-cua.de",
    "crm.ex\u00e4mple.de", "simulator.default.svc.cluster.local", "internationalization.example.com",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_named_as_hosts_are_is_shown(host: str) -> None:
    """With its port: whoever mistyped it sees what they wrote."""
    assert shown_host(host) == host
    assert shown_url(f"http://{host}:8080/v1") == f"http://{host}:8080/v1"


KEYS = (
    "sk_live_51HabcDEF9876543210zyx", "whsec_abcdefghijk", "9f8a7b6c5d4e3f2a1b0c", "550e8400-e29b-41d4-a716-446655440000",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF1234567890abcDEF", "p4ss!w0rd", "abcdefghijklmnopqrstuvwxyz",
    "sup3r-s3cret-value-of-forty-characters-x", "Bearer%20abc", "ghp_abcdefghijklmnop",
)  # fmt: skip
KEY = st.text("abcXYZ0123456789", min_size=17, max_size=300).filter(lambda text: not text.isalpha())


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_place_of_a_host_is_not_shown(key: str) -> None:
    """People paste it into the wrong field."""
    assert shown_url(f"https://{key}:8443/v1") == "https://•••:8443/v1"


@example(key="ab1" * 70_000)
@given(key=KEY)
def test_no_long_key_is_shown_as_a_part_of_a_host(key: str) -> None:
    """However long, and whatever it stands beside."""
    for host in (key, f"{key}.example.com", f"api.{key}"):
        assert key not in shown_url(f"https://{host}/v1")


@given(before=st.sampled_from(["", "'", "{{ body.", "{", "body['"]), key=KEY, after=st.sampled_from(["", "'", " | lower }}", "()"]))  # fmt: skip
def test_of_a_long_word_in_a_message_the_start_is_shown(before: str, key: str, after: str) -> None:
    """A key within an expression is none of the message's business; words, dotted names and the rest stay."""
    said = f"unknown filter 'conversation_resolved' of {before}{key}{after}"
    assert key not in shown_words(said) or not any(map(str.isalpha, key))
    assert shown_words(said).startswith("unknown filter 'conversation_resolved' of ")
