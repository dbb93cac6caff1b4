"""Batches through PyG's loaders and ours, and what the layers find of them."""

import copy
import threading
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
import torch_geometric.transforms as T
from torch_geometric.data import Data, HeteroData
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.loader import NeighborLoader as PyGNeighborLoader
from torch_geometric.nn import HeteroConv
from torch_geometric.sampler import BaseSampler, NegativeSampling, NumNeighbors, SamplerOutput
from torch_geometric.testing import MyFeatureStore, MyGraphStore
from torch_geometric.utils import subgraph

import gatsparse
from gatsparse import CSRGraph, _native
from gatsparse.adjacency import as_graph
from gatsparse.data import stochastic_block_model
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from gatsparse.data.sampler import NeighborSampler

N, E, BATCH = 120, 900, 25
CITES, WRITES = ("paper", "cites", "paper"), ("author", "writes", "paper")
OF, EDITS = ("topic", "of", "paper"), ("author", "edits", "journal")


@pytest.fixture(autouse=True)
def _one_thread(threads):
    threads(1)


def make_data():
    """Isolated nodes, loops and duplicate edges among its edges."""
    return Data(
        x=torch.randn(N, 6, dtype=torch.float64),
        edge_index=torch.randint(N - 5, (2, E)),
        edge_attr=torch.randn(E, 3, dtype=torch.float64),
        y=torch.randint(4, (N,)),
    )


@pytest.fixture
def data():
    return make_data()


@pytest.fixture
def hetero():
    """No edge leads to a topic; papers do not reach a journal."""
    data = HeteroData()
    for name, num_nodes in (("paper", 40), ("author", 15), ("topic", 8), ("journal", 5)):
        data[name].x = torch.randn(num_nodes, 6, dtype=torch.float64)
    for key, num_edges in ((CITES, 150), (WRITES, 90), (OF, 60), (EDITS, 12)):
        ends = [torch.randint(data[name].num_nodes, (num_edges,)) for name in (key[0], key[2])]
        data[key].edge_index = torch.stack(ends)
        data[key].edge_attr = torch.randn(num_edges, 3, dtype=torch.float64)
    data["paper"].y = torch.randint(4, (40,))
    return data


def check(data, batch):
    """Whose nodes and edges a batch has."""
    assert torch.equal(batch.x, data.x[batch.n_id])
    assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    assert torch.equal(batch.edge_attr, data.edge_attr[batch.e_id])
    assert bool((batch.edge_index[1].diff() >= 0).all())


def check_hetero(data, batch):
    for key in data.node_types:
        assert torch.equal(batch[key].x, data[key].x[batch[key].n_id])
    for key in data.edge_types:
        j, i = batch[key].edge_index
        ends = torch.stack([batch[key[0]].n_id[j], batch[key[2]].n_id[i]])
        assert torch.equal(ends, data[key].edge_index[:, batch[key].e_id])
        assert torch.equal(batch[key].edge_attr, data[key].edge_attr[batch[key].e_id])
        assert bool((i.diff() >= 0).all())


def content(batches):
    """What tells batches apart."""
    return [torch.cat([batch.n_id, batch.e_id]).tolist() for batch in batches]


def conv(**options):
    return gatsparse.GATConv(6, 3, heads=2, edge_dim=3, **options).double()


def assert_right(layer, batch):
    """The layer computes with the edges that the batch has now."""
    ours = layer(batch.x, batch.edge_index, batch.edge_attr)
    again = layer(batch.x, batch.edge_index.clone(), batch.edge_attr)
    assert torch.equal(ours, again)
    theirs = torch_geometric.nn.GATConv(6, 3, heads=2, edge_dim=3).double()
    theirs.load_state_dict(layer.state_dict())
    torch.testing.assert_close(ours, theirs(batch.x, batch.edge_index, batch.edge_attr))


class NoneBuiltError(Exception):
    pass


@pytest.fixture
def nothing_is_built(monkeypatch):
    """From here on no structure is built of an edge_index."""

    def refuse():
        def build(*_, **__):
            raise NoneBuiltError

        monkeypatch.setattr(CSRGraph, "from_edge_index", build)

    return refuse


@pytest.fixture
def outputs(monkeypatch):
    """What samplers returned, in order."""
    found, sample = [], NeighborSampler._sample
    monkeypatch.setattr(
        NeighborSampler,
        "_sample",
        lambda *args, **kwargs: found.append(sample(*args, **kwargs)) or found[-1],
    )
    return found


# Loaders of nodes #################################################################


def pyg_loader(data, num_neighbors, **options):
    return NodeLoader(data, node_sampler=NeighborSampler(data, num_neighbors), **options)


