"""What every mapping of a workflow file is: its keys are known, and what is read is never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the file: unknown keys are mistakes.

    :cvar one_of: exactly one of these keys must be there.
    :cvar as_written: sections that a workflow's own value replaces as a whole instead of merging with defaults.
    :cvar instead_of: key → keys that say the same in another way: where a workflow has one, no default brings the other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    one_of: ClassVar[tuple[str, ...]] = ()
    as_written: ClassVar[frozenset[str]] = frozenset()
    instead_of: ClassVar[Mapping[str, frozenset[str]]] = {}
