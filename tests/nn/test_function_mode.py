"""Functions in the forward pass of accelerated models."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

import gatsparse
from gatsparse.nn import dropout
from gatsparse.nn.function_mode import is_own_hook

N, CHANNELS = 60, 600  # large enough to be converted if it is mostly zero
EDGES = torch.randint(N, (2, 200), generator=torch.Generator().manual_seed(0))
P = 0.4


def randn(*shape, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), **options)


class Net(torch.nn.Module):
    """Calls a function, then a layer."""

    def __init__(self, function, channels=CHANNELS):
        super().__init__()
        self.function = function
        self.conv = torch_geometric.nn.GATConv(channels, 4)
        self.seen = None

    def forward(self, x, edge_index=EDGES):
        self.seen = self.function(self, x)
        return self.conv(self.seen, edge_index)


def dropped(module, x):
    return F.dropout(x, P, training=module.training)


class Module(Net):
    def __init__(self):
        super().__init__(lambda module, x: module.drop(x))
        self.drop = torch.nn.Dropout(P)


def is_ours(drop, x):
    """Whether a function draws the numbers of gatsparse's dropout."""
    torch.manual_seed(3)
    found = drop(x)
    torch.manual_seed(3)
    return torch.equal(found, dropout(x, P))


def is_replaced_in(model, x):
    def seen(x):
        model(x)
        return model.seen

    return is_ours(seen, x)


@pytest.mark.parametrize("net", [lambda: Net(dropped), Module], ids=["function", "module"])
def test_dropout_is_replaced_in_the_forward_pass_only(net):
    model, x = gatsparse.accelerate(net()), randn(N, CHANNELS)
    assert is_replaced_in(model, x)
    assert is_replaced_in(copy.deepcopy(model), x)
    assert not is_ours(lambda x: F.dropout(x, P), x)
    model.eval()(x)
    assert model.seen is x
    assert not is_replaced_in(gatsparse.accelerate(model.train(), functions=False), x)


def test_replaced_dropout_has_the_distribution_and_gradients_of_torch():
    model, x = gatsparse.accelerate(Net(dropped, 4000)), torch.ones(N, 4000, requires_grad=True)
    model(x)
    kept = model.seen != 0
    assert torch.equal(model.seen, kept / (1 - P))
    deviation = (P * (1 - P) / kept.numel()) ** 0.5
    assert abs(kept.float().mean().item() - (1 - P)) < 5 * deviation
    (grad,) = torch.autograd.grad(model.seen.sum(), x)
    assert torch.equal(grad, model.seen)


def test_sums_of_several_branches_reach_an_activation_before_dropout():
    x = randn(N, CHANNELS, requires_grad=True)
    model = gatsparse.accelerate(Net(lambda _, x: F.dropout(x, P)))
    hidden = F.elu(x)
    model(hidden).sum().backward(retain_graph=True)
    (grad,) = torch.autograd.grad(model.seen.sum(), hidden)
    assert torch.equal(grad, torch.where(model.seen != 0, 1 / (1 - P), 0.0))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_probabilities_zero_and_one(p):
    model = gatsparse.accelerate(Net(lambda _, x: F.dropout(x, p)))
    model(torch.ones(N, CHANNELS))
    assert torch.equal(model.seen, torch.full_like(model.seen, 1 - p))


def test_wrong_probability_raises_as_in_torch():
    model = gatsparse.accelerate(Net(lambda _, x: F.dropout(x, 1.5)))
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1"):
        model(randn(N, CHANNELS))


def fails(_module, _x):
    raise ArithmeticError


def is_interrupted(_module, _x):
    raise KeyboardInterrupt


class Other(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("function", [fails, is_interrupted])
def test_functions_are_those_of_torch_after_an_exception(function):
    outer = torch.nn.Sequential(Net(function))
    model, x = gatsparse.accelerate(outer), randn(N, CHANNELS)
    mode = Other()
    with pytest.raises((ArithmeticError, KeyboardInterrupt)):
        model(x)
    if function is is_interrupted:  # torch skips the hooks; the next call repairs it
        with mode:
            gatsparse.accelerate(Net(dropped))(x)
            assert not is_ours(lambda x: F.dropout(x, P), x)
    assert not is_ours(lambda x: F.dropout(x, P), x)


def test_functions_are_replaced_until_the_outermost_model_returns():
    x, found = randn(N, CHANNELS), []

    def replaced(_, x):
        found.append(is_ours(lambda x: F.dropout(x, P), x))
        return x

    def around(module, x):
        module.inner(replaced(module, x))
        return replaced(module, x)

    model = Net(around)
    model.inner = Net(replaced)
    gatsparse.accelerate(model)(x)
    replaced(model, x)
    assert found == [True, True, True, False]


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize("inside", [False, True], ids=["function", "module"])
def test_checkpointed_dropout_is_the_same_in_both_passes(use_reentrant, inside):
    inner = Net(dropped)

    def run(_, x):
        block = (lambda x: (inner(x), inner.seen)[1]) if inside else (lambda x: F.dropout(x, P))
        return checkpoint(block, x, use_reentrant=use_reentrant)

    model = Net(run)
    model.inner = inner
    x = torch.ones(N, CHANNELS, requires_grad=True)
    gatsparse.accelerate(model)(x)
    (grad,) = torch.autograd.grad(model.seen.sum(), x) if not use_reentrant else (None,)
    if use_reentrant:
        model.seen.sum().backward()
        grad = x.grad
    assert torch.equal(grad, model.seen)


def test_compiled_and_copied_models_compute_the_same():
    model = gatsparse.accelerate(Net(dropped)).eval()
    x = randn(N, CHANNELS)
    expected = model(x)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)
    torch.testing.assert_close(compiled.train()(x).shape, expected.shape)
    loaded = gatsparse.accelerate(torch_geometric.nn.GAT(CHANNELS, 8, 2, dropout=P))
    restored = pickle.loads(pickle.dumps(loaded))
    assert torch.equal(restored.eval()(x, EDGES), loaded.eval()(x, EDGES))
    assert any(map(is_own_hook, restored._forward_hooks.values()))


