"""Retries that our operators have unless somebody says otherwise; Airflow's own default is none at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

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

    @staticmethod
    def _hook_apply_defaults(
        *args: Any, default_args: Mapping[str, Any], **kwargs: Any
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        # Airflow calls this with the arguments of the constructor, and takes back what it returns.
        for name, value in retry_defaults().items():
            if name not in kwargs and name not in default_args:
                kwargs[name] = value
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
        for name, value in retry_defaults().items():
            if name not in kwargs and name not in said:
                kwargs[name] = value
        return super().partial(**kwargs)  # type: ignore[misc]
