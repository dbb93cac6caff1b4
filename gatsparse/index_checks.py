"""Checks of the index tensors and sizes of a graph."""

from __future__ import annotations

import operator

import torch
from torch import Tensor

from gatsparse.checks import check_instance
from gatsparse.tracing import is_traced

_INT32_MAX = torch.iinfo(torch.int32).max
_INT64_MAX = torch.iinfo(torch.int64).max


def fitting_dtype(*sizes: int) -> torch.dtype:
    """Smallest dtype for indices below all sizes; int64 under torch.compile, for any size."""
    narrow = not torch.compiler.is_compiling() and max(sizes) <= _INT32_MAX
    return torch.int32 if narrow else torch.int64


def check_indices(name: str, index: Tensor) -> None:
    """Raises TypeError if :obj:`index` is not a tensor of int64 or int32."""
    check_instance(name, index, Tensor, "a tensor")
    if index.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name}: expected int64 or int32, got {index.dtype}")


def check_edge_index(edge_index: Tensor) -> None:
    """Raises TypeError or ValueError if :obj:`edge_index` is not ``[2, E]`` of integers."""
    check_indices("edge_index", edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index: expected shape [2, E], got {list(edge_index.shape)}")


def check_range(name: str, index: Tensor, size: int) -> None:
    """Raises IndexError if an entry of :obj:`index` is not in ``0 .. size - 1``."""
    if index.numel() == 0:
        return
    low, high = (int(bound) for bound in index.aminmax())
    if low < 0 or high >= size:
        worst = low if low < 0 else high
        position = int((index == worst).nonzero()[0])
        raise IndexError(
            f"{name}: expected indices in 0 .. {size - 1}, got {worst} at position {position}"
        )


def check_pointers(name: str, ptr: Tensor, num_entries: int) -> None:
    """Raises ValueError if :obj:`ptr` does not rise from 0 to :obj:`num_entries`."""
    if ptr.numel() == 0 or ptr[0] != 0 or ptr[-1] != num_entries or (ptr.diff() < 0).any():
        raise ValueError(f"{name}: expected to rise from 0 to {num_entries}")


def check_permutation(name: str, perm: Tensor, expected: Tensor) -> None:
    """Raises if :obj:`perm` is not a permutation of the shape of :obj:`expected`."""
    check_indices(name, perm)
    if perm.shape != expected.shape:
        raise ValueError(f"{name}: expected shape {list(expected.shape)}, got {list(perm.shape)}")
    if is_traced(perm) or perm.numel() == 0:
        return
    check_range(name, perm, perm.numel())
    count = torch.bincount(perm)
    if count.max() > 1:
        raise ValueError(f"{name}: expected every position once, got {int(count.argmax())} twice")


def check_size(name: str, size: int) -> int:
    """Returns a number of nodes or copies as an int; symbols of a tracer are returned unchanged.

    Raises:
        TypeError: If :obj:`size` is not an integer.
        ValueError: If it is negative or does not fit int64.
    """
    if torch.compiler.is_compiling() or isinstance(size, torch.SymInt):
        return size
    if not isinstance(size, int):
        try:
            size = operator.index(size)
        except TypeError as error:
            raise TypeError(f"{name}: expected an integer, got {size!r}") from error
    if not 0 <= size <= _INT64_MAX:
        raise ValueError(f"{name}: expected 0 .. 2**63 - 1, got {size}")
    return size
