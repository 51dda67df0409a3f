"""What is kept of requests: a form comes back as it was, without a secret in it; an answer's head is short."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.batch_form import GroupForm
from airflow_outreach_provider.core.request_form import RequestForm
from airflow_outreach_provider.core.sent_requests import (
    form_key,
    kept_headers,
    read_form,
    request_digest,
    write_form,
)

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdef"), inner, max_size=3),
    max_leaves=8,
)
_OBJECTS = st.dictionaries(st.sampled_from("abcdef"), _VALUES, max_size=3)


@pytest.mark.slow
@given(
    payload=st.none() | st.just("received") | _OBJECTS,
    query=_OBJECTS,
    headers=_OBJECTS,
    omit=st.booleans(),
    size=st.none() | st.integers(1, 1000),
)
def test_a_form_comes_back_as_it_was(
    payload: Any, query: Any, headers: Any, omit: bool, size: int | None
) -> None:
    """The form that is read makes the requests that the written one made."""
    batch = GroupForm(size, items="inputs", body={"a": 1}) if size else None
    form = RequestForm(
        payload, "PUT", path="x/{{ id }}", query=query, headers=headers, omit_empty=omit, batch=batch
    )
    assert read_form(write_form(form)) == form
    assert form_key(write_form(form)) == form_key(write_form(read_form(write_form(form))))


@pytest.mark.parametrize(
    "form",
    [
        RequestForm(headers={"X-Api-Key": "s3cret-value"}),
        RequestForm(headers={"Authorization": "Basic s3cret-value"}),
        RequestForm(query={"access_token": "s3cret-value"}),
        RequestForm({"auth": {"inner": ["a"]}, "hub_secret": ["s3cret-value"]}),
        RequestForm({"deep": [{"password": "s3cret-value"}]}),
    ],
)
def test_a_secret_in_a_form_is_not_kept(form: RequestForm) -> None:
    """What is written out under a name like a secret's is hidden; the form can still be read."""
    assert "s3cret" not in write_form(form)
    assert "•••" in write_form(read_form(write_form(form)))


def test_every_part_of_a_request_counts() -> None:
    """Another method, place or body is another request; the same is the same."""
    found = {
        request_digest(method, place, body)
        for method in ("POST", "PUT") for place in ("?", "a?", "?a=1") for body in (b"", b"{}")
    }  # fmt: skip
    assert len(found) == 12
    assert request_digest("POST", "?", b"{}") in found


def test_an_answers_head_is_short_and_holds_no_cookie() -> None:
    """Headers that tell why stay, bounded; cookies and whatever else there is go."""
    told = kept_headers(
        [
            ("Content-Type", "text/html"),
            ("Set-Cookie", "id=1"),
            ("X-Request-Id", "r" * 9999),
            ("X-Other", "1"),
        ]
        + [("Via", "p" * 500)] * 50
    )
    pairs = json.loads(told)
    assert ["Content-Type", "text/html"] in pairs
    assert len(told) < 2500
    assert not {"Set-Cookie", "X-Other"} & {name for name, _ in pairs}
    assert kept_headers([("X-Other", "1")]) == ""
