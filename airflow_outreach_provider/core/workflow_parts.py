"""What a DAG does with leads and events, told from its serialised form: written in YAML and in Python alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_SUBMITS = frozenset({"SubmitLeadsOperator", "StageLeadsOperator", "SubmitApprovedLeadsOperator"})
_DELIVERS = frozenset(
    {"DeliverEventsOperator", "HandleEventsOperator", "SubmitEventLeadsOperator", "SuppressContactsOperator"}
)
_REQUEST = (
    "payload", "method", "path", "query", "headers", "omit_empty", "content_type", "save", "batching",
)  # fmt: skip
_SENSOR, _POLL = "ContactEventSensor", "PollContactsOperator"
# What is planned in the ledger is the source of a task that has none of its own.
_PLANNED = "what is planned"
_IDLE = frozenset({"EmptyOperator"})
# A sync's own file, in the template that lets a run name another one.
_OWN_FILE = re.compile(r"\{% else %\}(.*)\{% endif %\}", re.DOTALL)
# A workflow's page, as workflows.dag_arguments writes it.
_PAGE = re.compile(r"From `(?P<file>[^`]+)`, line (?P<line>\d+):\n\n```yaml\n(?P<yaml>.*)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SyncPart:
    """A task that submits leads. :ivar campaign: as it is written, a template too; "" where its connection says."""

    task_id: str
    source: str
    campaign: str

    def says(self) -> str:
        """``s3://…/*.csv → campaign 68d6``."""
        return (
            f"{self.source or 'leads'} → {f'campaign {self.campaign}' if self.campaign else 'its campaign'}"
        )


@dataclass(frozen=True, slots=True)
class RoutePart:
    """A task that does something with events.

    :ivar consumer: whose progress through the inbox it is; "" where nothing says. :ivar target: in words.
    :ivar request: what it says of its requests, under the names of ``RequestForm``; None where Airflow's database does
        not hold that: of a task that is not mapped.
    """

    task_id: str
    route: str
    consumer: str
    source: str
    kinds: tuple[str, ...]
    target: str
    operator: str = ""
    endpoint: str = ""
    request: Mapping[str, Any] | None = None

    def says(self) -> str:
        """``interested, from supersend → crm``."""
        what = ", ".join(self.kinds) or "events"
        return f"{what}{f', from {self.source}' if self.source else ''} → {self.target}"


@dataclass(frozen=True, slots=True)
class WorkflowParts:
    """A DAG of ours.

    :ivar file: the YAML file it stands in, "" for Python; :ivar line: where; :ivar yaml: its lines. :ivar others: ids of its
        tasks that are none of ours.
    """

    syncs: tuple[SyncPart, ...] = ()
    routes: tuple[RoutePart, ...] = ()
    polls: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    yaml: str = ""
    others: tuple[str, ...] = ()

    @property
    def reads_rows(self) -> bool:
        """Whether a task of it reads rows of a source, which can be tried."""
        return any(each.source != _PLANNED for each in self.syncs)

    def where_of(self, consumer: str) -> str | None:
        """The condition of a route, as its YAML says; None where there is none, or no YAML."""
        try:
            sections = yaml.load(self.yaml, yaml.BaseLoader)  # noqa: S506 - texts, lists and mappings alone
            said = sections[consumer]["where"]
        except (yaml.YAMLError, LookupError, TypeError, RecursionError):
            return None
        return said if isinstance(said, str) else None

    def says(self) -> list[str]:
        """What it does, a line a task."""
        polled = [f"contact list of {source} → inbox" for source in self.polls]
        told = [*(each.says() for each in self.syncs), *(each.says() for each in self.routes)]
        return [*dict.fromkeys(told), *polled]


