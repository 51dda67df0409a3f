"""``approve_above``: count who would be texted, ask a person, send no more than was approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_outreach_provider.core.arguments import read_flag
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.markdown import code
from airflow_outreach_provider.core.states import RowState
from airflow_outreach_provider.hooks.settings import open_store, owner_of
from airflow_outreach_provider.hooks.trials import stays_out
from airflow_outreach_provider.operators.links import tab_of
from airflow_outreach_provider.operators.outreach import SubmitLeadsOperator
from airflow_outreach_provider.services.submit.approval_text import approval_text, people
from airflow_outreach_provider.services.submit.tally import Tally
from airflow_outreach_provider.store.connections import SENDING
from airflow_outreach_provider.store.ledger.runs import texted_since

if TYPE_CHECKING:
    from airflow.sdk import Context

PLANNED = RowState.PLANNED.value
PLAN_KEY = "plan"
"""XCom key of the plan as Markdown; personal data in it is masked."""
_AFTER_THE_PLAN = "\n\n---\n\n"
"""What comes after it is of the try that asks, not of the plan: whoever is asked again is asked the same."""


class PlanLeadsOperator(SubmitLeadsOperator):
    """A dry run: what a submit would do now. Returns the rows by state; ``planned`` are the people to text."""

    def execute(self, context: Context) -> dict[str, int]:
        self.dry_run = True
        counts = super().execute(context)
        assert self._run is not None
        context["ti"].xcom_push(PLAN_KEY, approval_text(self._run.tally))
        return counts


class ApproveLeadsOperator(ApprovalOperator):
    """Wait for a person's approval in Airflow's UI when more people than ``approve_above`` would be texted.

    Asked is with the plan: what an approval does, rows by state and reason, the first payloads, where the whole plan
    is, and until when. Rejected: what comes after is skipped. No answer in time: this fails. Either way nothing is sent.

    :param plan_task_id: the task that counted.
    :param dry_run: whether the run only looks, as the tasks beside it have it: nobody is asked then. Templated.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "dry_run")
    ui_color = "#fbf3d0"

    def __init__(
        self, *, plan_task_id: str, approve_above: int, dry_run: bool | str = False, **kwargs: Any
    ) -> None:
        pulled = f"ti.xcom_pull(task_ids='{plan_task_id}'"
        count = f"{{% set n = ({pulled}) or {{}}).get('{PLANNED}', 0) %}}"
        super().__init__(
            subject=count
            + "Text {{ '{:,}'.format(n) }} {{ 'person' if n == 1 else 'people' }}? ({{ dag.dag_id }})",
            body=f"{{{{ {pulled}, key='{PLAN_KEY}') or '' }}}}",
            # A retry would ask again what was answered by silence.
            retries=0,
            **kwargs,
        )
        self.plan_task_id = plan_task_id
        self.approve_above, self.dry_run = approve_above, dry_run

    def execute(self, context: Context) -> Any:
        if stays_out(context, self.log):
            return None
        planned = planned_people(context, self.plan_task_id)
        if read_flag("dry_run", self.dry_run):
            self.log.info("A dry run sends nothing: no approval needed")
            return None
        if planned <= self.approve_above:
            self.log.info("%d people to text, up to %d need no approval", planned, self.approve_above)
            return None
        self.body: str | None = f"{self.body}{_AFTER_THE_PLAN}{self._after_the_plan(context)}"
        self._check_question(context["ti"].id)
        return super().execute(context)

    def _after_the_plan(self, context: Context) -> str:
        """Why somebody is asked, until when, and where all of the plan is."""
        ti = context["ti"]
        asked = f"Asked because more than {people(self.approve_above)} would be texted."
        if self.response_timeout is not None:
            until = datetime.now(UTC) + self.response_timeout
            asked += f" Answer by {until:%Y-%m-%d %H:%M} UTC: after that nobody is texted, and the run fails."
        page = tab_of(ti.dag_id, ti.run_id, self.plan_task_id)
        command = code(f"airflow outreach plan {ti.dag_id}")
        return f"{asked}\n\nThe whole plan: [in Outreach]({page}), every reason with its count; as of now: {command}, where the workflow's file is."

    def _check_question(self, ti_id: UUID) -> None:
        """A task that is cleared keeps the question it asked first: Airflow takes the new one, and shows the old.

        :raises ConfigurationError: an answer would be to an earlier plan.
        """
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        asked = {"ti_id": ti_id, "options": self.options, "subject": self.subject, "body": self.body}
        more = {"defaults": self.defaults, "multiple": self.multiple, "params": {}}
        users = {"assigned_users": self.assigned_users or []}
        shown = SUPERVISOR_COMMS.send(CreateHITLDetailPayload.model_validate(asked | more | users))
        plan = str(self.body).partition(_AFTER_THE_PLAN)[0]
        seen = str(getattr(shown, "body", "")).partition(_AFTER_THE_PLAN)[0]
        if [getattr(shown, "subject", ""), seen] != [self.subject, plan]:
            raise ConfigurationError(
                "Airflow still shows the question of an earlier plan of this run, with another number of people",
                "start a new run: it plans and asks anew",
            )


class SubmitApprovedLeadsOperator(SubmitLeadsOperator):
    """Submit, unless more people have come in since the plan than it was approved for.

    :param plan_task_id: the task that counted.
    """

    def __init__(self, *, plan_task_id: str, approve_above: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan_task_id = plan_task_id
        self.approve_above = approve_above

    def execute(self, context: Context) -> dict[str, int]:
        if stays_out(context, self.log):  # its plan has tried the rows
            return Tally().by_state()
        approved = max(planned_people(context, self.plan_task_id), self.approve_above)
        # Of them, an earlier try of this task has texted some.
        allowed = approved - texted_since(open_store(SENDING), owner_of(context["ti"]), self.plan_task_id)
        wanted, self.dry_run = self.dry_run, True
        self.log.info("Counting again before sending: %d people are approved", allowed)
        task: Any = context["ti"].task
        outlets = task.outlets
        planned = super().execute(context)[PLANNED]
        task.outlets = outlets  # counting rang nobody; what is sent now does
        if planned > allowed:
            raise ConfigurationError(
                f"{planned} people would be texted now, and {allowed} are approved: more have come in since the plan",
                "start a new run: it plans and asks anew",
            )
        self.dry_run, self.max_people = wanted, allowed
        return super().execute(context)


def planned_people(context: Context, plan_task_id: str) -> int:
    """How many people the plan would text.

    :raises ConfigurationError: there is no plan.
    """
    counts = context["ti"].xcom_pull(task_ids=plan_task_id)
    if not isinstance(counts, dict) or PLANNED not in counts:
        raise ConfigurationError(f"the task {plan_task_id} left no plan", "clear it, so that it plans again")
    return int(counts[PLANNED])
