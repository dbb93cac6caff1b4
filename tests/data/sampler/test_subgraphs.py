"""Induced and bidirectional subgraphs of the sampled nodes."""

import pytest
import torch
from torch_geometric.data import HeteroData
from torch_geometric.utils import subgraph

from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import (
    ONE,
    SQUARE,
    assert_equal,
    check_graphs,
    nodes_of,
    random_hetero,
    sample,
)


@pytest.mark.parametrize("name", SQUARE)
def test_induced_holds_all_edges_between_sampled_nodes(name):
    edge_index, (num_nodes, _) = SQUARE[name]
    seeds = list(range(num_nodes))[::5]
    out = sample(SQUARE[name].csr(), [2, 1], seeds, subgraph_type="induced", seed=2)
    walk = sample(SQUARE[name].csr(), [2, 1], seeds, seed=2)
    assert torch.equal(out.node, walk.node)
    _, _, inside = subgraph(out.node, edge_index, num_nodes=num_nodes, return_edge_mask=True)
    assert torch.equal(out.edge.sort().values, inside.nonzero().flatten())
    assert torch.equal(out.node[torch.stack([out.row, out.col])], edge_index[:, out.edge])
    assert out.num_sampled_nodes is out.num_sampled_edges is None  # edges not hop by hop
    check_graphs(out)


def test_induced_holds_all_edges_of_several_types():
    data = random_hetero()
    out = sample(data, [2, 2], [1, 2, 9], "paper", subgraph_type="induced", seed=2)
    for key, store in data.edge_items():
        (src, _, dst), (j, i) = key, store.edge_index
        inside = torch.isin(j, out.node[src]) & torch.isin(i, out.node[dst])
        assert torch.equal(out.edge[key].sort().values, inside.nonzero().flatten())
        ends = torch.stack([out.node[src][out.row[key]], out.node[dst][out.col[key]]])
        assert torch.equal(ends, store.edge_index[:, out.edge[key]])
    assert out.edge["paper", "cites", "paper"].numel() > 0
    check_graphs(out)
    follow = NeighborSampler(data, [2, 2], "induced", seed=2)  # the second sample, as the first
    follow.sample_from_nodes(nodes_of([0, 3], "paper"))
    with follow.using(9):
        again = follow.sample_from_nodes(nodes_of([5], "paper"))
    fresh = NeighborSampler(data, [2, 2], "induced")
    with fresh.using(9):
        assert_equal(again, fresh.sample_from_nodes(nodes_of([5], "paper")))


def pairs(row, col):
    return set(zip(row.tolist(), col.tolist(), strict=True))


@pytest.mark.parametrize("name", SQUARE)
def test_bidirectional_adds_reverse_edges(name):
    seeds = list(range(SQUARE[name].size[0]))[:3]
    out = sample(SQUARE[name].csr(), [3, 2], seeds, subgraph_type="bidirectional", seed=2)
    walk = sample(SQUARE[name].csr(), [3, 2], seeds, seed=2)
    assert torch.equal(out.node, walk.node)
    assert pairs(out.row, out.col) == pairs(walk.row, walk.col) | pairs(walk.col, walk.row)
    assert len(pairs(out.row, out.col)) == out.row.numel()
    assert out.num_sampled_nodes is out.num_sampled_edges is None


@pytest.mark.parametrize("kind", ["one type", "several types"])
def test_bidirectional_graph_is_none_or_of_its_edges(kind):
    if kind == "one type":
        out = sample(SQUARE["random"].csr(), [3], [0, 1], subgraph_type="bidirectional")
        graphs, edges = {ONE: out.graph}, {ONE: (out.row, out.col)}
    else:
        data = HeteroData()
        data["a"].num_nodes = data["b"].num_nodes = 9
        for key in (("a", "to", "b"), ("b", "rev_to", "a")):
            data[key].edge_index = torch.randint(9, (2, 40))
        out = sample(data, [3, 3], [0, 1], "b", subgraph_type="bidirectional")
        graphs, edges = out.graph or {}, {key: (out.row[key], out.col[key]) for key in out.row}
    for key, graph in graphs.items():
        assert graph is None or torch.equal(graph.edge_index(), torch.stack(edges[key]))
