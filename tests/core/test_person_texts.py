"""One person's numbers and addresses are found in every writing, and nobody else's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_outreach_provider.core.person_texts import PersonTexts

JANE, MAIL = "+14165550123", "Jane.Doe@example.com"
TEXTS = PersonTexts([JANE], [MAIL], names=["Jane Doe"])


@pytest.mark.parametrize(
    "text",
    ["+14165550123", "14165550123", "4165550123", "(416) 555-0123", "1-416-555-0123", "+1 (416) 555‑0123", "0014165550123",
     "011 1 416 555 0123", r"\u002b14165550123", r'{"a":"\"\\u002b1416555\\u0030123"}', "%2B14165550123", "tel:+1-416-555-0123;ext=4",
     "&#43;1&nbsp;416&nbsp;555&nbsp;0123", "４１６５５５０１２３", "٤١٦٥٥٥٠١٢٣", "call 416.555.0123, please", "4165550199, 4165550123",
     '{"n":14165550123}', "jane.doe@example.com", "JANE.DOE@EXAMPLE.COM.", "Jane <jane.doe@example.com>", "mailto:jane.doe@example.com",
     "https://x.example/u?e=jane.doe%40example.com&c=1", r"jane.doe\u0040example.com", "jane.doe&#64;example.com"],
)  # fmt: skip
def test_a_person_is_found_however_they_are_written(text: str) -> None:
    """Marks, prefixes, escapes of JSON, of URLs and of HTML, digits of other scripts; and nothing of it stays."""
    assert text in TEXTS
    blanked = TEXTS.blank(text)
    assert blanked not in TEXTS
    assert "0123" not in blanked
    assert "doe" not in blanked.lower()


@pytest.mark.parametrize(
    "text",
    ["+14165550124", "416-555-012", "41655501234", "1741655501234", "bob+jane.doe@example.com", "xjane.doe@example.com",
     "jane.doe@example.com.au", "jane.doe@example.comm", "Jane Doe", "2026-03-25T18:30:00Z", "", "{}"],
)  # fmt: skip
def test_nobody_else_is_meant(text: str) -> None:
    """Another number, a longer one, another address; a name alone is nobody."""
    assert text not in TEXTS
    assert TEXTS.blank(text) == text


@pytest.mark.parametrize(
    ("number", "written"),
    [("+525512345678", "+52 1 55 1234 5678"), ("+525512345678", "044 55 1234 5678"), ("+5491123456789", "011 15-2345-6789"),
     ("+5491123456789", "+54 11 2345 6789"), ("+491711234567", "0171/1234567"), ("+491711234567", "+49 (0)171 1234567"),
     ("+2250707123456", "+225 07 12 34 56"), ("+3545551234", "+354 555 1234"), ("+390612345678", "06 1234 5678")],
)  # fmt: skip
def test_writings_of_a_line_are_one_person(number: str, written: str) -> None:
    """What a country renumbered or dials at home names the same line."""
    assert written in PersonTexts([number])


BESIDE = {"email": "bob@example.com", "note": "call Jane, +14165550123 \N{GRINNING FACE}"}


@pytest.mark.parametrize(
    "text",
    [json.dumps(BESIDE), "\n " + json.dumps(BESIDE), "\ufeff" + json.dumps(BESIDE, ensure_ascii=False), json.dumps({"raw": json.dumps(BESIDE)}),
     json.dumps(BESIDE).replace("\\ude00", ""), json.dumps({"raw": json.dumps(BESIDE).replace("\\ud83d", ""), "n": 1}), json.dumps([BESIDE])[:-1] + ", 1e400, 1.5]",
     r"call Jane, +14165550123 \ud83d", r"Jane +14165550123 \ud83d\ude00"],
)  # fmt: skip
def test_what_is_left_can_be_stored_and_json_is_json_still(text: str) -> None:
    """Half an emoji, white space or a mark before it, JSON within JSON; and others in it stay."""
    blanked = TEXTS.blank(text)
    assert blanked.encode().decode() == blanked
    assert blanked not in TEXTS
    if text.lstrip("\ufeff \n").startswith(("{", "[")):
        value = json.loads(blanked, parse_constant=pytest.fail)
        assert "bob@example.com" in blanked
        if isinstance(value, dict) and "raw" in value:
            assert json.loads(value["raw"])["email"] == "bob@example.com"
    assert TEXTS.is_beside_others_in(text) == ("bob" in text)


def test_two_keys_that_name_the_person_are_two_still() -> None:
    """Neither's value is lost."""
    blanked = json.loads(
        TEXTS.blank(json.dumps({JANE: "a", "jane.doe@example.com": "b", "x": "bob@example.com"}))
    )
    assert sorted(map(str, blanked.values())) == ["a", "b", "bob@example.com"]


