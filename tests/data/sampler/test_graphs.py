"""Graph formats and stores that the sampler accepts."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Data, HeteroData
from torch_geometric.testing import MyFeatureStore, MyGraphStore

from gatsparse import CSRGraph
from gatsparse.data.sampler import NeighborSampler
from tests.data.sampler.samples import (
    SQUARE,
    assert_equal,
    check,
    check_one,
    every,
    nodes_of,
    random_hetero,
    sample,
)


def test_graph_formats_give_the_same_samples():
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


def test_edge_ids_of_a_sparse_tensor_are_positions_of_its_values():
    sparse = pytest.importorskip("torch_sparse")
    graph = SQUARE["random"].csr()
    adj_t = sparse.SparseTensor(rowptr=graph.rowptr, col=graph.col.long(), sparse_sizes=(60, 60))
    out = sample(Data(adj_t=adj_t, num_nodes=60), [4, 3], [5, 6], seed=1)
    edge_index = torch.stack([graph.col.long(), graph.csr.row()])
    check_one(edge_index, [5, 6], [4, 3], False, out)


def test_sampler_copies_the_edges():
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
    """Returns the edges in the order of a store of this layout."""
    order = {"coo": edge_index[0] * 0, "csc": edge_index[1], "csr": edge_index[0]}[layout]
    if layout == "csr":  # whose rows hold destinations in the order of the transpose
        order = order * num_nodes + edge_index[1]
    return edge_index[:, order.argsort(stable=True)]


@pytest.mark.parametrize("layout", ["coo", "csc", "csr"])
def test_stores_of_one_type_are_sampled(layout):
    edge_index, _ = SQUARE["random"]
    out = sample(stores({None: edge_index}, {None: 60}, layout), [4, 3], [5, 6], seed=1)
    check_one(as_stored(edge_index, 60, layout), [5, 6], [4, 3], False, out)


@pytest.mark.parametrize("layout", ["coo", "csc", "csr"])
def test_stores_of_several_types_are_sampled(layout):
    data = random_hetero()
    edges = dict(zip(data.edge_types, (s.edge_index for s in data.edge_stores), strict=True))
    sizes = {key: data[key].num_nodes for key in data.node_types}
    out = sample(stores(edges, sizes, layout), [3, 2], [1, 1, 5], "paper", seed=1)
    stored = {key: as_stored(t, sizes[key[2]], layout) for key, t in edges.items()}
    check(stored, {"paper": [1, 1, 5]}, every(edges, [3, 2]), False, out)
    out = sample((data, data), [3, 2], [1], "paper", seed=1)
    check(edges, {"paper": [1]}, every(edges, [3, 2]), False, out)


def test_store_with_two_layouts_of_one_type_is_sampled():
    edge_index, _ = SQUARE["random"]
    features, graph_store = stores({None: edge_index}, {None: 60})
    graph = SQUARE["random"].csr()
    graph_store.put_edge_index(
        (graph.col.long(), graph.rowptr), edge_type=None, layout="csc", size=(60, 60)
    )
    out = sample((features, graph_store), [4, 3], [5, 6], seed=1)
    assert torch.equal(out.node[:2], torch.tensor([5, 6]))


def test_store_without_sizes_takes_them_from_features():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    out = sample(stores(edges, {"a": 5, "b": 7}, declare=False), [2], [6], "b")
    assert out.node["b"].tolist() == [6]


def test_node_type_without_edges_is_sampled():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    out = sample(stores(edges, {"a": 5, "b": 7, "alone": 3}), [2], [2, 0], "alone")
    assert out.node["alone"].tolist() == [2, 0]


@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
def test_node_type_named_by_edges_only_is_accepted():
    data = HeteroData()
    data["a"].num_nodes = 3
    data["a", "to", "b"].edge_index = torch.tensor([[0, 1], [0, 1]])
    assert sample(data, [2], [0], "a").node["a"].tolist() == [0]


def test_store_with_edge_features_is_sampled():
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, 0]])}
    features, graph_store = stores(edges, {"a": 5, "b": 7})
    group = ("a", "to", "b")
    features.put_tensor(torch.randn(2, 3), group_name=group, attr_name="edge_attr", index=None)
    assert sample((features, graph_store), [2], [0], "b").node["a"].tolist() == [4]


@pytest.mark.parametrize("top", [7, 8, 20])
def test_store_with_edges_to_missing_nodes_raises(top):
    edges = {("a", "to", "b"): torch.tensor([[0, 4], [1, top]])}
    data = stores(edges, {"a": 5, "b": 30}, declare=False)
    data[0].put_tensor(torch.randn(7, 2), group_name="b", attr_name="x", index=None)
    with pytest.raises((IndexError, ValueError)):
        NeighborSampler(data, [2])
