"""The reference page, generated from the models, the event scope and the filters, so that it is never behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_outreach_provider.core.expressions.functions import FILTERS, TESTS, Filter
from airflow_outreach_provider.core.expressions.scope import EVENT, Field
from airflow_outreach_provider.core.workflows import models, workflow_file
from airflow_outreach_provider.core.workflows.deliver import (
    Deliver,
    EventBatch,
    EventNotifier,
    EventOutreach,
    TriggeredDag,
)
from airflow_outreach_provider.core.workflows.fields import TEMPLATE
from airflow_outreach_provider.core.workflows.outreach_sections import Outreach, SendRules
from airflow_outreach_provider.core.workflows.rule_fields import SPAN_SCHEMA
from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.section import Section

_MANY = 15
_HEAD = """\
# Workflow reference

Every key a workflow file may have. This page is generated from the code that reads the files
(`python -m airflow_outreach_provider.workflows reference`). The same knowledge as a JSON Schema, for completion
and hover texts in editors: `airflow outreach schema`.

A file holds any number of `lead_syncs`, `event_routes` and `exports` by name. Names are unique in a folder, each section for itself, and become
DAG ids: `outreach_lead_sync__<name>`, `outreach_event_route__<name>`, `outreach_export__<name>`.

YAML is read as version 1.2: only `true` and `false` are yes and no, so `default_region: NO` is Norway. Anchors
and `<<` work; a key twice is a mistake. Put quotes around what begins with `*`, `@`, `%` or `{{`.

A span of time is `30s`, `15m`, `2h`, `1d`, `1w` or in words, `2 days`; of several units each once and the largest first:
`1h 30m`, which `1h, 30m` is too, but not among pauses. `m` is minutes: a month is `30d`, half a second `0.5s`.
"""

_DEFAULTS = """\
`defaults` may stand in the same file, or in `_defaults.yaml` for every file beside it; the file's own win, the
workflow's own win over both. Mappings are merged key by key, lists and values are replaced. What makes a
workflow the one it is (`leads`, `deliver`, `to`) cannot be a default.

