"""How the workflows that depend on one hear that it has run well: by an asset of its name."""

from __future__ import annotations

_SCHEME = "outreach-workflow://"


def followed_asset(name: str) -> tuple[str, str]:
    """The asset's name and URI. :param name: of the workflow that is followed."""
    return f"outreach_workflow_{name}", f"{_SCHEME}{name}"


def is_followed(uri: str) -> bool:
    """Whether it is the asset of a workflow."""
    return uri.startswith(_SCHEME)
