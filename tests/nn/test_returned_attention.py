"""Attention that layers return, and its dropout."""

import pytest
import torch

from gatsparse.testing import relative_error
from tests.nn.inputs import EDGES, NUM_NODES, every_layer, features
from tests.nn.layers import OURS, assert_same, outputs_and_gradients, pair


@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_returned_attention_equals_pyg(layer, add_self_loops, concat, edge_dim):
    options = {"add_self_loops": add_self_loops, "concat": concat, "edge_dim": edge_dim}
    theirs, ours = pair(layer, 6, 5, heads=3, **options)
    arguments = (features(), EDGES, None if edge_dim is None else features(EDGES.size(1), 3))
    out, (edges, alpha) = theirs(*arguments, return_attention_weights=True)
    our_out, (our_edges, our_alpha) = ours(*arguments, return_attention_weights=True)
    assert torch.equal(our_edges, edges)
    assert relative_error(our_alpha, alpha) <= 1e-12
    assert relative_error(our_out, out) <= 1e-12
    grads = [
        torch.autograd.grad(a.square().sum(), conv.parameters(), allow_unused=True)
        for a, conv in ((our_alpha, ours), (alpha, theirs))
    ]
    for a, b in zip(*grads, strict=True):
        assert (a is None) == (b is None)
        assert a is None or relative_error(a, b) <= 1e-10
    assert isinstance(ours(*arguments, return_attention_weights=False), torch.Tensor)


@every_layer
def test_returned_edges_keep_their_direction_in_the_other_flow(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, flow="target_to_source")
    x = features()
    _, (edges, alpha) = theirs(x, EDGES, return_attention_weights=True)
    _, (our_edges, our_alpha) = ours(x, EDGES, return_attention_weights=True)
    assert torch.equal(our_edges, edges)
    assert relative_error(our_alpha, alpha) <= 1e-12


@every_layer
def test_returned_attention_includes_dropout(layer):
    conv = OURS[layer](6, 5, heads=3, dropout=0.5, bias=False).double().train()
    x = features()
    out, ((j, i), alpha) = conv(x, EDGES, return_attention_weights=True)
    lin = conv.lin if layer == "GATConv" else conv.lin_l
    messages = alpha[..., None] * lin(x).view(-1, 3, 5)[j]
    total = torch.zeros(NUM_NODES, 3, 5, dtype=torch.float64).index_add(0, i, messages)
    assert (alpha == 0).any()
    assert relative_error(out, total.flatten(1)) <= 1e-12


@every_layer
def test_dropout_applies_in_training_only(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, dropout=0.6)
    x = features()
    assert not torch.equal(ours(x, EDGES), ours(x, EDGES))
    assert_same(theirs.eval(), ours.eval(), (x,), EDGES)


@every_layer
def test_backends_draw_the_same_dropout(layer):
    x = features()
    conv = OURS[layer](6, 5, heads=3, dropout=0.6).double()
    results = []
    for backend in ("auto", "fused", "scatter", "dense"):
        conv.backend = backend
        torch.manual_seed(3)
        results.append(outputs_and_gradients(conv, (x,), EDGES))
    for result in results[1:]:
        for a, b in zip(results[0], result, strict=True):
            assert relative_error(a, b) <= 1e-10


@every_layer
def test_returned_attention_in_bfloat16_sums_to_one(layer):
    conv = OURS[layer](6, 5, heads=3).bfloat16()
    _, ((_, i), alpha) = conv(features().bfloat16(), EDGES, return_attention_weights=True)
    sums = torch.zeros(NUM_NODES, 3).index_add(0, i, alpha)
    assert relative_error(sums, torch.ones(NUM_NODES, 3)) <= 16 * torch.finfo().eps
