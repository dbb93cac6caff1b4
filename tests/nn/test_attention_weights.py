"""The attention of whole models equals the attention that their layers return."""

import pytest
import torch
import torch_geometric.nn
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.nn import HeteroConv, global_mean_pool, to_hetero
from torch_geometric.utils import trim_to_layer

import gatsparse
from gatsparse import CSRGraph, attention_weights
from gatsparse.testing import graph_zoo, relative_error
from tests.nn.layers import OURS

ZOO = graph_zoo()
EDGES, (NUM_NODES, _) = ZOO["dense with duplicates"]
every_layer = pytest.mark.parametrize("layer", OURS)


def graph(**attributes):
    return Data(x=torch.randn(NUM_NODES, 6), edge_index=EDGES, **attributes)


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("library", ["torch_geometric", "gatsparse"])
@every_layer
def test_equals_the_attention_that_layers_return(layer, library, add_self_loops):
    model = gatsparse.GAT(6, 8, 2, heads=2, v2=layer == "GATv2Conv", add_self_loops=add_self_loops)
    if library == "torch_geometric":
        theirs = torch_geometric.nn.GAT(
            6, 8, 2, heads=2, v2=layer == "GATv2Conv", add_self_loops=add_self_loops
        )
        theirs.load_state_dict(model.state_dict())
        model = theirs
    data = graph()
    first, second = attention_weights(model, data)
    x = data.x
    for found, conv in zip((first, second), model.convs, strict=True):
        out, (edge_index, alpha) = conv(x, EDGES, return_attention_weights=True)
        x = out.relu()
        assert torch.equal(found.edge_index, edge_index)
        assert torch.equal(found.alpha, alpha)
        assert not found.alpha.requires_grad
    assert (first.name, second.name) == ("convs.0", "convs.1")


@pytest.mark.parametrize("add_self_loops", [False, True])
@every_layer
def test_edge_ids_are_positions_in_the_input(layer, add_self_loops):
    model = OURS[layer](6, 4, heads=3, add_self_loops=add_self_loops)
    (found,) = attention_weights(model, graph())
    known = found.edge_id >= 0
    assert torch.equal(found.edge_index[:, known], EDGES[:, found.edge_id[known]])
    assert (found.edge_id[known].diff() > 0).all()
    assert torch.equal(found.loop_mask, found.edge_index[0] == found.edge_index[1])
    if add_self_loops:
        assert torch.equal(~known, found.loop_mask)
        assert found.loop_mask.sum() == NUM_NODES
    else:
        assert known.all()
        assert found.loop_mask.any()
    total = torch.zeros(NUM_NODES, 3).index_add(0, found.edge_index[1], found.alpha)
    assert relative_error(total, torch.ones(NUM_NODES, 3)) <= 16 * torch.finfo().eps


@every_layer
def test_model_is_unchanged(layer):
    model = torch_geometric.nn.Sequential(
        "x, edge_index",
        [
            (torch.nn.Dropout(0.5), "x -> x"),
            (OURS[layer](6, 4, dropout=0.5), "x, edge_index -> x"),
            torch.nn.BatchNorm1d(4),
        ],
    )
    model[2].eval()
    seen = []
    model[1].register_forward_hook(lambda _conv, _args, out: seen.append(type(out)))
    data = graph()
    (first,), (second,) = attention_weights(model, data), attention_weights(model, data)
    assert torch.equal(first.alpha, second.alpha)
    assert seen == [torch.Tensor, torch.Tensor]
    assert [module.training for module in model] == [True, True, False]
    assert isinstance(model(data.x, data.edge_index), torch.Tensor)
    assert not model[1]._forward_pre_hooks
    assert len(model[1]._forward_hooks) == 1


def test_failing_model_is_unchanged():
    model = gatsparse.GATConv(6, 4)
    with pytest.raises(ValueError, match=r"x: expected shape \[N, 6\]"):
        attention_weights(model, Data(x=torch.randn(3, 5), edge_index=EDGES[:, :0]))
    assert not model._forward_hooks
    assert model.training


class Asking(torch.nn.Module):
    """Two calls of one layer, the first with its attention."""

    def __init__(self, layer):
        super().__init__()
        self.conv = layer(6, 6)

    def forward(self, data):
        x, (_, alpha) = self.conv(data.x, data.edge_index, return_attention_weights=True)
        assert alpha.dim() == 2
        return self.conv(x, data.edge_index)


@every_layer
def test_every_call_of_a_layer_is_returned(layer):
    found = attention_weights(Asking(OURS[layer]), graph())
    assert [f.name for f in found] == ["conv", "conv"]
    assert not torch.equal(found[0].alpha, found[1].alpha)


