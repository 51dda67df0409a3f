"""How an installation is judged by what was found."""

from __future__ import annotations

import pytest

from airflow_outreach_provider.core.setup import (
    judge_address,
    judge_answer,
    judge_clocks,
    ok,
    summed_up,
    unknown,
    worst,
)


@pytest.mark.parametrize(
    ("apart", "state"), [(0, "ok"), (4.9, "ok"), (5, "warn"), (-30, "warn"), (60, "fail"), (-3600, "fail")]
)
def test_clocks_that_disagree(apart: float, state: str) -> None:
    """Seconds do no harm, a minute does, in either direction."""
    assert judge_clocks(1000.0 + apart, 1000.0).state == state


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:8080/outreach/in/x", "this machine"),
        ("https://airflow/outreach/in/x", "this machine or network"),
        ("https://airflow.internal/outreach/in/x", "this machine or network"),
        ("https://10.1.2.3/outreach/in/x", "not a public address"),
        ("https://[::1]/outreach/in/x", "not a public address"),
        ("http://airflow.example.com/outreach/in/x", "readable on the way"),
        ("https://[broken/outreach/in/x", "names no host"),
    ],
)
def test_an_address_that_platforms_cannot_reach_or_should_not(url: str, words: str) -> None:
    """Told by its writing, with what to set."""
    found = judge_address(url)
    assert found is not None
    assert (found.state, words in found.found) == ("warn", True)
    assert "[api] base_url" in found.remedy


def test_a_public_address_has_nothing_against_it() -> None:
    """A name of the internet over TLS."""
    assert judge_address("https://airflow.example.com/outreach/in/x") is None


@pytest.mark.parametrize(
    ("status", "allow", "state", "words"),
    [
        (405, "POST", "ok", "curl -i"),
        (405, "GET, HEAD", "fail", "not the receiver"),
        (404, "", "fail", "not the receiver"),
        (200, "", "fail", "not the receiver"),
        (302, "", "fail", "log-in or a redirect"),
        (401, "", "fail", "log-in or a redirect"),
        (503, "", "fail", "503"),
    ],
)
def test_what_answers_is_the_receiver_or_not(status: int, allow: str, state: str, words: str) -> None:
    """Only the receiver takes POST and nothing else there."""
    found = judge_answer("https://airflow.example.com/outreach/in/x", status, allow)
    assert (found.state, words in found.found) == (state, True)


def test_the_sum_of_checks() -> None:
    """Counted by state; the worst of nothing is well."""
    assert summed_up([ok("a", ""), unknown("b", "")]) == "2 checks: 1 ok, 1 unknown"
    assert worst([]) == "ok"
    assert worst([ok("a", ""), unknown("b", "")]) == "unknown"
