"""Samples against a plain loop, and against how they must be distributed."""

import copy
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import comb

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency, chisquare, ks_2samp
from torch_geometric import EdgeIndex
from torch_geometric.data import Data, HeteroData
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    NegativeSampling,
    NodeSamplerInput,
    NumNeighbors,
)
from torch_geometric.testing import MyFeatureStore, MyGraphStore
from torch_geometric.utils import k_hop_subgraph, subgraph

from gatsparse import CSRGraph, _native
from gatsparse.data import rmat
from gatsparse.data.sampler import NeighborSampler
from gatsparse.testing import graph_zoo
from tests.strategies import graphs

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
    """What a sample of one type has, in the form of several types."""
    return value if isinstance(value, dict) else {"": value}


def of_edge_types(value):
    return value if isinstance(value, dict) else {ONE: value}


def check(graphs, seeds, num_neighbors, replace, out):
    """Goes through a sample as the plain loop that might have drawn it.

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
    """The structures are those of the edges."""
    node, row, col, graph = map(dict, (of_types(out.node), *map(of_edge_types, _edges(out))))
    assert graph.keys() == row.keys()
    for key, structure in graph.items():
        size = (node[key[0]].numel(), node[key[2]].numel())
        expected = CSRGraph.from_edge_index(torch.stack([row[key], col[key]]), size=size)
        assert structure.size == size
        for ours, theirs in zip(structure.csr, expected.csr, strict=True):
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
    """Papers, authors and topics; no edge leads to a topic, and nothing else to a journal."""
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


# What a sample is #################################################################


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("num_neighbors", [[2], [3, 0, 2], [-1, 1], [1000], [40, 33]])
@pytest.mark.parametrize("name", SQUARE)
def test_samples_of_the_zoo(name, num_neighbors, replace):
    edge_index, (num_nodes, _) = SQUARE[name]
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    sampler = NeighborSampler(data, num_neighbors, replace=replace, seed=1)
    for seeds in ([], list(range(min(num_nodes, 3))), list(range(num_nodes))[::-1]):
        out = sampler.sample_from_nodes(nodes_of(seeds))
        check_one(edge_index, seeds, num_neighbors, replace, out)
    if num_nodes > 0:  # nodes that stand twice draw twice, and have their first number
        seeds = [num_nodes - 1, 0, num_nodes - 1, 0, 0]
        check_one(
            edge_index,
            seeds,
            num_neighbors,
            replace,
            sampler.sample_from_nodes(nodes_of(seeds)),
        )


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("name", BIPARTITE)
def test_samples_of_bipartite_graphs(name, replace):
    edge_index, size = BIPARTITE[name]
    data = HeteroData()
    data["src"].num_nodes, data["dst"].num_nodes = size
    data[LINK].edge_index = edge_index
    for num_neighbors in ([4, 2], [-1, -1]):
        for key, n in zip(("src", "dst"), size, strict=True):
            seeds = [*range(n), *range(n)]
            out = sample(data, num_neighbors, seeds, key, replace=replace)
            check({LINK: edge_index}, {key: seeds}, {LINK: num_neighbors}, replace, out)


def other_edge(out):
    out.edge[0] = (out.edge[0] + 1) % 500


def edge_twice(out):
    out.edge[1] = out.edge[0]
    out.row[1] = out.row[0]


def other_source(out):
    out.row[-1] = (out.row[-1] + 1) % out.node.numel()


def other_order(out):
    out.node[[3, 4]] = out.node[[4, 3]]


def an_edge_less(out):
    out.row, out.col, out.edge = out.row[:-1], out.col[:-1], out.edge[:-1]


def other_number(out):
    out.num_sampled_edges[0] += 1


def other_structure(out):
    out.graph.col[0] += 1


CHANGES = [other_edge, edge_twice, other_source, other_order]
CHANGES += [an_edge_less, other_number, other_structure]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_wrong_sample_is_detected(change):
    edge_index, _ = SQUARE["random"]
    out = sample(SQUARE["random"].csr(), [3, 2], [5, 9, 11], seed=1)
    check_one(edge_index, [5, 9, 11], [3, 2], False, out)
    change(out)
    with pytest.raises(AssertionError):
        check_one(edge_index, [5, 9, 11], [3, 2], False, out)


hops = st.lists(st.integers(-1, 5), min_size=1, max_size=3)
random_seeds = st.integers(0, 2**63 - 1)


@given(graphs(), hops, st.booleans(), random_seeds, st.data())
def test_samples_of_any_graph(graph, num_neighbors, replace, seed, draw):
    edge_index, size = graph
    data = Data(edge_index=edge_index, num_nodes=max(size))
    node = st.integers(0, max(max(size) - 1, 0))
    seeds = draw.draw(st.lists(node, max_size=8 if max(size) > 0 else 0))
    out = sample(data, num_neighbors, seeds, replace=replace, seed=seed)
    check_one(edge_index, seeds, num_neighbors, replace, out)


@given(st.data(), st.booleans(), random_seeds)
def test_samples_of_any_types(draw, replace, seed):
    sizes = {key: draw.draw(st.integers(1, 6), key) for key in "abc"}
    kinds = st.tuples(*map(st.sampled_from, ("abc", "rs", "abc")))
    num_hops = draw.draw(st.integers(1, 3))
    data, edges, num_neighbors = HeteroData(), {}, {}
    for key, num_nodes in sizes.items():
        data[key].num_nodes = num_nodes
    for kind in draw.draw(st.lists(kinds, min_size=1, max_size=5, unique=True)):
        ends = st.tuples(*(st.integers(0, sizes[key] - 1) for key in (kind[0], kind[2])))
        pairs = draw.draw(st.lists(ends, max_size=15))
        edges[kind] = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
        data[kind].edge_index = edges[kind]
        count = st.integers(-1, 4)
        num_neighbors[kind] = draw.draw(st.lists(count, min_size=num_hops, max_size=num_hops))
    key = draw.draw(st.sampled_from("abc"))
    seeds = draw.draw(st.lists(st.integers(0, sizes[key] - 1), max_size=5))
    out = sample(data, num_neighbors, seeds, key, replace=replace, seed=seed)
    check(edges, {key: seeds}, num_neighbors, replace, out)


def test_samples_of_several_types():
    data = random_hetero()
    edges = dict(zip(data.edge_types, (s.edge_index for s in data.edge_stores), strict=True))
    for counts in ([3, 2], [-1, 4], [0, 0]):
        out = sample(data, counts, [3, 3, 0], "journal", seed=2)
        check(edges, {"journal": [3, 3, 0]}, every(edges, counts), False, out)
    counts = {key: [k % 3, 2] for k, key in enumerate(edges)}
    out = sample(data, counts, [29, 0], "paper", seed=2)
    check(edges, {"paper": [29, 0]}, counts, False, out)
    assert out.node["journal"].numel() == out.edge["author", "edits", "journal"].numel() == 0
    out = sample(data, NumNeighbors({("paper", "cites", "paper"): [5]}, default=[1]), [1], "paper")
    counts = {key: [5 if key[1] == "cites" else 1] for key in edges}
    check(edges, {"paper": [1]}, counts, False, out)


def test_edges_of_wide_indices_are_the_same():
    edge_index = rmat(300, 3000)
    graphs = [
        CSRGraph.from_edge_index(edge_index, 300, index_dtype=dtype)
        for dtype in (torch.int32, torch.int64)
    ]
    narrow, wide = (sample(graph, [40, 3], [7, 5, 7], seed=4) for graph in graphs)
    check_one(edge_index, [7, 5, 7], [40, 3], False, narrow)
    assert_equal(wide, narrow)
    assert wide.graph.col.dtype == torch.int32


def test_metadata_is_handed_on():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    ids = torch.tensor([8, 9])
    assert isinstance(sampler, BaseSampler)
    out = sampler.sample_from_nodes(NodeSamplerInput(ids, torch.tensor([3, 4])))
    assert torch.equal(out.metadata[0], ids)
    assert out.metadata[1] is out.batch is sampler.edge_permutation is None


def test_num_neighbors_may_change():
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    sampler.num_neighbors = [-1, 3]
    assert sampler.num_neighbors.get_values() == [-1, 3]
    check_one(edge_index, [1], [-1, 3], False, sampler.sample_from_nodes(nodes_of([1])))
    with pytest.raises(ValueError, match=r"num_neighbors: expected integers .* got \[-2\]"):
        sampler.num_neighbors = [-2]
    check_one(edge_index, [1], [-1, 3], False, sampler.sample_from_nodes(nodes_of([1])))


@pytest.mark.parametrize("num_hops", [1, 2, 4])
@pytest.mark.parametrize("name", SQUARE)
def test_all_neighbours_are_those_of_k_hops(name, num_hops):
    edge_index, (num_nodes, _) = SQUARE[name]
    seeds = torch.arange(num_nodes)[::7]
    out = sample(SQUARE[name].csr(), [-1] * num_hops, seeds.tolist())
    nodes, _, _, edges = k_hop_subgraph(
        seeds, num_hops, edge_index, num_nodes=num_nodes, directed=True
    )
    assert torch.equal(out.node.sort().values, nodes)
    assert torch.equal(out.edge.sort().values, edges.nonzero().flatten())
    assert torch.equal(out.node[torch.stack([out.row, out.col])], edge_index[:, out.edge])


def test_seeds_need_not_be_contiguous_or_int64():
    graph = SQUARE["random"].csr()
    expected = sample(graph, [3, 2], [0, 2, 4], seed=3)
    for seeds in (torch.tensor([0, 2, 4], dtype=torch.int32), torch.tensor([0, 2, 4]).int().long()):
        sampler = NeighborSampler(graph, [3, 2], seed=3)
        assert_equal(sampler.sample_from_nodes(NodeSamplerInput(None, seeds)), expected)


def test_strided_seeds():
    graph = SQUARE["random"].csr()
    out = NeighborSampler(graph, [3, 2], seed=3).sample_from_nodes(
        NodeSamplerInput(None, torch.arange(6)[::2])
    )
    assert_equal(out, sample(graph, [3, 2], [0, 2, 4], seed=3))


def test_no_hops():
    out = sample(SQUARE["random"].csr(), [], [4, 2])
    assert out.node.tolist() == [4, 2]
    assert out.edge.numel() == out.row.numel() == out.graph.num_edges == 0


# Kinds of subgraphs ###############################################################


@pytest.mark.parametrize("name", SQUARE)
def test_induced(name):
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


def test_induced_of_several_types():
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
def test_bidirectional(name):
    seeds = list(range(SQUARE[name].size[0]))[:3]
    out = sample(SQUARE[name].csr(), [3, 2], seeds, subgraph_type="bidirectional", seed=2)
    walk = sample(SQUARE[name].csr(), [3, 2], seeds, seed=2)
    assert torch.equal(out.node, walk.node)
    assert pairs(out.row, out.col) == pairs(walk.row, walk.col) | pairs(walk.col, walk.row)
    assert len(pairs(out.row, out.col)) == out.row.numel()
    assert out.num_sampled_nodes is out.num_sampled_edges is None


@pytest.mark.parametrize("kind", ["one type", "several types"])
def test_bidirectional_has_no_structure_of_other_edges(kind):
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


# How samples are distributed ######################################################


def star(degree):
    """Edge e leads from node e + 1 to node 0."""
    edges = torch.stack([torch.arange(1, degree + 1), torch.zeros(degree, dtype=torch.int64)])
    return CSRGraph.from_edge_index(edges, degree + 1)


def draws(degree, count, times, replace=False, seed=0):
    """``[times, count]``: edges that a node of this degree drew."""
    out = sample(star(degree), [count], [0] * times, replace=replace, seed=seed)
    return out.edge.view(times, count)


def uniform(counts, together=1):
    """The p-value of counts that are equal but for chance, so many different drawn at a time."""
    n = counts.numel()
    variance = (1 - together / n) * n / (n - 1)  # of each, relative to that of single draws
    return chi2.sf(chisquare(counts.numpy()).statistic / variance, n - 1)


def of_edges(drawn, degree):
    return torch.bincount(drawn.flatten(), minlength=degree)


def of_subsets(drawn, degree):
    """How often each subset was drawn; of large ones by what they leave out, two edges."""
    if drawn.size(1) > degree // 2:
        left = torch.ones(len(drawn), degree, dtype=torch.bool).scatter_(1, drawn, False)
        drawn = left.nonzero()[:, 1].view(len(drawn), -1)
    counts = drawn.sort(dim=1).values.unique(dim=0, return_counts=True)[1]
    absent = comb(degree, drawn.size(1)) - counts.numel()
    return torch.cat([counts, counts.new_zeros(absent)])


def likely(p):
    return 1e-4 < p < 1 - 1e-4


@pytest.mark.parametrize(
    ("degree", "count", "times"),
    [
        (2, 1, 20000),
        (7, 3, 20000),
        (100, 32, 3000),
        (100, 33, 3000),
        (100, 99, 20000),
        (5000, 10, 10000),
        (5000, 600, 300),
    ],
)
def test_every_edge_is_as_likely(degree, count, times):
    drawn = draws(degree, count, times)
    assert bool((drawn.sort(dim=1).values.diff(dim=1) > 0).all())
    assert likely(uniform(of_edges(drawn, degree), count))


@pytest.mark.parametrize(("degree", "count"), [(5, 2), (6, 4), (34, 32), (35, 33)])
def test_every_subset_is_as_likely(degree, count):
    assert likely(uniform(of_subsets(draws(degree, count, 20000), degree)))


@pytest.mark.parametrize(("degree", "count", "times"), [(3, 7, 5000), (5000, 40, 3000)])
def test_with_replacement_every_edge_is_as_likely_each_time(degree, count, times):
    drawn = draws(degree, count, times, replace=True)
    assert likely(uniform(of_edges(drawn, degree)))
    if degree == 3:
        assert all(likely(uniform(of_edges(drawn[:, k], degree))) for k in range(count))
        assert all(likely(independent(*drawn.T[[k, k + 1]])) for k in range(count - 1))


def test_a_biased_draw_is_detected():
    biased = (torch.rand(20000) ** 1.1 * 7).long()
    assert uniform(of_edges(biased, 7)) < 1e-4
    run = (torch.randint(5, (20000, 1)) + torch.arange(2)) % 5  # neighbours on a circle
    assert likely(uniform(of_edges(run[:, 0], 5)))
    assert uniform(of_subsets(run, 5)) < 1e-4
    even = torch.arange(20000) % 7
    assert uniform(of_edges(even, 7)) > 1 - 1e-4
    lasting = torch.randint(4, (20000,))
    lasting[1::2] = torch.where(torch.rand(10000) < 0.05, lasting[::2], lasting[1::2])
    assert independent(lasting[::2], lasting[1::2]) < 1e-4


def independent(first, second):
    """The p-value of two rows of draws of 0, 1, ... that say nothing of each other."""
    size = int(max(first.max(), second.max())) + 1
    table = torch.bincount(size * first + second, minlength=size * size).view(size, size)
    return chi2_contingency(table.numpy()).pvalue


def four_each():
    """Nodes 0 and 1 have in-edges 0 .. 3 and 4 .. 7, from nodes 2 .. 5."""
    return CSRGraph.from_edge_index(
        torch.tensor([[2, 3, 4, 5, 2, 3, 4, 5], [0, 0, 0, 0, 1, 1, 1, 1]]), 6
    )


def test_nodes_of_a_sample_are_independent():
    drawn = sample(four_each(), [1], [0, 1] * 10000, seed=1).edge.view(-1, 2) % 4
    assert likely(independent(*drawn.T))
    assert likely(independent(drawn[:-1, 1], drawn[1:, 0]))


def test_samples_in_a_row_are_independent():
    sampler = NeighborSampler(four_each(), [1], seed=1)
    outs = [sampler.sample_from_nodes(nodes_of([0] * 5000)).edge for _ in range(4)]
    assert all(likely(independent(*two)) for two in pairwise(outs))


def test_hops_are_independent():
    sources = [1, 2, 3, 4] + 4 * [5, 6, 7, 8]
    targets = 4 * [0] + [i for i in (1, 2, 3, 4) for _ in range(4)]
    graph = CSRGraph.from_edge_index(torch.tensor([sources, targets]), 9)
    sampler = NeighborSampler(graph, [1, 1], seed=1)
    edges = [sampler.sample_from_nodes(nodes_of([0])).edge for _ in range(3000)]
    first, second = torch.stack(edges).T % 4
    assert likely(uniform(of_edges(first, 4)))
    assert likely(uniform(of_edges(second, 4)))
    assert likely(independent(first, second))


def test_edge_types_are_independent():
    data = HeteroData()
    data["a"].num_nodes, data["b"].num_nodes = 4, 1
    for name in "rs":
        data["a", name, "b"].edge_index = torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])
    out = sample(data, [1], [0] * 10000, "b", seed=1)
    assert likely(independent(*out.edge.values()))


class PlainSampler:
    """What PyG documents: every node draws uniformly of its in-edges, new nodes go on."""

    def __init__(self, edge_index, num_neighbors, replace):
        self.in_edges, self.source = {}, edge_index[0].tolist()
        for e, i in enumerate(edge_index[1].tolist()):
            self.in_edges.setdefault(i, []).append(e)
        self.num_neighbors, self.replace, self.random = num_neighbors, replace, random.Random(0)

    def numbers(self, seeds):
        """How many nodes and edges each hop met."""
        known, frontier, found = set(seeds), list(seeds), []
        for count in self.num_neighbors:
            drawn = [e for i in frontier for e in self.draw(self.in_edges.get(i, []), count)]
            frontier = list(dict.fromkeys(self.source[e] for e in drawn))
            frontier = [j for j in frontier if j not in known]
            known.update(frontier)
            found += [len(frontier), len(drawn)]
        return found

    def draw(self, edges, count):
        if self.replace:
            return self.random.choices(edges, k=count) if edges else []
        return self.random.sample(edges, min(count, len(edges)))


SKEWED = rmat(500, 4000, seed=6)
COMMON = torch.bincount(SKEWED[1]).topk(4).indices.tolist()


def numbers(replace):
    """``[300, 4]`` from our sampler: nodes and edges of the first hop, and of the second."""
    sampler = NeighborSampler(
        Data(edge_index=SKEWED, num_nodes=500), [6, 5], replace=replace, seed=0
    )
    outs = [sampler.sample_from_nodes(nodes_of(COMMON)) for _ in range(300)]
    return torch.tensor(
        [[n for k in (0, 1) for n in (o.num_sampled_nodes[k + 1], o.num_sampled_edges[k])]
         for o in outs]
    )  # fmt: skip


def plain_numbers(replace):
    plain = PlainSampler(SKEWED, [6, 5], replace)
    return torch.tensor([plain.numbers(COMMON) for _ in range(300)])


def ks(first, second):
    """The least p-value of two samples, column by column."""
    return min(ks_2samp(*two).pvalue for two in zip(first.T.numpy(), second.T.numpy(), strict=True))


@pytest.mark.parametrize("replace", [False, True])
def test_as_many_nodes_and_edges_as_of_a_plain_sampler(replace):
    ours = numbers(replace)
    assert ours.unique(dim=0).size(0) > 50
    assert ks(ours, plain_numbers(replace)) > 1e-3
    assert ks(ours, plain_numbers(not replace)) < 1e-4


# Where the numbers come from ######################################################


def test_a_sample_is_the_same_for_any_number_of_threads(threads):
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


def test_same_seed_same_samples():
    graph = SQUARE["random"].csr()
    one, two, other = (NeighborSampler(graph, [3, 3], seed=seed) for seed in (5, 5, 6))
    first = one.sample_from_nodes(nodes_of([0, 1, 2]))
    assert_equal(two.sample_from_nodes(nodes_of([0, 1, 2])), first)
    assert differ(other.sample_from_nodes(nodes_of([0, 1, 2])), first)
    second = one.sample_from_nodes(nodes_of([0, 1, 2]))
    assert differ(second, first)
    assert_equal(two.sample_from_nodes(nodes_of([0, 1, 2])), second)


def test_a_sampler_with_a_seed_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    sample(SQUARE["random"].csr(), [3, 3], [0, 1, 2], seed=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_a_seed_the_global_generator_decides():
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 3])
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(sampler.sample_from_nodes(nodes_of([0, 1, 2])))
    assert_equal(outs[1], outs[0])
    assert differ(outs[2], outs[0])


def test_a_seed_for_some_samples():
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


def test_several_threads_share_a_sampler():
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
def test_a_copy_goes_on_as_the_original(again):
    sampler = NeighborSampler(random_hetero(), [3, 2], replace=True, seed=4)
    sampler.sample_from_nodes(nodes_of([1], "paper"))
    other = again(sampler)
    seeds = nodes_of([2, 3], "paper")
    out = sampler.sample_from_nodes(seeds)
    assert_equal(other.sample_from_nodes(seeds), out)
    assert other.is_hetero
    assert_equal(other.sample_from_nodes(seeds), sampler.sample_from_nodes(seeds))


# What holds a graph ###############################################################


def test_forms_of_a_graph():
    edge_index, (num_nodes, _) = SQUARE["random"]
    expected = sample(Data(edge_index=edge_index, num_nodes=num_nodes), [4, 3], [5, 6], seed=1)
    check_one(edge_index, [5, 6], [4, 3], False, expected)
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    whole = EdgeIndex(edge_index, sparse_size=(num_nodes, num_nodes))
    for form in (
        SQUARE["random"].csr(),
        Data(edge_index=edge_index.int(), num_nodes=num_nodes),
        Data(edge_index=whole, num_nodes=num_nodes),
    ):
        assert_equal(sample(form, [4, 3], [5, 6], seed=1), expected)
    out = sample((data, data), [4, 3], [5, 6])  # PyG sorts it, in an order of its own
    check_one(edge_index, [5, 6], [4, 3], False, out)


@pytest.mark.parametrize("order", ["row", "col"])
def test_edge_ids_are_positions_in_a_sorted_edge_index(order):
    edge_index, size = SQUARE["random"]
    given = EdgeIndex(edge_index, sparse_size=size).sort_by(order).values
    out = sample(Data(edge_index=given, num_nodes=size[0]), [4, 3], [5, 6], seed=1)
    check_one(given.as_tensor(), [5, 6], [4, 3], False, out)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_edge_ids_of_a_sparse_matrix_are_positions_of_its_values():
    graph = SQUARE["random"].csr()
    adj_t = torch.sparse_csr_tensor(
        graph.rowptr, graph.col.long(), torch.ones(500), (60, 60), check_invariants=False
    )
    out = sample(Data(adj_t=adj_t, num_nodes=60), [4, 3], [5, 6], seed=1)
    edge_index = torch.stack([graph.col.long(), graph.csr.row()])
    check_one(edge_index, [5, 6], [4, 3], False, out)


def test_sparse_tensor():
    sparse = pytest.importorskip("torch_sparse")
    graph = SQUARE["random"].csr()
    adj_t = sparse.SparseTensor(rowptr=graph.rowptr, col=graph.col.long(), sparse_sizes=(60, 60))
    out = sample(Data(adj_t=adj_t, num_nodes=60), [4, 3], [5, 6], seed=1)
    edge_index = torch.stack([graph.col.long(), graph.csr.row()])
    check_one(edge_index, [5, 6], [4, 3], False, out)


def test_edges_that_change_later_change_nothing():
    edge_index = SQUARE["random"].edge_index.clone()
    data = Data(edge_index=edge_index, num_nodes=60)
    sampler = NeighborSampler(data, [4, 3], seed=1)
    before = edge_index.clone()
    edge_index.zero_()
    check_one(before, [5, 6], [4, 3], False, sampler.sample_from_nodes(nodes_of([5, 6])))


def stores(edges, sizes, layout="coo", declare=True):
    """Edges in a graph store, and features by node type in a feature store."""
    graph_store, feature_store = MyGraphStore(), MyFeatureStore()
    for key, edge_index in edges.items():
        size = (sizes[key[0]], sizes[key[2]]) if key else (sizes[None], sizes[None])
        graph = CSRGraph.from_edge_index(edge_index, size=size)
        given = {
            "coo": tuple(edge_index),
            "csc": (graph.col.long(), graph.rowptr),
            "csr": (graph.rowptr_t, graph.col_t.long()),
        }[layout]
        graph_store.put_edge_index(
            given, edge_type=key, layout=layout, size=size if declare else None
        )
    for key, n in sizes.items():
        feature_store.put_tensor(torch.randn(n, 2), group_name=key, attr_name="x", index=None)
    return feature_store, graph_store


def as_stored(edge_index, num_nodes, layout):
    """The edges in the order in which a store of the layout has them."""
    order = {"coo": edge_index[0] * 0, "csc": edge_index[1], "csr": edge_index[0]}[layout]
    if layout == "csr":  # whose rows hold destinations in the order of the transpose
        order = order * num_nodes + edge_index[1]
    return edge_index[:, order.argsort(stable=True)]


@pytest.mark.parametrize("layout", ["coo", "csc", "csr"])
def test_stores_of_one_type(layout):
    edge_index, _ = SQUARE["random"]
    out = sample(stores({None: edge_index}, {None: 60}, layout), [4, 3], [5, 6], seed=1)
    check_one(as_stored(edge_index, 60, layout), [5, 6], [4, 3], False, out)


@pytest.mark.parametrize("layout", ["coo", "csc", "csr"])
def test_stores_of_several_types(layout):
    data = random_hetero()
    edges = dict(zip(data.edge_types, (s.edge_index for s in data.edge_stores), strict=True))
    sizes = {key: data[key].num_nodes for key in data.node_types}
    out = sample(stores(edges, sizes, layout), [3, 2], [1, 1, 5], "paper", seed=1)
    stored = {key: as_stored(t, sizes[key[2]], layout) for key, t in edges.items()}
    check(stored, {"paper": [1, 1, 5]}, every(edges, [3, 2]), False, out)
    out = sample((data, data), [3, 2], [1], "paper", seed=1)
    check(edges, {"paper": [1]}, every(edges, [3, 2]), False, out)


def test_a_store_with_two_layouts_of_one_type():
    edge_index, _ = SQUARE["random"]
    features, graph_store = stores({None: edge_index}, {None: 60})
    graph = SQUARE["random"].csr()
    graph_store.put_edge_index(
        (graph.col.long(), graph.rowptr), edge_type=None, layout="csc", size=(60, 60)
    )
    out = sample((features, graph_store), [4, 3], [5, 6], seed=1)
    assert torch.equal(out.node[:2], torch.tensor([5, 6]))


def test_a_store_that_declares_no_size():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    out = sample(stores(edges, {"a": 5, "b": 7}, declare=False), [2], [6], "b")
    assert out.node["b"].tolist() == [6]


def test_a_store_with_a_type_without_edges():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    out = sample(stores(edges, {"a": 5, "b": 7, "alone": 3}), [2], [2, 0], "alone")
    assert out.node["alone"].tolist() == [2, 0]


@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
def test_a_node_type_that_only_edges_know():
    data = HeteroData()
    data["a"].num_nodes = 3
    data["a", "to", "b"].edge_index = torch.tensor([[0, 1], [0, 1]])
    assert sample(data, [2], [0], "a").node["a"].tolist() == [0]


def test_a_store_with_features_of_edges():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    features, graph_store = stores(edges, {"a": 5, "b": 7})
    group = ("a", "to", "b")
    features.put_tensor(torch.randn(2, 3), group_name=group, attr_name="edge_attr", index=None)
    assert sample((features, graph_store), [2], [0], "b").node["a"].tolist() == [4]


@pytest.mark.parametrize("top", [7, 8, 20])
def test_a_store_whose_edges_lead_to_no_node(top):
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, top]])}
    data = stores(edges, {"a": 5, "b": 30}, declare=False)
    data[0].put_tensor(torch.randn(7, 2), group_name="b", attr_name="x", index=None)
    with pytest.raises((IndexError, ValueError)):
        NeighborSampler(data, [2])


# From edges #######################################################################


def edge_input(data, edges, key=None):
    row, col = (data[key] if key else data).edge_index[:, edges]
    return EdgeSamplerInput(torch.tensor(edges), row, col, input_type=key)


def test_sample_from_edges():
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
def test_sample_from_edges_and_negative_ones(key, mode):
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


# What it refuses ##################################################################


def test_without_kernels(monkeypatch):
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
def test_no_graph(data, error, message):
    with pytest.raises(error, match=message):
        NeighborSampler(data, [2])


@pytest.mark.parametrize(
    "num_neighbors", [[-2], [2, -3], [2.0], [True], ["2"], {("a", "to", "a"): [2]}]
)
def test_bad_num_neighbors(num_neighbors):
    with pytest.raises(ValueError, match="num_neighbors: expected"):
        NeighborSampler(SQUARE["random"].csr(), num_neighbors)


@pytest.mark.parametrize("num_neighbors", [3, None, "2", torch.tensor([2])])
def test_num_neighbors_that_are_no_list(num_neighbors):
    with pytest.raises(TypeError, match="num_neighbors: expected a number for each hop"):
        NeighborSampler(SQUARE["random"].csr(), num_neighbors)


def test_num_neighbors_of_edge_types_that_there_are_not():
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
def test_bad_num_neighbors_of_several_types(num_neighbors):
    with pytest.raises(ValueError, match="edge type"):
        NeighborSampler(random_hetero(), num_neighbors)


def test_a_missing_edge_type_is_an_error_of_num_neighbors():
    with pytest.raises(ValueError, match=r"num_neighbors: .*'writes'"):
        NeighborSampler(random_hetero(), {("paper", "cites", "paper"): [2]})


def test_which_edge_types_are_missing():
    with pytest.raises(ValueError, match="num_neighbors: ") as error:
        NeighborSampler(random_hetero(), {("paper", "cites", "paper"): [2]})
    assert "writes" in str(error.value)
    assert "cites" not in str(error.value)


def test_numbers_of_hops_that_differ_are_not_missing_types():
    counts = every(random_hetero().edge_types, [2]) | {("paper", "cites", "paper"): [2, 2]}
    with pytest.raises(ValueError, match=r"num_neighbors: .*[Nn]umber of hops") as error:
        NeighborSampler(random_hetero(), counts)
    assert "lacks" not in str(error.value)


def test_num_neighbors_may_be_a_tuple():
    edge_index, _ = SQUARE["random"]
    check_one(edge_index, [1], [3, 2], False, sample(SQUARE["random"].csr(), (3, 2), [1]))


@pytest.mark.parametrize("counts", [{("a", "b"): [2]}, NumNeighbors({}, default=[2])], ids=str)
def test_num_neighbors_in_pygs_forms(counts):
    data, key = HeteroData(), ("a", "to", "b")
    data["a"].num_nodes = data["b"].num_nodes = 9
    data[key].edge_index = torch.randint(9, (2, 40))
    out = sample(data, counts, [4], "b")
    check({key: data[key].edge_index}, {"b": [4]}, {key: [2]}, False, out)


def test_two_samplers_share_num_neighbors():
    counts = NumNeighbors([2, 1])
    edge_index, _ = SQUARE["random"]
    check_one(edge_index, [1], [2, 1], False, sample(SQUARE["random"].csr(), counts, [1]))
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    out = sample(data, counts, [3], "paper")
    check(edges, {"paper": [3]}, every(edges, [2, 1]), False, out)


def test_bad_kind_of_subgraph():
    with pytest.raises(ValueError, match="'some'"):
        NeighborSampler(SQUARE["random"].csr(), [2], subgraph_type="some")


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([1, 60], IndexError, "index: expected nodes in 0 .. 59, got 60"),
        ([1, -1], IndexError, "index: expected nodes in 0 .. 59, got -1"),
        ([2**40], IndexError, "got 1099511627776"),
        ([-(2**63), 3], IndexError, "got -9223372036854775808"),
        ([[1, 2]], ValueError, r"index: expected nodes of shape \[B\], got \[1, 2\]"),
        (3, ValueError, r"index: expected nodes of shape \[B\], got \[\]"),
    ],
)
def test_bad_seeds_leave_the_sampler_as_it_was(seeds, error, message):
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    for _ in range(2):
        sampler.sample_from_nodes(nodes_of([1, 2, 2]))
        with pytest.raises(error, match=message):
            sampler.sample_from_nodes(nodes_of(seeds))
        out = sampler.sample_from_nodes(nodes_of([59, 1, 2, 59]))
        check_one(edge_index, [59, 1, 2, 59], [3, 2], False, out)
    assert all(bool((numbers[""] == -1).all()) for numbers in sampler._idle)


def test_bad_ends_leave_the_sampler_as_it_was():
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    sampler = NeighborSampler(data, [3, 2], seed=1)
    sampler.sample_from_nodes(nodes_of([1], "paper"))
    bad = EdgeSamplerInput(
        None, torch.tensor([1]), torch.tensor([30]), input_type=("author", "writes", "paper")
    )
    with pytest.raises(IndexError, match=r"index: expected nodes in 0 \.\. 29, got 30"):
        sampler.sample_from_edges(bad)
    out = sampler.sample_from_nodes(nodes_of([1, 4], "paper"))
    check(edges, {"paper": [1, 4]}, every(edges, [3, 2]), False, out)


def interrupted(data, fine, bad, input_type=None):
    """A sampler of which one sample did not come to an end, for want of memory."""
    sampler = NeighborSampler(data, bad, replace=True, seed=1)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        sampler.sample_from_nodes(nodes_of([0, 1], input_type))
    sampler.num_neighbors = fine
    return sampler


def test_an_error_in_a_later_hop_leaves_the_sampler_as_it_was():
    edge_index, _ = SQUARE["random"]
    sampler = interrupted(SQUARE["random"].csr(), [2, 2], [2, 2**45])
    out = sampler.sample_from_nodes(nodes_of([0, 5]))
    check_one(edge_index, [0, 5], [2, 2], True, out)


def test_an_error_in_a_later_edge_type_leaves_the_sampler_as_it_was():
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    fine = every(edges, [4])
    sampler = interrupted(data, fine, {**fine, ("topic", "of", "paper"): [2**45]}, "paper")
    out = sampler.sample_from_nodes(nodes_of([5, 6], "paper"))
    assert out.node["paper"].numel() == 2 + out.num_sampled_nodes["paper"][1]
    check(edges, {"paper": [5, 6]}, fine, True, out)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_an_interrupt_leaves_the_sampler_as_it_was(monkeypatch, call):
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


def test_a_sampler_first_used_in_inference_mode_serves_in_training():
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    with torch.inference_mode():
        sampler.sample_from_nodes(nodes_of([0, 1]))
    check_one(edge_index, [0, 0, 2], [3, 2], False, sampler.sample_from_nodes(nodes_of([0, 0, 2])))


def test_a_sampler_serves_in_inference_mode_after_training():
    edge_index, _ = SQUARE["random"]
    sampler = NeighborSampler(SQUARE["random"].csr(), [3, 2], seed=1)
    sampler.sample_from_nodes(nodes_of([0, 1]))
    with torch.inference_mode():
        out = sampler.sample_from_nodes(nodes_of([0, 0, 2]))
        check_one(edge_index, [0, 0, 2], [3, 2], False, out)


@pytest.mark.parametrize(
    ("data", "input_type"),
    [(random_hetero(), "venue"), (random_hetero(), None), (SQUARE["random"].csr(), "paper")],
    ids=["no such type", "no type", "a type where there is one"],
)
def test_seeds_of_another_type(data, input_type):
    sampler = NeighborSampler(data, [2])
    with pytest.raises((ValueError, KeyError)):
        sampler.sample_from_nodes(nodes_of([0, 1], input_type))


def test_there_is_no_sampling_by_time():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    with pytest.raises(ValueError, match="input_time: expected None"):
        sampler.sample_from_nodes(NodeSamplerInput(None, torch.tensor([1]), time=torch.tensor([0])))
    sampler = NeighborSampler(random_hetero(), [2])
    with pytest.raises(ValueError, match="input_time: expected None"):
        sampler.sample_from_nodes(
            NodeSamplerInput(None, torch.tensor([1]), torch.tensor([0]), input_type="paper")
        )


def test_there_is_no_sampling_of_edges_by_time():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    one = torch.tensor([1])
    with pytest.raises(ValueError, match="time: expected None"):
        sampler.sample_from_edges(EdgeSamplerInput(None, one, one, time=one))


def test_more_edges_than_can_be_counted():
    sampler = NeighborSampler(SQUARE["hub"].csr(), [2**62], replace=True)
    with pytest.raises((RuntimeError, ValueError)):
        sampler.sample_from_nodes(nodes_of([0, 1, 2, 3]))


# Operators ########################################################################


def test_neighbor_sample_checks_the_structure():
    rowptr, col = torch.tensor([0, 1, 2]), torch.tensor([0, 1], dtype=torch.int32)
    neighbor_sample, all_of = torch.ops.gatsparse.neighbor_sample, (-1, False, 0, 0)
    nodes = torch.tensor([1, 0, 1])
    ptr, source, edge = neighbor_sample([rowptr, col, col], nodes, *all_of)
    assert [t.tolist() for t in (ptr, source, edge)] == [[0, 1, 2, 3], [1, 0, 1], [1, 0, 1]]
    for bad in (-1, 2, 2**40, -(2**63)):
        with pytest.raises(RuntimeError, match="dst: index out of range"):
            neighbor_sample([rowptr, col, col], torch.tensor([0, bad]), *all_of)
    for bad in ([0, 3, 2], [0, -(2**50), 2], [2, 1, 2]):
        with pytest.raises(RuntimeError, match="dst: index out of range"):
            neighbor_sample([torch.tensor(bad), col, col], torch.tensor([0, 1]), *all_of)
    with pytest.raises(RuntimeError, match="perm: unexpected dtype"):
        neighbor_sample([rowptr, col, col.long()], nodes, *all_of)
    with pytest.raises(RuntimeError, match="expected \\[rowptr, col, perm\\], got 2"):
        neighbor_sample([rowptr, col], nodes, *all_of)


def test_relabel_checks_nodes_before_it_writes():
    local = torch.full((3,), -1, dtype=torch.int32)
    for bad in (-1, 3, 2**40):
        with pytest.raises(RuntimeError, match="node: index out of range"):
            torch.ops.gatsparse.relabel(torch.tensor([0, 1, bad]), 0, local)
    with pytest.raises(RuntimeError, match="next: the nodes do not fit int32"):
        torch.ops.gatsparse.relabel(torch.tensor([0]), 2**31 - 1, local)
    assert local.tolist() == [-1, -1, -1]
    number, new = torch.ops.gatsparse.relabel(torch.tensor([2, 0, 2]), 5, local)
    assert (number.tolist(), new.tolist(), local.tolist()) == ([5, 6, 5], [2, 0], [6, -1, 5])
