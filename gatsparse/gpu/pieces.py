"""Rows of a CSR graph cut into pieces of at most L edges, in an order that balances the warps.

All shapes follow from the numbers of rows and edges, so nothing waits for the device. The pieces
of a graph are computed once, together with the proof that its indices are in range: kernels read
and write through them without a check.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary, WeakTensorKeyDictionary

_WINDOW = 256
_LEAST_LENGTH = 64
_MOST_PIECES = 32768  # of hubs; partial sums of about twice as many are allocated at most
_TOGETHER = 256  # pieces that a program combines, at most


class Pieces(NamedTuple):
    """Pieces of rows.

    Args:
        table (Tensor): ``[P, 4]`` in the dtype of the graph's indices: begin and end of a piece
            among the edges, its row and its slot. ``P = N + E // L``; unused entries have row -1.
            The slot of a whole row is -2. A piece of a longer row has slot ``2 * k`` if it is the
            first one, else ``2 * k + 1``, with the index ``k`` of its partial sums.
        chunks (Tensor): ``[.., 4]``: rows of more than 256 pieces are combined in two steps, and
            the first one adds each 256 of them. An entry is the index ``k`` of its result, and
            the begin and end of the range of ``k`` that it adds; unused entries have the index -1.
            The last column is 0. There are no entries if no row can have so many pieces.
        hubs (Tensor): ``[min(N, E // L), 4]``: row, and begin and end of the range of ``k`` whose
            sum it is, for rows of more than L edges; unused entries have row -1. The last column
            is 0.
        num_partial (int): Bound of the indices ``k``.
        length (int): L.
    """

    table: Tensor
    chunks: Tensor
    hubs: Tensor
    num_partial: int
    length: int


def piece_length(num_edges: int) -> int:
    """L, a power of two: so large that partial sums take little memory, whatever the degrees."""
    share = max(1, num_edges // _MOST_PIECES)
    return max(_LEAST_LENGTH, 1 << (share - 1).bit_length())


_assert = torch.ops.aten._assert_async.msg


class _Cached(NamedTuple):
    key: tuple
    ptr: Tensor
    perm: Tensor
    pieces: Pieces


_cache: WeakIdKeyDictionary = WeakTensorKeyDictionary()

_used: list[tuple[list[Tensor], Pieces]] | None = None


@contextmanager
def used() -> Iterator[list[tuple[list[Tensor], Pieces]]]:
    """Context that lists the graphs and pieces of which kernels are launched.

    The replays of a CUDA graph read them, so they must live as long as it does.
    """
    global _used
    _used = []
    try:
        yield _used
    finally:
        _used = None


def pieces(csr: list[Tensor], num_cols: int, length: int | None = None) -> Pieces:
    """Pieces of the rows of a CSR graph, from a cache while its tensors are alive and unmodified.

    An index out of range stops the program: on a GPU like that of an index in PyTorch's own
    kernels, by an assertion on the device.

    Args:
        csr (list): ``ptr``, ``other`` and ``perm`` as in :class:`gatsparse.graph.csr.CSR`.
        num_cols (int): Bound of ``other``.
        length (int, optional): L. (default: :func:`piece_length`)
    """
    found = _find_or_cut(csr, num_cols, length or piece_length(csr[1].numel()))
    if _used is not None:
        _used.append((list(csr), found))
    return found


def _find_or_cut(csr: list[Tensor], num_cols: int, length: int) -> Pieces:
    ptr, other, perm = csr
    key = (num_cols, length, *map(_version, csr))
    cached = _cache.get(other)
    if cached and cached.key == key and cached.ptr is ptr and cached.perm is perm:
        return cached.pieces
    _assert_in_range(csr, num_cols)
    # Kernels count a few edges beyond the end of a row.
    dtype = other.dtype if other.numel() < 2**31 - 2**10 else torch.int64
    found = cut(ptr, other.numel(), length, dtype)
    if not (ptr.is_cuda and torch.cuda.is_current_stream_capturing()):
        # What a captured graph computes is only there after its replay.
        _cache[other] = _Cached(key, ptr, perm, found)
    return found


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _assert_in_range(csr: list[Tensor], num_cols: int) -> None:
    ptr, other, perm = csr
    num_edges = other.numel()
    in_range = (ptr[0] == 0) & (ptr[-1] == num_edges) & (ptr.diff() >= 0).all()
    _assert(in_range, "csr: expected pointers that ascend from 0 to the edges")
    for index, bound in ((other, num_cols), (perm, num_edges)):
        _assert(((index >= 0) & (index < bound)).all(), "csr: index out of range")


def cut(ptr: Tensor, num_edges: int, length: int, dtype: torch.dtype) -> Pieces:
    """Cuts rows into pieces; within windows of 256 pieces, long ones come first.

    Args:
        ptr (Tensor): int64 ``[N + 1]``.
        num_edges (int): E.
        length (int): L.
        dtype (torch.dtype): int32 or int64, of the results.
    """
    num_rows, more = ptr.numel() - 1, num_edges // length
    num_chunks = 3 * more // _TOGETHER if more >= _TOGETHER else 0
    if num_rows == 0:
        empty = ptr.new_empty(0, 4, dtype=dtype)
        return Pieces(empty, empty, empty, 0, length)
    count = ((ptr.diff() + length - 1) // length).clamp(min=1)
    is_hub = count > 1
    partial_end = torch.where(is_hub, count, 0).cumsum(0)
    partial = partial_end - count  # of hubs: their first index of partial sums

    row, nth, used = _spread(count, num_rows + more)
    begin = ptr[row] + nth * length
    stop = torch.minimum(begin + length, ptr[row + 1])
    slot = torch.where(is_hub[row], 2 * (partial[row] + nth) + (nth > 0), -2)
    table = _table((begin, stop, row, slot), used, (0, 0, -1, -2), dtype)

    size = table[:, 1] - table[:, 0]
    window = torch.arange(len(table), device=ptr.device) // _WINDOW
    order = torch.sort(window * (length + 1) + length - size, stable=True).indices

    in_chunks = torch.where(count > _TOGETHER, (count + _TOGETHER - 1) // _TOGETHER, 0)
    chunk_end = 2 * more + in_chunks.cumsum(0)
    row, nth, used = _spread(in_chunks, num_chunks)
    begin = partial[row] + nth * _TOGETHER
    stop = torch.minimum(begin + _TOGETHER, partial_end[row])
    index = chunk_end[row] - in_chunks[row] + nth
    chunks = _table((index, begin, stop, nth * 0), used, (-1, 0, 0, 0), dtype)

    hub = torch.sort(is_hub, descending=True, stable=True).indices[:more]
    begin = torch.where(in_chunks > 0, chunk_end - in_chunks, partial)[hub]
    stop = torch.where(in_chunks > 0, chunk_end, partial_end)[hub]
    hubs = _table((hub, begin, stop, hub * 0), is_hub[hub], (-1, 0, 0, 0), dtype)
    return Pieces(table[order], chunks, hubs, 2 * more + num_chunks, length)


def _spread(count: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers the things of all rows, of which row ``i`` has ``count[i]``.

    Returns:
        tuple: For each of ``size`` things: its row, its number within the row, and whether it
        exists. The row of one that does not exist is the last one.
    """
    end = count.cumsum(0)
    thing = torch.arange(size, device=count.device)
    row = torch.searchsorted(end, thing, right=True)
    used = row < count.numel()
    row = row.clamp(max=count.numel() - 1)
    return row, thing - end[row] + count[row], used


def _table(
    columns: tuple[Tensor, ...], used: Tensor, unused: tuple[int, ...], dtype: torch.dtype
) -> Tensor:
    """The columns of a table, with other values where an entry is not used."""
    pairs = zip(columns, unused, strict=True)
    return torch.stack([torch.where(used, column, other) for column, other in pairs], 1).to(dtype)
