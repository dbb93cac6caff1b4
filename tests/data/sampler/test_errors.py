"""Bad arguments and unsupported options of the sampler raise."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.sampler import (
    EdgeSamplerInput,
    NodeSamplerInput,
)

from gatsparse import _native
from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import BIPARTITE, SQUARE, every, nodes_of, random_hetero


def test_missing_kernels_raise(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "not built")
    with pytest.raises(ImportError, match="NeighborSampler: not built"):
        NeighborSampler(SQUARE["random"].csr(), [2])


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, TypeError, "data: expected Data, .* got NoneType"),
        (SQUARE["random"].edge_index, TypeError, "data: expected Data, .* got Tensor"),
        (Data(num_nodes=3), TypeError, "data: expected edge_index or adj_t, got neither"),
        (
            BIPARTITE["bipartite, more sources"].csr(),
            ValueError,
            r"data: expected a graph of one node set, got size \(30, 7\)",
        ),
        (
            Data(edge_index=torch.tensor([[0], [3]]), num_nodes=3),
            IndexError,
            r"edge_index\[1\]: expected indices in 0 .. 2, got 3",
        ),
    ],
)
def test_data_without_a_graph_raises(data, error, message):
    with pytest.raises(error, match=message):
        NeighborSampler(data, [2])


@pytest.mark.parametrize(
    "num_neighbors", [[-2], [2, -3], [2.0], [True], ["2"], {("a", "to", "a"): [2]}]
)
def test_bad_num_neighbors_raise(num_neighbors):
    with pytest.raises(ValueError, match="num_neighbors: expected"):
        NeighborSampler(SQUARE["random"].csr(), num_neighbors)


@pytest.mark.parametrize("num_neighbors", [3, None, "2", torch.tensor([2])])
def test_num_neighbors_of_other_types_raise(num_neighbors):
    with pytest.raises(TypeError, match="num_neighbors: expected a number for each hop"):
        NeighborSampler(SQUARE["random"].csr(), num_neighbors)


def test_empty_num_neighbors_raises():
    with pytest.raises(ValueError, match="num_neighbors"):
        NeighborSampler(SQUARE["random"].csr(), {})


@pytest.mark.parametrize(
    "num_neighbors",
    [
        {("paper", "cites", "paper"): [2]},
        every(random_hetero().edge_types, [2]) | {("paper", "cites", "paper"): [2, 2]},
        every([*random_hetero().edge_types, ("a", "to", "b")], [2]),
    ],
    ids=["a type is missing", "numbers of hops differ", "a type too many"],
)
def test_num_neighbors_must_match_the_edge_types(num_neighbors):
    with pytest.raises(ValueError, match="edge type"):
        NeighborSampler(random_hetero(), num_neighbors)


def test_missing_edge_type_is_named():
    with pytest.raises(ValueError, match=r"num_neighbors: .*'writes'"):
        NeighborSampler(random_hetero(), {("paper", "cites", "paper"): [2]})


def test_only_missing_edge_types_are_named():
    with pytest.raises(ValueError, match="num_neighbors: ") as error:
        NeighborSampler(random_hetero(), {("paper", "cites", "paper"): [2]})
    assert "writes" in str(error.value)
    assert "cites" not in str(error.value)


def test_different_numbers_of_hops_raise():
    counts = every(random_hetero().edge_types, [2]) | {("paper", "cites", "paper"): [2, 2]}
    with pytest.raises(ValueError, match=r"num_neighbors: .*[Nn]umber of hops") as error:
        NeighborSampler(random_hetero(), counts)
    assert "lacks" not in str(error.value)


def test_unknown_subgraph_type_raises():
    with pytest.raises(ValueError, match="'some'"):
        NeighborSampler(SQUARE["random"].csr(), [2], subgraph_type="some")


@pytest.mark.parametrize(
    ("data", "input_type"),
    [(random_hetero(), "venue"), (random_hetero(), None), (SQUARE["random"].csr(), "paper")],
    ids=["no such type", "no type", "a type where there is one"],
)
def test_unknown_input_type_raises(data, input_type):
    sampler = NeighborSampler(data, [2])
    with pytest.raises((ValueError, KeyError)):
        sampler.sample_from_nodes(nodes_of([0, 1], input_type))


def test_temporal_node_sampling_raises():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    with pytest.raises(ValueError, match="input_time: expected None"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([1]), time=torch.tensor([0])))
    sampler = NeighborSampler(random_hetero(), [2])
    with pytest.raises(ValueError, match="input_time: expected None"):
        sampler.sample_from_nodes(
            NodeSamplerInput(None, torch.tensor([1]), torch.tensor([0]), input_type="paper")
        )


def test_temporal_edge_sampling_raises():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    one = torch.tensor([1])
    with pytest.raises(ValueError, match="time: expected None"):
        sampler.sample_from_edges(EdgeSamplerInput(None, one, one, time=one))


def test_too_many_edges_raise():
    sampler = NeighborSampler(SQUARE["hub"].csr(), [2**62], replace=True)
    with pytest.raises((RuntimeError, ValueError)):
        sampler.sample_from_nodes(nodes_of([0, 1, 2, 3]))