def pyg_neighbor_loader(data, num_neighbors, **options):
    sampler = NeighborSampler(data, num_neighbors)
    return PyGNeighborLoader(data, num_neighbors, neighbor_sampler=sampler, **options)


every_loader = pytest.mark.parametrize("loader", [NeighborLoader, pyg_loader, pyg_neighbor_loader])


@every_loader
def test_batches(loader, data):
    loader = loader(data, [4, 3], batch_size=BATCH)
    assert len(loader) == 5
    batches = list(loader)
    assert [batch.batch_size for batch in batches] == [BATCH] * 4 + [20]
    for k, batch in enumerate(batches):
        check(data, batch)
        seeds = torch.arange(k * BATCH, min((k + 1) * BATCH, N))
        assert torch.equal(batch.n_id[: batch.batch_size], seeds)
        assert torch.equal(batch.input_id, seeds)
        assert torch.equal(batch.y[: batch.batch_size], data.y[seeds])
        assert batch.num_nodes == sum(batch.num_sampled_nodes) == batch.n_id.numel()
        assert batch.num_edges == sum(batch.num_sampled_edges) == batch.e_id.numel()
        assert len(batch.num_sampled_edges) == 2
        degree = torch.bincount(data.edge_index[1], minlength=N)[seeds]
        assert batch.num_sampled_edges[0] == int(degree.clamp(max=4).sum())
        assert_right(conv(), batch)


@every_loader
@pytest.mark.parametrize("kind", ["list", "tensor", "mask"])
def test_seeds(loader, kind, data):
    nodes = [3, 50, 7, 119] if kind != "mask" else [3, 7, 50, 119]
    given = torch.tensor(nodes)
    if kind == "mask":
        given = torch.zeros(N, dtype=torch.bool).index_fill_(0, given, True)
    batches = list(loader(data, [2], input_nodes=nodes if kind == "list" else given, batch_size=3))
    seeds = torch.cat([batch.n_id[: batch.batch_size] for batch in batches])
    assert seeds.tolist() == nodes
    ids = torch.cat([batch.input_id for batch in batches])
    assert ids.tolist() == (nodes if kind == "mask" else [0, 1, 2, 3])


@every_loader
def test_batches_of_several_types(loader, hetero):
    counts = {CITES: [3, 2], WRITES: [-1, 2], OF: [0, 4], EDITS: [2, 2]}
    batches = list(loader(hetero, counts, input_nodes="paper", batch_size=16))
    assert [batch["paper"].batch_size for batch in batches] == [16, 16, 8]
    for batch in batches:
        check_hetero(hetero, batch)
        seeds = batch["paper"].input_id
        assert torch.equal(batch["paper"].n_id[: len(seeds)], seeds)
        assert batch["journal"].num_nodes == batch[EDITS].num_edges == 0
        assert batch["topic"].num_sampled_nodes[:2] == [0, 0]
        assert batch["topic"].num_nodes > 0
    (batch,) = loader(hetero, [-1, -1], input_nodes=("journal", [4, 1]), batch_size=2)
    check_hetero(hetero, batch)
    assert batch["journal"].n_id.tolist() == [4, 1]
    assert batch["paper"].num_nodes == 0


def test_batches_carry_every_attribute(data):
    """As PyG's loader carries it, by node, by edge or as it is."""
    by_node = {
        "pos": torch.randn(N, 3),
        "train_mask": torch.rand(N) < 0.5,
        "numbers": np.arange(N),
        "time": torch.arange(N),
    }
    by_edge = {"edge_weight": torch.rand(E), "edge_type": torch.randint(3, (E,))}
    whole = {"name": "graph", "classes": [1, 2], "scale": 0.5, "table": torch.randn(2, 7)}
    for key, value in {**by_node, **by_edge, **whole}.items():
        data[key] = value
    theirs = next(iter(pyg_neighbor_loader(data, [3, 2], batch_size=BATCH)))
    batch = next(iter(NeighborLoader(data, [3, 2], batch_size=BATCH)))
    assert list(batch.keys()) == list(theirs.keys())
    check(data, batch)
    for key, value in by_node.items():
        assert np.array_equal(batch[key], value[batch.n_id])
    for key, value in by_edge.items():
        assert torch.equal(batch[key], value[batch.e_id])
    assert {key: batch[key] for key in whole} == whole


