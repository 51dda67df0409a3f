"""Schedules in words, and the cron that is suggested for them."""

from __future__ import annotations

import pytest
from croniter import croniter
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.said_times import said_cron

WORDS = {
    "every day at 9am": "0 9 * * *",
    "Every Day at 9:30 PM": "30 21 * * *",
    "daily at 9": "0 9 * * *",
    "every weekday at 08:15": "15 8 * * 1-5",
    "weekdays at noon": "0 12 * * 1-5",
    "business days 9.30": "30 9 * * 1-5",
    "mon-fri 9:00": "0 9 * * 1-5",
    "Monday to Thursday at 7 a.m.": "0 7 * * 1-4",
    "every monday": "0 0 * * 1",
    "mondays and thursdays at 10am": "0 10 * * 1,4",
    "on weekends at 11": "0 11 * * 0,6",
    "every hour": "0 * * * *",
    "every day": "0 0 * * *",
    "nightly": "0 0 * * *",
    "9am": "0 9 * * *",
    "12am": "0 0 * * *",
    "12 pm": "0 12 * * *",
    "09:00": "0 9 * * *",
    "once a week": "0 0 * * 1",
    "monthly at 6am": "0 6 1 * *",
    "at midnight": "0 0 * * *",
    "every 3 hours": "0 */3 * * *",
    "each 5 minutes": "*/5 * * * *",
    "at 25": None,
    "13pm": None,
    "whenever": None,
    "when the sun shines": None,
    "0 9 * * mon-fri": None,
    "@daily": None,
}


@pytest.mark.parametrize("words", WORDS)
def test_what_people_say_is_a_cron(words: str) -> None:
    """Days, hours and how often; what says none of it is left alone."""
    assert said_cron(words) == WORDS[words]


SAYING = st.lists(
    st.sampled_from(
        [
            "every",
            "each",
            "day",
            "week",
            "month",
            "monday",
            "to",
            "fri",
            "-",
            ",",
            "and",
            "at",
            "9",
            "9am",
            "13",
            "25:61",
            "9:30",
            "pm",
            "noon",
            "hour",
            "minutes",
            "90",
            "*",
            "@",
            "weekdays",
        ]
    ),
    max_size=7,
).map(" ".join)


@given(SAYING)
@example("every 70 minutes")
@example("fri-mon at 9")
def test_what_is_suggested_is_always_a_schedule(words: str) -> None:
    """Whatever is said: the cron of the hint can be read, and comes true."""
    cron = said_cron(words)
    if cron is not None:
        assert croniter.is_valid(cron)
        (workflow,) = load_texts({"a.yaml": sync(cron)}).workflows
        assert str(workflow.model.schedule) == cron


PARTS = st.tuples(
    st.sampled_from(["0", "*/5", "10,20"]),
    st.sampled_from(["*", "9", "9-17"]),
    st.sampled_from(["*", "1", "1-7"]),
    st.sampled_from(["*", "jan", "1-6"]),
    st.sampled_from(["*", "mon-fri", "sun", "1-5", "mon,wed"]),
).map(" ".join)


@pytest.mark.slow
@given(PARTS)
def test_no_cron_is_taken_for_words(cron: str) -> None:
    """Names of days and months too."""
    assert load_texts({"a.yaml": sync(cron)}).problems == []


def test_the_hint_is_the_line_to_write() -> None:
    """In place of what was said."""
    (problem,) = load_texts({"a.yaml": sync("every day at 9am")}).problems
    assert (problem.line, problem.message) == (3, "'every day at 9am' is not a schedule")
    assert problem.hint == 'write "0 9 * * *" (cron: minute, hour, day, month, weekday)'


def sync(schedule: str) -> str:
    return f'lead_syncs:\n  a:\n    schedule: "{schedule}"\n    leads: {{csv: a.csv}}\n'


ZONED = {
    "TZ=America/New_York 0 9 * * *": ("0 9 * * *", "America/New_York"),
    "CRON_TZ=Europe/Berlin 30 7 * * 1-5": ("30 7 * * 1-5", "Europe/Berlin"),
    "cron_tz=UTC @daily": ("@daily", "UTC"),
    "CRON_TZ=EST 0 9 * * *": ("0 9 * * *", "America/New_York"),
    "0 9 * * * UTC": ("0 9 * * *", "UTC"),
    "0 9 * * 1-5 America/Chicago": ("0 9 * * 1-5", "America/Chicago"),
    "daily at 9am PST": ("0 9 * * *", "America/Los_Angeles"),
    "weekdays at 9 Pacific Time": ("0 9 * * 1-5", "America/Los_Angeles"),
    "every day at 18:00 (CET)": ("0 18 * * *", "CET"),
}


@pytest.mark.parametrize(("words", "meant"), ZONED.items())
def test_a_zone_within_a_schedule_is_not_dropped(words: str, meant: tuple[str, str]) -> None:
    """Before the cron as crontabs have it, or behind it: beside it is where it goes."""
    text = f'lead_syncs:\n  a:\n    schedule: "{words}"\n    leads: {{csv: a.csv}}\n'
    [problem] = load_texts({"a.yaml": text}).problems
    assert problem.hint == f'write schedule: {{cron: "{meant[0]}", timezone: {meant[1]}}}'
    followed = text.replace(f'"{words}"', problem.hint.removeprefix("write schedule: "))
    assert not load_texts({"a.yaml": followed}).problems