Connection ids mean each Airflow's own connections, and the texts marked *template* below take Airflow's
`{{ var.value.name }}`, `{{ params.name }}`, `{{ ds }}` and so on, rendered when the task runs. What else differs from one
Airflow to another is said under [environments](#environments).
"""

_ENVIRONMENTS = """\
Besides `variable` and `default`, each key is the name of an environment, and below it stand values as under `defaults`, by section:
`dev: {lead_syncs: {dry_run: true}}`; `prod: {}` changes nothing. They may stand in the same file, or in `_defaults.yaml`
for every file beside it. What an environment says wins over what the workflows say themselves; of an environment, a
workflow's own `environments: {dev: {…}}` wins over the file's, and the file's over the folder's. Mappings are merged key by
key; of `leads`, `deliver` and `to` those of the same way.

The variable is read once whenever the files are, so that schedules and `enabled` may differ too. Neither a missing one (without
`default`) nor a name that is no environment makes a DAG: the file is an import error. `lint` checks every workflow in every
environment; `plan` and `explain` say which one holds."""

_EXPRESSIONS = """\
`where` is a condition on an event; a value of `map` is a column (for an event: a field) or a template
`{{ … }}` over `row` (for an event: over its fields). The syntax is Jinja's: `and or not`, `== != < <= > >=`,
`in`, `is`, `a if b else c`, `+ - * / // %`, `~` to join texts, `x | filter`. Nothing else: no calls, no
statements.

What cannot be computed is none: a missing field, a division by zero, text minus text. None is neither
smaller nor larger than anything, is in no list, and equals nothing but none: `opted_out != 'yes'` is true where there is no
`opted_out`. A lead's field that is none is left out. One `{{ … }}` alone keeps its type, text around it makes text.

A CSV file holds texts alone, so that a column of it is never `true`, never a number and never in a list of numbers: asking that
of one is an error, in `lint` and in a run, and nobody is texted. Write `opted_out | lower != 'true'`, `score | float > 9`. Where
a column is asked for nothing but yes or no (`where: active`, `not opted_out`, `'a' if row.active else 'b'`), the texts
`false`, `f`, `no`, `n`, `off`, `0` and `0.0` are no, as an empty one is, whatever their capitals; every other text is yes. An
empty cell is none where a condition asks for that: `consent is not none` takes nobody whose cell is empty. Of several
sources one CSV file is enough for that. Rows of JSON, Parquet, workbooks and SQL have values of their own kinds, and there any
text that is not empty is yes.

A param that the workflow does not have is an error too, unless it is written as one that may be missing: `params.region is
defined`, `params.region | default('QC')`. Besides its own a lead sync has `params.dry_run`, `params.limit` and `params.leads`.
"""

_SECTIONS: tuple[tuple[str, type[Section], type[Section] | None, str], ...] = (
    ("environments:", workflow_file.Environments, None, _ENVIRONMENTS),
    ("lead_syncs: name:", models.LeadSync, models.DagSettings, ""),
    ("leads:", models.LeadSource, None, ""),
    ("leads: sql:", models.SqlSection, None, ""),
    ("outreach:", Outreach, None, ""),
    ("rules:", models.RulesSection, None, ""),
    ("event_routes: name:", models.EventRoute, models.DagSettings, ""),
    ("deliver:", Deliver, None, ""),
    ("deliver: outreach:", EventOutreach, None, "Of the [rules](#rules) of a lead sync, `rules` has those that need no list: "
     f"{', '.join(f'`{name}`' for name in SendRules.model_fields)}. "
     "`quiet_hours` and `per_person` put an event off until then, a day at the most before it is tried again; each is a try, and where none "
     "is left its delivery has failed. The lead waits in the ledger all the same, for whatever run of the campaign comes next."),
    ("deliver: batch:", EventBatch, None, ""),
    ("deliver: notifier:", EventNotifier, None, ""),
    ("deliver: trigger_dag:", TriggeredDag, None, ""),
    ("exports: name:", workflow_file.Export, models.DagSettings, "What each data set holds: [Outcomes to the warehouse](events.md#outcomes-to-the-warehouse)."),
    ("to:", workflow_file.ExportTarget, None, ""),
    ("to: sql:", workflow_file.SqlTarget, None, ""),
    ("Airflow's own knobs", models.DagSettings, None, "For all workflows alike."),
)  # fmt: skip


def reference_text() -> str:
    """The page as Markdown."""
    definitions = workflow_schema()["$defs"]
    parts = [_HEAD, "## defaults\n", _DEFAULTS]
    for title, model, base, note in _SECTIONS:
        parts += [f"## {title}\n", f"{model.__doc__}\n", *([note + "\n"] if note else [])]
        if base is not None:
            parts.append("Besides [Airflow's own knobs](#airflows-own-knobs):\n")
        parts.append(_table(model, base, definitions))
    parts += ["## Expressions\n", _EXPRESSIONS, "### Fields of an event\n", _event_fields()]
    parts += ["### Filters\n", _filters(), "### Tests\n", _tests()]
    return "\n".join(parts)


def _table(model: type[Section], base: type[Section] | None, definitions: Any) -> str:
    source = models.LeadSync if model is models.DagSettings else model
    properties = definitions[source.__name__]["properties"]
    rows = []
    for name, field in model.model_fields.items():
        inherited = base is not None and name in base.model_fields
        if inherited and field.description == base.model_fields[name].description:  # type: ignore[union-attr]
            continue
        schema = properties[field.alias or name]
        shown = _default(field.is_required(), schema)
        rows.append(
            f"| `{field.alias or name}` | {_words(schema)} | {shown} | {_cell(field.description or '')} |"
        )
    return "| key | value | default | |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"


def _default(required: bool, schema: Mapping[str, Any]) -> str:
    if required:
        return "**required**"
    default = schema.get("default")
    if default is None:
        return ""
    words = {"P1D": "1d", "PT5S": "5s"}  # pydantic writes spans as ISO 8601 does
    return f"`{str(default).lower() if isinstance(default, bool) else words.get(default, default)}`"


def _words(schema: Mapping[str, Any]) -> str:
    """What a value looks like, in words."""
    if "$ref" in schema:
        return "mapping"
    if schema.get("format") == TEMPLATE:
        return "text, *template*"
    if "enum" in schema:
        if len(schema["enum"]) > _MANY:
            return "one of the kinds [below](#fields-of-an-event)"
        return " · ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{str(schema['const']).lower()}`"
    if "anyOf" in schema:
        described = [_words(each) for each in schema["anyOf"]]
        if schema["anyOf"][-1].get("type") == "array":
            return f"{described[0]}; one, or a list"
        return "schedule" if len(described) > 3 else " or ".join(dict.fromkeys(described))
    if "examples" in schema:
        said = f"`{schema['examples'][0]}`"
        return f"span, e.g. {said}" if schema["pattern"] == SPAN_SCHEMA["pattern"] else said
    words: dict[str, str] = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "`true` · `false`",
    }
    if "%" in schema.get("pattern", ""):
        return "`5%`"
    return words.get(str(schema.get("type", "")), "mapping")


def _event_fields() -> str:
    def rows(fields: Mapping[str, Field], above: str = "") -> Iterator[str]:
        for name, field in fields.items():
            choices = ": " + ", ".join(f"`{each}`" for each in sorted(field.choices)) if field.choices else ""
            kind = "" if field.fields or field.open else str(field.type)
            if field.help or not above:
                yield f"| `{above}{name}` | {kind} | {_cell(field.help)}{choices} |"
            yield from rows(field.fields, f"{name}.")

    contact = ", ".join(f"`contact.{name}`" for name in EVENT.fields["contact"].fields)
    table = "| name | | |\n| --- | --- | --- |\n" + "\n".join(rows(EVENT.fields))
    return f"{table}\n\nOf the contact: {contact}; any of them may be none.\n"


def _filters() -> str:
    def signature(name: str, spec: Filter) -> str:
        return f"{name}({', '.join(spec.arguments)})" if spec.arguments else name

    rows = [f"| `{signature(name, spec)}` | {_cell(spec.help)} |" for name, spec in FILTERS.items()]
    return "| filter | gives |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def _tests() -> str:
    return "`x is …` or `x is not …`: " + ", ".join(f"`{name}`" for name in TESTS) + ".\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
