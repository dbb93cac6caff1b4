"""Samples around edges and negative edges."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.sampler import (
    EdgeSamplerInput,
    NegativeSampling,
)

from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import ONE, SQUARE, check, check_one, every, of_types, random_hetero


def edge_input(data, edges, key=None):
    row, col = (data[key] if key else data).edge_index[:, edges]
    return EdgeSamplerInput(torch.tensor(edges), row, col, input_type=key)


def test_edges_are_seeds_of_both_ends():
    edge_index, _ = SQUARE["random"]
    data = Data(edge_index=edge_index, num_nodes=60)
    out = NeighborSampler(data, [3, 2], seed=1).sample_from_edges(edge_input(data, [7, 7, 450]))
    ids, label_index, label, time = out.metadata
    assert ids.tolist() == [7, 7, 450]
    assert torch.equal(out.node[label_index], edge_index[:, [7, 7, 450]])
    assert label is time is None
    seeds = edge_index[:, [7, 7, 450]].unique().tolist()
    check_one(edge_index, seeds, [3, 2], False, out)


@pytest.mark.parametrize("mode", ["binary", "triplet"])
@pytest.mark.parametrize(
    "key", [None, ("paper", "cites", "paper"), ("author", "writes", "paper")], ids=str
)
def test_negative_edges_are_seeds(key, mode):
    data = random_hetero() if key else Data(edge_index=SQUARE["random"].edge_index, num_nodes=60)
    edges = {k: data[k].edge_index for k in data.edge_types} if key else {ONE: data.edge_index}
    sampler = NeighborSampler(data, [3, 2], seed=1)
    out = sampler.sample_from_edges(edge_input(data, [4, 30], key), NegativeSampling(mode, 3))
    src, _, dst = key or ONE
    node = of_types(out.node)
    pairs = edges[key or ONE][:, [4, 30]]
    if mode == "binary":
        _, (sources, targets), label, _ = out.metadata
        assert label.tolist() == [1.0] * 2 + [0.0] * 6
        drawn = torch.stack([node[src][sources], node[dst][targets]])
        assert torch.equal(drawn[:, :2], pairs)
        seeds = {src: drawn[0].unique().tolist(), dst: drawn[1].unique().tolist()}
        if src == dst:
            seeds = {src: drawn.unique().tolist()}
    else:
        _, sources, targets, negative, _ = out.metadata
        assert negative.shape == (2, 3)
        assert torch.equal(torch.stack([node[src][sources], node[dst][targets]]), pairs)
        ends = torch.cat([node[dst][targets], node[dst][negative].flatten()])
        seeds = {src: node[src][sources].unique().tolist(), dst: ends.unique().tolist()}
        if src == dst:
            seeds = {src: torch.cat([node[src][sources], ends]).unique().tolist()}
    check(edges, seeds, every(edges, [3, 2]), False, out)
