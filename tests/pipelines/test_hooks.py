"""Hooks of message passing and of modules that change their tensors."""

import copy

import pytest
import torch
import torch_geometric.nn
from torch.nn.utils import prune
from torch_geometric import EdgeIndex

import gatsparse
from gatsparse.testing import graph_zoo
from tests.pipelines.twins import assert_same, every_layer, named_backend, twins

EDGES, (N, _) = graph_zoo()["random"]
BIPARTITE, SIZE = graph_zoo()["bipartite, more sources"]


def doubled(inputs):
    """Returns the arguments by name, with floating point tensors doubled."""
    return {
        name: 2 * value if torch.is_tensor(value) and value.is_floating_point() else value
        for name, value in inputs.items()
    }


# Inputs of ``propagate`` and ``edge_update``: (edge_index, size, arguments by name).
HOOKS = {
    "propagate_forward_pre": lambda _, inputs: (*inputs[:2], doubled(inputs[2])),
    "propagate_forward": lambda _conv, _inputs, out: out.sin(),
    "message_forward_pre": lambda _, inputs: doubled(inputs[0]),
    "message_forward": lambda _conv, inputs, out: out * inputs[0]["alpha"].cos()[..., None],
    "aggregate_forward_pre": lambda _, inputs: {**inputs[0], "index": inputs[0]["index"].flip(0)},
    "aggregate_forward": lambda _conv, _inputs, out: out.square(),
    "edge_update_forward_pre": lambda _, inputs: (*inputs[:2], doubled(inputs[2])),
    "edge_update_forward": lambda _conv, _inputs, out: out.sqrt(),
}


def register(conv, name):
    return getattr(conv, f"register_{name}_hook")(HOOKS[name])


def features(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def inputs(graph):
    if graph == "square":
        return features(N, 6), EDGES, features(EDGES.size(1), 3)
    x = (features(SIZE[0], 6), features(SIZE[1], 6))
    return x, BIPARTITE, features(BIPARTITE.size(1), 3)


# Of message passing ##############################################################


def test_size_that_contradicts_the_graph_raises():
    conv = gatsparse.GATConv(6, 3)
    conv.register_message_forward_hook(lambda *_: None)
    edges = EdgeIndex(torch.tensor([[0, 1], [1, 2]]), sparse_size=(6, 6))
    with pytest.raises(ValueError, match=r"size\[0\]: expected 6 to match x, got 9"):
        conv(torch.randn(6, 6), edges, size=(9, 9))


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("graph", ["square", "bipartite"])
@pytest.mark.parametrize("hook", HOOKS)
@every_layer
def test_hook(layer, hook, graph, add_self_loops):
    options = {"heads": 3, "edge_dim": 3, "add_self_loops": add_self_loops}
    theirs, ours = twins(layer, lambda conv: conv(6, 5, **options), backend="auto")
    arguments = inputs(graph)
    before = ours(*arguments)
    handles = [register(conv, hook) for conv in (theirs, ours)]
    assert_same(theirs, ours, *arguments)
    assert_same(theirs, ours, *arguments, return_attention_weights=True)
    assert not torch.allclose(ours(*arguments), before)
    named_backend(ours, "fused")
    with pytest.raises(ValueError, match="message-passing hooks are registered"):
        ours(*arguments)
    for handle in handles:
        handle.remove()
    assert_same(theirs, ours, *arguments)
    assert torch.equal(ours(*arguments), before)


@every_layer
def test_all_hooks_at_once(layer):
    models = twins(layer, lambda conv: conv(6, 5, heads=3, edge_dim=3), backend="auto")
    for conv in models:
        for hook in HOOKS:
            register(conv, hook)
    assert_same(*models, *inputs("square"))
    assert_same(*(copy.deepcopy(conv) for conv in models), *inputs("square"))


@every_layer
def test_hooks_of_an_accelerated_layer(layer):
    conv = getattr(torch_geometric.nn, layer)(6, 5, heads=3, edge_dim=3).double()
    handles = [register(conv, hook) for hook in HOOKS]
    theirs, ours = conv, gatsparse.accelerate(copy.deepcopy(conv))
    assert_same(theirs, ours, *inputs("square"))
    assert_same(theirs, gatsparse.accelerate(conv), *inputs("square"))
    for handle in handles:
        handle.remove()
    assert_same(theirs, named_backend(conv, "fused"), *inputs("square"))


# Of modules, on the kernels ######################################################


def projections(conv):
    """Returns the projections by their names in PyG's layers."""
    return {name: lin for name, lin in conv.named_children() if name.startswith("lin")}


@pytest.mark.parametrize("residual", [False, True])
@every_layer
def test_hooks_on_the_projections(layer, residual):
    options = {"heads": 3, "edge_dim": 3, "residual": residual}
    models = twins(layer, lambda conv: conv((6, 6), 5, **options))
    assert len(projections(models[0])) == 3
    for conv in models:
        for lin in projections(conv).values():
            lin.register_forward_pre_hook(lambda _, inputs: (inputs[0].sin(),))
            lin.register_forward_hook(lambda _lin, _inputs, out: 2 * out)
            lin.register_full_backward_hook(lambda _, grads, _grads_out: (3 * grads[0],))
    for graph in ("square", "bipartite"):
        assert_same(*models, *inputs(graph))


@every_layer
def test_hooks_on_the_layer(layer):
    models = twins(layer, lambda conv: conv(6, 5, heads=3, edge_dim=3))
    for conv in models:
        conv.register_forward_pre_hook(lambda _, inputs: (inputs[0].sin(), *inputs[1:]))
        conv.register_forward_hook(lambda _conv, _inputs, out: 2 * out)
        conv.register_full_backward_pre_hook(lambda _, grads: (grads[0].cos(),))
        conv.register_full_backward_hook(
            lambda _, grads, _grads_out: tuple(None if g is None else 3 * g for g in grads)
        )
    assert_same(*models, *inputs("square"))


@every_layer
def test_hooks_on_gradients(layer):
    models = twins(layer, lambda conv: conv(6, 5, heads=3, edge_dim=3))
    for conv in models:
        for parameter in conv.parameters():
            parameter.register_hook(lambda grad: grad.sin())
    assert_same(*models, *inputs("square"))


@pytest.mark.parametrize(
    "compute",
    [
        torch.nn.utils.parametrizations.weight_norm,
        lambda lin: prune.l1_unstructured(lin, "weight", amount=0.5),
    ],
    ids=["normalised", "pruned"],
)
@every_layer
def test_weights_that_are_computed(layer, compute):
    models = twins(layer, lambda conv: conv((6, 6), 5, heads=3, edge_dim=3))
    for conv in models:
        for lin in projections(conv).values():
            compute(lin)
    for graph in ("square", "bipartite"):
        assert_same(*models, *inputs(graph))
