"""The short way for plainly written numbers gives the library's verdict or none."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core import phones
from airflow_outreach_provider.core.errors import LeadRejected
from airflow_outreach_provider.core.numbering import read_plain, surely_not

_REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
_TYPES = range(11)
_EXAMPLES = sorted(
    {
        (phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), region)
        for region in _REGIONS
        for kind in _TYPES
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    }
)
_regions = st.none() | st.sampled_from(_REGIONS)


def _verdict(text: str, region: str | None) -> tuple[str, str | None] | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164, phonenumbers.region_code_for_number(number)


def _agree(text: str, region: str | None) -> bool:
    """Whether the short way answered; it must never answer anything but the library's verdict."""
    found = read_plain(text, region)
    assert found is None or found == _verdict(text, region), text
    return found is not None


@pytest.mark.slow
def test_every_example_of_every_region_in_every_plain_writing_gets_the_librarys_verdict() -> None:
    """All kinds of line of all regions: with and without ``+``, country code, national prefix."""
    answered = 0
    for e164, region in _EXAMPLES:
        code = str(phonenumbers.country_code_for_region(region))
        national = e164[1 + len(code) :]
        for text in (
            e164,
            e164[1:],
            national,
            "0" + national,
            "1" + national,
            code + national,
            "00" + e164[1:],
        ):
            answered += sum(_agree(text, default) for default in (region, "US", None))
    assert answered > 3 * len(_EXAMPLES), "the short way is hardly ever taken"


@pytest.mark.slow
@settings(max_examples=examples(1500))
@given(
    sample=st.sampled_from(_EXAMPLES),
    at=st.integers(0, 15),
    digits=st.text("0123456789", max_size=3),
    region=_regions,
)
@example(sample=("+66600123456", "TH"), at=0, digits="0", region="CL")
def test_numbers_near_to_valid_ones_get_the_librarys_verdict(
    sample: tuple[str, str], at: int, digits: str, region: str | None
) -> None:
    """An example with digits put in anywhere, or some replaced."""
    text = sample[0]
    for changed in (
        text[: at + 1] + digits + text[at + 1 :],
        text[: at + 1] + digits + text[at + 1 + len(digits) :],
    ):
        _agree(changed, region)
        if len(changed) > 1:
            _agree(changed[1:], sample[1])


@pytest.mark.slow
@settings(max_examples=examples(500))
@given(text=st.from_regex(r"\+?[0-9]{4,15}", fullmatch=True), region=_regions)
def test_any_digits_get_the_librarys_verdict(text: str, region: str | None) -> None:
    """Digits without any sense in them too."""
    _agree(text, region)


@pytest.mark.slow
@settings(max_examples=examples(500))
@given(st.sampled_from(_EXAMPLES), st.integers(1, 12), st.text("0123456789", max_size=2))
def test_what_is_surely_none_is_none_for_the_library(
    sample: tuple[str, str], start: int, digits: str
) -> None:
    """A no of the short way is one of the library too, and the ends of numbers mostly get one."""
    text, region = sample[0][start:] + digits, sample[1]
    if text and surely_not(text, region):
        assert _verdict(text, region) is None


@pytest.mark.slow
@settings(max_examples=examples(800))
@given(
    sample=st.sampled_from(_EXAMPLES),
    gaps=st.lists(st.sampled_from(["", "", " ", "-", "(", ") ", " - "]), min_size=17, max_size=17),
    plus=st.booleans(),
)
def test_punctuation_changes_nothing(sample: tuple[str, str], gaps: list[str], plus: bool) -> None:
    """Blanks, brackets and hyphens between the digits: as the library reads them."""
    e164, region = sample
    text = "".join(gap + digit for gap, digit in zip(gaps, e164[1:], strict=False))
    text = ("+" + text) if plus else text
    found = phones._read_plain(text, region)
    assert found is None or (found.e164, found.region) == _verdict(text, region)


@pytest.mark.parametrize(
    ("text", "region", "e164"),
    [
        ("+1 (416) 555-0123", None, "+14165550123"),
        ("(416) 555-0123", "US", "+14165550123"),
        ("14165550123", "CA", "+14165550123"),
        ("+4915123456789", None, "+4915123456789"),
    ],
)
def test_usual_writings_take_the_short_way(text: str, region: str | None, e164: str) -> None:
    """The writings most files have must not fall back to the library."""
    found = phones._read_plain(text, region)
    assert found is not None
    assert found.e164 == e164


def _outcome(text: str, region: str | None) -> str:
    try:
        return phones.parse_phone(text, region).e164
    except LeadRejected as error:
        return error.reason


@pytest.mark.slow
def test_the_short_way_changes_no_reading_of_a_number_that_starts_with_a_country_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers without + in their own region: read, or refused as ambiguous, the same with and without the short way."""
    texts = [(writing, region) for e164, region in _EXAMPLES for writing in _without_plus(e164, region)]
    short = [_outcome(*each) for each in texts]
    monkeypatch.setattr(phones, "_read_plain", lambda text, region: None)
    assert short == [_outcome(*each) for each in texts]
    assert short.count("phone_ambiguous") > 5


def _without_plus(e164: str, region: str) -> tuple[str, str]:
    code = str(phonenumbers.country_code_for_region(region))
    return e164[1:], code + e164[1:]
