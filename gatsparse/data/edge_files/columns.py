"""Which columns of a table are sources and destinations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatsparse.data.edge_files.reader import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESTINATIONS = ("dst", "dest", "destination", "target", "tgt")
#: Names of a column of sources, and the names that its column of destinations may have.
_PARTNERS = {
    "src": _DESTINATIONS,
    "source": _DESTINATIONS,
    "from": ("to",),
    "u": ("v",),
    "s": ("t",),
    "row": ("col", "column"),
    "head": ("tail",),
    "start": ("end",),
    "subject": ("object",),
    "sender": ("receiver",),
    "citing": ("cited",),
    "origin": _DESTINATIONS,
    "orig": _DESTINATIONS,
    "parent": ("child",),
    "follower": ("followee", "followed"),
    "node 0": ("node 1",),
    "node 1": ("node 2",),
}
_ENDS = {*_PARTNERS, *(name for partners in _PARTNERS.values() for name in partners)}

_CORE = re.compile(r"(?P<before>(?:node|vertex|id)*)(?P<core>.+?)(?:nodes?|vertex|ids?|idx|index)*")
#: Names of columns that are not nodes. They never stand for an end of an edge unless asked for.
_OTHER = re.compile(
    r"|(edge|time|weight|date|label|unnamed).*|.*(time|timestamp|weight|date)"
    r"|e?id|index|idx|w|wt|ts|year|month|day|hour|class|split|type|kind|sign"
    r"|rel|relation|predicate|count|cnt|num|number|no|value|val|score|rating|rank|line|degree"
    r"|age|size|length|duration|distance|price|amount|flag|group|component|status|state|level"
)
_LONGEST_NAME = 64
_PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")


def find_columns(columns: tuple[str, str], names: Sequence[str]) -> tuple[int, int]:
    """Positions of two named columns.

    Raises:
        ValueError: If a name is not among :obj:`names`, or is there more than once.
    """
    for name in columns:
        if names.count(name) != 1:
            raise ValueError(
                f"expected one column {name!r}, got {names.count(name)} among {listed(names)}"
            )
    return names.index(columns[0]), names.index(columns[1])


def find_pair(names: Sequence[str]) -> tuple[int, int] | None:
    """Positions of the columns whose names say that they are sources and destinations, such as
    ``src`` and ``dst``; None if there are none.

    Raises:
        ValueError: If several columns could be meant.
    """
    normal = [_normal(name) for name in names]
    pairs = [
        (source, destination)
        for source, name in enumerate(normal)
        for destination, other in enumerate(normal)
        if other in _PARTNERS.get(name, ())
    ]
    if len(pairs) > 1:
        raise _ambiguous(names)
    return pairs[0] if pairs else None


def recognize_columns(
    names: Sequence[str], integers: Sequence[int] | None = None
) -> tuple[int, int]:
    """Positions of the columns of sources and destinations: those whose names say so, or the only
    two columns of integers, unless a name says that they are something else.

    Args:
        names (list): The names of all columns.
        integers (list, optional): The positions of the columns of integers. (default: all)

    Raises:
        ValueError: If it cannot be told. The message lists the columns.
    """
    pair = find_pair(names)
    if pair is not None:
        return pair
    candidates = range(len(names)) if integers is None else integers
    found = [index for index in candidates if not _PANDAS_INDEX.fullmatch(names[index])]
    if len(found) != 2 or any(_normal(name) in _ENDS for name in names):
        raise _ambiguous(names)
    if any(_OTHER.fullmatch(name) for index in found for name in _forms(names[index])):
        raise _ambiguous(names)
    return found[0], found[1]


def _forms(name: str) -> tuple[str, str]:
    """Name in lower case without separators, and the same without ``node`` and ``id``."""
    return re.sub(r"[\W_]+", "", name).lower(), _normal(name)


def _normal(name: str) -> str:
    """Name in lower case without separators, ``node`` and ``id``: ``From_Node_ID`` is ``from``."""
    letters = re.sub(r"[\W_]+", "", name).lower()
    match = _CORE.fullmatch(letters) if len(letters) <= _LONGEST_NAME else None
    if match is None or letters in ("id", "idx", "index"):
        return letters
    core = match["core"]
    numbered = core.isdigit() and core != letters
    return f"node {core}" if numbered else core


def _ambiguous(names: Sequence[str]) -> ValueError:
    return ValueError(
        "expected two columns whose names tell sources from destinations, such as 'src' and "
        f"'dst', got {listed(names)}: name them with columns=(source, destination)"
    )
