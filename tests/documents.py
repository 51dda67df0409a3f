"""The documents and the blocks in them, for the tests that hold them to what is so."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "airflow_outreach_provider" / "docs"
DOCUMENTS = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]

_BLOCK = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block. :ivar text: without the indentation of a list it stands in."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def file(self) -> str:
        """The file it is of, by its first line: ``# values.yaml``; empty where it says none."""
        named = re.match(r"# ([\w./-]+\.(?:ya?ml|txt|py)|Dockerfile)\n", self.text)
        return named[1] if named else ""

    def commands(self) -> Iterator[list[str]]:
        """The words of each command of a shell block; comments and continuation lines as the shell takes them."""
        waiting = ""
        for line in self.text.splitlines():
            waiting += line + "\n"
            if line.endswith("\\"):
                continue
            try:
                words = shlex.split(waiting.replace("\\\n", " "), comments=True)
            except ValueError:  # a quote that is not closed yet
                continue
            waiting = ""
            if words:
                yield words
        assert not waiting.strip(), f"{self}: a command has no end"


def blocks(*documents: Path) -> list[Block]:
    """Every fenced block of the documents; of all of them unless some are named."""
    found = []
    for document in documents or DOCUMENTS:
        text = document.read_text("utf-8")
        matches = list(_BLOCK.finditer(text))
        # A fence the pattern misses would escape every test.
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(matches), document
        found += [
            Block(document, text.count("\n", 0, each.start()) + 1, each[2].strip(), textwrap.dedent(each[3]))
            for each in matches
        ]
    return found
