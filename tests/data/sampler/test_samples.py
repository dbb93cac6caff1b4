"""Samples equal what a plain loop may draw."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data, HeteroData
from torch_geometric.sampler import (
    BaseSampler,
    NodeSamplerInput,
    NumNeighbors,
)
from torch_geometric.utils import k_hop_subgraph

from gatsparse import CSRGraph
from gatsparse.data import rmat
from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import (
    BIPARTITE,
    LINK,
    SQUARE,
    assert_equal,
    check,
    check_one,
    every,
    nodes_of,
    random_hetero,
    sample,
)
from tests.strategies import graphs


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("num_neighbors", [[2], [3, 0, 2], [-1, 1], [1000], [40, 33]])
@pytest.mark.parametrize("name", SQUARE)
def test_samples_equal_a_plain_loop_on_the_zoo(name, num_neighbors, replace):
    edge_index, (num_nodes, _) = SQUARE[name]
    data = Data(edge_index=edge_index, num_nodes=num_nodes)
    sampler = NeighborSampler(data, num_neighbors, replace=replace, seed=1)
    for seeds in ([], list(range(min(num_nodes, 3))), list(range(num_nodes))[::-1]):
        out = sampler.sample_from_nodes(nodes_of(seeds))
        check_one(edge_index, seeds, num_neighbors, replace, out)
    if num_nodes > 0:  # repeated seeds draw each time, and keep their first number
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
def test_samples_equal_a_plain_loop_on_bipartite_graphs(name, replace):
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


def one_edge_fewer(out):
    out.row, out.col, out.edge = out.row[:-1], out.col[:-1], out.edge[:-1]


def other_number(out):
    out.num_sampled_edges[0] += 1


def other_graph(out):
    out.graph.col[0] += 1


CHANGES = [other_edge, edge_twice, other_source, other_order]
CHANGES += [one_edge_fewer, other_number, other_graph]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_plain_loop_detects_wrong_samples(change):
    edge_index, _ = SQUARE["random"]
    out = sample(SQUARE["random"].csr(), [3, 2], [5, 9, 11], seed=1)
    check_one(edge_index, [5, 9, 11], [3, 2], False, out)
    change(out)
    with pytest.raises(AssertionError):
        check_one(edge_index, [5, 9, 11], [3, 2], False, out)


hops = st.lists(st.integers(-1, 5), min_size=1, max_size=3)
random_seeds = st.integers(0, 2**63 - 1)


@given(graphs(), hops, st.booleans(), random_seeds, st.data())
def test_samples_equal_a_plain_loop_on_any_graph(graph, num_neighbors, replace, seed, draw):
    edge_index, size = graph
    data = Data(edge_index=edge_index, num_nodes=max(size))
    node = st.integers(0, max(max(size) - 1, 0))
    seeds = draw.draw(st.lists(node, max_size=8 if max(size) > 0 else 0))
    out = sample(data, num_neighbors, seeds, replace=replace, seed=seed)
    check_one(edge_index, seeds, num_neighbors, replace, out)


@given(st.data(), st.booleans(), random_seeds)
def test_samples_equal_a_plain_loop_on_any_hetero_graph(draw, replace, seed):
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


def test_samples_equal_a_plain_loop_on_several_types():
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


def test_int32_and_int64_graphs_give_the_same_samples():
    edge_index = rmat(300, 3000)
    graphs = [
        CSRGraph.from_edge_index(edge_index, 300, index_dtype=dtype)
        for dtype in (torch.int32, torch.int64)
    ]
    narrow, wide = (sample(graph, [40, 3], [7, 5, 7], seed=4) for graph in graphs)
    check_one(edge_index, [7, 5, 7], [40, 3], False, narrow)
    assert_equal(wide, narrow)
    assert wide.graph.col.dtype == torch.int32


def test_metadata_holds_input_ids():
    sampler = NeighborSampler(SQUARE["random"].csr(), [2])
    ids = torch.tensor([8, 9])
    assert isinstance(sampler, BaseSampler)
    out = sampler.sample_from_nodes(NodeSamplerInput(ids, torch.tensor([3, 4])))
    assert torch.equal(out.metadata[0], ids)
    assert out.metadata[1] is out.batch is sampler.edge_permutation is None


def test_num_neighbors_can_be_changed():
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
def test_all_neighbours_equal_k_hop_subgraph(name, num_hops):
    edge_index, (num_nodes, _) = SQUARE[name]
    seeds = torch.arange(num_nodes)[::7]
    out = sample(SQUARE[name].csr(), [-1] * num_hops, seeds.tolist())
    nodes, _, _, edges = k_hop_subgraph(
        seeds, num_hops, edge_index, num_nodes=num_nodes, directed=True
    )
    assert torch.equal(out.node.sort().values, nodes)
    assert torch.equal(out.edge.sort().values, edges.nonzero().flatten())
    assert torch.equal(out.node[torch.stack([out.row, out.col])], edge_index[:, out.edge])


def test_int32_seeds_are_accepted():
    graph = SQUARE["random"].csr()
    expected = sample(graph, [3, 2], [0, 2, 4], seed=3)
    for seeds in (torch.tensor([0, 2, 4], dtype=torch.int32), torch.tensor([0, 2, 4]).int().long()):
        sampler = NeighborSampler(graph, [3, 2], seed=3)
        assert_equal(sampler.sample_from_nodes(NodeSamplerInput(None, seeds)), expected)


def test_strided_seeds_are_accepted():
    graph = SQUARE["random"].csr()
    out = NeighborSampler(graph, [3, 2], seed=3).sample_from_nodes(
        NodeSamplerInput(None, torch.arange(6)[::2])
    )
    assert_equal(out, sample(graph, [3, 2], [0, 2, 4], seed=3))


def test_no_hops_returns_the_seeds_alone():
    out = sample(SQUARE["random"].csr(), [], [4, 2])
    assert out.node.tolist() == [4, 2]
    assert out.edge.numel() == out.row.numel() == out.graph.num_edges == 0


def test_num_neighbors_accepts_a_tuple():
    edge_index, _ = SQUARE["random"]
    check_one(edge_index, [1], [3, 2], False, sample(SQUARE["random"].csr(), (3, 2), [1]))


@pytest.mark.parametrize("counts", [{("a", "b"): [2]}, NumNeighbors({}, default=[2])], ids=str)
def test_num_neighbors_accepts_the_types_of_pyg(counts):
    data, key = HeteroData(), ("a", "to", "b")
    data["a"].num_nodes = data["b"].num_nodes = 9
    data[key].edge_index = torch.randint(9, (2, 40))
    out = sample(data, counts, [4], "b")
    check({key: data[key].edge_index}, {"b": [4]}, {key: [2]}, False, out)


def test_num_neighbors_object_can_be_shared():
    counts = NumNeighbors([2, 1])
    edge_index, _ = SQUARE["random"]
    check_one(edge_index, [1], [2, 1], False, sample(SQUARE["random"].csr(), counts, [1]))
    data = random_hetero()
    edges = {key: data[key].edge_index for key in data.edge_types}
    out = sample(data, counts, [3], "paper")
    check(edges, {"paper": [3]}, every(edges, [2, 1]), False, out)
