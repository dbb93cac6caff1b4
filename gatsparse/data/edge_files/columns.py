"""Detection of the columns of sources and destinations in a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gatsparse.data.edge_files.column_words import (
    ORDINALS,
    PARTNERS,
    Name,
    is_prose,
    read_name,
)
from gatsparse.data.edge_files.reader import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

Columns = tuple[str, str] | tuple[int, int]
"""Names or positions of the columns of sources and destinations."""

_PANDAS_INDEX = re.compile(r"__index_level_[0-9]+__")
_LETTERS = (("r", "c"), ("h", "t"))  # row and column, head and tail
_ROLES = (("er", "ee"), ("or", "ee"), ("er", "ed"), ("ing", "ed"))


def find_columns(columns: Columns, names: Sequence[str]) -> tuple[int, int]:
    """Positions of two columns that are given by name or position.

    Raises:
        ValueError: If a name does not occur exactly once in :obj:`names`, or a position is out of
            range.
    """
    first, second = (_find_column(column, names) for column in columns)
    return first, second


def _find_column(column: str | int, names: Sequence[str]) -> int:
    if isinstance(column, int):
        if column >= len(names):
            raise ValueError(f"expected column positions from 0 to {len(names) - 1}, got {column}")
        return column
    if names.count(column) != 1:
        raise ValueError(
            f"expected one column {column!r}, got {names.count(column)} among {listed(names)}"
        )
    return names.index(column)


def find_pair(
    names: Sequence[str], integers: Sequence[int] | None = None
) -> tuple[int, int] | None:
    """Positions of the columns whose names say that they are sources and destinations, such as
    ``src`` and ``dst``; None if there are none.

    Names with further words, such as ``from_user``, are considered if all other columns are
    attributes.

    Args:
        names (list): The names of all columns.
        integers (list, optional): The positions of the columns of integers. (default: all)

    Raises:
        ValueError: If several pairs of columns match.
    """
    read = [read_name(name) for name in names]
    told = [i for i, name in enumerate(read) if not name.attribute and name.end]
    pairs = _pairs(read, [i for i in told if read[i].plain])
    if len(pairs) > 1:
        raise _ambiguous(names)
    if pairs:
        return pairs[0]
    candidates = [i for i in _candidates(names, integers) if not read[i].attribute]
    if told != candidates or any(read[i].contradictory for i in candidates):
        return None
    pairs = _pairs(read, candidates) if len(candidates) == 2 else []
    return pairs[0] if pairs else None


def recognize_columns(
    names: Sequence[str], integers: Sequence[int] | None = None
) -> tuple[int, int]:
    """Positions of the columns of sources and destinations.

    Columns whose names identify the ends are used first. Otherwise there must be exactly two
    columns of integers. Their names must have an order, such as ``node_a`` and ``node_b``, or be
    names of nodes, such as ``user`` and ``item``, which are used in the order of the columns.

    Args:
        names (list): The names of all columns.
        integers (list, optional): The positions of the columns of integers. (default: all)

    Raises:
        ValueError: If the columns cannot be determined. The message lists them.
    """
    pair = find_pair(names, integers)
    if pair is not None:
        return pair
    found = _candidates(names, integers)
    read = [read_name(name) for name in names]
    if len(found) != 2:
        raise _ambiguous(names)
    first, second = found
    if names[first] == names[second]:
        find_columns((names[first], names[first]), names)  # raises
    if any(read[index].attribute or read[index].contradictory for index in found):
        raise _ambiguous(names)
    order = _order(read[first].words, read[second].words)
    told = {name.end for name in read if name.end and not name.attribute}
    same = len(read[first].end) == 1 and read[first].end == read[second].end  # such as v1 and v2
    if told and not (order != 0 and (same or all(end.startswith("node ") for end in told))):
        raise _ambiguous(names)
    if order != 0:
        return (first, second) if order > 0 else (second, first)
    if not (read[first].node and read[second].node):
        raise _ambiguous(names)
    return first, second


def is_header(fields: Sequence[str], blanks: bool) -> bool:
    """Whether the fields of a comment are the names of columns.

    Args:
        fields (list): The fields.
        blanks (bool): Whether they are separated by blanks, as the words of a sentence are.
    """
    words = [word for field in fields for word in field.split()]
    if (blanks or len(words) > len(fields)) and is_prose(words):
        return False
    read = [read_name(field) for field in fields]
    return any(name.tells for name in read) or all(name.understood for name in read)


def _candidates(names: Sequence[str], integers: Sequence[int] | None) -> list[int]:
    positions = range(len(names)) if integers is None else integers
    return [index for index in positions if not _PANDAS_INDEX.fullmatch(names[index])]


def _pairs(read: Sequence[Name], positions: Sequence[int]) -> list[tuple[int, int]]:
    return [
        (source, destination)
        for source in positions
        for destination in positions
        if read[destination].end in PARTNERS.get(read[source].end, ())
    ]


def _order(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Returns 1 if two names differ only in a number, letter or role that puts :obj:`first` before
    :obj:`second`, -1 for the opposite order, 0 if the names have no order.
    """
    if len(first) != len(second):  # pandas renames a duplicate column: node, node.1
        shorter, longer = sorted((first, second), key=len)
        numbered = longer[:-1] == shorter and longer[-1] in ("1", "2")
        return 0 if not numbered else (1 if shorter == first else -1)
    different = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
    if len(different) != 1:
        return 0
    a, b = different[0]
    return 1 if _precedes(a, b) else (-1 if _precedes(b, a) else 0)


def _precedes(a: str, b: str) -> bool:
    """Whether :obj:`a` directly precedes :obj:`b`. Letters that do not, such as c and r, may be
    initials.
    """
    a, b = ORDINALS.get(a, a), ORDINALS.get(b, b)
    if a.isdecimal() and b.isdecimal():
        return int(b) - int(a) == 1
    if len(a) == len(b) == 1:
        return ord(b) - ord(a) == 1 or (a, b) in _LETTERS
    return any(
        a.endswith(x) and b.endswith(y) and a.removesuffix(x) == b.removesuffix(y) != ""
        for x, y in _ROLES
    )


def _ambiguous(names: Sequence[str]) -> ValueError:
    return ValueError(
        "expected two columns whose names identify sources and destinations, such as 'src' and "
        f"'dst', got {listed(names)}: name them with columns=(source, destination)"
    )
