"""Edges grouped by one of their ends (CSR), and the operators that sort them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.index_checks import check_indices, check_pointers, check_range, fitting_dtype
from gatsparse.tracing import recordable

_native.LIBRARY.define(
    "coo_to_csr(Tensor row, Tensor col, SymInt num_rows, SymInt num_cols, bool narrow) -> Tensor[]"
)
_native.LIBRARY.define("csr_transpose(Tensor[] csr, SymInt num_cols) -> Tensor[]")
_native.LIBRARY.define("find_duplicate(Tensor[] csr, int num_cols) -> Tensor")


@_native.fake("coo_to_csr")
def _(row: Tensor, col: Tensor, num_rows: int, _num_cols: int, narrow: bool) -> list[Tensor]:
    index = col.new_empty(col.numel(), dtype=torch.int32 if narrow else torch.int64)
    return [row.new_empty(num_rows + 1), index, torch.empty_like(index)]


@_native.fake("csr_transpose")
def _(csr: list[Tensor], num_cols: int) -> list[Tensor]:
    rowptr, col, perm = csr
    return [rowptr.new_empty(num_cols + 1), torch.empty_like(col), torch.empty_like(perm)]


class CSR(NamedTuple):
    """Entries grouped by row.

    Args:
        ptr (Tensor): int64 ``[num_rows + 1]``; row ``i`` holds entries ``ptr[i]:ptr[i + 1]``.
        other (Tensor): int32 or int64 ``[E]``; the other end of each edge.
        perm (Tensor): int32 or int64 ``[E]``; position of each edge in the unsorted input.

    Example:
        >>> import torch
        >>> from gatsparse import CSRGraph
        >>> graph = CSRGraph.from_edge_index(torch.tensor([[2, 0, 1], [0, 1, 0]]), num_nodes=3)
        >>> graph.csr.row()
        tensor([0, 0, 1])
    """

    ptr: Tensor
    other: Tensor
    perm: Tensor

    def row(self) -> Tensor:
        """Row of every entry, int64 ``[E]``."""
        return torch.repeat_interleave(
            torch.arange(self.ptr.numel() - 1, device=self.ptr.device),
            self.ptr.diff(),
            output_size=self.other.numel(),
        )

    def first(self, count: int, copies: int) -> CSR:
        """First :obj:`count` of the :obj:`copies` made by ``copied``."""
        rows = (self.ptr.numel() - 1) // copies * count
        entries = self.other.numel() // copies * count
        return CSR(self.ptr[: rows + 1], self.other[:entries], self.perm[:entries])


# Files written before CSR was moved to this module contain its former name.
torch.serialization.add_safe_globals([CSR, (CSR, "gatsparse.graph.CSR")])


def sort_edges(
    src: Tensor,
    dst: Tensor,
    num_src: int,
    num_dst: int,
    dtype: torch.dtype,
    confined: bool = False,
) -> CSR:
    """Groups edges by destination, in their given order.

    Args:
        src, dst (Tensor): int64 or int32 ``[E]``; the indices are checked.
        num_src, num_dst (int): Numbers of nodes.
        dtype (torch.dtype): Dtype of :attr:`CSR.other` and :attr:`CSR.perm`; it must fit them.
        confined (bool, optional): The indices are known to be in range.

    Raises:
        IndexError: If an index is negative or not below its number of nodes.
    """
    row, col = dst.contiguous(), src.contiguous()
    if src.device.type == "cpu" and _native.available():
        narrow = dtype == torch.int32
        try:
            return CSR(*torch.ops.gatsparse.coo_to_csr(row, col, num_dst, num_src, narrow))
        except RuntimeError:  # an index out of range: the checks name its position
            _check_ends(src, dst, num_src, num_dst)
            raise
    if not torch.compiler.is_compiling() and not confined:
        _check_ends(src, dst, num_src, num_dst)
    return sort_by_row(row.long(), col.long(), num_dst, dtype)


def _check_ends(src: Tensor, dst: Tensor, num_src: int, num_dst: int) -> None:
    check_range("edge_index[0]", src, num_src)
    check_range("edge_index[1]", dst, num_dst)


def checked_csr(ptr_name: str, ptr: Tensor, name: str, other: Tensor, num_other: int) -> CSR:
    """Checks and copies edges that are already grouped.

    Args:
        ptr_name, name (str): Names of the two arguments in error messages.
        ptr (Tensor): int64 or int32 ``[num_rows + 1]``.
        other (Tensor): int64 or int32 ``[E]``.
        num_other (int): Bound of :obj:`other`.

    Raises:
        TypeError, ValueError, IndexError: As in :meth:`gatsparse.CSRGraph.from_csr`.
    """
    for argument, index in ((ptr_name, ptr), (name, other)):
        check_indices(argument, index)
        if index.dim() != 1:
            raise ValueError(f"{argument}: expected one dimension, got {list(index.shape)}")
    num_rows, num_entries = ptr.numel() - 1, other.numel()
    if not torch.compiler.is_compiling():  # compiled, the operators check their arguments
        check_pointers(ptr_name, ptr, num_entries)
        check_range(name, other, num_other)
    dtype = fitting_dtype(num_rows, num_other, num_entries)
    with recordable():
        perm = torch.arange(num_entries, dtype=dtype, device=other.device)
        ptr, other = ptr.to(torch.int64, copy=True), other.to(dtype, copy=True)
        return CSR(ptr.contiguous(), other.contiguous(), perm)


def transpose(csr: CSR, num_cols: int) -> CSR:
    """Groups the entries by column; :attr:`CSR.perm` holds positions in :obj:`csr`."""
    if csr.ptr.device.type == "cpu" and _native.available():
        return CSR(*torch.ops.gatsparse.csr_transpose(list(csr), num_cols))
    return sort_by_row(csr.other.long(), csr.row(), num_cols, csr.other.dtype)


def sort_by_row(row: Tensor, col: Tensor, num_rows: int, dtype: torch.dtype) -> CSR:
    """Groups entries by row in torch operations, for devices without a native operator; nothing
    waits for the device.
    """
    by_row = torch.sort(row, stable=True)
    ptr = torch.searchsorted(by_row.values, torch.arange(num_rows + 1, device=row.device))
    return CSR(ptr, col[by_row.indices].to(dtype), by_row.indices.to(dtype))


def copied(csr: CSR, count: int, num_cols: int) -> CSR:
    """Returns the disjoint union of copies of a graph, numbered one copy after another.

    Args:
        csr (CSR): The graph.
        count (int): Number of copies.
        num_cols (int): Number of columns of one copy.
    """
    num_rows, num_entries = csr.ptr.numel() - 1, csr.other.numel()
    dtype = fitting_dtype(count * num_cols, count * num_rows, count * num_entries)
    copy = torch.arange(count, device=csr.ptr.device)[:, None]

    def shifted(values: Tensor, by: int) -> Tensor:
        return (values.long() + copy * by).flatten()

    end = csr.ptr.new_full((1,), count * num_entries)
    return CSR(
        torch.cat([shifted(csr.ptr[:-1], num_entries), end]),
        shifted(csr.other, num_cols).to(dtype),
        shifted(csr.perm, num_entries).to(dtype),
    )


def find_duplicate(csr: CSR, num_cols: int) -> tuple[int, int] | None:
    """Returns the input positions of the first duplicate edge: an edge and its repetition.

    See :meth:`gatsparse.CSRGraph.find_duplicate`.
    """
    if csr.ptr.device.type == "cpu" and _native.available():
        pair = torch.ops.gatsparse.find_duplicate(list(csr), num_cols)
    else:
        pair = find_duplicate_in_torch(csr)
    return (int(pair[0]), int(pair[1])) if pair.numel() > 0 else None


def find_duplicate_in_torch(csr: CSR) -> Tensor:
    """Positions of a duplicate edge in torch operations: int64 ``[2]``, or ``[0]`` if none."""
    order = torch.sort(csr.perm).indices
    order = order[torch.sort(csr.other[order], stable=True).indices]
    order = order[torch.sort(csr.row()[order], stable=True).indices]
    row, other, perm = csr.row()[order], csr.other[order], csr.perm[order].long()
    again = ((row.diff() == 0) & (other.diff() == 0)).nonzero().squeeze(1)
    if again.numel() == 0:
        return perm[:0]
    first = again[perm[again + 1].argmin()]
    return perm[first : first + 2]