def test_hetero_batches_carry_every_attribute(hetero):
    hetero["paper"].train_mask = torch.rand(40) < 0.5
    hetero[CITES].edge_weight = torch.rand(150)
    hetero.name = "graph"
    hetero["author"].label_names = ["a", "b"]
    options = {"input_nodes": "paper", "batch_size": BATCH}
    theirs = next(iter(pyg_neighbor_loader(hetero, [3, 2], **options)))
    batch = next(iter(NeighborLoader(hetero, [3, 2], **options)))
    for store, expected in zip(batch.stores, theirs.stores, strict=True):
        assert list(store.keys()) == list(expected.keys())
    assert torch.equal(batch["paper"].train_mask, hetero["paper"].train_mask[batch["paper"].n_id])
    assert torch.equal(batch[CITES].edge_weight, hetero[CITES].edge_weight[batch[CITES].e_id])
    assert (batch.name, batch["author"].label_names) == ("graph", ["a", "b"])


@pytest.mark.parametrize("prefetch", [0, 2])
def test_batches_of_a_batch_sampler(data, prefetch):
    batches = [[3, 5], [7], [3, 3, 9]]
    loader = NeighborLoader(data, [-1], batch_sampler=batches, prefetch=prefetch)
    assert [batch.input_id.tolist() for batch in loader] == batches


@pytest.mark.parametrize("subgraph_type", ["induced", "bidirectional"])
def test_kinds_of_subgraphs(subgraph_type, data):
    for batch in NeighborLoader(data, [3, 2], batch_size=BATCH, subgraph_type=subgraph_type):
        assert torch.equal(batch.x, data.x[batch.n_id])
        ends = batch.n_id[batch.edge_index]
        if subgraph_type == "induced":
            check(data, batch)
            _, _, inside = subgraph(batch.n_id, data.edge_index, num_nodes=N, return_edge_mask=True)
            assert torch.equal(batch.e_id.sort().values, inside.nonzero().flatten())
            assert_right(conv(), batch)
        else:
            pairs = set(map(tuple, ends.T.tolist()))
            assert pairs == {pair[::-1] for pair in pairs}
            given = data.edge_index[:, batch.e_id]
            assert bool(((given == ends) | (given.flip(0) == ends)).all())


def test_layers_on_bidirectional_subgraphs(data):
    layer = gatsparse.GATConv(6, 3).double()
    batch = next(iter(NeighborLoader(data, [3, 2], batch_size=5, subgraph_type="bidirectional")))
    expected = layer(batch.x, batch.edge_index.clone())
    torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)


def test_a_sampler_of_ones_own(data):
    sampler = NeighborSampler(data, [1], replace=True, seed=3)
    loader = NeighborLoader(data, [4, 3], neighbor_sampler=sampler, batch_size=BATCH)
    assert loader.node_sampler is sampler
    assert all(len(batch.num_sampled_edges) == 1 for batch in loader)


def test_replacement(data):
    for batch in NeighborLoader(data, NumNeighbors([40]), batch_size=BATCH, replace=True):
        check(data, batch)
        degree = torch.bincount(batch.edge_index[1], minlength=batch.num_nodes)[:BATCH]
        known = torch.bincount(data.edge_index[1], minlength=N)[batch.n_id[: batch.batch_size]]
        assert torch.equal(degree[: batch.batch_size], 40 * (known > 0))


class FirstInEdge(BaseSampler):
    """A sampler that is not ours: the first in-edge of every seed, as a node of its own."""

    def __init__(self, edge_index):
        self.edge_index = edge_index

    def sample_from_nodes(self, index, **_):
        known = torch.isin(index.node, self.edge_index[1])
        edge = (self.edge_index[1] == index.node[known, None]).int().argmax(dim=1)
        node = torch.cat([index.node, self.edge_index[0, edge]])
        row = torch.arange(len(index.node), len(node))
        out = SamplerOutput(node, row, known.nonzero().flatten(), edge)
        out.metadata = (index.input_id, index.time)
        return out

    def sample_from_edges(self, index, neg_sampling=None):
        raise NotImplementedError


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_sampler_that_is_not_ours(prefetch, data):
    sampler = FirstInEdge(data.edge_index)
    loader = NeighborLoader(
        data, [1], neighbor_sampler=sampler, batch_size=BATCH, prefetch=prefetch
    )
    for batch in loader:
        check(data, batch)
        assert_right(conv(), batch)


# Loaders of edges #################################################################


def pyg_link_loader(data, num_neighbors, **options):
    return LinkLoader(data, link_sampler=NeighborSampler(data, num_neighbors), **options)


every_link_loader = pytest.mark.parametrize("loader", [LinkNeighborLoader, pyg_link_loader])


