"""A plan tells what the run does: over any list, rules and past its rows end alike, and what is shown is what is sent."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.outcomes import SubmitAnswer, SubmitOutcome
from airflow_outreach_provider.core.per_person import PerPerson
from airflow_outreach_provider.core.quiet_hours import QuietHours
from airflow_outreach_provider.core.row_trials import PREFIX
from airflow_outreach_provider.services.submit.limits import RejectLimit
from airflow_outreach_provider.store import suppressions
from airflow_outreach_provider.store.tables import metadata

COLUMNS = {
    "phone": [
        "+14162000000", "(416) 200-0000", "416.200.0001", "+4915112345678", "+541123456789", "+5491123456789", "+442079460000", "nobody",
        "", None,
    ],
    "email": [None, "a@x.org", "A@X.ORG ", "b@x.org", ""],
    "firstName": [None, "Ann", "Bob", " Ann", ""],
    "Opted Out": [None, "no", "yes", ""],
    "ok": ["yes", "no", "", 1, None],
    "zone": [None, "Asia/Tokyo", "", "nowhere"],
    "title": ["Nurse", "nurse", "", None, 1, 2.5],
    "configuration_id": [None, "on", "on2", ""],
}  # fmt: skip
LIST = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in COLUMNS.items()}), max_size=8
)
SOME = st.frozensets(
    st.sampled_from(["+14162000000", "+14162000001", "+4915112345678", "+5491123456789"]), max_size=2
)
RULES = st.fixed_dictionaries(
    {"default_region": st.just("US")},
    optional={
        "campaign": st.sampled_from(["one", None]), "require_consent": st.just("ok"), "time_zone": st.just("zone"),
        "quiet_hours": st.sampled_from(["21:00-08:00", "12:00-13:00"]).map(QuietHours.parse), "unique_email": st.booleans(),
        "resubmit": st.sampled_from(["never", "changed"]), "changed_on": st.just(frozenset({"title"})),
        "per_person": st.sampled_from(["1 per 7d", "2 per 7d"]).map(PerPerson.parse), "on_unknown": st.sampled_from(["hold", "resend"]),
        "where": st.sampled_from(["title == 'Nurse'", "title > 1", "not title", "email is none"]),
        "max_rejected": st.sampled_from(["90%", None]).map(RejectLimit.parse),
        "mapping": st.sampled_from([
            {"phoneNumber": "phone", "firstName": "{{ row.firstName | default('friend') | title }}", "score": "{{ row.title }}"},
            {"phoneNumber": "phone", "email": "email", "configurationId": "configuration_id", "tag": "'x'"},
        ]),
    },
)  # fmt: skip


class Answers:
    """An API that keeps what it is sent, and answers as told: taken, refused, or nobody knows."""

    def __init__(self, refuse: frozenset[str] = frozenset(), lose: frozenset[str] = frozenset()) -> None:
        self.refuse, self.lose = refuse, lose
        self.sent: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def submit(self, body: bytes) -> SubmitAnswer:
        self.sent.append(body.decode())
        phone = json.loads(body)["phoneNumber"]
        if phone in self.lose:
            return SubmitAnswer(SubmitOutcome.UNKNOWN, "answer_timeout")
        return SubmitAnswer(SubmitOutcome.REJECTED if phone in self.refuse else SubmitOutcome.ACCEPTED, "")


def rows_by_reason(tally: Any) -> Counter[str]:
    """Without those that were, or would be, sent."""
    sent = ("carried", "planned", "accepted")
    return Counter({reason: n for reason, n in tally.by_reason().items() if not reason.startswith(sent)})


@pytest.mark.slow
@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(past=LIST, staged=LIST, rows=LIST, before=RULES, rules=RULES, refuse=SOME, lose=SOME, listed=SOME)
def test_a_plan_tells_what_the_run_does(
    sqlite_api: Any, at: Any, past: Any, staged: Any, rows: Any, before: Any, rules: Any, refuse: Any, lose: Any, listed: Any
) -> None:  # fmt: skip
    """The law: who ends as what, with which reason; how many are texted, earlier runs' people too; and each payload."""
    api, sent = sqlite_api, Answers()
    for table in reversed(metadata.sorted_tables):
        api.sql(f"DELETE FROM {table.name}")
    api.send(past, client=Answers(refuse, lose), now=at(hours=-30), owner="past", patience=0.1, **before)
    api.send(staged, stage_only=True, now=at(hours=-20), owner="staged", **before)
    suppressions.suppress(api.store, sorted(listed), reason="unsubscribed", source="event")
    tried = api.send(rows, run_id=f"{PREFIX}100__x", now=at(), **rules)
    plan = api.send(rows, dry_run=True, owner="plan", now=at(), **rules)
    done = api.send(rows, client=sent, owner="run", now=at(), **rules)
    assert type(plan.error) is type(done.error)
    if done.error is None:
        assert rows_by_reason(plan.tally) == rows_by_reason(done.tally)
        assert plan.states.get("planned", 0) == done.states.get("accepted", 0)
        assert plan.tally.to_text == len(sent.sent)
        shown = [each.payload for each in tried.run.watch.rows if each.state == "planned"]
        assert Counter(shown) <= Counter(sent.sent)
