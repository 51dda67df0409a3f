"""Where Airflow reads DAGs from on this host: the folders of its local DAG bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.configuration import conf

from airflow_outreach_provider.core.errors import ConfigurationError

_LOCAL = "LocalDagBundle"


def dag_folders() -> list[Path]:
    """All of them, as they are configured; none where every DAG comes from elsewhere, such as a git repository."""
    usual = conf.get_mandatory_value("core", "dags_folder")
    local = [each for each in _bundles() if str(each.get("classpath")).rpartition(".")[2] == _LOCAL]
    return [Path((each.get("kwargs") or {}).get("path") or usual) for each in local]


def dags_folder() -> Path:
    """The first of them.

    :raises ConfigurationError: there is none.
    """
    if found := dag_folders():
        return found[0]
    names = ", ".join(str(each.get("name")) for each in _bundles())
    raise ConfigurationError(
        f"Airflow reads no folder of this host, its DAGs come from the bundle {names}",
        "name a folder, in a checkout of what the bundle reads",
    )


def _bundles() -> list[dict[str, Any]]:
    found = conf.getjson("dag_processor", "dag_bundle_config_list", fallback=[])
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
