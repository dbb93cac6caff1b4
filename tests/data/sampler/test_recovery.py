"""A sampler stays usable after errors, interrupts and inference mode."""

import pytest
import torch
from torch_geometric.sampler import (
    EdgeSamplerInput,
)

from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import SQUARE, check, check_one, every, nodes_of, random_hetero


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([1, 60], IndexError, "index: expected indices in 0 .. 59, got 60"),
        ([1, -1], IndexError, "index: expected indices in 0 .. 59, got -1"),
        ([2**40], IndexError, "got 1099511627776"),
        ([-(2**63), 3], IndexError, "got -9223372036854775808"),
        ([[1, 2]], ValueError, r"index: expected nodes of shape \[B\], got \[1, 2\]"),
        (3, ValueError, r"index: expected nodes of shape \[B\], got \[\]"),
    ],
)
def test_sampler_is_usable_after_bad_seeds(seeds, error, message):
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    for _ in range(2):
        sampler.sample_from_nodes(nodes_of([1, 2, 2]))
        with pytest.raises(error, match=message):
            sampler.sample_from_nodes(nodes_of(seeds))
        out = sampler.sample_from_nodes(nodes_of([59, 1, 2, 59]))
        check_one(edge_index, [59, 1, 2, 59], [3, 2], False, out)
    assert all(bool((numbers[""] == -1).all()) for numbers in sampler._idle)


def test_sampler_is_usable_after_bad_edges():
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    sampler = NeighborSampler(data, [3, 2], seed=1)
    sampler.sample_from_nodes(nodes_of([1], "paper"))
    bad = EdgeSamplerInput(
        None, torch.tensor([1]), torch.tensor([30]), input_type=("author", "writes", "paper")
    )
    with pytest.raises(IndexError, match=r"index: expected indices in 0 \.\. 29, got 30"):
        sampler.sample_from_edges(bad)
    out = sampler.sample_from_nodes(nodes_of([1, 4], "paper"))
    check(edges, {"paper": [1, 4]}, every(edges, [3, 2]), False, out)


def sampler_after_error(data, fine, bad, input_type=None):
    """Returns a sampler after a sample that failed for lack of memory."""
    sampler = NeighborSampler(data, bad, replace=True, seed=1)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        sampler.sample_from_nodes(nodes_of([0, 1], input_type))
    sampler.num_neighbors = fine
    return sampler


def test_sampler_is_usable_after_an_error_in_a_later_hop():
    edge_index, _ = SQUARE["random"]
    sampler = sampler_after_error(SQUARE["random"].csr(), [2, 2], [2, 2**45])
    out = sampler.sample_from_nodes(nodes_of([0, 5]))
    check_one(edge_index, [0, 5], [2, 2], True, out)


def test_sampler_is_usable_after_an_error_in_a_later_edge_type():
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    fine = every(edges, [4])
    sampler = sampler_after_error(data, fine, {**fine, ("topic", "of", "paper"): [2**45]}, "paper")
    out = sampler.sample_from_nodes(nodes_of([5, 6], "paper"))
    assert out.node["paper"].numel() == 2 + out.num_sampled_nodes["paper"][1]
    check(edges, {"paper": [5, 6]}, fine, True, out)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_sampler_is_usable_after_an_interrupt(monkeypatch, call):
    """Ctrl-C while an operator runs is raised when it returns."""
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    relabel, calls = torch.ops.gatsparse.relabel, []

    def interrupted(*args):
        calls.append(relabel(*args))
        if len(calls) == call:
            raise KeyboardInterrupt
        return calls[-1]

    with monkeypatch.context() as patch:
        patch.setattr(torch.ops.gatsparse, "relabel", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sampler.sample_from_nodes(nodes_of([0, 1]))
    out = sampler.sample_from_nodes(nodes_of([2, 1]))
    check_one(edge_index, [2, 1], [3, 2], False, out)


def test_sampler_first_used_in_inference_mode_works_in_training():
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    with torch.inference_mode():
        sampler.sample_from_nodes(nodes_of([0, 1]))
    check_one(edge_index, [0, 0, 2], [3, 2], False, sampler.sample_from_nodes(nodes_of([0, 0, 2])))


def test_sampler_works_in_inference_mode_after_training():
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    sampler.sample_from_nodes(nodes_of([0, 1]))
    with torch.inference_mode():
        out = sampler.sample_from_nodes(nodes_of([0, 0, 2]))
        check_one(edge_index, [0, 0, 2], [3, 2], False, out)
