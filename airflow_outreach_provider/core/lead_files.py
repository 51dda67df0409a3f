"""The kinds of file that leads come in, told apart by how their names end."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

FILE_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv",),
    "jsonl": (".jsonl", ".ndjson"),
    "json": (".json",),
    "parquet": (".parquet", ".pq"),
    "xlsx": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
TEXT_KINDS = ("csv", "jsonl", "json")
"""Kinds that may be packed with gzip, told by a further ``.gz``."""


def kind_of_file(name: str) -> str | None:
    """The kind of a path or URI; None where its name tells none."""
    bare = name.split("?")[0].strip().lower()
    packed = bare.endswith(".gz")
    bare = bare.removesuffix(".gz")
    for kind, endings in FILE_ENDINGS.items():
        if bare.endswith(endings):
            return None if packed and kind not in TEXT_KINDS else kind
    return None


def is_text_encoding(name: str) -> bool:
    """Whether Python reads text files in an encoding, a bad byte by itself: not so rot13, base64, idna or punycode."""
    try:
        b"\xff".decode(name, "surrogateescape")
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
