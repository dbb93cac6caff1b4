"""Rows of a CSR graph cut into pieces of at most L edges, in an order that balances the warps.

All shapes follow from the numbers of rows and edges, so nothing waits for the device. The pieces
of a graph are computed once, together with the proof that its indices are in range: kernels read
and write through them without a check.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary, WeakTensorKeyDictionary

_WINDOW = 256
_LEAST_LENGTH = 64
_MOST_PIECES = 32768  # of hubs; partial sums of twice as many are allocated at most


class Pieces(NamedTuple):
    """Pieces of rows.

    Args:
        table (Tensor): ``[P, 4]`` in the dtype of the graph's indices: begin and end of a piece
            among the edges, its row and its slot. ``P = N + E // L``; unused entries have row -1.
            The slot of a whole row is -2. A piece of a longer row has slot ``2 * k`` if it is the
            first one, else ``2 * k + 1``, with the index ``k`` of its partial sums.
        hubs (Tensor): ``[min(N, E // L), 4]``: row, first ``k`` and the end of its range of ``k``,
            for rows of more than L edges; unused entries have row -1. The last column is 0.
        num_partial (int): Bound of the indices ``k``.
        length (int): L.
    """

    table: Tensor
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


def pieces(csr: list[Tensor], num_cols: int, length: int | None = None) -> Pieces:
    """Pieces of the rows of a CSR graph, from a cache while its tensors are alive and unmodified.

    An index out of range stops the program: on a GPU like that of an index in PyTorch's own
    kernels, by an assertion on the device.

    Args:
        csr (list): ``ptr``, ``other`` and ``perm`` as in :class:`gatsparse.graph.csr.CSR`.
        num_cols (int): Bound of ``other``.
        length (int, optional): L. (default: :func:`piece_length`)
    """
    ptr, other, perm = csr
    length = length or piece_length(other.numel())
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
    if num_rows == 0:
        empty = ptr.new_empty(0, 4, dtype=dtype)
        return Pieces(empty, empty, 0, length)
    count = ((ptr.diff() + length - 1) // length).clamp(min=1)
    is_hub = count > 1
    partial_end = torch.where(is_hub, count, 0).cumsum(0)
    partial = partial_end - count  # of hubs: their first index of partial sums

    piece = torch.arange(num_rows + more, device=ptr.device)
    end = count.cumsum(0)
    row = torch.searchsorted(end, piece, right=True)
    used = row < num_rows
    row = row.clamp(max=num_rows - 1)
    nth = piece - end[row] + count[row]
    begin = ptr[row] + nth * length
    stop = torch.minimum(begin + length, ptr[row + 1])
    slot = torch.where(is_hub[row], 2 * (partial[row] + nth) + (nth > 0), -2)
    columns = zip((begin, stop, row, slot), (0, 0, -1, -2), strict=True)
    table = torch.stack([torch.where(used, column, unused) for column, unused in columns], 1)

    size = table[:, 1] - table[:, 0]
    order = torch.sort(piece // _WINDOW * (length + 1) + length - size, stable=True).indices

    hub = torch.sort(is_hub, descending=True, stable=True).indices[:more]
    used = is_hub[hub]
    columns = zip((hub, partial[hub], partial_end[hub]), (-1, 0, 0), strict=True)
    columns = [torch.where(used, column, unused) for column, unused in columns]
    hubs = torch.stack([*columns, torch.zeros_like(hub)], 1)
    return Pieces(table[order].to(dtype), hubs.to(dtype), 2 * more, length)
