"""Threads that prepare batches ahead."""

import threading
import time

import pytest
import torch

from gatsparse.data.loader import NeighborLoader
from tests.data.loader.batches import (
    BATCH,
    N,
    check,
    no_threads,
)


def test_threads_prepare_batches_ahead_and_stop(data):
    ready, names = [], set()

    def transform(batch):
        ready.append(batch)
        names.add(threading.current_thread().name)
        return batch

    loader = NeighborLoader(data, [2], batch_size=10, prefetch=2, transform=transform)
    for _ in loader:
        for _ in range(200):
            if len(ready) >= 3:
                break
            time.sleep(0.01)
        break
    assert len(ready) == 3  # that one, and two ahead
    assert no_threads()
    assert all(name.startswith("gatsparse-batches") for name in names)
    batches = iter(loader)
    next(batches)
    assert not no_threads()
    batches.close()
    assert no_threads()
    assert len(list(loader)) == 12
    assert no_threads()
    iter(loader)  # that is never asked
    assert no_threads()


def test_two_epochs_can_run_at_once(data):
    loader = NeighborLoader(data, [4], batch_size=BATCH, prefetch=2)
    for one, two in zip(loader, loader, strict=True):
        assert torch.equal(one.input_id, two.input_id)
        check(data, one)
        check(data, two)
    assert no_threads()


def test_bad_seed_raises_at_its_batch(data):
    for prefetch in (0, 2):
        loader = NeighborLoader(
            data, [2], input_nodes=[0, 1, N, 3], batch_size=1, prefetch=prefetch
        )
        batches = iter(loader)
        assert next(batches).n_id[0] == 0
        assert next(batches).n_id[0] == 1
        with pytest.raises(IndexError, match=f"index: expected indices in 0 .. {N - 1}, got {N}"):
            next(batches)
        assert next(iter(loader)).n_id[0] == 0