@every_layer
def test_every_format_gives_the_same_attention(layer):
    model = OURS[layer](6, 4, heads=2)
    data = graph()
    expected = attention_weights(model, data)[0]
    index, ones = EDGES.contiguous(), torch.ones(EDGES.size(1))
    size = (NUM_NODES, NUM_NODES)
    adj_t = torch.sparse_coo_tensor(EDGES.flip(0), ones, size, check_invariants=True)
    for format in (
        EdgeIndex(index, sparse_size=size),
        CSRGraph.from_edge_index(EDGES, NUM_NODES),
        adj_t,
    ):
        (found,) = attention_weights(model, Data(x=data.x), edge_index=format)
        for a, b in zip(found[1:5], expected[1:5], strict=True):
            assert torch.equal(a, b)
    (found,) = attention_weights(model, Data(x=data.x, adj_t=adj_t))
    assert torch.equal(found.alpha, expected.alpha)


@every_layer
def test_edge_features_are_used(layer):
    model = OURS[layer](6, 4, edge_dim=2)
    data = graph(edge_attr=torch.randn(EDGES.size(1), 2))
    (found,) = attention_weights(model, data)
    _, (_, alpha) = model(data.x, EDGES, data.edge_attr, return_attention_weights=True)
    assert torch.equal(found.alpha, alpha)
    (without,) = attention_weights(model, data, edge_attr=None)
    assert not torch.equal(without.alpha, alpha)