@every_link_loader
@pytest.mark.parametrize("negative", [None, "binary", NegativeSampling("triplet", 2)], ids=str)
def test_batches_of_edges(loader, negative, data):
    loader = loader(data, [3, 2], batch_size=200, neg_sampling=negative)
    assert len(loader) == 5
    for k, batch in enumerate(loader):
        check(data, batch)
        assert_right(conv(), batch)
        edges = torch.arange(200 * k, min(200 * (k + 1), E))
        assert torch.equal(batch.input_id, edges)
        if negative is None or negative == "binary":
            found = batch.n_id[batch.edge_label_index]
        else:
            found = batch.n_id[torch.stack([batch.src_index, batch.dst_pos_index])]
            assert batch.dst_neg_index.shape == (len(edges), 2)
            assert int(batch.dst_neg_index.max()) < batch.num_nodes
        assert torch.equal(found[:, : len(edges)], data.edge_index[:, edges])
        if negative == "binary":
            assert batch.edge_label.tolist() == [1.0] * len(edges) + [0.0] * len(edges)


@every_link_loader
@pytest.mark.parametrize("negative", [None, "binary", "triplet"])
@pytest.mark.parametrize("key", [CITES, WRITES], ids=str)
def test_batches_of_edges_of_several_types(loader, key, negative, hetero):
    loader = loader(hetero, [3, 2], edge_label_index=key, batch_size=32, neg_sampling=negative)
    src, _, dst = key
    for batch in loader:
        check_hetero(hetero, batch)
        if negative == "triplet":
            sources, targets = batch[src].src_index, batch[dst].dst_pos_index
            assert int(batch[dst].dst_neg_index.max()) < batch[dst].num_nodes
        else:
            sources, targets = batch[key].edge_label_index
        found = torch.stack([batch[src].n_id[sources], batch[dst].n_id[targets]])
        edges = batch[key].input_id
        assert torch.equal(found[:, : len(edges)], hetero[key].edge_index[:, edges])


def test_labels_of_edges(data):
    pairs, label = torch.tensor([[3, 90, 3], [7, 0, 7]]), torch.tensor([5, 6, 7])
    (batch,) = LinkNeighborLoader(data, [2], pairs, label, batch_size=3)
    assert torch.equal(batch.n_id[batch.edge_label_index], pairs)
    assert torch.equal(batch.edge_label, label)


def test_edge_batches_of_a_seed_are_the_same(data):
    first, second = (
        content(LinkNeighborLoader(data, [3, 2], batch_size=300, seed=4)) for _ in range(2)
    )
    assert first == second
    assert first != content(LinkNeighborLoader(data, [3, 2], batch_size=300, seed=5))


# Stores ###########################################################################


def stores(data):
    """The features and edges of one node type."""
    features, graph = MyFeatureStore(), MyGraphStore()
    features.put_tensor(data.x, group_name=None, attr_name="x", index=None)
    graph.put_edge_index(data.edge_index, edge_type=None, layout="coo", size=(N, N))
    return features, graph


def hetero_stores(data):
    features, graph = MyFeatureStore(), MyGraphStore()
    for key in data.node_types:
        features.put_tensor(data[key].x, group_name=key, attr_name="x", index=None)
    for key, store in data.edge_items():
        size = (data[key[0]].num_nodes, data[key[2]].num_nodes)
        graph.put_edge_index(store.edge_index, edge_type=key, layout="coo", size=size)
    return features, graph


@every_loader
def test_batches_from_stores(loader, data, nothing_is_built):
    loader = loader(stores(data), [3, 2], input_nodes=torch.arange(30), batch_size=BATCH)
    layer, batches = gatsparse.GATConv(6, 3).double(), list(loader)
    for batch in batches:
        assert torch.equal(batch.x, data.x[batch.n_id])
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    expected = [layer(batch.x, batch.edge_index.clone()) for batch in batches]
    if isinstance(loader, NeighborLoader):
        nothing_is_built()
    for batch, out in zip(batches, expected, strict=True):
        assert torch.equal(layer(batch.x, batch.edge_index), out)


@pytest.mark.parametrize("pair", [hetero_stores, lambda data: (data, data)])
def test_batches_of_several_types_from_stores(pair, hetero):
    for batch in NeighborLoader(pair(hetero), [3, 2], input_nodes="paper", batch_size=16):
        for key in hetero.node_types:
            assert torch.equal(batch[key].x, hetero[key].x[batch[key].n_id])
        for key in hetero.edge_types:
            j, i = batch[key].edge_index
            ends = torch.stack([batch[key[0]].n_id[j], batch[key[2]].n_id[i]])
            assert torch.equal(ends, hetero[key].edge_index[:, batch[key].e_id])


