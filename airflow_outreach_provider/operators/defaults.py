"""Retries that our operators have unless somebody says otherwise; Airflow's own default is none at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.retry_schedule import DEFAULT_SCHEDULE, Schedule, read_schedule
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


LEADS_WEIGHT = 10
"""Airflow's ``priority_weight`` of tasks that send leads: they are few, and deliveries many and short."""


class AheadOfDeliveries(RetryingDefaults):
    """The same for tasks that send leads: of what waits for a slot they come first, unless somebody says otherwise.

    No pool by default: a task whose pool is missing waits for ever, and no task can make one.
    """

    @classmethod
    def _retries_left_open(cls, call: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        left_open = super()._retries_left_open(call, said)
        if "priority_weight" in call or "priority_weight" in said:
            return left_open
        return {**left_open, "priority_weight": LEADS_WEIGHT}


class RetryingForHours(RetryingDefaults):
    """The same with a schedule over about 18 hours, for work that is of use however late it is done.

    ``retry_schedule`` says another one. Any of Airflow's own knobs (``retries``, ``retry_delay``, …) said as near to
    the task or nearer means what it means to Airflow: no schedule of ours then.
    """

    @classmethod
    def _retries_left_open(cls, call: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        left_open = super()._retries_left_open(call, said)
        if retry_defaults().keys() <= call.keys():
            return {}  # settled: Airflow asks once for every class on the way up
        schedule, policy = _schedule(call, said), call.get("retry_policy")
        if schedule is not None:
            unused = super()._retries_left_open(call, {})  # said all the same, so that all is settled
            return unused | {"retries": len(schedule), "retry_policy": OutreachRetryPolicy(schedule)}
        if isinstance(policy, OutreachRetryPolicy) and policy.schedule and "retries" in left_open:
            left_open["retries"] = len(policy.schedule)
        return left_open


def _schedule(call: Mapping[str, Any], said: Mapping[str, Any]) -> Schedule | None:
    """The schedule that holds: what is said in the call goes before ``default_args``.

    None where somebody uses Airflow's own knobs instead.

    :raises ConfigurationError: the same place says both.
    """
    for place, name in ((call, "the call"), (said, "default_args")):
        knobs = [knob for knob in retry_defaults() if place.get(knob) is not None]
        if place.get("retry_schedule") is not None:
            if knobs:
                raise _rivals(knobs, name)
            return read_schedule(place["retry_schedule"])
        if knobs:
            return None
    return DEFAULT_SCHEDULE


def _rivals(knobs: list[str], place: str) -> ConfigurationError:
    said = " and ".join(knobs)
    return ConfigurationError(
        f"retry_schedule and {said} both say in {place} when to retry",
        f"keep retry_schedule, which says how often too, and leave out {said}; or the other way round",
    )
