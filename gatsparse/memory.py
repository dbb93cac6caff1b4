"""Large tensors in memory that the kernels keep for the next one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatsparse import _native

_native.LIBRARY.define("new_empty(Tensor x, SymInt[] size) -> Tensor")


@_native.fake("new_empty")
def _(x: Tensor, size: Sequence[int]) -> Tensor:
    return x.new_empty(size)


#: Bytes from which on memory is kept.
LARGE = 4 << 20


def new_empty(x: Tensor, size: Sequence[int]) -> Tensor:
    """An uninitialised tensor on the CPU, with the dtype of :obj:`x`."""
    return torch.ops.gatsparse.new_empty.default(x, size)


def release_memory() -> None:
    """Returns the memory that the kernels keep for the next call to the operating system.

    On Linux, results of the kernels of at least 4 MB are in huge pages, which are kept when a
    tensor is freed: new pages would have to be filled with zeros in every training step. The kept
    memory and that in use are together at most a quarter, and at most 512 MB, more than what was
    in use at a time recently, and the operating system takes kept memory back where it is short.

    Example:
        >>> import gatsparse
        >>> gatsparse.release_memory()
    """
    if _native.available():
        _native.release_memory()
