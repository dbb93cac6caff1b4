"""The projection of many nodes against that of torch."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch_geometric.nn import Linear

from gatsparse.nn import large_linear as module
from gatsparse.nn.projection import project

ROWS, WIDTH = 9000, 128


@pytest.fixture
def calls(monkeypatch):
    """The calls of a test."""
    calls, compute = [], module.large_linear
    monkeypatch.setattr(
        "gatsparse.nn.projection.large_linear", lambda *args: calls.append(1) or compute(*args)
    )
    return calls


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", [Linear, torch.nn.Linear])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("needs_grad", ["nothing", "x", "parameters", "both"])
def test_equals_linear(calls, kind, bias, dtype, needs_grad):
    torch.manual_seed(0)
    lin = kind(20, WIDTH, bias=bias).to(dtype).requires_grad_(needs_grad in ("parameters", "both"))
    x = torch.randn(ROWS, 20, dtype=dtype, requires_grad=needs_grad in ("x", "both"))
    out = project(lin, x)
    assert len(calls) == 1
    expected = F.linear(x, lin.weight, lin.bias)
    torch.testing.assert_close(out, expected)
    inputs = [t for t in (x, *lin.parameters()) if t.requires_grad]
    assert out.requires_grad == bool(inputs)
    if inputs:
        grad = torch.randn_like(out)
        for actual, reference in zip(
            torch.autograd.grad(out, inputs, grad),
            torch.autograd.grad(expected, inputs, grad),
            strict=True,
        ):
            torch.testing.assert_close(actual, reference)


def test_second_derivatives_and_batches_of_gradients(calls):
    torch.manual_seed(0)
    lin = torch.nn.Linear(4, WIDTH).double()
    x = torch.randn(ROWS, 4, dtype=torch.float64, requires_grad=True)

    def penalty(out):
        (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), [x, lin.weight])

    for actual, expected in zip(
        penalty(project(lin, x)), penalty(F.linear(x, lin.weight, lin.bias)), strict=True
    ):
        torch.testing.assert_close(actual, expected)
    assert calls
    grads = torch.randn(2, ROWS, WIDTH, dtype=torch.float64)
    batched = [
        torch.autograd.grad(out, x, grads, is_grads_batched=True)[0]
        for out in (project(lin, x), F.linear(x, lin.weight, lin.bias))
    ]
    torch.testing.assert_close(*batched)


def test_what_is_no_plain_product_is_left_to_the_layer(calls):
    x = torch.randn(ROWS, 8)
    lin = torch.nn.Linear(8, WIDTH)
    hooked = copy.deepcopy(lin)
    hooked.register_forward_hook(lambda *_: torch.zeros(()))
    assert project(hooked, x) == 0
    subclass = type("Other", (torch.nn.Linear,), {"forward": lambda *_: torch.ones(())})(8, WIDTH)
    assert project(subclass, x) == 1
    for other in (x[None], x[:50]):
        torch.testing.assert_close(project(lin, other), lin(other))
    with torch.autocast("cpu", torch.bfloat16):
        assert project(lin, x).dtype == torch.bfloat16
    with pytest.raises(RuntimeError):
        project(lin, x.double())
    compiled = torch.compile(lambda x: project(lin, x), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), lin(x))
    assert torch.func.vmap(lambda x: project(lin, x))(x[None]).shape == (1, ROWS, WIDTH)
    _, tangent = torch.func.jvp(lambda x: project(lin, x), (x,), (x,))
    torch.testing.assert_close(tangent, x @ lin.weight.t())
    assert not calls
