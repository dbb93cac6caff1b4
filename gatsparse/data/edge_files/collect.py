"""Edges that are collected in memory, with their own or with new node ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gatsparse.data.edge_files.reader import INT64_MAX

if TYPE_CHECKING:
    from gatsparse.data.edge_files.reader import Ends

_INT32_MAX = 2**31 - 1
_CHUNK = 2**22  # edges; memory blocks of this size are returned to the system when freed


def index_dtype(highest: int) -> type[np.integer]:
    """int32 if it holds :obj:`highest`, else int64."""
    return np.int32 if highest <= _INT32_MAX else np.int64


class Edges:
    """Edges in chunks. A chunk is int32 as long as all ids up to its end fit.

    Attributes:
        count (int): Number of edges.
        highest (int): The largest index, or -1.
    """

    def __init__(self) -> None:
        self.count, self.highest = 0, -1
        self._chunks: list[np.ndarray] = [np.empty((2, 0), np.int32)]
        self._room = 0  # in the last one

    def append(self, ends: Ends, highest: int, base: int) -> None:
        """Appends a copy of edges.

        Args:
            ends (tuple): Ids of sources and destinations.
            highest (int): The largest of them, or -1.
            base (int): The id of node 0.
        """
        self.highest = max(self.highest, highest - base)
        dtype = index_dtype(self.highest)
        start, stop = 0, len(ends[0])
        while start < stop:
            if self._room == 0 or self._chunks[-1].dtype != dtype:
                self._close()
                self._chunks.append(np.empty((2, _CHUNK), dtype))
                self._room = _CHUNK
            length = min(stop - start, self._room)
            used = _CHUNK - self._room
            for row, values in zip(self._chunks[-1], ends, strict=True):
                part, ids = row[used : used + length], values[start : start + length]
                if base == 0:
                    part[:] = ids
                else:
                    np.subtract(ids, ids.dtype.type(base), out=part, casting="unsafe")
            start += length
            self._room -= length
        self.count += stop

    def join(self, dtype: type[np.integer]) -> np.ndarray:
        """Returns all edges, ``[2, count]``. Each chunk is released as soon as it is copied."""
        self._close()
        joined, stop = np.empty((2, self.count), dtype), self.count
        while self._chunks:
            chunk = self._chunks.pop()
            start = stop - chunk.shape[1]
            joined[:, start:stop] = chunk
            stop = start
        return joined

    def _close(self) -> None:
        chunk = self._chunks[-1]
        self._chunks[-1] = chunk[:, : chunk.shape[1] - self._room]
        self._room = 0


def _check_span(lowest: int, highest: int) -> None:
    if lowest < 0 and highest > INT64_MAX:
        raise ValueError(
            f"expected ids that fit int64 or uint64, got ids from {lowest} to {highest}"
        )


def _of_one_dtype(ends: Ends) -> tuple[np.ndarray, ...]:
    """The ends in a dtype that holds all ids; NumPy would promote int64 and uint64 to float64."""
    if np.result_type(*ends).kind != "f" or ends[0].size == 0:
        return tuple(ends)
    lowest, highest = (int(bound) for bound in (min(map(np.min, ends)), max(map(np.max, ends))))
    _check_span(lowest, highest)
    dtype = np.uint64 if highest > INT64_MAX else np.int64
    return tuple(end.astype(dtype) for end in ends)


class Relabeled:
    """Edges with arbitrary 64-bit ids. Each block is stored as positions in its sorted unique ids.

    Attributes:
        count (int): Number of edges.
    """

    def __init__(self) -> None:
        self.count = 0
        self._blocks: list[tuple[np.ndarray, np.ndarray]] = []

    def append(self, ends: Ends) -> None:
        """Appends a copy of edges.

        Raises:
            ValueError: If some ids are negative and others need unsigned integers.
        """
        ids, positions = np.unique(np.concatenate(_of_one_dtype(ends)), return_inverse=True)
        self._blocks.append((ids, positions.astype(index_dtype(len(ids)))))
        self.count += len(ends[0])

    def join(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all edges, ``[2, count]``, and the id of each node, ``[N]``, in ascending order.

        Raises:
            ValueError: If some ids are negative and others need unsigned integers.
        """
        lowest = min((int(ids[0]) for ids, _ in self._blocks if len(ids) > 0), default=0)
        highest = max((int(ids[-1]) for ids, _ in self._blocks if len(ids) > 0), default=0)
        _check_span(lowest, highest)
        dtype = np.uint64 if highest > INT64_MAX else np.int64
        all_ids = [ids.astype(dtype) for ids, _ in self._blocks]
        node_ids = np.unique(np.concatenate([np.empty(0, dtype), *all_ids]))
        del all_ids
        joined = np.empty((2, self.count), index_dtype(len(node_ids)))
        stop = self.count
        while self._blocks:
            ids, positions = self._blocks.pop()
            start = stop - len(positions) // 2
            nodes = np.searchsorted(node_ids, ids.astype(dtype)).astype(joined.dtype)
            joined[:, start:stop] = nodes[positions].reshape(2, -1)
            stop = start
        return joined, node_ids
