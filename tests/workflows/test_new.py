"""Workflows drafted from a header, and put into files that are there: whatever the header, whatever the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.workflows.drafts import (
    LeadDraft,
    RouteDraft,
    event_route_lines,
    lead_sync_lines,
    mapped,
    recognises_phone,
    scalar,
)
from airflow_outreach_provider.core.workflows.insertion import inserted, new_file
from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.models import LeadSync
from airflow_outreach_provider.core.workflows.yaml_source import read_yaml
from airflow_outreach_provider.workflows.lint_data import named_columns
from airflow_outreach_provider.workflows.new import write_workflow

# What a column can be called: no half surrogates and no NUL, which no reader lets through.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
TRICKY = st.sampled_from(
    ["null", "yes", "~", "1", "1e5", ".inf", "- a", "# a", "a: b", "a #b", "'sms'", '"x"', "{{ row.a }}", "}}", "{% if %}", "{# x",
     "*a", "&a", "!x", "|", ">", "@a", "`", "%", "?", "[a]", "{a}", "a\nb", "a\tb", " a ", "E-Mail", "e-mail", "EMAIL", "contacts",
     "applications.jobTitle", "configurationId", "configuration_id", "phoneNumber", "Phone 1 - Value", "Phone 1 - Label", "firstName",
     "First Name", "Größe", "職位", "\u2028", "\x85", "\ufeff", "\\", "\\x7b", "😀", "a'b", "Home Phone", "Score", "score", "Score "]
)  # fmt: skip
HEADERS = st.lists(TRICKY | TEXT, max_size=12, unique=True).map(tuple)


@pytest.mark.slow
@given(HEADERS, st.booleans())
def test_whatever_the_header_the_draft_is_clean_and_names_only_columns_that_are_there(
    columns: tuple[str, ...], open_all: bool
) -> None:
    """Also once every # before a column is taken away, and then every column of the source is named."""
    phone = None if recognises_phone(columns) else "the number"
    columns = columns if phone is None else (*columns, phone)
    lines = lead_sync_lines(LeadDraft("web", {"csv": "leads.csv"}, columns, phone))
    if open_all:
        lines = [re.sub(r"^    # (?!Also in the source;)", "    ", line) for line in lines]
    loaded = load_texts({"a.yaml": new_file("lead_syncs", lines)})
    assert loaded.problems == []
    ((model),) = [each.model for each in loaded.workflows]
    assert isinstance(model, LeadSync)
    named = {column for _, _, column in named_columns(model)}
    assert named <= {*columns}
    if open_all and model.map is not None:
        assert {*columns} - named <= {"configurationId", "configuration_id"}