def test_so_few_digits_are_a_number_only_with_the_country_before_them() -> None:
    """Seven digits are an id as often as a number."""
    assert "5551234" not in PersonTexts(["+3545551234"])


def test_a_record_of_the_person_goes_whole_and_others_stay() -> None:
    """In a body about several people the person's own record is emptied, elsewhere number, address and name go."""
    body = {
        "event": "list.changed",
        "people": [
            {"name": "Jane Doe", "phone": "(416) 555-0123", "note": "likes tea", "vip": True},
            {"name": "John Roe", "phone": "+14165550199", "note": "told Jane Doe, 416 555 0123"},
        ],
        "from": "+14165550123", "to": "+14165550199", "jane.doe@example.com": 14165550123,
    }  # fmt: skip
    assert json.loads(TEXTS.blank(json.dumps(body))) == {
        "event": "list.changed",
        "people": [
            {"name": "•••", "phone": "•••", "note": "•••", "vip": True},
            {"name": "John Roe", "phone": "+14165550199", "note": "told •••, •••"},
        ],
        "from": "•••", "to": "+14165550199", "•••": "•••",
    }  # fmt: skip


@settings(deadline=None)
@given(
    st.text(max_size=20),
    st.text(max_size=20),
    st.lists(st.sampled_from(["", " ", "-", ".", ") ", "/", "\u00a0"]), min_size=9, max_size=9),
    st.sampled_from(["", "+1", "1 ", "001", "(", "+1 ("]),
    st.booleans(),
)
def test_nothing_of_a_number_survives_blanking(
    before: str, after: str, marks: list[str], dialled: str, as_json: bool
) -> None:
    """Whatever stands around it and between its digits, JSON or not: a blanked text names the person no more."""
    digits = "".join(map("".join, zip("4165550123", [*marks, ""], strict=True)))
    text = f"{before} {dialled}{digits} {after}"
    written = json.dumps({"a": [text]}) if as_json else text
    if any(each.isdigit() for each in before[-4:] + after[:4]):
        return  # digits beside it may make it another number
    assert written in TEXTS
    assert TEXTS.blank(written) not in TEXTS


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(0, 10**6) | st.text("abc é\\\"\n", max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
        max_leaves=12,
    )
)  # fmt: skip
def test_what_is_about_others_comes_back_the_same(value: object) -> None:
    """Blanking changes nothing beside what names the person: types, order and texts of a JSON value stay."""
    body = json.dumps({"about": value, "person": [JANE]})
    assert json.loads(TEXTS.blank(body)) == {"about": value, "person": ["•••"]}


def test_an_address_that_is_known_by_its_hash_alone_is_found() -> None:
    """The ledger keeps hashes; whoever writes the address somewhere is met all the same."""
    from airflow_outreach_provider.core.emails import hash_email

    texts = PersonTexts(email_hashes=[hash_email(MAIL)])
    assert "ask JANE.doe@example.com." in texts
    assert "ask june.doe@example.com." not in texts
