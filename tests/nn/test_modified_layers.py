"""Hooks, replaced methods and replaced submodules of a layer take effect."""

import subprocess
import sys
from types import MethodType

import pytest
import torch
import torch_geometric.nn

from gatsparse.nn import overrides
from tests.nn.inputs import EDGES, every_layer, features
from tests.nn.layers import OURS, assert_same, pair


@every_layer
def test_hooks_on_the_edge_projection_run(layer):
    x, edge_attr = features(), features(EDGES.size(1), 3)
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    for conv in layers:
        conv.lin_edge.register_forward_hook(lambda _lin, _input, out: 2 * out)
    assert_same(*layers, (x,), EDGES, edge_attr)
    for conv in layers:
        conv.lin_edge.register_forward_pre_hook(lambda _lin, inputs: (inputs[0].sin(),))
    assert_same(*layers, (x,), EDGES, edge_attr)


@every_layer
def test_hooks_and_explainers_see_messages(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    seen = []
    handle = ours.register_message_forward_hook(lambda *args: seen.append(args[-1].shape))
    assert_same(theirs, ours, (features(),), EDGES)
    assert len(seen) == 1
    handle.remove()
    ours(features(), EDGES)
    assert len(seen) == 1
    ours.backend, ours.explain = "fused", True
    with pytest.raises(ValueError, match="backend='fused' cannot handle this call: explain"):
        ours(features(), EDGES)


def doubled_message(conv):
    conv.message = MethodType(lambda _, x_j, alpha: 2 * x_j * alpha[..., None], conv)


def hooked_aggregation(conv):
    conv.aggr_module.register_forward_hook(lambda _aggr, _inputs, out: 2 * out)


def other_aggregation(conv):
    conv.aggr_module = torch_geometric.nn.MaxAggregation()


def silent_propagate(conv):
    propagate = conv.propagate
    conv.propagate = lambda *args, **kwargs: 0 * propagate(*args, **kwargs)


def equal_attention(conv):
    edge_updater = conv.edge_updater
    conv.edge_updater = lambda *args, **kwargs: torch.ones_like(edge_updater(*args, **kwargs))


def hooked_gradient_of_edges(conv):
    conv.lin_edge.register_full_backward_hook(lambda _lin, grad, _grad_out: (3 * grad[0],))


@pytest.mark.parametrize(
    "change",
    [
        doubled_message,
        silent_propagate,
        equal_attention,
        hooked_aggregation,
        other_aggregation,
        hooked_gradient_of_edges,
    ],
)
@every_layer
def test_modified_layers_equal_modified_layers_of_pyg(layer, change):
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    for conv in layers:
        change(conv)
    assert_same(*layers, (features(),), EDGES, features(EDGES.size(1), 3))


def test_overrides_are_found_in_a_module_of_any_name():
    class Silent(OURS["GATConv"]):
        def message(self, x_j, alpha):
            return 0 * alpha[..., None] * x_j

    Silent.message.__module__ = "my_propagate"
    assert not Silent(6, 5, bias=False).double()(features(), EDGES).any()


@every_layer
def test_replaced_projections_are_used(layer):
    layers = pair(layer, 6, 5, heads=3, edge_dim=3)
    names = ["lin", "lin_edge"] if layer == "GATConv" else ["lin_l", "lin_r", "lin_edge"]
    for conv in layers:
        for name in names:
            linear = getattr(conv, name)
            plain = torch.nn.Linear(linear.in_channels, 15, bias=linear.bias is not None).double()
            plain.load_state_dict(linear.state_dict())
            setattr(conv, name, torch.nn.Sequential(plain))
    assert_same(*layers, (features(),), EDGES, features(EDGES.size(1), 3))


@every_layer
def test_replaced_forward_of_the_aggregation_is_used(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    for conv in (theirs, ours):
        aggregate = conv.aggr_module.forward
        conv.aggr_module.forward = lambda *args, f=aggregate, **kwargs: 2 * f(*args, **kwargs)
    assert_same(theirs, ours, (features(),), EDGES)


@every_layer
def test_global_hook_on_the_aggregation_is_used(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    aggregations = [conv.aggr_module for conv in (theirs, ours)]
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda module, _args, out: 2 * out if module in aggregations else None
    )
    try:
        assert_same(theirs, ours, (features(),), EDGES)
    finally:
        hook.remove()


@every_layer
def test_override_of_message_and_aggregate_is_reported(layer):
    class Overridden(OURS[layer]):
        def message_and_aggregate(self, edge_index, x):
            raise NotImplementedError

    assert overrides.reasons_for_pyg(OURS[layer](6, 5)) == []
    (reason,) = overrides.reasons_for_pyg(Overridden(6, 5))
    assert reason == "Overridden overrides message_and_aggregate"


class Identity(torch.nn.Module):
    def forward(self, weight):
        return weight


# PyG generates methods when a layer is constructed, which must not matter: a new process.
_HOOKED = """
import torch, torch_geometric.nn, gatsparse
from tests.nn.test_modified_layers import Identity
from torch.nn.utils import parametrize
x, edges = torch.randn(30, 6, dtype=torch.float64), torch.randint(30, (2, 99))
for name in ("GATConv", "GATv2Conv"):
    for parametrized in (False, True):
        conv = getattr(torch_geometric.nn, name)(6, 5, flow="target_to_source").double()
        if parametrized:
            parametrize.register_parametrization(conv, "bias", Identity())
        expected = conv(x, edges)
        gatsparse.accelerate(conv)
        handle = conv.register_message_forward_hook(lambda *_: None)
        assert torch.allclose(conv(x, edges), expected, rtol=1e-12), (name, parametrized)
        handle.remove()
        gatsparse.decelerate(conv)
        assert torch.allclose(conv(x, edges), expected, rtol=1e-12), (name, parametrized)
"""


def test_hooked_layers_that_were_accelerated_send_messages_in_their_direction():
    subprocess.run([sys.executable, "-c", _HOOKED], check=True)
