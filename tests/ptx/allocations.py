"""Which bytes of tensors were written since ``torch.empty`` allocated them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from tests.ptx.emulator.warps import Fault

_ALLOCATES = {"empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided"}
_READS_SHAPE = {"zeros_like", "ones_like", "full_like", "rand_like", "randn_like"} | {
    *("new_zeros", "new_ones", "new_full", "new_tensor", "_has_compatible_shallow_copy_type")
}


def storage_bytes(tensor: Tensor) -> np.ndarray:
    """The storage of a CPU tensor as uint8 ``[bytes]``, sharing its memory."""
    return torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage()).numpy()


class Allocations(TorchDispatchMode):
    """While active, tensors of ``torch.empty`` are filled with ones (NaN, -1) and watched.

    An operation of torch that reads bytes of them which nothing has written raises a Fault.
    """

    def __init__(self):
        super().__init__()
        self._known: dict[StorageWeakRef, np.ndarray] = {}

    def known(self, tensor: Tensor) -> np.ndarray | None:
        """Bytes of the tensor's storage that were written; None if it is not watched."""
        return self._known.get(StorageWeakRef(tensor.untyped_storage()))

    def written(self, tensor: Tensor) -> bool:
        """Whether all elements of a tensor were written."""
        known = self.known(tensor)
        return known is None or bool(self._elements(tensor, known).all())

    @staticmethod
    def _elements(tensor: Tensor, known: np.ndarray) -> np.ndarray:
        """The flags of a tensor's bytes, ``[*shape, itemsize]``, sharing memory."""
        size = tensor.element_size()
        start = tensor.storage_offset() * size
        return np.lib.stride_tricks.as_strided(
            known[start : start + 1] if tensor.numel() else known[:0],
            (*tensor.shape, size),
            (*(step * size for step in tensor.stride()), 1),
        )

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.split("::")[1]
        if self._known and name not in _ALLOCATES | _READS_SHAPE:
            for tensor, alias in _tensors(func, args, kwargs):
                if alias is None and not self.written(tensor):
                    raise Fault(f"{func} reads memory that was never written")
        result = func(*args, **kwargs)
        if name in _ALLOCATES and isinstance(result, Tensor):
            self._allocated(result)
        elif self._known:
            for tensor, alias in _tensors(func, args, kwargs):
                if alias is not None and alias.is_write:
                    known = self.known(tensor)
                    if known is not None:
                        self._elements(tensor, known)[...] = True
        return result

    def _allocated(self, tensor: Tensor) -> None:
        for gone in [ref for ref in self._known if ref.expired()]:
            del self._known[gone]
        if tensor.device.type != "cpu" or tensor.untyped_storage().nbytes() == 0:
            return
        data = storage_bytes(tensor)
        data[:] = 0xFF
        self._known[StorageWeakRef(tensor.untyped_storage())] = np.zeros(data.size, bool)


def _tensors(func: Any, args: tuple, kwargs: dict) -> Iterator[tuple[Tensor, Any]]:
    """Yields the tensors among the arguments with their alias information."""
    for place, argument in enumerate(func._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, Tensor):
                yield item, argument.alias_info
