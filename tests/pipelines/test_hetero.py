"""Graphs of several node and edge types: to_hetero, its bases, and HeteroConv."""

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.data import HeteroData
from torch_geometric.nn import HeteroConv, to_hetero, to_hetero_with_bases

from tests.pipelines.twins import (
    Net,
    assert_equal,
    assert_same,
    assert_same_training,
    every_layer,
    twins,
)

CITES = ("paper", "cites", "paper")
WRITES = ("author", "writes", "paper")
WRITTEN_BY = ("paper", "written_by", "author")
EDGES = {CITES: 60, WRITES: 40, WRITTEN_BY: 40}
METADATA = (["paper", "author"], list(EDGES))


@pytest.fixture
def data():
    """20 papers, 9 authors, and edges of three types."""
    data = HeteroData()
    for name, num_nodes, channels in (("paper", 20, 6), ("author", 9, 5)):
        data[name].x = torch.randn(num_nodes, channels, dtype=torch.float64)
    for kind, num_edges in EDGES.items():
        ends = [torch.randint(data[name].num_nodes, (num_edges,)) for name in (kind[0], kind[2])]
        data[kind].edge_index = torch.stack(ends)
        data[kind].edge_attr = torch.randn(num_edges, 3, dtype=torch.float64)
    assert data.metadata() == METADATA
    return data


def arguments(data, edge_dim):
    edge_attr = () if edge_dim is None else (data.edge_attr_dict,)
    return (data.x_dict, data.edge_index_dict, *edge_attr)


# to_hetero #######################################################################


@pytest.mark.parametrize("edge_dim", [None, 3, -1])
@pytest.mark.parametrize("aggr", ["sum", "mean", "max"])
@every_layer
def test_to_hetero(layer, aggr, edge_dim, data):
    def build(conv):
        net = Net(conv, (-1, -1), 3, edge_dim=edge_dim, add_self_loops=False)
        return to_hetero(net, METADATA, aggr)

    inputs = arguments(data, edge_dim)
    theirs, ours = twins(layer, build, *inputs)
    assert_same(theirs, ours, *inputs)


@every_layer
def test_training_of_to_hetero(layer, data):
    def build(conv):
        return to_hetero(Net(conv, (-1, -1), 3, edge_dim=3, add_self_loops=False), METADATA)

    def loss(model, data):
        return F.cross_entropy(model(*arguments(data, 3))["paper"], torch.arange(20) % 3)

    theirs, ours = twins(layer, build, *arguments(data, 3))
    assert_same_training(theirs, ours, [data] * 5, loss)


@every_layer
def test_to_hetero_of_an_initialised_model_resets_its_copies(layer, data):
    def build(conv):
        net = Net(conv, (6, 6), 3, add_self_loops=False)
        return to_hetero(net, METADATA)

    data["author"].x = torch.randn(9, 6, dtype=torch.float64)
    theirs, ours = twins(layer, build)
    assert_same(theirs, ours, *arguments(data, None))
    states = []
    for model in (theirs, ours):
        torch.manual_seed(1)
        for conv in model.conv1.values():
            conv.reset_parameters()
        states.append(model.conv1.state_dict())
    assert_equal(*states)


@every_layer
def test_to_hetero_rejects_self_loops(layer, data):
    for conv in twins(layer, lambda conv: Net(conv, 6, 3)):
        with pytest.raises(ValueError, match="'add_self_loops' attribute set to 'True'"):
            to_hetero(conv, data.metadata())


@every_layer
def test_to_hetero_with_bases_fails_as_in_pyg(layer, data):
    def build(conv):
        net = Net(conv, 6, 3, edge_dim=3, add_self_loops=False)
        return to_hetero_with_bases(net, METADATA, num_bases=2)

    data["author"].x = torch.randn(9, 6, dtype=torch.float64)
    for model in twins(layer, build, backend="auto"):
        # PyG's hook expects messages [E, C], but those of both layers are [E, H, C].
        with pytest.raises(ValueError, match=r"Number of messages \(140\) does not match"):
            model(*arguments(data, 3))


# HeteroConv ######################################################################


def hetero_conv(conv, aggr, edge_dim, **kwargs):
    kwargs = {"heads": 2, "edge_dim": edge_dim, "add_self_loops": False, **kwargs}
    return HeteroConv({kind: conv((-1, -1), 4, **kwargs) for kind in EDGES}, aggr)


@pytest.mark.parametrize("edge_dim", [None, 3, -1])
@pytest.mark.parametrize("aggr", ["sum", "mean", "min", "max", "cat", None])
@every_layer
def test_hetero_conv(layer, aggr, edge_dim, data):
    inputs = arguments(data, edge_dim)
    theirs, ours = twins(layer, lambda conv: hetero_conv(conv, aggr, edge_dim), *inputs)
    assert_same(theirs, ours, *inputs)
    if edge_dim is not None:
        x, edge_index, edge_attr = inputs
        assert_same(theirs, ours, x, edge_index, edge_attr_dict=edge_attr)


@pytest.mark.parametrize("residual", [False, True])
@every_layer
def test_hetero_conv_with_other_layers(layer, residual, data):
    def build(conv):
        options = {"heads": 2, "concat": False, "residual": residual}
        return HeteroConv(
            {
                CITES: conv(-1, 4, **options),
                WRITES: conv((-1, -1), 4, add_self_loops=False, **options),
                WRITTEN_BY: torch_geometric.nn.SAGEConv((-1, -1), 4),
            }
        )

    inputs = arguments(data, None)
    assert_same(*twins(layer, build, *inputs), *inputs)


@pytest.mark.parametrize("edge_dim", [None, 3, -1])
@every_layer
def test_types_without_edges_or_nodes(layer, edge_dim, data):
    def transformed(conv):
        net = Net(conv, (-1, -1), 3, edge_dim=edge_dim, add_self_loops=False)
        return to_hetero(net, METADATA)

    inputs = arguments(data, edge_dim)
    for build in (transformed, lambda conv: hetero_conv(conv, "sum", edge_dim)):
        models = twins(layer, build, *inputs)
        empty = data.clone()
        for kind in (CITES, WRITES, WRITTEN_BY):
            empty[kind].edge_index = empty[kind].edge_index[:, :0]
            empty[kind].edge_attr = empty[kind].edge_attr[:0]
            assert_same(*models, *arguments(empty, edge_dim))
        empty["author"].x = empty["author"].x[:0]
        assert_same(*models, *arguments(empty, edge_dim))


@every_layer
def test_hetero_conv_skips_missing_types(layer, data):
    inputs = arguments(data, 3)
    models = twins(layer, lambda conv: hetero_conv(conv, "sum", 3), *inputs)
    x, *edges = inputs
    assert_same(*models, x, *({CITES: values[CITES]} for values in edges))


@every_layer
def test_attention_of_hetero_conv(layer, data):
    inputs = arguments(data, 3)
    models = twins(layer, lambda conv: hetero_conv(conv, "sum", 3), *inputs)
    for kind in EDGES:
        x = tuple(data[name].x for name in (kind[0], kind[2]))
        edges = data[kind]
        assert_same(
            *(model.convs[kind] for model in models),
            *(x, edges.edge_index, edges.edge_attr),
            return_attention_weights=True,
        )


@every_layer
def test_homogeneous_view(layer, data):
    data["author"].x = torch.randn(9, 6, dtype=torch.float64)
    data = data.to_homogeneous()
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, 3, edge_dim=3))
    assert_same(theirs, ours, data.x, data.edge_index, data.edge_attr)
