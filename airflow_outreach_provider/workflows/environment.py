"""Which environment this Airflow is: as its variable says. Airflow is imported only where one has to be read."""

from __future__ import annotations

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.suggest import did_you_mean
from airflow_outreach_provider.core.workflows.environments import Chooser, Declared
from airflow_outreach_provider.hooks.advice import as_server


def present_environment() -> Chooser:
    """Reads each variable once, however many files and workflows go by it."""
    known: dict[str, str | None] = {}

    def choose(environments: Declared) -> str:
        name, names = environments.variable, environments.names
        if name not in known:
            known[name] = _variable(name)
        value = known[name]
        if value is None:
            if environments.default is not None:
                return environments.default
            raise ConfigurationError(
                f"the Airflow variable {name} is not set, and says which environment this is",
                f"airflow variables set {name} {names[0]}; or write default: and the environment that sends nothing",
            )
        if value not in names:
            raise ConfigurationError(
                f"the Airflow variable {name} says {value[:50]!r}, which is no environment",
                did_you_mean(value, names),
            )
        return value

    return choose


def _variable(name: str) -> str | None:
    """None where it is not set, or no backend could be asked: Airflow's log says so then."""
    from airflow.sdk import Variable

    with as_server():  # for commands; a supervised process asks its supervisor
        value = Variable.get(name, default=None)
    return None if value is None else str(value).strip()
