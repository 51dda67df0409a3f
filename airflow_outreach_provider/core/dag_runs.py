"""A DAG's run for each event: its id, and its conf, which whoever may see that DAG can read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent, write_time
from airflow_outreach_provider.core.expressions.compile import written_for
from airflow_outreach_provider.core.expressions.scope import EVENT
from airflow_outreach_provider.core.masking import mask_email, mask_id, mask_phone, mask_text
from airflow_outreach_provider.core.request_form import compile_deep

DAG_ID = re.compile(r"[A-Za-z0-9_.\-]{1,250}")
# Airflow's default for [scheduler] allowed_run_id_pattern; its column has 250 characters.
_IN_RUN_ID = re.compile(r"[A-Za-z0-9_.~:+-]{1,100}")


class RunConf:
    """What the conf of an event's run is made of.

    :param conf: name → template over the event, however deep; None for :func:`discreet_conf`.
    :raises ExpressionError: a template is wrong.
    """

    def __init__(self, conf: Mapping[str, Any] | None = None) -> None:
        with written_for("conf"):
            self._make = None if conf is None else compile_deep(dict(conf), EVENT)

    def of(self, event: ContactEvent) -> dict[str, Any]:
        """Plain JSON types. :raises ValueError: the event has something that no JSON can hold."""
        if self._make is None:
            return discreet_conf(event)
        made: dict[str, Any] = json.loads(to_json(self._make(event.to_dict()), inf_nan_mode="null"))
        return made


def discreet_conf(event: ContactEvent) -> dict[str, Any]:
    """Ids, and nobody's number or address whole: enough to look the rest up."""
    contact = event.contact
    return {
        "event_id": event.id,
        "kind": event.kind.value,
        "type": mask_text(event.type),
        "source": event.source,
        "platform": event.platform,
        "occurred_at": write_time(event.occurred_at),
        "campaign_id": event.campaign_id,
        "contact_id": mask_id(contact.external_id, [contact.phone]) if contact.external_id else None,
        "phone": mask_phone(contact.phone) if contact.phone else None,
        "email": mask_email(contact.email) if contact.email else None,
    }


def run_id(route: str, event_id: str) -> str:
    """The same for the same event and route, so that a second try finds the first one's run."""
    fits = _IN_RUN_ID.fullmatch(event_id)
    name = f"outreach__{route}__{event_id if fits else _short(event_id)}"
    return name if len(name) <= 250 else f"outreach__{_short(name)}"


def _short(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def check_dag_id(dag_id: str) -> str:
    """:raises ConfigurationError: no DAG can be called so."""
    if not DAG_ID.fullmatch(dag_id):
        raise ConfigurationError(
            f"{dag_id[:80]!r} is no DAG id", "use up to 250 letters, digits, dashes, dots and underscores"
        )
    return dag_id