def test_edge_batches_from_stores(hetero):
    loader = LinkNeighborLoader(hetero_stores(hetero), [3], WRITES, batch_size=32)
    for batch in loader:
        sources, targets = batch[WRITES].edge_label_index
        found = torch.stack([batch["author"].n_id[sources], batch["paper"].n_id[targets]])
        assert torch.equal(found, hetero[WRITES].edge_index[:, batch[WRITES].input_id])


# What the layers find #############################################################


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("subgraph_type", ["directional", "induced"])
def test_the_structure_is_that_of_the_sampler(data, outputs, prefetch, subgraph_type):
    loader = NeighborLoader(
        data, [4, 3], batch_size=BATCH, prefetch=prefetch, subgraph_type=subgraph_type
    )
    graphs = []
    for batch in loader:
        graphs.append(as_graph(batch.edge_index, (batch.num_nodes, batch.num_nodes)))
        assert torch.equal(graphs[-1].edge_index(), batch.edge_index)
    assert {id(graph) for graph in graphs} == {id(out.graph) for out in outputs}


@pytest.mark.parametrize("prefetch", [0, 2])
def test_layers_build_nothing(data, nothing_is_built, prefetch):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, prefetch=prefetch)
    model = torch.nn.ModuleList([conv(), gatsparse.GATv2Conv(6, 2, edge_dim=3).double()])
    batches = list(loader)

    def run(batch, edge_index):
        outs = [layer(batch.x, edge_index, batch.edge_attr) for layer in model]
        total = sum(out.square().sum() for out in outs)
        return *outs, *torch.autograd.grad(total, list(model.parameters()))

    expected = [run(batch, batch.edge_index.clone()) for batch in batches]
    nothing_is_built()
    for batch, outs in zip(batches, expected, strict=True):
        assert all(map(torch.equal, run(batch, batch.edge_index), outs))
    with pytest.raises(NoneBuiltError):
        run(batches[0], batches[0].edge_index.clone())


def test_layers_build_nothing_of_edge_batches(data, nothing_is_built):
    batches = list(LinkNeighborLoader(data, [4, 3], batch_size=200, neg_sampling="binary"))
    layer = conv()
    nothing_is_built()
    for batch in batches:
        layer(batch.x, batch.edge_index, batch.edge_attr)


@pytest.mark.filterwarnings("ignore:There exist node types")
@pytest.mark.parametrize("prefetch", [0, 2])
def test_layers_build_nothing_of_several_types(hetero, nothing_is_built, prefetch):
    loader = NeighborLoader(hetero, [3, 2], input_nodes="paper", batch_size=16, prefetch=prefetch)
    layer = HeteroConv(
        {key: gatsparse.GATConv(6, 2, add_self_loops=False) for key in hetero.edge_types}
    ).double()
    batches = list(loader)

    def run(batch, edges):
        return layer({key: batch[key].x for key in batch.node_types}, edges)

    rebuilt = [
        run(batch, {key: store.edge_index.clone() for key, store in batch.edge_items()})
        for batch in batches
    ]
    nothing_is_built()
    for batch, expected in zip(batches, rebuilt, strict=True):
        outs = run(batch, {key: store.edge_index for key, store in batch.edge_items()})
        assert outs.keys() == expected.keys() >= {"paper"}
        assert all(torch.equal(outs[key], expected[key]) for key in outs)
    with pytest.raises(NoneBuiltError):
        run(batch, {key: store.edge_index.clone() for key, store in batch.edge_items()})


def test_models_trimmed_to_what_the_seeds_need(data):
    batch = next(iter(NeighborLoader(data, [4, 3], batch_size=BATCH)))
    model = gatsparse.accelerate(
        torch_geometric.nn.GAT(6, 8, num_layers=2, out_channels=4, edge_dim=3).double()
    )
    whole = model(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
    trimmed = model(
        batch.x,
        batch.edge_index,
        edge_attr=batch.edge_attr,
        num_sampled_nodes_per_hop=batch.num_sampled_nodes,
        num_sampled_edges_per_hop=batch.num_sampled_edges,
    )
    torch.testing.assert_close(trimmed[:BATCH], whole[:BATCH])


# Transforms #######################################################################


def flip_in_place(batch):
    batch.edge_index.copy_(batch.edge_index.flip(0))
    return batch


def flip(batch):
    batch.edge_index = batch.edge_index.flip(0)
    return batch


def drop(batch):
    return batch.edge_subgraph(torch.arange(batch.num_edges) % 3 > 0)


CHANGES = {
    "flipped in place": flip_in_place,
    "flipped": flip,
    "fewer": drop,
    "undirected": T.ToUndirected(),
    "loops": T.AddSelfLoops("edge_attr"),
}


@pytest.mark.parametrize("prefetch", [0, 1])
@pytest.mark.parametrize("transform", CHANGES.values(), ids=CHANGES)
def test_a_transform_that_changes_edges(transform, prefetch, data):
    plain = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=1)
    changed = NeighborLoader(
        data, [4, 3], batch_size=BATCH, seed=1, transform=transform, prefetch=prefetch
    )
    for batch, before in zip(changed, plain, strict=True):
        assert batch.edge_index.shape != before.edge_index.shape or not torch.equal(
            batch.edge_index, before.edge_index
        )
        assert_right(conv(), batch)


