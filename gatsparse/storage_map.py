"""Values that belong to the memory of tensors."""

from __future__ import annotations

from typing import Generic, TypeVar
from weakref import ReferenceType, ref

from torch import UntypedStorage

Value = TypeVar("Value")


class StorageMap(Generic[Value]):
    """Keeps a value for each of some storages while the storage is alive.

    The key is a storage, not a tensor: views are new tensors in each call, and
    ``torch.utils.swap_tensors`` rejects tensors with weak references. It is the address of the
    storage, which is unique while the storage is alive.

    Args:
        capacity (int): Number of storages; the oldest are dropped first.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: dict[int, tuple[ReferenceType[UntypedStorage], Value]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, storage: UntypedStorage) -> Value | None:
        """Returns the value of a storage, or None."""
        reference, value = self._entries.get(storage._cdata, (None, None))
        return value if reference is not None and reference() is storage else None

    def set(self, storage: UntypedStorage, value: Value) -> None:
        """Sets the value of a storage."""
        address = storage._cdata

        def forget(reference: ReferenceType) -> None:
            if self._entries.get(address, (None, None))[0] is reference:
                self._entries.pop(address, None)

        if address not in self._entries and len(self) >= self._capacity:
            self._entries.pop(next(iter(self._entries)), None)
        self._entries[address] = ref(storage, forget), value

    def clear(self) -> None:
        """Drops all values."""
        self._entries.clear()
