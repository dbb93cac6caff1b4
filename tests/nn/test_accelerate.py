import copy

import pytest
import torch
import torch_geometric.nn

import gatsparse
from gatsparse.slow_path import SlowPathWarning
from gatsparse.testing import graph_zoo, relative_error

EDGES, (NUM_NODES, _) = graph_zoo()["random"]


def same_function(model, *args):
    expected = model(*args)
    expected.sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    assert gatsparse.accelerate(model) is model
    out = model(*args)
    out.sum().backward()
    assert relative_error(out, expected) <= 1e-10
    for parameter, grad in zip(model.parameters(), grads, strict=True):
        assert relative_error(parameter.grad, grad) <= 1e-10


def layers(model):
    return [m for m in model.modules() if isinstance(m, torch_geometric.nn.GATConv)]


def test_accelerated_model_equals_pyg():
    model = torch_geometric.nn.GAT(6, 8, num_layers=3, out_channels=4, heads=2).double()
    parameters = list(model.parameters())
    same_function(model, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert all(type(layer) is gatsparse.GATConv for layer in layers(model))
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))


def test_single_layer_is_exchanged():
    conv = torch_geometric.nn.GATConv(6, 3, heads=2).double()
    same_function(conv, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert type(conv) is gatsparse.GATConv
    assert conv.backend == "auto"


@pytest.mark.parametrize("share_weights", [False, True])
def test_gatv2_layers_are_exchanged(share_weights):
    conv = torch_geometric.nn.GATv2Conv(6, 3, heads=2, share_weights=share_weights).double()
    same_function(conv, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert type(conv) is gatsparse.GATv2Conv
    model = torch_geometric.nn.GAT(6, 8, num_layers=2, v2=True, heads=2).double()
    same_function(model, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert all(type(layer) is gatsparse.GATv2Conv for layer in model.convs)


def test_layers_in_sequential_and_their_hooks_are_kept():
    model = torch_geometric.nn.Sequential(
        "x, edge_index",
        [(torch_geometric.nn.GATConv(6, 4), "x, edge_index -> x"), torch.nn.ELU()],
    ).double()
    seen = []
    layers(model)[0].register_forward_hook(lambda *_: seen.append(1))
    same_function(model, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert len(seen) == 2


def test_copy_of_an_accelerated_model_gives_the_same_output():
    model = gatsparse.accelerate(torch_geometric.nn.GAT(6, 8, num_layers=2, heads=2))
    x = torch.randn(NUM_NODES, 6)
    assert torch.equal(copy.deepcopy(model)(x, EDGES), model(x, EDGES))


def test_unchanged_layers_are_named_in_a_warning():
    class Mine(torch_geometric.nn.GATConv):
        pass

    model = torch.nn.ModuleList([Mine(6, 4), torch_geometric.nn.GCNConv(4, 2)])
    with pytest.warns(SlowPathWarning, match=r"0 \(Mine\): .* derive it from gatsparse.GATConv"):
        gatsparse.accelerate(model)
    assert type(model[0]) is Mine


def test_layer_with_a_replaced_forward_is_unchanged():
    conv = torch_geometric.nn.GATConv(6, 4)
    forward = conv.forward
    conv.forward = lambda *args: 2 * forward(*args)
    with pytest.warns(SlowPathWarning, match="its forward was replaced on the instance"):
        gatsparse.accelerate(conv)
    report = gatsparse.explain_backend(conv, torch.randn(NUM_NODES, 6), EDGES)
    assert report[0].backend == "PyG"


def test_model_without_gat_layers_warns():
    with pytest.warns(SlowPathWarning, match="has no GATConv or GATv2Conv"):
        gatsparse.accelerate(torch_geometric.nn.GCNConv(4, 2))
    model = gatsparse.accelerate(torch_geometric.nn.GATConv(6, 4))
    gatsparse.accelerate(model)  # does not warn, although nothing is left to exchange


def test_exchanged_layers_are_logged(caplog):
    with caplog.at_level("INFO", logger="gatsparse"):
        gatsparse.accelerate(torch_geometric.nn.GAT(6, 8, num_layers=3))
    assert "'GATConv': 3" in caplog.text


class Doubled(torch.nn.Module):
    def forward(self, tensor):
        return 2 * tensor


@pytest.mark.parametrize("layer", ["GATConv", "GATv2Conv"])
def test_parametrised_layers_are_exchanged(layer):
    conv = getattr(torch_geometric.nn, layer)(6, 3, heads=2).double()
    name = "att_src" if layer == "GATConv" else "att"
    torch.nn.utils.parametrize.register_parametrization(conv, name, Doubled())
    torch.nn.utils.parametrizations.weight_norm(conv.lin if layer == "GATConv" else conv.lin_l)
    same_function(conv, torch.randn(NUM_NODES, 6, dtype=torch.float64), EDGES)
    assert isinstance(conv, getattr(gatsparse, layer))
    x = torch.randn(NUM_NODES, 6, dtype=torch.float64)
    expected = conv(x, EDGES)
    torch.nn.utils.parametrize.remove_parametrizations(conv, name)
    assert type(conv) is getattr(gatsparse, layer)
    assert torch.equal(conv(x, EDGES), expected)


def test_backend_of_accelerated_layers_can_be_changed():
    model = gatsparse.accelerate(torch_geometric.nn.GAT(6, 8, num_layers=2))
    gatsparse.accelerate(model, backend="scatter")
    assert {layer.backend for layer in layers(model)} == {"scatter"}


def test_backend_is_set_and_checked():
    model = torch_geometric.nn.GAT(6, 8, num_layers=2)
    gatsparse.accelerate(model, backend="scatter")
    assert {layer.backend for layer in layers(model)} == {"scatter"}
    with pytest.raises(ValueError, match="backend: expected one of"):
        gatsparse.accelerate(model, backend="cuda")


def test_decelerated_model_is_the_original():
    model = torch_geometric.nn.GAT(6, 8, num_layers=2, heads=2, v2=True).double()
    torch.nn.utils.parametrize.register_parametrization(model.convs[0], "att", Doubled())
    own = torch.nn.ModuleList([gatsparse.GATConv(6, 3, backend="fused")])
    both = torch.nn.ModuleList([model, own])
    x = torch.randn(NUM_NODES, 6, dtype=torch.float64)
    keys, expected = set(vars(model.convs[1])), model(x, EDGES)
    gatsparse.accelerate(both)
    assert gatsparse.decelerate(both) is both
    assert torch.equal(model(x, EDGES), expected)
    assert type(model.convs[1]) is torch_geometric.nn.GATv2Conv
    assert type(model.convs[0]).__bases__ == (torch_geometric.nn.GATv2Conv,)
    assert set(vars(model.convs[1])) == keys
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert not model._forward_hooks_always_called
    assert (type(own[0]), own[0].backend) == (gatsparse.GATConv, "fused")
    same_function(model, x, EDGES)
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module"):
        gatsparse.decelerate(None)
