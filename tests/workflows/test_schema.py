"""The JSON Schema for editors: it takes every good file and refuses what is wrong in structure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_outreach_provider.core.workflows.schema import workflow_schema
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml

CORPUS = sorted((Path(__file__).parent / "broken").glob("*.yaml"))

# What JSON Schema cannot say: it knows no cron, no expressions, no other keys, no other files. Lint does.
LINT_ONLY = {
    "outreach_conn_id_template",
    "catchup_without_start",
    "cron_hour",
    "cron_never",
    "cron_weekday",
    "date_order",
    "depends_on_itself",
    "depends_on_nobody",
    "file_no_workflow",
    "leads_excel",
    "leads_no_extension",
    "leads_other_endings",
    "leads_pages",
    "leads_template_of_airflow_2",
    "leads_template_unclosed",
    "leads_template_unknown",
    "leads_template_var",
    "leads_wrong_extension",
    "name_is_none",
    "params_reserved",
    "params_unknown_key",
    "pool_slots_alone",
    "route_continuous_runs",
    "route_batch_ok",
    "route_batch_path",
    "route_form_canonical",
    "route_headers_ours",
    "route_kinds_and_where",
    "route_method_without_endpoint",
    "route_omit_empty_alone",
    "route_path_dots",
    "route_path_field",
    "route_path_query",
    "route_path_url",
    "route_payload_alone",
    "route_payload_template",
    "route_query_field",
    "route_retry_schedule_and_retries",
    "route_save_field",
    "route_save_name",
    "rules_approvers_alone",
    "rules_max_rejected_over_100",
    "rules_quiet_hours_25",
    "rules_quiet_hours_same",
    "rules_region_uk",
    "timezone",
    "timezone_offset",
    "yaml_bad_escape",
    "yaml_duplicate_key",
    "yaml_duplicate_workflow",
    "yaml_merge_of_text",
}
_LINT_ONLY_PREFIXES = ("where_", "map_", "event_map_")


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = workflow_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _data(path: Path) -> Any:
    located, _problems = read_yaml(path.read_text(), path.name)
    return None if located is None else located.data


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_schema_refuses_what_is_wrong_in_structure(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    """A broken file that is YAML at all is refused by the schema too, save for what needs reading."""
    data = _data(path)
    if data is None:
        return  # no YAML: the editor's own parser says so
    if path.stem in LINT_ONLY or path.stem.startswith(_LINT_ONLY_PREFIXES):
        return
    assert not validator.is_valid(data)


def test_the_list_of_what_only_lint_finds_is_true(validator: jsonschema.Draft202012Validator) -> None:
    """Nothing is on the list of exceptions that the schema would refuse, and nothing that does not exist."""
    names = {path.stem: path for path in CORPUS}
    assert not LINT_ONLY - set(names)
    refused = {name for name in LINT_ONLY if (data := _data(names[name])) and not validator.is_valid(data)}
    assert refused == set()


def test_every_key_has_a_hover_text() -> None:
    """An editor shows what a key means, for all of them."""

    def sections(cls: type[Section]) -> list[type[Section]]:
        return [cls, *(each for sub in cls.__subclasses__() for each in sections(sub))]

    for section in sections(Section):
        assert section.__doc__
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
