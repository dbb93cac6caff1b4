"""Samples depend on the generator only: seeds, threads and copies of a sampler."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import rmat
from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import (
    SQUARE,
    assert_equal,
    check_one,
    differ,
    nodes_of,
    random_hetero,
    sample,
)


def test_samples_do_not_depend_on_the_number_of_threads(threads):
    edge_index = rmat(2000, 60000, seed=1)
    data = Data(edge_index=edge_index, num_nodes=2000)
    seeds = torch.randint(2000, (900,)).tolist()
    outs = []
    for num_threads in (1, 2, 4):
        threads(num_threads)
        outs.append(sample(data, [40, 5], seeds, seed=3))
    check_one(edge_index, seeds, [40, 5], False, outs[-1])
    assert_equal(outs[1], outs[0])
    assert_equal(outs[2], outs[0])


def test_same_seed_gives_the_same_samples():
    graph = SQUARE["random"].csr()
    one, two, other = (NeighborSampler(graph, [3, 3], seed=seed) for seed in (5, 5, 6))
    first = one.sample_from_nodes(nodes_of([0, 1, 2]))
    assert_equal(two.sample_from_nodes(nodes_of([0, 1, 2])), first)
    assert differ(other.sample_from_nodes(nodes_of([0, 1, 2])), first)
    second = one.sample_from_nodes(nodes_of([0, 1, 2]))
    assert differ(second, first)
    assert_equal(two.sample_from_nodes(nodes_of([0, 1, 2])), second)


def test_seeded_sampler_does_not_use_the_global_generator():
    state = torch.get_rng_state()
    sample(SQUARE["random"].csr(), [3, 3], [0, 1, 2], seed=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_unseeded_sampler_uses_the_global_generator():
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 3])
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(sampler.sample_from_nodes(nodes_of([0, 1, 2])))
    assert_equal(outs[1], outs[0])
    assert differ(outs[2], outs[0])


def test_using_fixes_the_seed_of_some_samples():
    sampler, other = (NeighborSampler(SQUARE["random"].csr(), [3, 3], seed=s) for s in (1, 2))
    with sampler.using(7):
        first = sampler.sample_from_nodes(nodes_of([0, 1]))
        assert_equal(sampler.sample_from_nodes(nodes_of([0, 1])), first)
    with other.using(7):
        assert_equal(other.sample_from_nodes(nodes_of([0, 1])), first)
    fresh = NeighborSampler(SQUARE["random"].csr(), [3, 3], seed=1)
    assert_equal(
        sampler.sample_from_nodes(nodes_of([0, 1])), fresh.sample_from_nodes(nodes_of([0, 1]))
    )


def test_sampler_can_be_shared_by_threads():
    edge_index = rmat(500, 5000)
    sampler = NeighborSampler(Data(edge_index=edge_index, num_nodes=500), [5, 5], seed=0)

    def run(seed):
        with sampler.using(seed):
            return sampler.sample_from_nodes(nodes_of([seed, seed + 1, 499 - seed]))

    with ThreadPoolExecutor(4) as pool:
        outs = list(pool.map(run, range(100)))
    for seed, out in enumerate(outs):
        check_one(edge_index, [seed, seed + 1, 499 - seed], [5, 5], False, out)
        assert_equal(out, run(seed))


@pytest.mark.parametrize("again", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_copied_sampler_continues_like_the_original(again):
    sampler = NeighborSampler(random_hetero(), [3, 2], replace=True, seed=4)
    sampler.sample_from_nodes(nodes_of([1], "paper"))
    other = again(sampler)
    seeds = nodes_of([2, 3], "paper")
    out = sampler.sample_from_nodes(seeds)
    assert_equal(other.sample_from_nodes(seeds), out)
    assert other.is_hetero
    assert_equal(other.sample_from_nodes(seeds), sampler.sample_from_nodes(seeds))
