"""Batches of neighbourhoods, as NeighborLoader makes them, and their bipartite blocks."""

import copy

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader, RandomNodeLoader
from torch_geometric.sampler import BaseSampler, SamplerOutput
from torch_geometric.utils import k_hop_subgraph

import gatsparse
from tests.pipelines.twins import (
    Net,
    assert_equal,
    assert_same,
    assert_same_training,
    every_layer,
    twins,
)

N, CLASSES = 200, 4
SAMPLES = {"four neighbours": [4, 3], "all neighbours": [-1, -1]}


class Sampler(BaseSampler):
    """PyG's NeighborSampler without its libraries: per hop, some in-edges of each new node."""

    def __init__(self, edge_index, num_neighbors):
        self.edge_index, self.num_neighbors = edge_index, num_neighbors

    def sample_from_nodes(self, index, **_):
        nodes = new = index.node.tolist()
        edges, num_nodes, num_edges = [], [len(nodes)], []
        for count in self.num_neighbors:
            hop = [e for i in new for e in self.in_edges(i, count)]
            sources = dict.fromkeys(self.edge_index[0, hop].tolist())
            new = [j for j in sources if j not in nodes]
            nodes, edges = nodes + new, edges + hop
            num_nodes.append(len(new))
            num_edges.append(len(hop))
        nodes, edges = torch.tensor(nodes), torch.tensor(edges, dtype=torch.int64)
        rank = torch.empty(N, dtype=torch.int64)
        rank[nodes] = torch.arange(len(nodes))
        row, col = rank[self.edge_index[:, edges]]
        return SamplerOutput(
            *(nodes, row, col, edges),
            num_sampled_nodes=num_nodes,
            num_sampled_edges=num_edges,
            metadata=(index.input_id, index.time),
        )

    def in_edges(self, i, count):
        edges = (self.edge_index[1] == i).nonzero().flatten()
        edges = edges if count == -1 else edges[torch.randperm(len(edges))[:count]]
        return edges.tolist()

    def sample_from_edges(self, index, neg_sampling=None):
        raise NotImplementedError


@pytest.fixture
def data():
    """A graph of 200 nodes, some of them isolated, with loops and duplicate edges."""
    return Data(
        x=torch.randn(N, 6, dtype=torch.float64),
        edge_index=torch.randint(N - 10, (2, 900)),
        edge_attr=torch.randn(900, 3, dtype=torch.float64),
        y=torch.randint(CLASSES, (N,)),
    )


def loader(data, num_neighbors, batch_size, **kwargs):
    sampler = Sampler(data.edge_index, num_neighbors)
    return NeighborLoader(
        data, num_neighbors, neighbor_sampler=sampler, batch_size=batch_size, **kwargs
    )


def seed_loss(model, batch):
    out = model(batch.x, batch.edge_index, batch.edge_attr)[: batch.batch_size]
    return F.cross_entropy(out, batch.y[: batch.batch_size])


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("edge_dim", [None, 3])
@every_layer
def test_training_on_batches(layer, edge_dim, samples, data):
    batches = list(loader(data, SAMPLES[samples], 32, shuffle=True))
    assert [batch.batch_size for batch in batches] == [32] * 6 + [8]
    for batch in batches:
        assert torch.equal(batch.x, data.x[batch.n_id])
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
        assert torch.equal(batch.edge_attr, data.edge_attr[batch.e_id])
    if edge_dim is None:
        for batch in batches:
            batch.edge_attr = None
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, CLASSES, edge_dim=edge_dim))
    assert_same_training(theirs, ours, 2 * batches, seed_loss)


@every_layer
def test_gradients_of_a_batch(layer, data):
    batch = next(iter(loader(data, [4, 3], 32)))
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, CLASSES, edge_dim=3))
    assert_same(theirs, ours, batch.x, batch.edge_index, batch.edge_attr)


@every_layer
def test_training_on_induced_subgraphs(layer, data):
    batches = list(RandomNodeLoader(data, num_parts=5, shuffle=True))
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, CLASSES, edge_dim=3))

    def loss(model, batch):
        return F.cross_entropy(model(batch.x, batch.edge_index, batch.edge_attr), batch.y)

    assert_same_training(theirs, ours, 2 * batches, loss)


