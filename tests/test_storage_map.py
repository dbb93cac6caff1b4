"""Values that belong to the memory of tensors."""

import gc

import torch

from gatsparse.storage_map import StorageMap


def test_values_belong_to_storages_while_they_are_alive():
    values = StorageMap(10)
    x, other = torch.zeros(3), torch.zeros(3)
    values.set(x.untyped_storage(), "x")
    assert values.get(x[1:].untyped_storage()) == "x"
    assert values.get(other.untyped_storage()) is None
    values.set(x.untyped_storage(), "new")
    assert values.get(x.untyped_storage()) == "new"
    assert len(values) == 1
    del x
    gc.collect()
    assert len(values) == 0


def test_another_storage_at_the_same_address_has_no_value():
    class Storage:
        _cdata = 7

    values, first, second = StorageMap(10), Storage(), Storage()
    values.set(first, "first")
    assert values.get(first) == "first"
    assert values.get(second) is None
    values.set(second, "second")
    del first
    gc.collect()
    assert values.get(second) == "second"


def test_oldest_values_are_dropped():
    values, tensors = StorageMap(2), [torch.zeros(1) for _ in range(3)]
    for number, tensor in enumerate(tensors):
        values.set(tensor.untyped_storage(), number)
    assert [values.get(tensor.untyped_storage()) for tensor in tensors] == [None, 1, 2]
    values.clear()
    assert len(values) == 0
