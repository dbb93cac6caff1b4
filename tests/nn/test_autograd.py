"""Second derivatives, frozen parameters and autograd modes, compared with PyG's layer."""

import pytest
import torch

import gatsparse
from gatsparse.testing import error_budget, graph_zoo, relative_error
from tests.nn.layers import OURS, Operators, assert_same, outputs_and_gradients, pair

EDGES, (NUM_NODES, _) = graph_zoo()["random"]
every_layer = pytest.mark.parametrize("layer", OURS)


def features(channels=6, dtype=torch.float64):
    return torch.randn(NUM_NODES, channels, dtype=dtype)


# Second derivatives ##############################################################


def second_derivatives(conv, x, edge_attr):
    """Gradients of the squared length of the gradients of an output."""
    leaves = [x.clone().requires_grad_(), edge_attr.clone().requires_grad_()]
    loss = conv(leaves[0], EDGES, leaves[1]).square().sum()
    leaves += [p for p in conv.parameters() if p.dim() > 1]
    grads = torch.autograd.grad(loss, leaves, create_graph=True)
    return torch.autograd.grad(sum(g.square().sum() for g in grads), leaves)


@every_layer
def test_second_derivatives(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=2, backend="scatter")
    x, edge_attr = features(), torch.randn(EDGES.size(1), 2, dtype=torch.float64)
    expected = second_derivatives(theirs, x, edge_attr)
    for a, b in zip(second_derivatives(ours, x, edge_attr), expected, strict=True):
        assert relative_error(a, b) <= 1e-10
    ours.backend = "auto"
    with pytest.raises(NotImplementedError, match="use backend='scatter' or backend='dense'"):
        second_derivatives(ours, x, edge_attr)


@every_layer
def test_gradient_penalty_through_the_dense_backend(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, backend="dense")
    edges = torch.unique(EDGES, dim=1)  # an N x N matrix cannot hold duplicate edges

    def penalty(conv):
        x = features_of_one_seed().requires_grad_()
        (grad,) = torch.autograd.grad(conv(x, edges).sum(), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), x)[0]

    assert relative_error(penalty(ours), penalty(theirs)) <= 1e-10


def features_of_one_seed():
    return torch.randn(
        NUM_NODES, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(7)
    )


@every_layer
def test_batched_gradients_need_the_dense_backend(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, backend="dense")
    x, edges = features().requires_grad_(), torch.unique(EDGES, dim=1)
    vectors = torch.randn(4, NUM_NODES, 15, dtype=torch.float64)

    def grads(conv):
        leaves = [x, *conv.parameters()]
        return torch.autograd.grad(conv(x, edges), leaves, vectors, is_grads_batched=True)

    for a, b in zip(grads(ours), grads(theirs), strict=True):
        assert relative_error(a, b) <= 1e-10
    ours.backend = "auto"
    with pytest.raises(NotImplementedError, match="one by one, or use backend='dense'"):
        grads(ours)


# Gradients that are not needed ###################################################


BACKWARD = {"GATConv": "gatsparse::gat_backward", "GATv2Conv": "gatsparse::gatv2_backward"}


def calls(conv, x, trained):
    """Returns the operators of forward and backward if only some parameters are trained."""
    for name, parameter in conv.named_parameters():
        parameter.requires_grad_(name in trained)
    with Operators() as forward:
        out = conv(x, EDGES.clone())
    with Operators() as backward:
        if out.requires_grad:
            out.square().sum().backward()
    return forward.names, backward.names


@every_layer
def test_frozen_layers_do_no_work_for_gradients(layer):
    conv = OURS[layer](6, 5, heads=3)
    for context in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with context():
            trained = [] if context is torch.enable_grad else dict(conv.named_parameters())
            forward, _ = calls(conv, features(dtype=torch.float32), trained)
        assert "gatsparse::csr_transpose" not in forward
    forward, backward = calls(conv, features(dtype=torch.float32), dict(conv.named_parameters()))
    assert "gatsparse::csr_transpose" in forward
    assert BACKWARD[layer] in backward


@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_gradient_of_the_bias_needs_no_backward_pass_over_edges(layer, concat):
    theirs, ours = pair(layer, 6, 5, heads=3, concat=concat)
    x = features()
    forward, backward = calls(ours, x, ["bias"])
    assert "gatsparse::csr_transpose" not in forward
    assert BACKWARD[layer] not in backward
    theirs(x, EDGES).square().sum().backward()
    assert relative_error(ours.bias.grad, theirs.bias.grad) <= 1e-10


@every_layer
def test_frozen_parameters_get_no_gradients(layer):
    theirs, ours = pair(layer, 6, 5, heads=3, residual=True)
    for frozen in dict(ours.named_parameters()):
        for conv in (theirs, ours):
            conv.zero_grad()
            for name, parameter in conv.named_parameters():
                parameter.requires_grad_(name != frozen)
            conv(features_of_one_seed(), EDGES).square().sum().backward()
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert (a.grad is None) == (b.grad is None)
            assert a.grad is None or relative_error(a.grad, b.grad) <= 1e-10


@every_layer
def test_frozen_layers_pass_gradients_to_their_input(layer):
    theirs, ours = pair(layer, 6, 5, heads=3)
    grads = []
    for conv in (theirs.requires_grad_(False), ours.requires_grad_(False)):
        x = features_of_one_seed().requires_grad_()
        conv(x, EDGES).square().sum().backward()
        grads.append(x.grad)
        assert all(parameter.grad is None for parameter in conv.parameters())
    assert relative_error(*grads) <= 1e-10


# Modes ###########################################################################


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@every_layer
def test_no_grad_and_inference_mode_equal_pyg(layer, context):
    theirs, ours = pair(layer, 6, 5, heads=3)
    x = features()
    with context():
        out = ours(x, EDGES)
        assert not out.requires_grad
        assert relative_error(out, theirs(x, EDGES)) <= 1e-10
    assert_same(theirs, ours, (x,), EDGES)


@pytest.mark.parametrize("backend", ["fused", "scatter"])
@every_layer
def test_deterministic_algorithms(layer, backend):
    theirs, ours = pair(layer, 6, 5, heads=3, edge_dim=2, backend=backend)
    arguments = ((features(),), EDGES, torch.randn(EDGES.size(1), 2, dtype=torch.float64))
    torch.use_deterministic_algorithms(True)
    try:
        assert_same(theirs, ours, *arguments)
        first, second = (outputs_and_gradients(ours, *arguments) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("concat", [False, True])
@every_layer
def test_autocast(layer, concat, residual):
    """Results are float32, and within twice PyG's error under autocast."""
    theirs, ours = pair(layer, 6, 8, heads=4, concat=concat, residual=residual)
    x, edge_attr = features(), None
    exact = outputs_and_gradients(theirs, (x,), EDGES, edge_attr)
    theirs, ours, x = theirs.float(), ours.float(), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        reference = outputs_and_gradients(theirs, (x,), EDGES)
        actual = outputs_and_gradients(ours, (x,), EDGES)
    for a, b, c in zip(actual, reference, exact, strict=True):
        assert a.dtype == b.dtype == torch.float32
        budget = error_budget(relative_error(b, c), torch.bfloat16)
        assert relative_error(a, c) <= budget


@every_layer
def test_training_under_autocast(layer):
    x = features(dtype=torch.float32)
    y = (x.sum(1) > 0).long()
    model = gatsparse.GAT(6, 16, 2, 2, v2=layer == "GATv2Conv", heads=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x, EDGES), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