@given(TRICKY | TEXT)
def test_a_scalar_is_read_as_the_text_it_was(text: str) -> None:
    """On one line, by itself and between braces."""
    for form in (f"a: {scalar(text)}", f"{{a: {scalar(text)}}}"):
        located, problems = read_yaml(form, "a.yaml")
        assert problems == [] and located is not None and located.data == {"a": text}
    assert len(scalar(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("columns", "phone", "fields"),
    [
        (("Mobile", "First Name", "Surname", "E-Mail"), None,
         {"phoneNumber": "Mobile", "firstName": "First Name", "lastName": "Surname", "email": "E-Mail"}),
        (("Work phone", "Mobile"), None, {"phoneNumber": "{{ row['Mobile'] or row['Work phone'] }}"}),
        (("num", "Mobile"), "num", {"phoneNumber": "num"}),
        (("phone", "configurationId"), None, {"phoneNumber": "phone", "configurationId": "configurationId"}),
        (("Phone 1 - Label", "Phone 1 - Value"), None, None),
    ],
)  # fmt: skip
def test_columns_are_recognised_as_they_are_where_nothing_is_mapped(
    columns: tuple[str, ...], phone: str | None, fields: dict[str, str] | None
) -> None:
    """Of several numbers what a person carries comes first; where labels decide, no mapping could."""
    found = mapped(columns, phone)
    assert (dict(found.fields) if found else None) == fields


def test_a_source_without_a_phone_column_says_which_flag_helps() -> None:
    """And one that is not there what was meant."""
    with pytest.raises(ConfigurationError, match="name it with --phone"):
        mapped(("Fax", "name"))
    with pytest.raises(ConfigurationError, match="did you mean 'Telefon 2'"):
        mapped(("Telefon 2",), "Telefon2")


ROUTE = event_route_lines(RouteDraft("late", ("endpoint", "crm"), kinds=["replied"]))
FILE = "# head\n\nevent_routes: # routes\n{i}first: # one\n{i}{i}deliver: {{suppress: true}} # no\n{i}{i}# still\n\n# about leads\nlead_syncs:\n{i}a: {{leads: {{csv: a.csv}}}}\n"


@given(st.sampled_from([1, 2, 4]), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_a_file_only_gets_longer(by: int, end: str, cut: bool, own_section: bool) -> None:
    """Its comments, its indents and its line ends stay; the new one stands at the end of its section."""
    text = FILE.format(i=" " * by).replace("\n", end)
    text = text if own_section else text[text.index("# about") :]
    text = text.rstrip("\r\n") if cut else text
    longer = inserted(text, "event_routes", ROUTE)
    rest = longer.split(end)
    for line in text.split(end):
        assert line in rest
        rest = rest[rest.index(line) + 1 :]
    loaded = load_texts({"a.yaml": longer})
    assert loaded.problems == [] and {"late", "a"} <= {each.name for each in loaded.workflows}
    assert ("\r" in longer) is (end == "\r\n") and "\r\r" not in longer
    if own_section:
        assert longer.index("late:") < longer.index("# about leads")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("event_routes: {first: {deliver: {suppress: true}}}\n", "cannot be added without changing"),
        ("{event_routes: {first: {deliver: {suppress: true}}}}\n", "cannot be added without changing"),
        ("event_routes:\n  late: {deliver: {suppress: true}}\n", "there is a workflow 'late' already"),
        ("event_routes:\n  first: {delivr: {suppress: true}}\n", "is there and has mistakes"),
    ],
)
def test_a_file_that_cannot_take_it_stays_as_it_is(tmp_path: Path, text: str, words: str) -> None:
    """And it is said what to do."""
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        write_workflow("event_routes", "late", ROUTE, file)
    assert file.read_text() == text and [*tmp_path.iterdir()] == [file]
    with pytest.raises(ConfigurationError, match=r"names? .*\.yaml|is no workflow file"):
        write_workflow("event_routes", "late", ROUTE, tmp_path / "a.txt")


def test_a_name_is_unique_in_the_folder_and_what_was_answered_is_checked(tmp_path: Path) -> None:
    """Before anything is written."""
    (tmp_path / "a.yaml").write_text("event_routes:\n  late: {deliver: {suppress: true}}\n")
    with pytest.raises(ConfigurationError, match=r"in .*a\.yaml:2"):
        write_workflow("event_routes", "late", ROUTE, tmp_path / "b.yaml")
    wrong = event_route_lines(RouteDraft("b", ("endpoint", "my crm"), kinds=["repleid"]))
    with pytest.raises(ConfigurationError) as raised:
        write_workflow("event_routes", "b", wrong, tmp_path / "b.yaml")
    assert "did you mean 'replied'?" in str(raised.value) and "a connection id has no ' '" in str(
        raised.value
    )
    assert not (tmp_path / "b.yaml").exists()
    assert write_workflow(
        "event_routes",
        "later",
        event_route_lines(RouteDraft("later", ("suppress", "true"))),
        tmp_path / "b.yaml",
    )


@pytest.mark.parametrize("text", ["", "\n\n", "# ours\n", "---\n", "\ufeff# ours\n\n# more", "# ours\r\n"])
def test_a_file_that_says_nothing_yet_takes_the_first(tmp_path: Path, text: str) -> None:
    """Empty, or comments alone, which stay."""
    file = tmp_path / "a.yaml"
    file.write_bytes(text.encode())
    write_workflow("event_routes", "late", ROUTE, file)
    loaded = load_texts({"a.yaml": file.read_text("utf-8").removeprefix("\ufeff")})
    assert loaded.problems == [] and [each.name for each in loaded.workflows] == ["late"]
    assert text.strip("\n") in file.read_bytes().decode()
