"""Matrix Market files, whose entries are edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gatsparse.data.edge_files.reader import excerpt

if TYPE_CHECKING:
    from gatsparse.data.edge_files.reader import Ends

BANNER = b"%%matrixmarket"
_WIDTHS = {b"pattern": 2, b"real": 3, b"double": 3, b"integer": 3, b"complex": 4}
_SYMMETRIES = (b"general", b"symmetric", b"skew-symmetric", b"hermitian")


class MatrixMarket(NamedTuple):
    """Header of a file.

    Attributes:
        num_nodes (int): Number of rows and columns.
        num_entries (int): Number of lines with entries.
        width (int): Number of fields of such a line.
        symmetric (bool): Whether an entry outside the diagonal implies its mirror image.
    """

    num_nodes: int
    num_entries: int
    width: int
    symmetric: bool


def read_banner(line: bytes) -> tuple[int, bool]:
    """Reads the first line: number of fields per entry, and whether the matrix is symmetric.

    Raises:
        ValueError: If the file does not contain a sparse matrix.
    """
    words = line.lower().split()
    if (
        len(words) != 5
        or words[:3] != [BANNER, b"matrix", b"coordinate"]
        or words[3] not in _WIDTHS
        or words[4] not in _SYMMETRIES
    ):
        raise ValueError(
            "expected '%%MatrixMarket matrix coordinate', then pattern, real, integer or complex, "
            f"then general or symmetric, got {excerpt(line)}"
        )
    return _WIDTHS[words[3]], words[4] != b"general"


def read_size(line: bytes, width: int, symmetric: bool) -> MatrixMarket:
    """Reads the line with the numbers of rows, columns and entries.

    Raises:
        ValueError: If the line does not hold three such numbers, or the matrix is not square.
    """
    words = line.split()
    if len(words) != 3 or not all(word.isdigit() and len(word) <= 18 for word in words):
        raise ValueError(f"expected numbers of rows, columns and entries, got {excerpt(line)}")
    rows, columns, entries = map(int, words)
    if rows != columns:
        raise ValueError(f"expected a square matrix, got {rows} rows and {columns} columns")
    return MatrixMarket(rows, entries, width, symmetric)


def mirror(ends: Ends) -> Ends:
    """Edges of a symmetric matrix: each entry, followed by its mirror image unless it is on the
    diagonal.
    """
    src, dst = (np.repeat(values, 2) for values in ends)
    src[1::2], dst[1::2] = dst[::2], src[::2]
    keep = np.ones(len(src), bool)
    keep[1::2] = ends[0] != ends[1]
    return src[keep], dst[keep]