def test_transforms_of_torch_func():
    model = gatsparse.accelerate(Net(dropped))
    parameters = dict(model.named_parameters())

    def loss(parameters, x):
        return torch.func.functional_call(model, parameters, (x,)).sum()

    grads = torch.func.grad(loss)(parameters, randn(N, CHANNELS))
    assert {name: grad.shape for name, grad in grads.items()} == {
        name: parameter.shape for name, parameter in parameters.items()
    }


def test_linear_takes_keywords():
    model = gatsparse.accelerate(Net(lambda _, x: F.linear(input=x, weight=torch.eye(CHANNELS))))
    x = randn(N, CHANNELS)
    model(x)
    torch.testing.assert_close(model.seen, x)


def test_accelerating_twice_adds_no_hooks():
    model = gatsparse.accelerate(gatsparse.accelerate(Net(dropped)))
    assert len(model._forward_hooks) == len(model._forward_pre_hooks) == 1
    assert not model.conv._forward_hooks


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda _, x: F.dropout(x, P, inplace=True), "inplace=True"),
        (lambda _, x: F.dropout(x.to(torch.float16), P).float(), "x is torch.float16"),
        (dropped, None),
    ],
)
def test_explain_backend_lists_dropout(function, reason):
    model = gatsparse.accelerate(Net(function))
    x = torch.ones(N, CHANNELS, requires_grad=True)
    *_, row = gatsparse.explain_backend(model, x * 1)
    assert (row.kind, row.backend) == ("dropout", "torch" if reason else "fused")
    assert reason is None or reason in str(row.reasons)
    assert not gatsparse.explain_backend(gatsparse.decelerate(model), x * 1)[1:]


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("inplace", [False, True])
def test_elu_has_the_results_and_gradients_of_torch(alpha, inplace):
    model = Net(lambda _, x: F.elu(x * 1, alpha, inplace)).double()
    x = randn(N, CHANNELS, dtype=torch.float64, requires_grad=True)
    results = []
    for net in (model, gatsparse.accelerate(model)):
        net(x)
        (grad,) = torch.autograd.grad(net.seen.square().sum(), x)
        results += [net.seen, grad, type(net.seen.grad_fn).__name__]
    torch.testing.assert_close(results[3:5], results[:2], rtol=1e-13, atol=1e-15)
    assert ("ChangeableELU" in results[5]) == (alpha == 1.0 and not inplace)


LARGE_ELU = (128, 128)


class Function(torch.nn.Module):
    """A function beside a layer, which makes the model an accelerated one."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv = torch_geometric.nn.GATConv(4, 4)

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.add_(1),
        lambda h: h.mul_(2),
        torch.relu_,
        lambda h: F.dropout(h, 1.0, inplace=True),
        lambda h: h,
    ],
)
def test_elu_may_be_changed_in_place(change):
    x = randn(*LARGE_ELU, dtype=torch.float64).requires_grad_()
    model = gatsparse.accelerate(Function(lambda x: change(F.elu(x))))
    (expected,) = torch.autograd.grad(change(F.elu(x)).square().sum(), x)
    (found,) = torch.autograd.grad(model(x).square().sum(), x)
    assert torch.allclose(found, expected, rtol=1e-13, atol=0)


def test_second_derivatives_of_elu():
    x = randn(*LARGE_ELU, dtype=torch.float64).requires_grad_()
    model = gatsparse.accelerate(Function(F.elu))
    second = []
    for function in (F.elu, model):
        (grad,) = torch.autograd.grad(function(x).square().sum(), x, create_graph=True)
        second.append(torch.autograd.grad(grad.square().sum(), x)[0])
    assert torch.allclose(*second, rtol=1e-12, atol=0)


@pytest.mark.parametrize("function", [F.elu, lambda x: F.dropout(x, P)])
def test_functions_keep_the_strides_of_their_input(function):
    x = randn(*LARGE_ELU).t()
    assert gatsparse.accelerate(Function(function))(x).stride() == function(x).stride()


def test_a_compiled_submodule_is_not_replaced():
    class Inner(torch.nn.Module):
        def forward(self, x):
            return F.dropout(F.elu(x), P, self.training)

    inner = torch.compile(Inner(), backend="eager", fullgraph=True)
    model = gatsparse.accelerate(Function(inner))
    assert model(randn(*LARGE_ELU)).shape == LARGE_ELU


def test_an_interrupted_forward_pass_replaces_nothing_later():
    def interrupt(_x):
        raise KeyboardInterrupt

    x = randn(*LARGE_ELU)
    with pytest.raises(KeyboardInterrupt):
        gatsparse.accelerate(Function(interrupt))(x)
    assert not is_ours(lambda x: F.dropout(x, P), x)
    model = gatsparse.accelerate(Function(lambda x: F.dropout(x, P)))
    assert is_ours(model, x)
    assert not is_ours(lambda x: F.dropout(x, P), x)
    assert torch._C._len_torch_function_stack() == 0
