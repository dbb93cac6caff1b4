"""Edges in an ``.npy`` file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatsparse.data.edge_files.reader import Block, EdgeListError
from gatsparse.data.npy import read_header

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


class Npy:
    """Array ``[2, E]`` or ``[E, 2]`` in any memory order. It is mapped again for each block, so
    that the pages of earlier blocks can be dropped.
    """

    base = None
    num_nodes = None

    def __init__(self, path: Path, block_size: int) -> None:
        self.path = path
        self._block_size = block_size
        try:
            self._array = array = read_header(path)
        except ValueError as error:
            raise EdgeListError(str(error)) from error
        shape, dtype = array.shape, array.dtype
        if dtype.kind not in "iu":
            raise EdgeListError(f"{path}: expected integers, got dtype {dtype}")
        if len(shape) != 2 or 2 not in shape:
            raise EdgeListError(f"{path}: expected shape [2, E] or [E, 2], got {list(shape)}")
        if array.size != array.end:
            what = f"truncated at byte {array.size}" if array.size < array.end else "more data"
            raise EdgeListError(
                f"{path}: expected {array.end} bytes with {dtype} {list(shape)}, "
                f"got {array.size}: {what}"
            )
        self._by_end = shape[0] == 2
        self._num_edges = shape[1] if self._by_end else shape[0]

    def blocks(self) -> Generator[Block]:
        """Yields all edges of the file, in its order."""
        array = self._array
        order = "F" if array.fortran_order else "C"
        for start in range(0, self._num_edges, self._block_size):
            stop = min(start + self._block_size, self._num_edges)
            pages = np.memmap(self.path, array.dtype, "r", array.offset, array.shape, order)
            ends = (pages if self._by_end else pages.T)[:, start:stop]
            yield Block((ends[0], ends[1]), stop / self._num_edges)

    def where(self, edge: int, end: int = 0) -> str:
        """Position of an edge, and the byte of one of its ends."""
        adjacent = self._by_end == self._array.fortran_order  # the two ends of an edge
        item = 2 * edge + end if adjacent else end * self._num_edges + edge
        return f"edge {edge} (byte {self._array.offset + item * self._array.dtype.itemsize})"
