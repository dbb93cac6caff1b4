"""Layers in bfloat16 and float16 against PyG's, in the same dtype and in float64."""

import pytest
import torch
from torch_geometric import nn as pyg

import gatsparse
from gatsparse import nn, ops, testing

LAYERS = {"GAT": (nn.GATConv, pyg.GATConv), "GATv2": (nn.GATv2Conv, pyg.GATv2Conv)}
NODES = 40


def rows_with_one_neighbour():
    """Returns graphs in which the softmax of most rows is 1 and its gradient is 0."""
    i = torch.arange(NODES - 1)
    even = torch.arange(0, NODES, 2)
    return {
        "chain": torch.stack([i, i + 1]),
        "reversed chain": torch.stack([i + 1, i]),
        "star out": torch.stack([0 * i, i + 1]),
        "star in": torch.stack([i + 1, 0 * i]),
        "matching": torch.stack([even, even + 1]),
        "mutual matching": torch.stack([torch.cat([even, even + 1]), torch.cat([even + 1, even])]),
        "duplicate edges": torch.stack([i, i + 1]).repeat(1, 3),
        "loops": torch.stack([i, i]),
        "cycle": torch.stack([torch.arange(NODES), torch.arange(NODES).roll(1)]),
    }


def zoo():
    graphs = testing.graph_zoo()
    same = {name: g for name, g in graphs.items() if g.size == (g.size[0],) * 2 and g.size[0] > 0}
    return {name: graph.edge_index for name, graph in same.items()}


def step(layer, x, edge_index, dtype, parameters, grad_out):
    """Returns the output and all gradients for the same numbers in ``dtype``."""
    layer = layer.to(dtype)
    layer.load_state_dict(parameters)
    x = x.to(dtype).requires_grad_()
    out = layer(x, edge_index)
    out.backward(grad_out.to(out.dtype))
    grads = {name: p.grad for name, p in layer.named_parameters() if not name.startswith("lin")}
    return {"out": out.detach(), "x": x.grad, **grads}


def compare(layer, edge_index, dtype, heads, channels, scale=1.0, positive=False, **options):
    """Asserts errors of at most twice PyG's in the same dtype, or one rounding of the result.

    The projections are the identity, so that all numbers are the same before the attention.
    """
    ours, theirs = LAYERS[layer]
    width = heads * channels
    torch.manual_seed(0)
    parameters = theirs(width, channels, heads, **options).state_dict()
    for name, value in parameters.items():
        if name.endswith("weight") and value.shape == (width, width):
            value.copy_(torch.eye(width))
        elif "att" in name:
            value.mul_(scale).copy_(value.to(dtype))
    num_nodes = max(NODES, int(edge_index.max()) + 1 if edge_index.numel() else 1)
    x = torch.randn(num_nodes, width).to(dtype)
    x = x.abs() if positive else x
    mean = not options.get("concat", True)
    grad_out = torch.randn(num_nodes, channels if mean else width).to(dtype)
    exact, reference, actual = (
        step(cls(width, channels, heads, **options), x, edge_index, kind, parameters, grad_out)
        for cls, kind in ((theirs, torch.float64), (theirs, dtype), (ours, dtype))
    )
    for name, value in exact.items():
        error, budget = (float((t[name].double() - value).abs().max()) for t in (actual, reference))
        rounding = torch.finfo(dtype).eps * float(value.abs().max())
        assert actual[name].dtype == dtype
        assert error <= max(2 * budget, rounding + 1e-5 * scale * NODES), name


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", rows_with_one_neighbour())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_gradients_that_vanish(layer, name, dtype):
    edge_index = rows_with_one_neighbour()[name]
    for heads, channels in ((8, 8), (1, 16), (3, 37)):
        compare(layer, edge_index, dtype, heads, channels, positive=True, add_self_loops=False)
        compare(layer, edge_index, dtype, heads, channels, scale=16.0)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", zoo())
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_gradients_on_the_zoo(layer, name, dtype):
    compare(layer, zoo()[name], dtype, 8, 8)
    compare(layer, zoo()[name], dtype, 3, 37, concat=False)


@pytest.mark.parametrize("heads", [32, 64, 128])
@pytest.mark.parametrize("layer", LAYERS)
def test_means_of_many_heads_are_rounded_once(layer, heads):
    """The kernels compute the heads in groups."""
    graph = gatsparse.CSRGraph.from_edge_index(testing.graph_zoo()["random"].edge_index)
    x = torch.randn(graph.num_src, heads, 8)
    att = torch.randn(1, heads, 8) / 4
    arguments = [x, att, att] if layer == "GAT" else [x, x, att]
    attention = {"GAT": ops.gat_attention, "GATv2": ops.gatv2_attention}[layer]
    given = [t.bfloat16() if t is x else t.float() for t in arguments]
    exact = attention(*(t.double() for t in given), graph, concat=False)
    out = attention(*given, graph, concat=False)
    one_rounding = testing.relative_error(exact.bfloat16().double(), exact)
    assert testing.relative_error(out.double(), exact) <= 1.05 * one_rounding + 1e-6


@pytest.mark.parametrize("layer", LAYERS)
def test_bias_of_a_mean_has_the_sum_of_the_gradients(layer):
    """A sixth of 1 is no bfloat16."""
    conv = LAYERS[layer][0](12, 8, heads=6, concat=False).bfloat16()
    x = torch.randn(200, 12, dtype=torch.bfloat16)
    conv(x, torch.randint(200, (2, 900))).sum().backward()
    assert conv.bias.grad.tolist() == [200.0] * 8
