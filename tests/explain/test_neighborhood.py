"""Neighbourhoods give the predictions and the attention of the whole graph."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

import gatsparse
from gatsparse import attention_weights
from gatsparse.explain.neighborhood import Neighborhoods
from gatsparse.testing import relative_error

#: Sums over the same edges in another order.
ROUNDING = 64 * torch.finfo().eps


def neighborhoods(model, data) -> Neighborhoods:
    with torch.no_grad():
        output = model(data.x, data.edge_index, edge_attr=data.edge_attr)
    return Neighborhoods(model, data, getattr(model, "num_layers", 1), output)


def without(data: Data, source: int, node: int) -> Data:
    src, dst = data.edge_index
    kept = ~((src == source) & (dst == node))
    edge_attr = None if data.edge_attr is None else data.edge_attr[kept]
    return Data(x=data.x, edge_index=data.edge_index[:, kept], edge_attr=edge_attr)


def check_every_neighbor(model, data, nodes):
    hoods = neighborhoods(model, data)
    for node in nodes:
        hood = hoods.of(node)
        src, dst = hood.edge_index
        sources = src[(dst == 0) & (src != 0)].unique().tolist()
        outputs = hood.without(sources)
        assert relative_error(outputs[0], hoods.output[node]) <= ROUNDING
        for source, output in zip(sources, outputs[1:], strict=True):
            rest = without(data, int(hood.n_id[source]), node)
            with torch.no_grad():
                expected = model(rest.x, rest.edge_index, edge_attr=rest.edge_attr)[node]
            assert relative_error(output, expected) <= ROUNDING
            assert not torch.equal(output, outputs[0])


def test_removal_equals_removal_from_the_whole_graph(model, data):
    check_every_neighbor(model, data, range(0, 80, 7))


def test_edges_in_the_other_direction_stay(data):
    """With three layers they are on paths to the node that avoid the removed edge."""
    data.edge_index = to_undirected(data.edge_index)
    model = gatsparse.GAT(6, 8, num_layers=3, out_channels=3, heads=2).eval()
    check_every_neighbor(model, data, range(0, 80, 23))


def test_parallel_edges_are_removed_together(model, data):
    data.edge_index = torch.cat([data.edge_index, data.edge_index[:, :200]], dim=1)
    check_every_neighbor(model, data, range(0, 80, 13))


def test_edge_features_belong_to_their_edges(data):
    data.edge_attr = torch.randn(data.num_edges, 2)
    model = gatsparse.GAT(6, 8, num_layers=2, out_channels=3, heads=2, edge_dim=2).eval()
    check_every_neighbor(model, data, range(0, 80, 13))


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_sparse_features(data):
    data.x = data.x.relu()
    model = gatsparse.nn.PaperGAT(6, 4, 3, heads=2).eval()
    with torch.no_grad():
        output = model(data.x, data.edge_index)
    sparse = Data(x=data.x.to_sparse_csr(), edge_index=data.edge_index)
    hoods = Neighborhoods(model, sparse, 2, output)
    for node in range(0, 80, 13):
        assert relative_error(hoods.of(node).without([])[0], output[node]) <= ROUNDING


def test_many_removals_are_split_into_runs(model, data, monkeypatch):
    hoods = neighborhoods(model, data)
    together = hoods.of(5).without([1, 2, 3])
    monkeypatch.setattr("gatsparse.explain.neighborhood._EDGES_AT_ONCE", 1)
    assert relative_error(hoods.of(5).without([1, 2, 3]), together) <= ROUNDING


def test_attention_to_in_neighbors_equals_that_of_the_whole_graph(model, data):
    whole = attention_weights(model, data)
    hood = neighborhoods(model, data).of(3)
    for found, expected in zip(hood.layers, whole, strict=True):
        weights = []
        for layer, node, names in ((found, 0, hood.n_id), (expected, 3, torch.arange(80))):
            here = layer.edge_index[1] == node
            order = names[layer.edge_index[0, here]].argsort(stable=True)
            weights.append(layer.alpha[here][order])
        assert relative_error(weights[0], weights[1]) <= ROUNDING


class MixesNodes(torch.nn.Module):
    """A model whose outputs depend on all nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = gatsparse.GATConv(6, 3)

    def forward(self, x, edge_index, edge_attr=None):
        return self.conv(x - x.mean(dim=0), edge_index, edge_attr)


def test_models_that_mix_nodes_are_rejected(data):
    hood = neighborhoods(MixesNodes().eval(), data).of(3)
    with pytest.raises(ValueError, match=r"model: expected outputs .* pass nodes=\[\] and rem"):
        hood.without([1])
    with pytest.raises(ValueError, match="model: expected outputs"):
        _ = hood.layers
