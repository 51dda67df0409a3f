"""Mermaid's drawings as lines to read: the pages run no script that could draw them."""

from __future__ import annotations

import re

_NODE = re.compile(r'(\w+)(\[\(|\(\[|\[)"?(.*?)"?(?:\)\]|\]\)|\])(?=\s|$)')
_ARROW = re.compile(r'(\w+|\[\*\])\s*(<?)-->\s*(?:\|"?([^|]*?)"?\|\s*)?(\w+|\[\*\])(?:\s*:\s*(.*))?')


def readable(source: str) -> str:
    """A flow chart or state diagram as one line an arrow; anything else as it stands.

    >>> print(readable('flowchart LR\\n  a["one<br>two"] -->|goes| b'))
    one (two)  →  b: goes
    """
    names: dict[str, str] = {}
    lines = []
    for line in source.splitlines():
        bare = _NODE.sub(lambda node: _known(names, node), line).strip()
        if arrow := _ARROW.fullmatch(bare):
            lines.append(arrow)
    if not lines:
        return source
    return "\n".join(_line(arrow, names) for arrow in lines) + "\n"


def _known(names: dict[str, str], node: re.Match[str]) -> str:
    """The node's id in place of the node; its text is kept by it."""
    first, *rest = node[3].split("<br>")
    names[node[1]] = first + (f" ({', '.join(rest)})" if rest else "")
    return node[1]


def _line(arrow: re.Match[str], names: dict[str, str]) -> str:
    begin, back, label, end, why = arrow.groups()
    begin, end = ("•" if name == "[*]" else names.get(name, name) for name in (begin, end))
    said = label or why
    return f"{begin}  {'↔' if back else '→'}  {end}" + (f": {said}" if said else "")
