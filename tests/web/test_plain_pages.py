"""Pages that do not mislead: mistyped filters, numbers that cannot be read, progress, words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.store.ledger import tables as t

Site = Callable[..., Any]


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


@pytest.mark.parametrize(
    ("path", "advice"),
    [("/leads?campain=x", "did you mean"), ("/api/leads?campain=x", "did you mean"), ("/leads/1?x=1", "takes none"),
     ("/events.csv?knd=replied", "did you mean"), ("/deliveries?state=dead&rout=crm", "did you mean"), ("/?page=2", "takes none")],
)  # fmt: skip
def test_an_unknown_parameter_is_an_error_that_says_so(site: Site, path: str, advice: str) -> None:
    """It would be a filter that filters nothing."""
    answer = site("OP").get(url(path))
    assert answer.status_code == 422
    assert advice in answer.text


@pytest.mark.parametrize("page", ["/leads", "/do-not-contact"])
def test_a_number_that_cannot_be_read_is_a_message_beside_its_field(site: Site, lead: Any, page: str) -> None:
    """The page stays, finds nobody, and says why; the API answers with an error."""
    lead()
    answer = site("OP").get(url(page), params={"phone": "416"})
    assert answer.status_code == 200
    assert 'aria-invalid="true"' in answer.text
    assert 'role="alert"' in answer.text
    assert "+1416•••0123" not in answer.text
    assert site("OP").get(url(f"/api{page}"), params={"phone": "416"}).status_code == 400
    assert site("OP").get(url(f"{page}.csv"), params={"phone": "416"}).status_code == 400


def test_progress_is_what_is_settled_of_what_was_read(site: Site, store: Store) -> None:
    """A source that is read to its end is not done while its leads wait."""
    now = datetime.now(UTC)
    with store.write() as connection:
        connection.execute(
            t.runs.insert().values(
                campaign="spring", owner="o", dag_id="d", task_id="t", airflow_run_id="r", state="running", started_at=now, heartbeat_at=now,
                lease_until=now, rows_read=1201, fraction=1.0, counts={"accepted": 140, "rejected": 4, "planned": 1057},
            )
        )  # fmt: skip
    (run,) = site("VIEWER").get(url("/api/runs")).json()["rows"]
    assert (run["settled"], round(run["done"], 2)) == (144, 0.12)
    page = site("VIEWER").get(url("/runs")).text
    assert "11 %, 144 of 1,201 read" in page
    assert "100 %" not in page


def test_masking_leaves_dates_and_ids_alone() -> None:
    """As filters stand in the audit, and as runs are called."""
    for text in (
        "source varda, since 2026-03-25 18:30:00+00:00, until 2026-03-26 00:00:00+00:00",
        "manual__2026-03-25T18:30:00.123456+00:00", "evt_0123456789abcdef0123456789abcdef",
    ):  # fmt: skip
        assert mask_text(text) == text
