"""Tables: sorted by the server where that is cheap, ids whole for whoever copies them, broken only after a mark."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_outreach_provider.core.states import LeadState
from airflow_outreach_provider.store.deliveries.tables import deliveries
from airflow_outreach_provider.store.engine import Store
from airflow_outreach_provider.web.rendering import breakable
from airflow_outreach_provider.web.workflows import WorkflowLine, _in_order

Site = Callable[..., Any]
LISTS = {"/leads": "/leads/", "/runs": "/runs/", "/events": "/events/", "/deliveries": "/deliveries/"}


def url(path: str) -> str:
    return f"http://testserver/af/outreach{path}"


def rows(page: str, to: str) -> list[str]:
    """What the rows of the page's last table lead to, in their order."""
    return list(
        dict.fromkeys(re.findall(rf'<a[^>]* href="[^"]*{to}([^"/]+)"', page[page.rindex("<tbody>") :]))
    )


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_read_from_either_end(site: Site, filled: Store, lead: Any, path: str) -> None:
    """Its heading says which, and leads to the other; the pages and the data go on from there, the filter stays."""
    from airflow_outreach_provider.store.ledger import tables as t

    with filled.write() as connection:
        now = filled.now(connection)
        run = {
            "campaign": "c",
            "owner": "o",
            "state": "succeeded",
            "started_at": now,
            "heartbeat_at": now,
            "lease_until": now,
        }
        connection.execute(t.runs.insert(), [run, run])
    browser = site("VIEWER")
    newest = browser.get(url(path))
    assert newest.status_code == 200
    assert newest.text.count('aria-sort="descending"') == 1
    [link] = re.findall(r'aria-sort="descending"><a href="([^"]*)"', newest.text)
    oldest = browser.get(url(path + unescape(link)))
    assert oldest.status_code == 200
    [back] = re.findall(r'aria-sort="ascending"><a href="([^"]*)"', oldest.text)
    assert "sort" not in back
    found = rows(newest.text, LISTS[path])
    assert len(found) == 2 and rows(oldest.text, LISTS[path]) == found[::-1]
    data = [
        browser.get(url(f"/api{path}"), params=params).json()["rows"] for params in ({}, {"sort": "oldest"})
    ]
    key = "row_id" if "row_id" in data[0][0] else "id"
    assert [each[key] for each in data[0]] == [each[key] for each in data[1]][::-1]
    assert '<input type="hidden" name="sort" value="oldest">' in oldest.text
    assert "sort=" not in "".join(re.findall(r'href="([^"]*\.csv[^"]*)"', oldest.text))


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("sort", ["state", "-id", "newest", "oldest; drop table leads"])
def test_a_long_list_is_sorted_by_nothing_else(site: Site, path: str, sort: str) -> None:
    """Without an index it would be a sort of all there is; asked for all the same, it is refused."""
    for url_of in (path, f"/api{path}"):
        assert site("VIEWER").get(url(url_of), params={"sort": sort}).status_code == 422


def test_older_pages_go_on_in_the_order_of_the_first(site: Site, store: Store, lead: Any) -> None:
    """From the oldest on, page by page to the newest, each once."""
    ids = [lead(f"+1416555{n:04d}", LeadState.HELD.value) for n in range(120)]
    browser, seen, at = site("VIEWER"), [], "?sort=oldest&state=held"
    while True:
        page = browser.get(url(f"/leads{at}")).text
        seen += [int(each) for each in rows(page, "/leads/")]
        more = re.findall(r'rel="next" href="([^"]*)"', page)
        if not more:
            break
        assert ">Newer</a>" in page and len(seen) < 200
        at = unescape(more[0])
    assert seen == ids
    assert ">Oldest</a>" in page


def line(n: int, **values: Any) -> WorkflowLine:
    return WorkflowLine(
        **{"dag_id": f"dag_{n}", "says": [], "description": "", "file": "", "line": 0, "schedule": "", "paused": False, "health": "healthy", "why": "",
           "last_run_at": None, "next_run_at": None, "runs": [], "consumers": [], "routes": [], "tries": True, "tries_rows": False, "unread": 0, "unread_since": None,
           "waiting": 0, "held": 0, "failed": 0} | values
    )  # fmt: skip


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["stuck", "paused", "healthy"]), st.none() | st.datetimes()
        ),
        max_size=8,
    )
)
def test_workflows_are_sorted_by_any_column(made: list[tuple[int, str, Any]]) -> None:
    """Each of them once, in order, either way; what has nothing there comes last, what is alike stands as usual."""
    lines = [
        line(n, failed=failed, health=health, last_run_at=at) for n, (failed, health, at) in enumerate(made)
    ]
    usual = _in_order(lines, None)
    for name in ("workflow", "failed", "last_run"):
        up, down = _in_order(lines, name), _in_order(lines, f"-{name}")
        assert (
            sorted(each.dag_id for each in up)
            == sorted(each.dag_id for each in down)
            == sorted(each.dag_id for each in lines)
        )
    values = [each.failed for each in _in_order(lines, "-failed")]
    assert values == sorted(values, reverse=True)
    times = [each.last_run_at for each in _in_order(lines, "last_run")]
    known = [at for at in times if at is not None]
    assert times == sorted(known) + [None] * (len(times) - len(known))
    same = [each for each in _in_order(lines, "failed") if each.failed == 0]
    assert same == [each for each in usual if each.failed == 0]


def test_an_unknown_column_is_an_error_that_says_so(site: Site) -> None:
    """A mistyped one must not be another order in silence."""
    answer = site("VIEWER").get(url("/api/workflows"), params={"sort": "-faild"})
    assert answer.status_code == 400 and "did you mean" in answer.text and "failed" in answer.text


@given(st.one_of(st.text(), st.text(alphabet="ab_.-/:<>&\"'")))
@example("outreach_endpoint_default")
@example("a&amp;b<br>")
def test_a_name_breaks_after_a_mark_and_stays_the_same(name: str) -> None:
    """Nothing is added but places to break at, each after a mark, and none of it is markup."""
    said = str(breakable(name))
    assert re.sub(r"<wbr>", "", said).count("<") == 0
    assert all(each[-1] in "_./:-" for each in said.split("<wbr>")[:-1])
    assert said.replace("<wbr>", "") == escape(name)


def test_where_a_name_breaks() -> None:
    """After marks, not before them nor at the end."""
    assert str(breakable("outreach_endpoint_default")) == "outreach_<wbr>endpoint_<wbr>default"
    assert str(breakable("s3://bucket/a.csv → c1_")) == "s3://<wbr>bucket/<wbr>a.<wbr>csv → c1_"
    assert str(breakable(None)) == ""


def test_only_ids_can_be_copied(site: Site, filled: Store) -> None:
    """What is masked is copied by nobody: no number and no address stands where the copy is made from."""
    with filled.write() as connection:
        connection.execute(deliveries.update().values(endpoint="crm"))
    browser = site("OP")
    copied = []
    for path in ("/leads", "/events", "/deliveries", "/deliveries/1", "/leads/1", "/workflows"):
        page = browser.get(url(path)).text
        copied += re.findall(r'data-whole="([^"]*)" data-says="([^"]*)"', page)
    assert {"evt_0", "evt_1", "crm"} <= {whole for whole, _ in copied}
    assert not [pair for pair in copied if re.search(r"•|@|\+?\d{7}", "".join(pair))]
