"""What a DAG's run for an event is called, and what its conf shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.dag_runs import RunConf, check_dag_id, run_id
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import Contact, ContactEvent, EventKind

AT = datetime(2026, 3, 25, 18, 30, tzinfo=UTC)
AIRFLOWS_PATTERN = re.compile(r"^[A-Za-z0-9_.~:+-]+$")


def event(contact: Contact, **data: object) -> ContactEvent:
    return ContactEvent("evt_1", "varda", "varda", "booked", EventKind.REPLIED, AT, AT, contact, "c-1", data)


def test_without_a_conf_of_ones_own_nobody_is_named() -> None:
    """Ids and times whole, number and address masked; name and body not at all."""
    ada = Contact("Ada Lovelace", "Ada", "Lovelace", "ada@example.com", "+12125550123", "1234567")
    assert RunConf().of(event(ada, note="private")) == {
        "event_id": "evt_1", "kind": "replied", "type": "booked", "source": "varda", "platform": "varda",
        "occurred_at": "2026-03-25T18:30:00.000Z", "campaign_id": "c-1", "contact_id": "1234567",
        "phone": "+1212•••0123", "email": "a•••@example.com",
    }  # fmt: skip


@pytest.mark.parametrize("external_id", ["ada@example.com", "+12125550123", " +12125550123"])
def test_an_id_that_is_an_address_is_masked(external_id: str) -> None:
    """Some platforms know people by these alone."""
    said = json.dumps(RunConf().of(event(Contact(external_id=external_id))))
    assert "ada@" not in said and "2125550" not in said


def test_a_conf_of_ones_own_is_passed_as_named() -> None:
    """However deep, with its types; what is not there is none; what JSON cannot say is null."""
    conf = RunConf(
        {"who": {"email": "{{ contact.email }}"}, "score": "{{ data.score }}", "none": "{{ data.x }}", "n": 1}
    )
    made = conf.of(event(Contact(email="ada@example.com"), score=float("inf")))
    assert made == {"who": {"email": "ada@example.com"}, "score": None, "none": None, "n": 1}


@given(
    st.text("ab._-", min_size=1, max_size=150),
    st.text(min_size=1, max_size=300),
    st.text(min_size=1, max_size=300),
)
def test_a_runs_id_is_one_airflow_takes_and_the_events_alone(route: str, one: str, other: str) -> None:
    """The law: fits Airflow's pattern and column; the same for the same event, another for another."""
    made = run_id(route, one)
    assert AIRFLOWS_PATTERN.match(made) and len(made) <= 250
    assert made == run_id(route, one)
    assert (made == run_id(route, other)) == (one == other)


@pytest.mark.parametrize("dag_id", ["", "a b", "é", "x" * 251, "{{ x }}"])
def test_what_no_dag_can_be_called_is_said(dag_id: str) -> None:
    """With what it may be called."""
    with pytest.raises(ConfigurationError, match="is no DAG id"):
        check_dag_id(dag_id)