@pytest.mark.parametrize("format", ["EdgeIndex", "torch.sparse"])
def test_number_of_nodes_is_read_from_the_format(format):
    """Three destinations have no features; only the format tells their number."""

    class Sources(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = gatsparse.GATConv(6, 4)

        def forward(self, x, edge_index):
            return self.conv((x, None), edge_index) + torch.zeros(3, 4)

    edges = torch.tensor([[0, 5, 7, 3], [0, 1, 2, 0]])
    adj = EdgeIndex(edges, sparse_size=(8, 3))
    if format == "torch.sparse":
        adj = torch.sparse_coo_tensor(edges.flip(0), torch.ones(4), (3, 8), check_invariants=True)
    (found,) = attention_weights(Sources(), Data(x=torch.randn(8, 6)), edge_index=adj)
    assert found.loop_mask.sum() == 3


# Sampled batches #################################################################


def test_global_ids_of_a_batch():
    n_id, e_id = torch.randperm(900)[:NUM_NODES], torch.randperm(5000)[: EDGES.size(1)]
    (found,) = attention_weights(gatsparse.GATConv(6, 4), graph(n_id=n_id, e_id=e_id))
    (local,) = attention_weights(gatsparse.GATConv(6, 4), graph())
    assert torch.equal(found.edge_index, n_id[local.edge_index])
    known = local.edge_id >= 0
    assert torch.equal(found.edge_id[known], e_id[local.edge_id[known]])
    assert torch.equal(found.edge_id[~known], local.edge_id[~known])
    assert torch.equal(found.loop_mask, local.loop_mask)
    assert found.global_ids
    assert not local.global_ids


class Trimmed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = gatsparse.GATConv(6, 6), gatsparse.GATConv(6, 6)

    def forward(self, x, edge_index, num_nodes, num_edges):
        x = self.conv1(x, edge_index)
        x, edge_index, _ = trim_to_layer(1, num_nodes, num_edges, x, edge_index)
        return self.conv2(x, edge_index)


def test_global_ids_after_trim_to_layer():
    edges = torch.stack([torch.randint(7, (40,)), torch.randint(4, (40,))])
    edges[0, 30:] = torch.randint(7, 10, (10,))
    n_id, e_id = torch.randperm(900)[:10], torch.randperm(5000)[:40]
    data = Data(x=torch.randn(10, 6), edge_index=edges, n_id=n_id, e_id=e_id)
    model = Trimmed()
    layers = attention_weights(model, data, num_nodes=[4, 3, 3], num_edges=[30, 10])
    layers += attention_weights(model, data, num_nodes=[4, 3, 3], num_edges=[0, 40])
    for found, length in zip(layers, (40, 30, 40, 0), strict=True):
        assert found.global_ids
        known = found.edge_id >= 0
        kept = (edges[0] != edges[1])[:length].nonzero().flatten()
        assert torch.equal(found.edge_id[known], e_id[kept])
        assert torch.equal(found.edge_index[:, known], n_id[edges[:, kept]])


def test_edges_added_by_the_model_have_no_global_ids():
    class Doubled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = gatsparse.GATConv(6, 4, add_self_loops=False)

        def forward(self, x, edge_index):
            return self.conv(x, torch.cat([edge_index, edge_index.flip(0)], dim=1))

    (found,) = attention_weights(Doubled(), graph(n_id=torch.arange(NUM_NODES) + 100))
    assert torch.equal(found.edge_index, torch.cat([EDGES, EDGES.flip(0)], dim=1))
    assert not found.global_ids


# Several types ###################################################################


def hetero_data():
    data = HeteroData()
    data["author"].x, data["paper"].x = torch.randn(5, 6), torch.randn(8, 6)
    writes = torch.stack([torch.randint(5, (20,)), torch.randint(8, (20,))])
    data["author", "writes", "paper"].edge_index = writes
    data["paper", "written", "author"].edge_index = writes.flip(0)
    data["paper", "cites", "paper"].edge_index = torch.randint(8, (2, 30))
    for store, n in ((data["author"], 5), (data["paper"], 8)):
        store.n_id = 100 * n + torch.arange(n)
    for edge_type in data.edge_types:
        data[edge_type].e_id = 1000 + torch.arange(data[edge_type].edge_index.size(1))
    return data


class Homogeneous(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.conv = layer((-1, -1), 4, heads=2, add_self_loops=False)

    def forward(self, x, edge_index):
        return self.conv(x, edge_index)


class Hetero(torch.nn.Module):
    def __init__(self, layer, edge_types):
        super().__init__()
        convs = {t: layer((-1, -1), 4, heads=2, add_self_loops=False) for t in edge_types}
        self.conv = HeteroConv(convs)

    def forward(self, x_dict, edge_index_dict):
        return self.conv(x_dict, edge_index_dict)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("build", ["to_hetero", "HeteroConv"])
@every_layer
def test_hetero_models_give_edge_types_and_global_ids(layer, build, shared):
    data = hetero_data()
    if shared:
        edges = data["paper", "cites", "paper"].edge_index % 5
        for edge_type in data.edge_types:
            data[edge_type].edge_index = edges
            data[edge_type].e_id = torch.randperm(99)[:30]
    if build == "to_hetero":
        model = to_hetero(Homogeneous(OURS[layer]), data.metadata())
    else:
        model = Hetero(OURS[layer], data.edge_types)
    found = attention_weights(model, data)
    assert {f.edge_type for f in found} == set(data.edge_types)
    for f in found:
        src, _, dst = f.edge_type
        j, i = data[f.edge_type].edge_index
        assert torch.equal(f.edge_index, torch.stack([data[src].n_id[j], data[dst].n_id[i]]))
        assert torch.equal(f.edge_id, data[f.edge_type].e_id[: len(j)])


# Arguments #######################################################################


class Pooled(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = gatsparse.GATConv(6, 4)

    def forward(self, x, edge_index, batch, scale=1.0):
        return global_mean_pool(scale * self.conv(x, edge_index), batch)


def test_missing_arguments_of_the_model_raise():
    data = graph(batch=torch.zeros(NUM_NODES, dtype=torch.int64))
    assert len(attention_weights(Pooled(), data, scale=2.0)) == 1
    with pytest.raises(
        TypeError, match=r"data: expected attributes or keyword arguments \['batch'"
    ):
        attention_weights(Pooled(), graph())


class OfBatches(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = gatsparse.GATConv(6, 4)

    def forward(self, batch, p=0.0):
        out = self.conv(batch.x, batch.edge_index)
        return global_mean_pool(torch.nn.functional.dropout(out, p), batch.batch)


def test_model_that_takes_a_batch():
    assert len(attention_weights(OfBatches(), Batch.from_data_list([graph(), graph()]))) == 1


@pytest.mark.parametrize(
    "wrap",
    [torch.nn.DataParallel, torch.compile, torch.optim.swa_utils.AveragedModel],
)
def test_wrapped_models_give_the_same_attention(wrap):
    data = graph()
    model = gatsparse.GAT(6, 4, 2)
    wrapped = attention_weights(wrap(model), data)
    for a, b in zip(wrapped, attention_weights(model, data), strict=True):
        assert torch.equal(a.alpha, b.alpha)


def test_user_hooks_see_positional_arguments():
    model = gatsparse.GATConv(6, 4)
    seen = []
    model.register_forward_hook(lambda _conv, args, _out: seen.append(len(args)))
    data = graph()
    torch_geometric.nn.Sequential("x, edge_index", [(model, "x, edge_index -> x")])(
        data.x, data.edge_index
    )
    model.register_forward_pre_hook(lambda _conv, args: seen.append(len(args)))

    class Positional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = model

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    attention_weights(Positional(), data)
    assert seen[:2] == [2, 2]
    assert seen[2] >= 2


def test_layer_without_return_attention_weights_raises():
    class Narrow(gatsparse.GATConv):
        def forward(self, x, edges):
            return super().forward(x, edges)

    class Narrowed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = Narrow(6, 4)

        def forward(self, x, edge_index):
            return self.conv(x, edge_index)

    with pytest.raises(TypeError, match=r"Narrow.forward \('conv'\), got \(x, edges\)"):
        attention_weights(Narrowed(), graph())


@pytest.mark.parametrize("data", [[1], {"x": 1}, None])
def test_data_of_a_wrong_type_raises(data):
    with pytest.raises(TypeError, match="data: expected Data or HeteroData, got "):
        attention_weights(gatsparse.GATConv(6, 4), data)


def test_unsupported_edge_weights_are_not_passed():
    data = graph(edge_weight=torch.ones(EDGES.size(1)))
    assert len(attention_weights(gatsparse.GAT(6, 4, 2), data)) == 2


def test_model_without_attention_raises():
    with pytest.raises(
        ValueError, match="model: expected a model with GAT or GATv2 layers, got GCNConv"
    ):
        attention_weights(torch_geometric.nn.GCNConv(6, 4), graph())