def parts_of(data: Mapping[str, Any]) -> WorkflowParts | None:
    """The parts of a serialised DAG; None where there is nothing of ours in it."""
    dag = _mapping(data.get("dag"))
    tasks = [_mapping(_plain(each)) for each in dag.get("tasks") or ()]
    ours = [
        each for each in tasks if str(each.get("_task_module", "")).startswith("airflow_outreach_provider.")
    ]
    syncs = tuple(_sync(each) for each in ours if each.get("task_type") in _SUBMITS)
    sensors = [each for each in ours if each.get("task_type") == _SENSOR]
    routes = tuple(_route(each, sensors) for each in ours if each.get("task_type") in _DELIVERS)
    told = {each.consumer for each in routes}
    routes += tuple(
        RoutePart(
            str(each.get("task_id")), "", str(each.get("consumer") or ""), *_filter(each), "tasks of its own"
        )
        for each in sensors
        if str(each.get("consumer") or "") not in told
    )
    polls = tuple(str(each.get("source") or "") for each in ours if each.get("task_type") == _POLL)
    if not (syncs or routes or polls):
        return None
    others = tuple(str(_values(each)["task_id"]) for each in tasks if each not in ours and _works(each))
    page = _PAGE.search(str(_plain(dag.get("doc_md")) or ""))
    file, line, text = (page["file"], int(page["line"]), page["yaml"]) if page else ("", 0, "")
    return WorkflowParts(_once(syncs), routes, polls, file, line, text, others)


def _works(task: Mapping[str, Any]) -> bool:
    return bool(_values(task).get("task_id")) and task.get("task_type") not in _IDLE


def _once(syncs: tuple[SyncPart, ...]) -> tuple[SyncPart, ...]:
    """Each once: a plan and its submit say the same."""
    return tuple({(each.source, each.campaign): each for each in syncs}.values())


def _sync(task: Mapping[str, Any]) -> SyncPart:
    values = _values(task)
    leads = values.get("leads")
    if isinstance(leads, Mapping):
        source = f"a query on {leads.get('conn_id', '?')}"
    elif isinstance(leads, str):
        own = _OWN_FILE.search(leads)
        source = own.group(1) if own else leads
        source = source if len(source) <= 120 and "\n" not in source else "rows of another task"
    else:
        source = "rows of another task" if leads else _PLANNED
    campaign = values.get("campaign") or values.get("configuration_id") or ""
    return SyncPart(str(values.get("task_id")), source, str(campaign))


def _route(task: Mapping[str, Any], sensors: list[Mapping[str, Any]]) -> RoutePart:
    values = _values(task)
    task_id = str(values.get("task_id"))
    before = [each for each in sensors if task_id in (each.get("downstream_task_ids") or ())]
    source, kinds = _filter(before[0]) if before else ("", ())
    consumer = str(before[0].get("consumer") or "") if before else ""
    return RoutePart(
        task_id, str(values.get("route") or ""), consumer, source, kinds, _target(values),
        operator=str(values.get("task_type") or ""), endpoint=str(values.get("endpoint_conn_id") or ""),
        request=_request(task),
    )  # fmt: skip


def _request(task: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if not task.get("_is_mapped"):
        return None
    said = _mapping(task.get("partial_kwargs"))
    return {name: said[name] for name in _REQUEST if said.get(name) is not None}


def _target(values: Mapping[str, Any]) -> str:
    match values.get("task_type"):
        case "DeliverEventsOperator":
            return str(values.get("endpoint_conn_id") or "an endpoint")
        case "HandleEventsOperator":
            return f"{values.get('python_callable_name') or 'a function'}(event)"
        case "SubmitEventLeadsOperator":
            named = _mapping(values.get("lead_arguments"))
            campaign = named.get("campaign") or named.get("configuration_id")
            return f"lead for {campaign or 'its campaign'}"
        case _:
            return "do-not-contact list"


def _filter(sensor: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    kinds = sensor.get("kinds")
    names = (kinds,) if isinstance(kinds, str) else tuple(map(str, kinds or ()))
    return str(sensor.get("source") or ""), names


def _values(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task's fields, mapped or not."""
    return {
        **_mapping(task.get("partial_kwargs")),
        **{name: value for name, value in task.items() if value is not None},
    }


def _plain(value: Any) -> Any:
    """Without Airflow's wrapping of types."""
    if isinstance(value, Mapping):
        if "__var" in value:
            return _plain(value["__var"])
        return {str(name): _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
