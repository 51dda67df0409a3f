"""Where a field of a custom source stands, written as keys alone: ``data.lead.email`` for ``{{ body.data.lead.email }}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

# Keys, and numbers of a list's elements.
_KEYS = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*", re.ASCII)
# What may be the same for every event, and what a value at its place has to be.
_MAY_BE_SAID = {"type": "{0} is string or {0} is number", "campaign": "{0} is not none"}


def place_of(name: str, said: str) -> str:
    """The expression that keys without braces mean; anything else as it is.

    A type or a campaign may be the same for every event: where the body has none at this place, it stands for itself.

    :param name: of the field.
    """
    if not _KEYS.fullmatch(said):
        return said
    keys = said.removeprefix("body.").split(".")
    place = "body" + "".join(f"[{key}]" if key.isdigit() else f"['{key}']" for key in keys)
    if test := _MAY_BE_SAID.get(name):
        return f"{{{{ {place} if {test.format(place)} else '{said}' }}}}"
    return f"{{{{ {place} }}}}"


def grouped(said: Mapping[str, Any], proof: Iterable[str]) -> dict[str, Any]:
    """``custom`` with the parts of the proof under ``verify``, and a contact that is one place as the person's.

    :param proof: the names of those parts, which may stand beside the rest.
    """
    made = dict(said)
    if "verify" not in made and "scheme" in made:
        made["verify"] = {name: made.pop(name) for name in proof if name in made}
    if isinstance(made.get("contact"), str) and not made.get("person"):
        made["person"] = made.pop("contact")
    return made
