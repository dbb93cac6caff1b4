"""Batches depend on the generator only, not on threads or prefetching."""

import pytest
import torch

from gatsparse.data.loader import NeighborLoader
from tests.data.loader.batches import BATCH, N, content


def test_batches_do_not_depend_on_threads_and_prefetch(data, threads):
    expected = content(NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3))
    for num_threads in (1, 2, 4):
        threads(num_threads)
        for prefetch in (0, 1, 2, 3, 50):
            loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=prefetch)
            assert content(loader) == expected
    assert content(NeighborLoader(data, [4, 3], batch_size=BATCH, seed=4)) != expected


@pytest.mark.parametrize("prefetch", [0, 2])
def test_epochs_differ(data, prefetch):
    loaders = [
        NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=p) for p in (prefetch, 0)
    ]
    first, second = (content(loaders[0]) for _ in range(2))
    assert first != second
    assert [content(loaders[1]) for _ in range(2)] == [first, second]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_unseeded_loader_uses_the_global_generator(data, prefetch):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, prefetch=prefetch, shuffle=True)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(content(loader))
    assert found[0] == found[1] != found[2]


def test_shuffled_batches_hold_every_seed_once(data):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, prefetch=2, shuffle=True)
    seeds = torch.cat([batch.n_id[: batch.batch_size] for batch in loader])
    assert torch.equal(seeds.sort().values, torch.arange(N))
    assert not torch.equal(seeds, torch.arange(N))


@pytest.mark.parametrize("prefetch", [1, 3])
def test_shuffled_batches_do_not_depend_on_prefetch(data, prefetch):
    found = []
    for p in (0, prefetch):
        torch.manual_seed(1)
        loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, shuffle=True, prefetch=p)
        found.append(content(loader))
    assert found[0] == found[1]


def test_batches_after_a_break_do_not_depend_on_prefetch(data):
    found = []
    for prefetch in (0, 2):
        loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=prefetch)
        for _ in loader:
            break
        found.append(content(loader))
    assert found[0] == found[1]


def test_repeated_batch_is_drawn_again(data):
    loader = NeighborLoader(data, [4, 3], batch_sampler=[[1, 2, 3, 4]] * 2, seed=1)
    first, second = content(loader)
    assert first != second


def test_calls_of_a_loader_are_drawn_again(data):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=1)
    assert content([loader([1, 2, 3])]) != content([loader([1, 2, 3])])
    assert len(list(loader)) == 5
    assert content([loader([1, 2, 3])]) != content([loader([1, 2, 3])])