def test_a_transform_finds_the_structure(data, nothing_is_built):
    layer, seen = conv(), []

    def transform(batch):
        seen.append(layer(batch.x, batch.edge_index, batch.edge_attr))
        return batch.num_nodes

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform=transform)
    link_loader = LinkNeighborLoader(data, [4, 3], batch_size=300, transform=transform)
    nothing_is_built()
    for batches in (loader, link_loader):
        seen.clear()
        assert list(batches) == [len(out) for out in seen]
        assert len(seen) == len(batches)


def test_a_transform_of_several_types(hetero):
    loader = NeighborLoader(
        hetero, [3], input_nodes="paper", batch_size=16, transform=lambda b: b[CITES].num_edges
    )
    assert all(isinstance(count, int) and count > 0 for count in loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_error_in_a_transform_is_raised(prefetch, data):
    def transform(batch):
        if int(batch.input_id[0]) == 2 * BATCH:
            raise RuntimeError("the third")
        return batch

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform=transform, prefetch=prefetch)
    for _ in range(2):
        seen = []
        with pytest.raises(RuntimeError, match="the third"):
            seen.extend(batch for batch in loader)
        assert no_threads()
    batches = iter(loader)
    assert [next(batches).batch_size for _ in range(2)] == [BATCH, BATCH]
    if prefetch:
        batches.close()
        assert no_threads()


@pytest.mark.parametrize("in_place", [True, False])
def test_a_transform_of_the_samplers_output(in_place, data):
    def transform(out):
        changed = out if in_place else copy.copy(out)
        changed.row, changed.col, changed.edge = out.row[::2], out.col[::2], out.edge[::2]
        return changed

    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform_sampler_output=transform)
    layer = gatsparse.GATConv(6, 3).double()
    for batch in loader:
        expected = layer(batch.x, batch.edge_index.clone())
        torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)


@pytest.mark.parametrize("through_numpy", [False, True])
def test_a_transform_of_the_samplers_output_that_writes_into_it(through_numpy, data):
    def transform(out):
        row = out.row.flip(0)
        if through_numpy:
            out.row.numpy()[:] = row.numpy()
        else:
            out.row.copy_(row)
        return out

    layer = gatsparse.GATConv(6, 3).double()
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, transform_sampler_output=transform)
    for batch in loader:
        expected = layer(batch.x, batch.edge_index.clone())
        torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)


# Seeds, threads and processes #####################################################


def test_batches_of_a_seed_are_the_same_for_any_threads_and_prefetch(data, threads):
    expected = content(NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3))
    for num_threads in (1, 2, 4):
        threads(num_threads)
        for prefetch in (0, 1, 2, 3, 50):
            loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=prefetch)
            assert content(loader) == expected
    assert content(NeighborLoader(data, [4, 3], batch_size=BATCH, seed=4)) != expected


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_after_another_differs(data, prefetch):
    loaders = [
        NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=p) for p in (prefetch, 0)
    ]
    first, second = (content(loaders[0]) for _ in range(2))
    assert first != second
    assert [content(loaders[1]) for _ in range(2)] == [first, second]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_the_global_generator_decides_without_a_seed(data, prefetch):
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
def test_shuffled_batches_of_a_seed_are_the_same_for_any_prefetch(data, prefetch):
    found = []
    for p in (0, prefetch):
        torch.manual_seed(1)
        loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, shuffle=True, prefetch=p)
        found.append(content(loader))
    assert found[0] == found[1]


def test_batches_after_a_break_are_the_same_for_any_prefetch(data):
    found = []
    for prefetch in (0, 2):
        loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=3, prefetch=prefetch)
        for _ in loader:
            break
        found.append(content(loader))
    assert found[0] == found[1]


def no_threads():
    return not [t for t in threading.enumerate() if t.name.startswith("gatsparse-batches")]


