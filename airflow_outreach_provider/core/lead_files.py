"""The kinds of file that leads come in, told apart by how their names end."""

from __future__ import annotations

import codecs
import re
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


_SHEET = "save it as a .csv in a bucket, or hand its rows to SubmitLeadsOperator in Python"
_PAGES: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"https?://docs\.google\.com/spreadsheets/"), "a Google Sheet is no file", _SHEET),
    (
        re.compile(
            r"https?://(?:drive\.google\.com|(?:[\w-]+\.)*(?:sharepoint\.com|1drv\.ms|onedrive\.live\.com|box\.com"
            r"|icloud\.com)|(?:www\.)?github\.com/.+/blob)/|https?://(?:www\.)?dropbox\.com/(?!.*[?&](?:dl|raw)=1)"
        ),
        "this is the page that shows a file, not the file",
        "write where the file itself is, e.g. s3://bucket/leads.csv",
    ),
    (re.compile(r"https?://[\w-]+\.console\.aws\.|https?://console\.(?:cloud\.google|aws\.amazon)\."), "this is a page of the console, not the file", "write its address, e.g. s3://bucket/leads.csv"),
    (re.compile(r"(?:s3|gs|gcs|abfss?|wasbs?|sftp|hdfs|https?):(?:/(?!/)|[^/])"), "this is no address", "write two slashes, e.g. s3://bucket/leads.csv"),
)  # fmt: skip


def wrong_address(uri: str) -> tuple[str, str] | None:
    """What is wrong with an address that looks like a file's and is none, and what to write; None of any other."""
    return next(
        ((message, remedy) for pattern, message, remedy in _PAGES if pattern.match(uri.strip())), None
    )


_PROVIDERS = dict.fromkeys(("gs", "gcs"), "google") | dict.fromkeys(
    ("abfs", "abfss", "adl"), "microsoft-azure"
)
_PROVIDERS["s3"] = "amazon[s3fs]"


def opened_by(uri: str) -> str:
    """What to do where no file system of Airflow's opens an address."""
    scheme = uri.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return "web addresses are not read: copy the file into a bucket, or where the worker reads files"
    if scheme in _PROVIDERS:
        return f"install apache-airflow-providers-{_PROVIDERS[scheme]}, or check the address"
    return "check the URI and the providers installed"


def is_text_encoding(name: str) -> bool:
    """Whether Python reads text files in an encoding, a bad byte by itself: not so rot13, base64, idna or punycode."""
    try:
        b"\xff".decode(name, "surrogateescape")
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError):
        return False
    return True
