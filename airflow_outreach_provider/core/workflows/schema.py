"""The JSON Schema of workflow files: completion, hover and red underlines in any editor that speaks YAML."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from airflow_outreach_provider.core.workflows import models, workflow_file
from airflow_outreach_provider.core.workflows.fields import NAME
from airflow_outreach_provider.core.workflows.section import Section
from airflow_outreach_provider.core.workflows.workflow_file import SECTION_MODELS

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def workflow_schema() -> dict[str, Any]:
    """The schema as JSON Schema 2020-12.

    It refuses what is wrong in structure. What needs reading (cron, expressions, keys that need each other)
    lint says.
    """
    schema = workflow_file.WorkflowFile.model_json_schema(schema_generator=_Generator)
    definitions = schema["$defs"]
    for name, section in (vars(models) | vars(workflow_file)).items():
        if isinstance(section, type) and issubclass(section, Section) and section.one_of:
            _exactly_one(definitions[name], section.one_of)
    _partial_defaults(definitions)
    for section in SECTION_MODELS:
        schema["properties"][section]["propertyNames"] = {"pattern": f"^{NAME.pattern}$"}
        schema["properties"][section]["minProperties"] = 1
    schema["anyOf"] = [{"required": [section]} for section in (*SECTION_MODELS, "defaults", "environments")]
    return {"$schema": SCHEMA_ID, **schema, "title": "Outreach workflows"}


class _Generator(GenerateJsonSchema):
    """Without titles and defaults of null: they would only be noise in an editor."""

    def generate(self, schema: Any, mode: Any = "validation") -> dict[str, Any]:
        generated = super().generate(schema, mode)
        _tidy(generated)
        return generated

    def default_schema(self, schema: Any) -> dict[str, Any]:
        generated = super().default_schema(schema)
        default = generated.pop("default", None)
        plain = isinstance(default, (str, int, bool)) and default is not None
        return {**generated, "default": default} if plain else generated


def _tidy(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        options = node.get("anyOf")
        # An optional key is one that may be left out; an empty one is a mistake, save for schedule, whose own
        # null comes first.
        if isinstance(options, list) and options[-1] == {"type": "null"}:
            options.pop()
            if len(options) == 1:
                del node["anyOf"]
                node.update({**options[0], **node})
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)


def _exactly_one(definition: dict[str, Any], keys: tuple[str, ...]) -> None:
    definition["oneOf"] = [{"required": [key]} for key in keys]


def _partial_defaults(definitions: dict[str, Any]) -> None:
    """Defaults lack what makes a workflow the one it is."""
    for name in (model.__name__ for model in SECTION_MODELS.values()):
        partial = deepcopy(definitions[name])
        for key in partial.pop("required", ()):
            del partial["properties"][key]
        definitions[f"{name}Defaults"] = partial
    for key, model in SECTION_MODELS.items():
        place = definitions["Defaults"]["properties"][key]
        place["$ref"] = f"#/$defs/{model.__name__}Defaults"