def test_threads_prepare_batches_ahead_and_end(data):
    ready, names = [], set()

    def transform(batch):
        ready.append(batch)
        names.add(threading.current_thread().name)
        return batch

    loader = NeighborLoader(data, [2], batch_size=10, prefetch=2, transform=transform)
    for _ in loader:
        for _ in range(200):
            if len(ready) >= 3:
                break
            time.sleep(0.01)
        break
    assert len(ready) == 3  # that one, and two ahead
    assert no_threads()
    assert all(name.startswith("gatsparse-batches") for name in names)
    batches = iter(loader)
    next(batches)
    assert not no_threads()
    batches.close()
    assert no_threads()
    assert len(list(loader)) == 12
    assert no_threads()
    iter(loader)  # that is never asked
    assert no_threads()


def test_two_epochs_at_once(data):
    loader = NeighborLoader(data, [4], batch_size=BATCH, prefetch=2)
    for one, two in zip(loader, loader, strict=True):
        assert torch.equal(one.input_id, two.input_id)
        check(data, one)
        check(data, two)
    assert no_threads()


def test_a_seed_that_is_no_node_is_an_error_of_its_batch(data):
    for prefetch in (0, 2):
        loader = NeighborLoader(
            data, [2], input_nodes=[0, 1, N, 3], batch_size=1, prefetch=prefetch
        )
        batches = iter(loader)
        assert next(batches).n_id[0] == 0
        assert next(batches).n_id[0] == 1
        with pytest.raises(IndexError, match=f"index: expected nodes in 0 .. {N - 1}, got {N}"):
            next(batches)
        assert next(iter(loader)).n_id[0] == 0


def test_worker_processes(data):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, num_workers=2, shuffle=True)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        batches = list(loader)
        found.append(content(batches))
        for batch in batches:
            check(data, batch)
    assert_right(conv(), batches[0])
    assert found[0] == found[1] != found[2]


def test_epochs_of_worker_processes_differ(data):
    loader = NeighborLoader(data, [4, 3], batch_size=60, num_workers=2, seed=1)
    assert content(loader) != content(loader)


def test_worker_processes_do_not_draw_alike():
    """Of equal in-edges, two nodes at the same place of two batches draw others."""
    src, dst = torch.arange(40).repeat(20), torch.arange(20).repeat_interleave(40)
    data = Data(edge_index=torch.stack([src, dst]), num_nodes=40)
    loader = NeighborLoader(
        data, [20], input_nodes=torch.arange(20), batch_size=10, num_workers=2, seed=1
    )
    one, two = (batch.e_id % 40 for batch in loader)
    assert not torch.equal(one, two)


@pytest.mark.parametrize("loader", [NeighborLoader, LinkNeighborLoader])
def test_batches_of_a_seed_are_the_same_for_any_number_of_workers(loader, data):
    found = []
    for num_workers in (0, 1, 2):
        batches = loader(data, [4, 3], batch_size=60, num_workers=num_workers, seed=3)
        found.append([content(batches) for _ in range(2)])
    assert found[0] == found[1] == found[2]
    assert found[0][0] != found[0][1]