@every_layer
def test_subgraph_of_k_hops_gives_the_result_of_the_graph(layer, data):
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, CLASSES, edge_dim=3))
    seeds = torch.tensor([3, 70, 195])
    nodes, edge_index, mapping, edges = k_hop_subgraph(
        seeds, 2, data.edge_index, relabel_nodes=True, num_nodes=N
    )
    x, edge_attr = data.x[nodes], data.edge_attr[edges.nonzero().flatten()]
    assert_same(theirs, ours, x, edge_index, edge_attr)
    whole = ours(data.x, data.edge_index, data.edge_attr)
    assert_equal(ours(x, edge_index, edge_attr)[mapping], whole[seeds])


# PyG's own models ################################################################


def models(layer, **kwargs):
    """Returns PyG's GAT, and the same model with our layers."""
    kwargs = {"out_channels": CLASSES, "v2": layer == "GATv2Conv", "heads": 2, **kwargs}
    theirs = torch_geometric.nn.GAT(6, 8, num_layers=2, **kwargs).double()
    return theirs, gatsparse.accelerate(copy.deepcopy(theirs), backend="fused")


@every_layer
def test_trimmed_layers_equal_pyg(layer, data):
    batch = next(iter(loader(data, [4, 3], 32)))
    theirs, ours = models(layer, edge_dim=3)
    hops = {
        "num_sampled_nodes_per_hop": batch.num_sampled_nodes,
        "num_sampled_edges_per_hop": batch.num_sampled_edges,
    }
    arguments = {"edge_attr": batch.edge_attr, **hops}
    assert_same(theirs, ours, batch.x, batch.edge_index, **arguments)
    out = ours(batch.x, batch.edge_index, **arguments)
    whole = ours(batch.x, batch.edge_index, edge_attr=batch.edge_attr)
    assert_equal(out[:32], whole[:32])


@pytest.mark.parametrize("cache", [False, True])
@every_layer
def test_inference_layer_by_layer(layer, cache, data):
    theirs, ours = (model.eval() for model in models(layer))
    batches = loader(data, [-1], 64)
    out = ours.inference(batches, cache=cache)
    assert_equal(out, theirs.inference(batches, cache=cache))
    assert_equal(out, ours(data.x, data.edge_index))


# Bipartite blocks ################################################################


def blocks(data, seeds, num_neighbors):
    """Returns blocks from the farthest hop to the seeds; the first sources are destinations."""
    found, destinations = [], seeds
    for count in num_neighbors:
        batch = next(iter(loader(data, [count], len(destinations), input_nodes=destinations)))
        found.append((batch.n_id, batch.edge_index, batch.edge_attr, batch.batch_size))
        destinations = batch.n_id
    return found[::-1]


class BlockNet(Net):
    def forward(self, x, hops):
        for conv, (_, edge_index, edge_attr, num_dst) in zip(
            (self.conv1, self.conv2), hops, strict=True
        ):
            x = conv((x, x[:num_dst]), edge_index, edge_attr).tanh()
        return x


@pytest.mark.parametrize("in_channels", [6, (6, 6)])
@every_layer
def test_blocks(layer, in_channels, data):
    hops = blocks(data, torch.tensor([7, 1, 199, 50]), [4, 3])
    theirs, ours = twins(layer, lambda conv: BlockNet(conv, in_channels, CLASSES, edge_dim=3))
    out = ours(data.x[hops[0][0]], hops)
    assert out.shape == (4, CLASSES)
    assert_same(theirs, ours, data.x[hops[0][0]], hops)


@every_layer
def test_training_on_blocks(layer, data):
    batches = [(seeds, blocks(data, seeds, [4, 3])) for seeds in torch.randperm(N).split(32)]
    theirs, ours = twins(layer, lambda conv: BlockNet(conv, 6, CLASSES, edge_dim=3))

    def loss(model, batch):
        seeds, hops = batch
        return F.cross_entropy(model(data.x[hops[0][0]], hops), data.y[seeds])

    assert_same_training(theirs, ours, batches, loss)


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_attention_of_a_block(layer, add_self_loops, data):
    ((n_id, edge_index, edge_attr, num_dst),) = blocks(data, torch.arange(40, 80), [4])
    options = {"heads": 3, "edge_dim": 3, "add_self_loops": add_self_loops}
    theirs, ours = twins(layer, lambda conv: conv(6, 5, **options))
    x = data.x[n_id]
    arguments = ((x, x[:num_dst]), edge_index, edge_attr)
    assert_same(theirs, ours, *arguments, return_attention_weights=True)
    if layer == "GATConv":
        size = (len(x), num_dst)
        assert_same(theirs, ours, *arguments, size=size, return_attention_weights=True)
