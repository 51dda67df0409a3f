"""``deliver: {trigger_dag: …}``: each event starts a run of a DAG, once.

A task of Airflow 3 reaches no database: it asks its supervisor, as ``TriggerDagRunOperator`` does, which the execution API
answers. That operator ends its task with the one run it starts, so a batch of events asks by itself, here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from airflow_outreach_provider.core.dag_runs import RunConf, check_dag_id, run_id
from airflow_outreach_provider.core.errors import ConfigurationError, LeadRejected, OutreachUnavailable
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.services.deliveries.callables import HandlerNote

_log = logging.getLogger(__name__)


class TriggerDag:
    """A function of one event: a run of a DAG whose id is made of the event's, so that a retry starts no second one.

    A paused DAG's run waits, *queued*, until somebody unpauses it; that is in the log and with the delivery. The run has
    no logical date, as one that an asset starts: two events in one moment are two runs.

    :param dag_id: of the DAG. :param route: part of the run's id, so that each route starts its own.
    :param conf: name → template over the event; None for ids and masked fields.
    :raises ConfigurationError: no DAG can be called so. :raises ExpressionError: a template is wrong.
    """

    def __init__(self, dag_id: str, route: str, conf: Mapping[str, Any] | None = None) -> None:
        self.dag_id, self.route, self.conf = check_dag_id(dag_id), route, conf
        RunConf(conf)  # a mistake shows in the DAG list, not in the first run
        self._paused: bool | None = None

    def __call__(self, event: ContactEvent) -> HandlerNote:
        """Start the run; what became of it.

        :raises ConfigurationError: there is no such DAG, or it cannot run now.
        :raises LeadRejected: the DAG does not take this conf. :raises OutreachUnavailable: Airflow's API is away.
        """
        name = run_id(self.route, event.id)
        try:
            conf = RunConf(self.conf).of(event)
        except ValueError:
            raise LeadRejected("conf_unfit", "the conf cannot be made of this event: it is no JSON") from None
        new = self._trigger(name, conf)
        said = f"run {name} of DAG {self.dag_id}" + ("" if new else " was there before")
        if self._is_paused():
            _log.warning("DAG %s is paused: its run %s waits until it is unpaused", self.dag_id, name)
            return HandlerNote(f"{said}; the DAG is paused, so it waits")
        _log.info("%s %s", "Started" if new else "Nothing to start:", said)
        return HandlerNote(said)

    def _trigger(self, name: str, conf: dict[str, Any]) -> bool:
        """Whether there was no such run before."""
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

        try:
            answer = task_runner.SUPERVISOR_COMMS.send(
                TriggerDagRun(dag_id=self.dag_id, run_id=name, conf=conf)
            )
        except AirflowRuntimeError as error:
            raise self._why(error.error.detail or {}) from None
        if isinstance(answer, ErrorResponse):
            if answer.error is not ErrorType.DAGRUN_ALREADY_EXISTS:
                raise self._why(answer.detail or {})
            return False
        return True

    def _why(self, detail: Mapping[str, Any]) -> Exception:
        status = detail.get("status_code")
        said = detail.get("detail")
        said = said.get("detail", said) if isinstance(said, Mapping) else {}
        reason = said.get("reason", "") if isinstance(said, Mapping) else ""
        if status == HTTPStatus.NOT_FOUND:
            return ConfigurationError(
                f"there is no DAG {self.dag_id!r}", "correct dag_id, or bring the DAG; what came in waits"
            )
        if reason == "import_errors":
            return ConfigurationError(
                f"DAG {self.dag_id!r} has import errors", "mend its file; what came in waits"
            )
        if reason == "denied_run_type":
            return ConfigurationError(
                f"DAG {self.dag_id!r} takes no run that a task starts", "see its allowed_run_types"
            )
        if status is not None and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # Airflow's words may repeat the conf, and with it a person's data.
            return LeadRejected(
                "conf_refused", f"DAG {self.dag_id!r} does not take this run ({status} {reason})"
            )
        return OutreachUnavailable(
            f"Airflow could not start a run of DAG {self.dag_id!r} ({status or 'no answer'})"
        )

    def _is_paused(self) -> bool:
        """Asked once a task; where that cannot be known, the run is there anyway."""
        if self._paused is None:
            from airflow.sdk.exceptions import AirflowRuntimeError
            from airflow.sdk.execution_time import task_runner
            from airflow.sdk.execution_time.comms import GetDag

            try:
                dag = task_runner.SUPERVISOR_COMMS.send(GetDag(dag_id=self.dag_id))
            except AirflowRuntimeError:
                dag = None
            self._paused = bool(getattr(dag, "is_paused", False))
        return self._paused