def test_workers_that_live_on_go_on(data):
    options = {"batch_size": 30, "num_workers": 2, "persistent_workers": True, "seed": 3}
    first, second = (NeighborLoader(data, [4, 3], **options) for _ in range(2))
    epochs = [content(first) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    alone = NeighborLoader(data, [4, 3], batch_size=30, seed=3)
    assert [content(alone) for _ in range(3)] == epochs
    assert [content(second) for _ in range(3)] == epochs
    first._iterator = second._iterator = None  # ends them; left to gc, PyG's loaders wait long


def test_structures_come_from_workers_that_filter_nothing(data, nothing_is_built):
    options = {"batch_size": 60, "num_workers": 2, "filter_per_worker": False}
    batches = list(NeighborLoader(data, [4, 3], **options))
    nothing_is_built()
    for batch in batches:
        check(data, batch)
        conv()(batch.x, batch.edge_index, batch.edge_attr)


def test_a_batch_that_comes_twice_is_drawn_twice(data):
    loader = NeighborLoader(data, [4, 3], batch_sampler=[[1, 2, 3, 4]] * 2, seed=1)
    first, second = content(loader)
    assert first != second


@pytest.mark.xfail(raises=AssertionError, reason="each process counts how often a batch came")
def test_a_batch_that_comes_to_two_workers_is_drawn_twice(data):
    found = []
    for num_workers in (0, 2):
        options = {"batch_sampler": [[1, 2, 3, 4]] * 2, "seed": 1, "num_workers": num_workers}
        found.append(content(NeighborLoader(data, [4, 3], **options)))
    assert found[0][0] != found[0][1]
    assert found[1] == found[0]


def test_calls_after_an_epoch_are_drawn_anew(data):
    loader = NeighborLoader(data, [4, 3], batch_size=BATCH, seed=1)
    assert content([loader([1, 2, 3])]) != content([loader([1, 2, 3])])
    assert len(list(loader)) == 5
    assert content([loader([1, 2, 3])]) != content([loader([1, 2, 3])])


# Training #########################################################################


@pytest.mark.parametrize("prefetch", [0, 2])
def test_training_learns(prefetch):
    data = stochastic_block_model(400, 4000, 4, 8, homophily=0.9)
    loader = NeighborLoader(
        data,
        [8, 8],
        input_nodes=data.train_mask,
        batch_size=50,
        shuffle=True,
        prefetch=prefetch,
    )
    model = gatsparse.accelerate(torch_geometric.nn.GAT(8, 16, num_layers=2, out_channels=4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(8):
        for batch in loader:
            optimizer.zero_grad()
            out = model(batch.x, batch.edge_index)[: batch.batch_size]
            loss = F.cross_entropy(out, batch.y[: batch.batch_size])
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    with torch.no_grad():
        predicted = model(data.x, data.edge_index).argmax(dim=1)
    assert float((predicted == data.y)[data.test_mask].double().mean()) > 0.8


# Errors ###########################################################################

NODE_OPTIONS = {
    "input_time": torch.zeros(N),
    "disjoint": True,
    "time_attr": "time",
    "weight_attr": "weight",
    "temporal_strategy": "last",
    "directed": False,
}


@pytest.mark.parametrize("name", NODE_OPTIONS)
def test_unsupported_options_raise(name, data):
    with pytest.raises(ValueError, match=f"^{name}: only .* is supported, got "):
        NeighborLoader(data, [2], **{name: NODE_OPTIONS[name]})


@pytest.mark.parametrize("name", ["edge_label_time", *list(NODE_OPTIONS)[1:]])
def test_unsupported_options_of_edge_loaders_raise(name, data):
    value = NODE_OPTIONS.get(name, torch.zeros(E))
    with pytest.raises(ValueError, match=f"^{name}: only .* is supported, got "):
        LinkNeighborLoader(data, [2], **{name: value})


def test_the_defaults_of_pyg_are_taken(data):
    options = dict.fromkeys(("time_attr", "weight_attr", "input_time"))
    loader = NeighborLoader(
        data,
        [2],
        **options,
        disjoint=False,
        temporal_strategy="uniform",
        directed=True,
        is_sorted=True,
        batch_size=BATCH,
    )
    check(data, next(iter(loader)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": -1}, r"^prefetch: expected >= 0, got -1"),
        (
            {"prefetch": 1, "num_workers": 2},
            r"^prefetch: expected 0 together with worker processes, got 1 and num_workers=2",
        ),
    ],
)
def test_bad_prefetch(options, message, data):
    with pytest.raises(ValueError, match=message):
        NeighborLoader(data, [2], **options)


@pytest.mark.parametrize("loader", [NeighborLoader, LinkNeighborLoader])
def test_errors_of_the_sampler(loader, data, monkeypatch):
    with pytest.raises(ValueError, match=r"num_neighbors: expected .* got \[-3\]"):
        loader(data, [-3])
    with pytest.raises(TypeError, match="data: expected edge_index or adj_t, got neither"):
        loader(Data(x=data.x), [3])
    with pytest.raises(TypeError, match=r"data: expected Data, .* got str"):
        loader("cora", [3])
    monkeypatch.setattr(_native, "MISSING", "not built")
    with pytest.raises(ImportError, match="not built"):
        loader(data, [3])


def test_a_structure_alone_is_no_data_of_a_loader(data):
    graph = CSRGraph.from_edge_index(data.edge_index, N)
    with pytest.raises(TypeError, match=r"data: expected"):
        NeighborLoader(graph, [3], torch.arange(4))


@pytest.mark.parametrize("options", [{"replace": True}, {"subgraph_type": "induced"}, {"seed": 1}])
@pytest.mark.parametrize("loader", [NeighborLoader, LinkNeighborLoader])
def test_options_in_addition_to_a_sampler_raise(loader, options, data):
    (name,) = options
    with pytest.raises(ValueError, match=f"^{name}: expected .* with a neighbor_sampler"):
        loader(data, [2], neighbor_sampler=NeighborSampler(data, [2]), **options)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_torch_sparse_adj_t_raises(data):
    adj_t = torch.eye(N).to_sparse_csr()
    with pytest.raises(TypeError, match=r"torch\.sparse adj_t.*set edge_index"):
        NeighborLoader(Data(x=data.x, adj_t=adj_t), [2])
