"""Samples for tests, and the plain loop that checks them."""

import torch
from torch_geometric.data import HeteroData
from torch_geometric.sampler import (
    NodeSamplerInput,
)

from gatsparse import CSRGraph
from gatsparse.data.sampler import NeighborSampler
from gatsparse.testing import graph_zoo

ONE = ("", "", "")
ZOO = graph_zoo()
SQUARE = {name: graph for name, graph in ZOO.items() if graph.size[0] == graph.size[1]}
BIPARTITE = {name: graph for name, graph in ZOO.items() if name not in SQUARE}
LINK = ("src", "to", "dst")


def nodes_of(seeds, input_type=None):
    return NodeSamplerInput(None, torch.tensor(seeds, dtype=torch.int64), input_type=input_type)


def sample(data, num_neighbors, seeds, input_type=None, **options):
    sampler = NeighborSampler(data, num_neighbors, **options)
    return sampler.sample_from_nodes(nodes_of(seeds, input_type))


def every(edge_types, num_neighbors):
    return {key: list(num_neighbors) for key in edge_types}


def of_types(value):
    """Returns a value of one node type as a dict of types."""
    return value if isinstance(value, dict) else {"": value}


def of_edge_types(value):
    return value if isinstance(value, dict) else {ONE: value}


def check(graphs, seeds, num_neighbors, replace, out):
    """Checks that a plain loop could have drawn this sample.

    graphs: edge_index by edge type; seeds: lists by node type; num_neighbors: by edge type.
    """
    node = {key: nodes.tolist() for key, nodes in of_types(out.node).items()}
    row, col, edge = (
        {key: t.tolist() for key, t in of_edge_types(value).items()}
        for value in (out.row, out.col, out.edge)
    )
    in_edges = {key: {} for key in graphs}
    for key, edge_index in graphs.items():
        for e, i in enumerate(edge_index[1].tolist()):
            in_edges[key].setdefault(i, []).append(e)
    met = {key: list(seeds.get(key, [])) for key in node}
    local = {key: {} for key in node}
    for key, nodes in met.items():
        for k, i in enumerate(nodes):
            local[key].setdefault(i, k)
    begin = dict.fromkeys(node, 0)
    taken = dict.fromkeys(graphs, 0)
    num_nodes = {key: [len(nodes)] for key, nodes in met.items()}
    num_edges = {key: [] for key in graphs}
    for hop in range(len(next(iter(num_neighbors.values())))):
        frontier = {key: range(begin[key], len(nodes)) for key, nodes in met.items()}
        begin = {key: len(nodes) for key, nodes in met.items()}
        for key, edge_index in graphs.items():
            src, _, dst = key
            before = taken[key]
            for i in frontier[dst]:
                wanted, known = num_neighbors[key][hop], in_edges[key].get(met[dst][i], [])
                whole = wanted < 0 or (not replace and wanted >= len(known))
                count = len(known) if whole else wanted if known else 0
                end = taken[key] + count
                drawn = edge[key][taken[key] : end]
                assert len(drawn) == count
                assert col[key][taken[key] : end] == [i] * count
                assert set(drawn) <= set(known)
                assert sorted(drawn) == known if whole else replace or len(set(drawn)) == count
                for k in range(taken[key], end):
                    j = int(edge_index[0, edge[key][k]])
                    if j not in local[src]:
                        local[src][j] = len(met[src])
                        met[src].append(j)
                    own_loop = src == dst and j == met[dst][i]  # also of a repeated seed
                    assert row[key][k] == (i if own_loop else local[src][j])
                taken[key] = end
            num_edges[key].append(taken[key] - before)
        for key in met:
            num_nodes[key].append(len(met[key]) - begin[key])
    assert node == met
    assert taken == {key: len(edges) for key, edges in edge.items()}
    assert of_types(out.num_sampled_nodes) == num_nodes
    assert of_edge_types(out.num_sampled_edges) == num_edges
    check_graphs(out)


def check_graphs(out):
    """Checks that the CSR graphs of a sample hold its edges."""
    node, row, col, graph = map(dict, (of_types(out.node), *map(of_edge_types, _edges(out))))
    assert graph.keys() == row.keys()
    for key, csr_graph in graph.items():
        size = (node[key[0]].numel(), node[key[2]].numel())
        expected = CSRGraph.from_edge_index(torch.stack([row[key], col[key]]), size=size)
        assert csr_graph.size == size
        for ours, theirs in zip(csr_graph.csr, expected.csr, strict=True):
            assert ours.dtype == theirs.dtype
            assert torch.equal(ours, theirs)
        assert bool((col[key].diff() >= 0).all())


def _edges(out):
    return out.row, out.col, out.graph


def check_one(edge_index, seeds, num_neighbors, replace, out):
    check({ONE: edge_index}, {"": seeds}, {ONE: num_neighbors}, replace, out)


def assert_equal(out, other):
    for name in ("node", "row", "col", "edge"):
        ours, theirs = of_types(getattr(out, name)), of_types(getattr(other, name))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def differ(out, other):
    return out.edge.shape != other.edge.shape or not torch.equal(out.edge, other.edge)


def random_hetero():
    """Papers, authors, topics and journals; topics have no in-edges."""
    generator = torch.Generator().manual_seed(5)
    data = HeteroData()
    for name, num_nodes in (("paper", 30), ("author", 12), ("topic", 7), ("journal", 4)):
        data[name].x = torch.randn(num_nodes, 2, generator=generator)
    for key, num_edges in {
        ("paper", "cites", "paper"): 120,
        ("author", "writes", "paper"): 80,
        ("topic", "of", "paper"): 50,
        ("paper", "by", "author"): 60,
        ("author", "edits", "journal"): 9,
        ("topic", "near", "author"): 0,
    }.items():
        sizes = (data[key[0]].num_nodes, data[key[2]].num_nodes)
        ends = [torch.randint(n, (num_edges,), generator=generator) for n in sizes]
        data[key].edge_index = torch.stack(ends)
    return data
