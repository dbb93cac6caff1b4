"""Batches of nodes, from our loader and from PyG's with our sampler."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.sampler import BaseSampler, NumNeighbors, SamplerOutput
from torch_geometric.utils import subgraph

import gatsparse
from gatsparse.data import stochastic_block_model
from gatsparse.data.loader import NeighborLoader
from gatsparse.data.sampler import NeighborSampler
from tests.data.loader.batches import (
    BATCH,
    CITES,
    EDITS,
    OF,
    WRITES,
    E,
    N,
    assert_right,
    check,
    check_hetero,
    conv,
    every_loader,
    pyg_neighbor_loader,
)


@every_loader
def test_batches_hold_sampled_nodes_and_edges(loader, data):
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
def test_input_nodes_are_the_seeds(loader, kind, data):
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
def test_hetero_batches_hold_sampled_nodes_and_edges(loader, hetero):
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


def test_batches_hold_every_attribute(data):
    """Node and edge attributes are indexed, others are copied, as by PyG's loader."""
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


def test_hetero_batches_hold_every_attribute(hetero):
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
def test_batch_sampler_chooses_the_seeds(data, prefetch):
    batches = [[3, 5], [7], [3, 3, 9]]
    loader = NeighborLoader(data, [-1], batch_sampler=batches, prefetch=prefetch)
    assert [batch.input_id.tolist() for batch in loader] == batches


@pytest.mark.parametrize("subgraph_type", ["induced", "bidirectional"])
def test_induced_and_bidirectional_batches(subgraph_type, data):
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


def test_layers_run_on_bidirectional_batches(data):
    layer = gatsparse.GATConv(6, 3).double()
    batch = next(iter(NeighborLoader(data, [3, 2], batch_size=5, subgraph_type="bidirectional")))
    expected = layer(batch.x, batch.edge_index.clone())
    torch.testing.assert_close(layer(batch.x, batch.edge_index), expected)


def test_given_sampler_is_used(data):
    sampler = NeighborSampler(data, [1], replace=True, seed=3)
    loader = NeighborLoader(data, [4, 3], neighbor_sampler=sampler, batch_size=BATCH)
    assert loader.node_sampler is sampler
    assert all(len(batch.num_sampled_edges) == 1 for batch in loader)


def test_sampling_with_replacement_repeats_edges(data):
    for batch in NeighborLoader(data, NumNeighbors([40]), batch_size=BATCH, replace=True):
        check(data, batch)
        degree = torch.bincount(batch.edge_index[1], minlength=batch.num_nodes)[:BATCH]
        known = torch.bincount(data.edge_index[1], minlength=N)[batch.n_id[: batch.batch_size]]
        assert torch.equal(degree[: batch.batch_size], 40 * (known > 0))


class FirstInEdge(BaseSampler):
    """A custom sampler: the first in-edge of every seed, whose source is a new node."""

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
def test_custom_sampler_is_accepted(prefetch, data):
    sampler = FirstInEdge(data.edge_index)
    loader = NeighborLoader(
        data, [1], neighbor_sampler=sampler, batch_size=BATCH, prefetch=prefetch
    )
    for batch in loader:
        check(data, batch)
        assert_right(conv(), batch)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_training_on_batches_learns(prefetch):
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
