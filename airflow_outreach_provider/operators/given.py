"""What a run gives to templates and conditions over rows: Airflow's context, as far as they know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.scope import RUN_FIELDS

NEVER_NOTHING = ("configuration_id", "campaign", "default_region", "dry_run")
"""Arguments whose template asks for no default where it yields None: it has lost its value."""


def with_lost(written: Mapping[str, Any], rendered: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they were rendered; a None of :data:`NEVER_NOTHING` that nobody wrote as the text a template makes of it."""
    return {
        name: str(None)
        if name in NEVER_NOTHING and value is None and written.get(name) is not None
        else value
        for name, value in rendered.items()
    }


def given_by(context: Mapping[str, Any]) -> dict[str, object]:
    """The names of :data:`RUN_FIELDS` that this run has; a variable is read when an expression names it."""
    given = {name: context[name] for name in RUN_FIELDS if name != "var" and context.get(name) is not None}
    if "params" in given:
        given["params"] = dict(given["params"])
    return {**given, "var": {"value": AirflowVariables(), "json": AirflowVariables(as_json=True)}}


class AirflowVariables(Mapping[str, Any]):
    """Airflow's variables by name.

    :param as_json: whether their texts are read as JSON.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json

    def __getitem__(self, name: str) -> Any:
        from airflow.sdk import Variable
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            return Variable.get(name, deserialize_json=self._as_json)
        except (AirflowRuntimeError, KeyError):
            raise ConfigurationError(
                f"there is no Airflow variable {name!r}", f"set it, e.g. airflow variables set {name} …"
            ) from None
        except ValueError:
            raise ConfigurationError(f"the Airflow variable {name!r} is no JSON", "take var.value") from None

    def __iter__(self) -> Iterator[str]:
        return iter(())  # which there are is nobody's to know

    def __len__(self) -> int:
        return 0
