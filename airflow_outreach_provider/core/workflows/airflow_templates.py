"""Texts that Airflow renders when a task runs: checked here for what Airflow would only say at 3 a.m."""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError, nodes

from airflow_outreach_provider.core.suggest import did_you_mean

# Airflow's documented template variables, "Templates reference", 3.3.
NAMES = frozenset(
    [
        "conn",
        "conf",
        "dag",
        "dag_run",
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "exception",
        "expanded_ti_count",
        "inlet_events",
        "inlets",
        "logical_date",
        "macros",
        "map_index_template",
        "outlet_events",
        "outlets",
        "params",
        "prev_data_interval_end_success",
        "prev_data_interval_start_success",
        "prev_end_date_success",
        "prev_start_date_success",
        "run_id",
        "start_date",
        "task",
        "task_instance",
        "task_instance_key_str",
        "templates_dict",
        "test_mode",
        "ti",
        "triggering_asset_events",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
        "var",
    ]
)
# Names of Airflow 2 and of other tools, and what says the same now.
_NOW: dict[str, str] = {
    "execution_date": "logical_date",
    "next_execution_date": "data_interval_end",
    "prev_execution_date": "prev_data_interval_start_success",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "yesterday_ds": "macros.ds_add(ds, -1)",
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "prev_ds": "prev_data_interval_start_success | ds",
    "next_ds": "data_interval_end | ds",
    "env_var": "var.value.name",
    "env": "var.value.name",
    "environ": "var.value.name",
}
_BUILT_IN = frozenset({"range", "dict", "lipsum", "cycler", "joiner", "namespace", "loop"})
_environment = Environment(autoescape=False)  # noqa: S701 - only its parser is used


def check_template(text: str) -> tuple[str, str, int] | None:
    """The first mistake of a template: message, hint and offset; None where there is none, or no template.

    Whether a variable exists is known only where the task runs; whether its name is well written, here.
    """
    if "{{" not in text and "{%" not in text:
        return None
    try:
        tree = _environment.parse(text)
    except TemplateSyntaxError as error:
        return f"this template cannot be read: {error.message}", "", text.index("{")
    stored = {node.name for node in tree.find_all(nodes.Name) if node.ctx in {"store", "param"}}
    for node in tree.find_all(nodes.Name):
        if node.name not in NAMES | _BUILT_IN | stored:
            variable = f"an Airflow variable is written {{{{ var.value.{node.name} }}}}"
            now = _NOW.get(node.name)
            hint = f"write {{{{ {now} }}}}" if now else did_you_mean(node.name, NAMES, variable)
            return f"Airflow knows no template variable {node.name!r}", hint, max(0, text.find(node.name))
    for below in tree.find_all(nodes.Getattr):
        is_var = isinstance(below.node, nodes.Name) and below.node.name == "var"
        if is_var and below.attr not in {"value", "json"}:
            hint = f"write {{{{ var.value.{below.attr} }}}}"
            return f"var has no {below.attr!r}", hint, max(0, text.find("var."))
    return None
