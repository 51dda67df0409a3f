"""What is wrong with a ``map``: between its fields, and within what they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.expressions.compile import ExpressionError, compile_value
from airflow_outreach_provider.core.expressions.scope import ROW, written_column
from airflow_outreach_provider.core.leads import OWN_TEXT, check_target
from airflow_outreach_provider.core.mapping import SECTIONS, flat_mapping, meant_section, read_texts
from airflow_outreach_provider.core.same_number import same_number
from airflow_outreach_provider.core.suggest import nearest
from airflow_outreach_provider.core.workflows.fields import kind_of
from airflow_outreach_provider.core.workflows.models import NESTED_TARGETS
from airflow_outreach_provider.core.workflows.problems import Finding, Path


def check_map(
    mapping: Mapping[str, Any], outreach: Mapping[str, Any], path: Path, record: str = "row"
) -> Iterator[Finding]:
    """What is wrong between the fields of a ``map``. :param record: what it reads, ``row`` or ``event``."""
    yield from _sections_of_map(mapping, path)
    for target, value in mapping.items():
        if (section := meant_section(target, value)) is not None:
            yield (*path, target), True, f"{target} is no section of a lead", f"did you mean {section!r}?"
    yield from _same_number(mapping, path, record)
    flat = flat_mapping(mapping)
    if not any(target in {"phoneNumber", "contacts.phoneNumber"} for target in flat):
        close = [each for each in mapping if nearest(each, ["phonenumber"])]
        if close:
            yield (
                (*path, close[0]),
                True,
                f"{close[0]!r} is not the phone number",
                "did you mean 'phoneNumber'?",
            )
        else:
            yield path, True, "map has no phoneNumber", "write phoneNumber: and the column that holds it"
    if outreach.get("format", "raw") != "fixed":
        for target in mapping:
            if f"{target}.".startswith(NESTED_TARGETS):
                yield (
                    (*path, target),
                    True,
                    f"{target} needs the fixed format",
                    "write outreach: {format: fixed}",
                )


def _same_number(mapping: Mapping[str, Any], path: Path, record: str) -> Iterator[Finding]:
    for target, value in flat_mapping(mapping).items():
        if (wrong := same_number(target, value, record)) is not None:
            keys = (target,) if target in mapping else target.split(".", 1)
            yield (*path, *keys), False, f"{target} {wrong[0]}", wrong[1]


def _sections_of_map(mapping: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """``applications: {jobTitle: title}``: what stands below a section are fields of it."""
    for section in SECTIONS:
        inner = mapping.get(section, {})
        names = [f"{section}.{name}" for name in inner] if isinstance(inner, dict) else [section]
        for target in names:
            try:
                check_target(target)
            except ConfigurationError as error:
                message = str(error).removesuffix(f" — {error.remedy}").removeprefix("mapping target ")
                yield (*path, *target.split(".", 1)), True, message, error.remedy or ""


def check_row_values(mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """What stands within lists and objects; the field itself has looked at texts."""
    for target, value in flat_mapping(mapping).items():
        path: Path = ("map", target) if target in mapping else ("map", *target.split(".", 1))
        if target.rpartition(".")[2] in OWN_TEXT and not isinstance(value, str):
            message = f"{target} must be a column or a template, not {kind_of(value)}"
            yield path, False, message, _one_text(value)
        elif target not in mapping or not isinstance(value, str):
            yield from _templates(value, path)


def _one_text(value: object) -> str:
    """The first of several columns that holds something, or the one that a mapping names."""
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return f'write "{{{{ {" or ".join(map(written_column, value))} }}}}"'
    if isinstance(value, int | float):
        return "write the column that holds it"
    named = list(value.values()) if isinstance(value, dict) else []
    return f"write {named[0]}" if len(named) == 1 and isinstance(named[0], str) else ""


def _templates(value: object, path: Path) -> Iterator[Finding]:
    for text in read_texts(value):
        try:
            compile_value(text.text if text.template else "", ROW)
        except ExpressionError as error:
            yield (*path, *text.path), False, error.problem, error.remedy or ""
