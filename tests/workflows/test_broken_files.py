"""The corpus of broken files: each says in ``# expect:`` lines exactly what must be said about it."""

from __future__ import annotations

import gc
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import examples

from airflow_outreach_provider.core.workflows.loading import load_texts
from airflow_outreach_provider.core.workflows.problems import WorkflowErrors

CORPUS = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
_EXPECT = re.compile(r"^# expect: (\d+):(\d+): (.*?) \|(.*)$", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_mistake_of_a_broken_file_is_explained(path: Path) -> None:
    """Each mistake has its line, its column, the reason and what was meant; none is missed, none invented."""
    text = path.read_text()
    expected = [(int(m[1]), int(m[2]), m[3], m[4].strip()) for m in _EXPECT.finditer(text)]
    assert expected, "the file says nothing of what to expect"
    loaded = load_texts({path.name: text})
    found = [(each.line, each.column, each.message, each.hint) for each in loaded.problems]
    assert found == expected
    assert loaded.workflows == []


def test_the_corpus_is_as_big_as_promised() -> None:
    """At least sixty kinds of mistake."""
    assert len(CORPUS) >= 60


@pytest.mark.slow
def test_hostile_files_cost_nothing() -> None:
    """A billion laughs, deep nesting and a huge file are refused in a moment."""
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))
    keys = ", ".join(f"k{i}: 1" for i in range(4_000))
    merges = f"a: &a {{{keys}}}\n" + "".join(f"b{i}: {{<<: *a}}\n" for i in range(5_000))
    lists = f"a: &a {{{keys}}}\nb: {{<<: [{', '.join(['*a'] * 9_000)}]}}\n"
    chain = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: *a{i - 1}, k{i}: 1}}\n" for i in range(1, 4_000))
    empty = (
        "a: &a {}\nl: &l [" + "*a, " * 20_000 + "]\n" + "".join(f"b{i}: {{<<: *l}}\n" for i in range(9_000))
    )
    gc.collect()
    gc.freeze()  # what a long row of tests has left behind is not theirs to walk through
    started = time.process_time()
    for text in (
        laughs,
        merges,
        lists,
        chain,
        empty,
        "[" * 200_000,
        "{a: " * 200_000,
        "x" * 1_100_000,
        "a: " + "&b " * 9,
    ):
        assert load_texts({"hostile.yaml": text}).problems
    spent = time.process_time() - started
    gc.unfreeze()
    assert spent < 3


def test_a_mistake_is_shown_with_its_line_and_a_caret() -> None:
    """What the UI, lint and the exception show: place, line, caret, meaning; all mistakes of the file at once."""
    text = (
        "lead_syncs:\n  website:\n    shedule: '@daily'\n    leads: {csv: leads.csv}\n"
        "    rules: {on_unknown: holt}\n"
    )
    loaded = load_texts({"dags/workflows/leads.yaml": text})
    assert str(WorkflowErrors(loaded.problems, loaded.sources)) == (
        "2 mistakes in dags/workflows/leads.yaml\n"
        "\n"
        "dags/workflows/leads.yaml:3:5: unknown key 'shedule'\n"
        "    3 |     shedule: '@daily'\n"
        "      |     ^^^^^^^ did you mean 'schedule'?\n"
        "\n"
        "dags/workflows/leads.yaml:5:25: 'holt' is not a choice\n"
        "    5 |     rules: {on_unknown: holt}\n"
        "      |                         ^^^^ did you mean 'hold'?"
    )


def test_a_mistake_in_a_default_is_told_once_and_where_it_is() -> None:
    """Two workflows share a wrong default of the folder: one mistake, in the file of the defaults."""
    loaded = load_texts(
        {
            "w/_defaults.yaml": "defaults:\n  lead_syncs:\n    rules: {default_region: UK}\n",
            "w/a.yaml": "lead_syncs:\n  a: {leads: {csv: a.csv}}\n  b: {leads: {csv: b.csv}}\n",
            "other/c.yaml": "lead_syncs:\n  c: {leads: {csv: c.csv}}\n",
        }
    )
    assert [(each.file, each.line) for each in loaded.problems] == [("w/_defaults.yaml", 3)]
    assert [each.name for each in loaded.workflows] == ["c"]


def test_a_name_used_in_two_files_is_a_mistake_of_the_second() -> None:
    """The first keeps working; the second says where the first is."""
    text = "lead_syncs:\n  a: {leads: {csv: a.csv}}\n"
    loaded = load_texts({"one.yaml": text, "two.yaml": text})
    assert [each.file for each in loaded.workflows] == ["one.yaml"]
    [problem] = loaded.problems
    assert (problem.file, problem.line, problem.hint) == ("two.yaml", 2, "it is in one.yaml:2")


_LINES = st.sampled_from(
    ["lead_syncs:", "event_routes:", "defaults:", "  a:", "    leads: {csv: a.csv}", "    leads:", "    rules: {a: b}",
     "    map: [x]", "  - x", "    <<: *x", "  b: &x {c: d}", "    deliver: {endpoint: crm}", "    where: x", "    retries: 1",
     "  lead_syncs: {leads: 1}", "    schedule: {assets: [1]}", "    params: {1: 2}", "    tags: [[a]]", "? x", "~", "{", "'", "\t",
     "    owner_links: {a: {b: c}}", "  1: 2", "  a: ~", "    kinds: {a: b}", "    deliver: {outreach: {map: {a: 1}}}"]
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=examples(300), deadline=None)
@given(st.lists(_LINES, max_size=9).map("\n".join) | st.text(max_size=60))
def test_any_text_is_read_or_explained(text: str) -> None:
    """No file makes the reader itself fail: it gives workflows, or mistakes that stand within the file."""
    loaded = load_texts({"any.yaml": text})
    assert loaded.workflows or loaded.problems or text.strip() == ""
    str(WorkflowErrors(loaded.problems, loaded.sources))
    for problem in loaded.problems:
        assert 1 <= problem.line <= text.count("\n") + 2
        assert problem.column >= 1
