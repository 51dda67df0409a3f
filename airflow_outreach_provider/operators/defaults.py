"""Retries that our operators have unless somebody says otherwise; Airflow's own default is none at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.retry_schedule import DEFAULT_SCHEDULE, Schedule, fitted, read_schedule
from airflow_outreach_provider.hooks.retry_policy import OutreachRetryPolicy


def retry_defaults() -> dict[str, Any]:
    """Three retries after about half a minute, a minute and two minutes, decided by our policy."""
    return {
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(hours=1),
        "retry_policy": OutreachRetryPolicy(),
    }


class RetryingDefaults:
    """A mixin, named before the operator class, that fills in ``retry_defaults()``.

    What the call, ``default_args`` or the DAG says counts first, argument by argument; this holds for mapped
    tasks too.
    """

    @classmethod
    def _retries_left_open(cls, call: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """What neither the call nor ``default_args`` says."""
        return {
            name: value for name, value in retry_defaults().items() if name not in call and name not in said
        }

    @classmethod
    def _hook_apply_defaults(
        cls, *args: Any, default_args: Mapping[str, Any], **kwargs: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # Airflow calls this with the arguments of the constructor, and takes back what it returns.
        kwargs |= cls._retries_left_open(kwargs, default_args)
        return args, {**kwargs, "default_args": default_args}

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """As every operator's; Airflow would fill in its own defaults here, before ours are asked."""
        from airflow.sdk.definitions._internal.contextmanager import DagContext, TaskGroupContext

        said: dict[str, Any] = {}
        dag = kwargs.get("dag") or DagContext.get_current()
        group = kwargs.get("task_group") or (TaskGroupContext.get_current(dag) if dag else None)
        for holder in (dag, group):
            said |= getattr(holder, "default_args", None) or {}
        said |= kwargs.get("default_args") or {}
        kwargs |= cls._retries_left_open(kwargs, said)
        return super().partial(**kwargs)  # type: ignore[misc]


class RetryingForHours(RetryingDefaults):
    """The same with a schedule over about 18 hours, for work that is of use however late it is done.

    ``retry_schedule`` says another one. ``retries``, ``retry_delay`` or any other of Airflow's knobs without
    one mean what they mean to Airflow: no schedule of ours then.
    """

    @classmethod
    def _retries_left_open(cls, call: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        left_open = super()._retries_left_open(call, said)
        policy = call.get("retry_policy")
        if isinstance(
            policy, OutreachRetryPolicy
        ):  # settled: Airflow asks once for every class on the way up
            return left_open
        found = _schedule(call, said)
        if found is None:
            return left_open
        if policy is not None:
            raise ConfigurationError(
                "retry_schedule and retry_policy both say when to retry", "leave one of them out"
            )
        schedule, retries = found
        count = len(schedule) if retries is None else int(retries)
        return left_open | {"retries": count, "retry_policy": OutreachRetryPolicy(fitted(schedule, count))}


def _schedule(call: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Schedule, int | None] | None:
    """The schedule that holds, and the number of retries where it is said as near to the task or nearer.

    None where somebody uses Airflow's own knobs instead.
    """
    delays = retry_defaults().keys() - {"retries"}
    if call.get("retry_schedule") is not None:
        return read_schedule(call["retry_schedule"]), call.get("retries")
    if delays & call.keys():
        return None
    if said.get("retry_schedule") is not None:
        return read_schedule(said["retry_schedule"]), call.get("retries", said.get("retries"))
    if "retries" in call or (delays | {"retries"}) & said.keys():
        return None
    return DEFAULT_SCHEDULE, None
