"""Leads in files, in any object store Airflow knows."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from stat import S_ISDIR
from typing import Any, BinaryIO, ClassVar, cast

from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.lead_files import kind_of_file, opened_by, wrong_address
from airflow_outreach_provider.core.masking import mask_text
from airflow_outreach_provider.services.rows.columnar import needed
from airflow_outreach_provider.services.rows.header import Reads, reads_all
from airflow_outreach_provider.services.rows.lines import label
from airflow_outreach_provider.services.rows.open import FOUND_OUT, FileFormat, open_rows, shares_columns
from airflow_outreach_provider.services.rows.row import Row
from airflow_outreach_provider.services.submit.columns import PartLook, as_they_come


@dataclass
class FileLeads:
    """A file of leads of which more is said than its name tells.

    :param path: path or URI; ``*`` in its last part takes every match. Templated.
    :param delimiter: what separates the values of a CSV file; found out where None.
    :param encoding: of a CSV file, e.g. ``cp1252``; found out where None.
    :param sheet: of a workbook; the first that is shown where None.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("path",)

    path: str
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    @property
    def form(self) -> FileFormat:
        """What is said of it."""
        return FileFormat(self.delimiter, self.encoding, self.sheet)

    def serialize(self) -> dict[str, str | None]:
        """What the DAG's serialised form and the rendered fields show."""
        said = {"delimiter": self.delimiter, "encoding": self.encoding, "sheet": self.sheet}
        return {"path": mask_text(str(self.path)), **{key: value for key, value in said.items() if value}}


class FileSource:
    """One file, or all that match a pattern in their last part, in the order of their names."""

    def __init__(self, uri: str, reads: Reads = reads_all, form: FileFormat = FOUND_OUT) -> None:
        self.key, self.name, self._reads, self._form = uri, mask_text(uri), reads, form
        if (wrong := wrong_address(uri)) is not None:
            raise ConfigurationError(f"{self.name!r}: {wrong[0]}", wrong[1])
        self._paths = _matching(uri)
        if any(kind_of_file(path.name) == "parquet" for path, _ in self._paths):
            # Before a thread reads: pyarrow 25, first imported in one that has ended, crashes the process when it reads again.
            needed("pyarrow.parquet", "parquet", label(self.name))
        self._total = sum(size for _, size in self._paths)
        self._read = 0

    @property
    def holds_texts(self) -> bool:
        """Whether any of its files is a CSV file, which knows nothing else."""
        return any(kind_of_file(path.name) == "csv" for path, _ in self._paths)

    def rows(self, look: PartLook = as_they_come, *, one_of: bool = False) -> Iterator[Row]:
        """:param look: at each file of several. :param one_of: whether it is itself one of several sources."""
        several = len(self._paths) > 1
        for path, _ in self._paths:
            name = mask_text(path.name)
            with path.open("rb") as raw:
                counted = cast("BinaryIO", _Counting(raw, self))
                rows = open_rows(counted, name=name, reads=self._reads, form=self._form)
                for row in look(rows, name, shares_columns(name)) if several or one_of else rows:
                    yield row._replace(detail=f"{name}: {row.detail}") if several and row.error else row

    def fraction(self) -> float | None:
        return min(1.0, self._read / self._total) if self._total else None


class _Counting:
    """A binary stream that tells its source how far it was read."""

    def __init__(self, raw: Any, source: FileSource) -> None:
        self._raw, self._source = raw, source

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._raw.read(size)
        self._source._read += len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _is_a_file(uri: str) -> bool:
    """A file may be named like a pattern: ``br[1].csv``."""
    from airflow.sdk import ObjectStoragePath

    try:
        return ObjectStoragePath(uri).is_file()
    except (OSError, ValueError):
        return False


def _glob(uri: str) -> list[Any]:
    from airflow.sdk import ObjectStoragePath

    said = mask_text(uri)
    head, _, last = uri.rpartition("/")
    if any(character in head for character in "*?["):
        raise ConfigurationError(
            f"{said} has a pattern before its last part", "use * and ? in the file name only"
        )
    folder = ObjectStoragePath(head or ".")
    paths = [folder / name for name in fnmatch.filter(sorted(path.name for path in folder.iterdir()), last)]
    if not paths:
        raise ConfigurationError(f"no file matches {said}", "check folder and pattern")
    return paths


def _matching(uri: str) -> list[tuple[Any, int]]:
    """Paths and sizes in bytes of the files a URI names."""
    from airflow.sdk import ObjectStoragePath

    said = mask_text(uri)
    if not uri.strip():
        raise ConfigurationError("leads is an empty path", "name a .csv or .jsonl file")
    try:
        pattern = any(character in uri for character in "*?[") and not _is_a_file(uri)
        paths = _glob(uri) if pattern else [ObjectStoragePath(uri)]
        found = [(path, path.stat()) for path in paths]
        folders = [path for path, about in found if S_ISDIR(about.st_mode or 0)]
        if folders and not pattern:
            raise ConfigurationError(f"{said} is a folder", f"name its files, e.g. {said.rstrip('/')}/*.csv")
        return [(path, about.st_size) for path, about in found if path not in folders]
    except FileNotFoundError:
        raise ConfigurationError(
            f"{said} does not exist", "check the path; a relative one starts where the worker does"
        ) from None
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise ConfigurationError(
            f"{said} cannot be read: {type(error).__name__}", "name a readable file"
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{said} cannot be opened: {mask_text(str(error))}", opened_by(uri)
        ) from None
    except OSError as error:  # e.g. a name that is too long: a text that is no path at all
        raise ConfigurationError(
            f"{said} cannot be read: {error.strerror or type(error).__name__}", "name a .csv or .jsonl file"
        ) from None
