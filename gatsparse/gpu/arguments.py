"""Checks of the tensors that a kernel reads and writes through pointers."""

from __future__ import annotations

import torch
from torch import Tensor


def check_tensor(
    name: str, tensor: Tensor, like: Tensor, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    """Raises RuntimeError unless a tensor is contiguous, on the device of another one, and of the
    dtype and shape that a kernel expects.
    """
    if tensor.dtype != dtype:
        raise RuntimeError(f"{name}: expected {dtype}, got {tensor.dtype}")
    if tensor.shape != shape:
        raise RuntimeError(f"{name}: expected shape {list(shape)}, got {list(tensor.shape)}")
    if tensor.device != like.device:
        raise RuntimeError(f"{name}: expected a tensor on {like.device}, got {tensor.device}")
    if not tensor.is_contiguous():
        raise RuntimeError(f"{name}: expected a contiguous tensor")


def check_csr(name: str, csr: list[Tensor], like: Tensor, num_rows: int, num_edges: int) -> None:
    """Raises RuntimeError unless ``ptr``, ``other`` and ``perm`` have the dtypes and shapes of a
    CSR graph; the values are checked in :mod:`gatsparse.gpu.pieces`.
    """
    ptr, other, perm = csr
    check_tensor(f"{name}[0]", ptr, like, torch.int64, (num_rows + 1,))
    if other.dtype not in (torch.int32, torch.int64):
        raise RuntimeError(f"{name}[1]: expected int32 or int64, got {other.dtype}")
    check_tensor(f"{name}[1]", other, like, other.dtype, (num_edges,))
    check_tensor(f"{name}[2]", perm, like, other.dtype, (num_edges,))
