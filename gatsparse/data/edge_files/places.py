"""Positions of edges in the files that were read."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from gatsparse.data.edge_files.reader import ENDS, INT64_MAX, EdgeListError

if TYPE_CHECKING:
    from gatsparse.data.edge_files.reader import Ends, Reader


class ReadFiles:
    """Files that are read one after another.

    Args:
        readers (list): Their readers.

    Attributes:
        first (list): For each file that was opened, the position of its first edge.
    """

    def __init__(self, readers: list[Reader]) -> None:
        self.readers = readers
        self.first: list[int] = []

    def place(self, edge: int, end: int = 0, after: int | None = None) -> str:
        """File of one end of an edge, and the place in it.

        Args:
            edge (int): Position of the edge.
            end (int, optional): 0 for the source, 1 for the destination.
            after (int, optional): Position of an edge that was named before: if it is in the same
                file, the file is not named again.
        """
        part = bisect_right(self.first, edge) - 1
        reader = self.readers[part]
        place = reader.where(edge - self.first[part], end)
        same = after is not None and bisect_right(self.first, after) - 1 == part
        return place if same else f"{reader.path}: {place}"


def check_range(ends: Ends, first: int, base: int, num_nodes: int | None, files: ReadFiles) -> int:
    """Returns the largest id of a block, or -1.

    Raises:
        EdgeListError: If an id is out of range.
    """
    bound = INT64_MAX + 1 if num_nodes is None else num_nodes + base
    highest, faults = -1, []
    for end, values in enumerate(ends):
        if len(values) > 0:
            low, high = int(values.min()), int(values.max())
            highest = max(highest, high)
            if low < base or high >= bound:
                faults.append((int(((values < base) | (values >= bound)).argmax()), end))
    if faults:
        position, end = min(faults)
        value = int(ends[end][position])
        nodes = "" if num_nodes is None else f" (num_nodes={num_nodes})"
        starts = f" (ids start at {base})" if base > 0 else ""
        cure = ""
        if base == 0 and value == num_nodes:
            cure = " (if ids start at 1, pass base=1)"
        elif num_nodes is None and value != base - 1:
            cure = " (relabel=True accepts any ids)"
        raise EdgeListError(
            f"{files.place(first + position, end)}: {ENDS[end]}: "
            f"expected {base} .. {bound - 1}{nodes}{starts}, got {value}{cure}"
        )
    return highest
