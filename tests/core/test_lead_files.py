"""Where leads lie: what looks like a file's address and is none, and what opens one."""

from __future__ import annotations

import pytest

from airflow_outreach_provider.core.lead_files import opened_by, wrong_address


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("https://docs.google.com/spreadsheets/d/1abc/edit#gid=0", "Google Sheet"),
        ("https://drive.google.com/file/d/1abc/view", "page that shows"),
        ("https://us.sharepoint.com/:x:/s/leads.csv", "page that shows"),
        ("https://www.dropbox.com/s/abc/leads.csv?dl=0", "page that shows"),
        ("https://github.com/us/data/blob/main/leads.csv", "page that shows"),
        ("https://s3.console.aws.amazon.com/s3/object/bucket?prefix=leads.csv", "console"),
        ("s3:/bucket/leads.csv", "no address"),
        ("s3:bucket/leads.csv", "no address"),
    ],
)
def test_what_looks_like_an_address(uri: str, words: str) -> None:
    """It says what it is, and what to write."""
    wrong = wrong_address(uri)
    assert wrong is not None
    assert words in wrong[0]
    assert wrong[1]


@pytest.mark.parametrize(
    "uri",
    [
        "leads.csv", "/data/leads.csv", "~/leads.csv", "C:\\data\\leads.csv", "s3://bucket/leads.csv", "file:///data/leads.csv",
        "s3://conn@bucket/box.com/leads.csv", "gs://bucket/{{ ds }}/*.csv", "https://www.dropbox.com/s/abc/leads.csv?dl=1",
    ],
)  # fmt: skip
def test_an_address_is_left_alone(uri: str) -> None:
    """Whatever Airflow may open."""
    assert wrong_address(uri) is None


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://bucket/a.csv", "providers-amazon[s3fs]"), ("gs://bucket/a.csv", "providers-google"),
        ("https://example.com/a.csv", "copy the file"), ("foo://a.csv", "check the URI"),
    ],
)  # fmt: skip
def test_what_opens_an_address(uri: str, words: str) -> None:
    """The package by its name."""
    assert words in opened_by(uri)
