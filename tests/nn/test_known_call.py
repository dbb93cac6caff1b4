"""Layers whose calls are like an earlier one: whatever changed in between takes effect."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric import EdgeIndex

import gatsparse
from gatsparse.nn import known_call
from gatsparse.nn.known_call import call_signature

NUM_NODES = 7
CHANNELS = 6


def edges(seed: int = 0) -> Tensor:
    return torch.randint(NUM_NODES, (2, 20), generator=torch.Generator().manual_seed(seed))


def features(seed: int = 0) -> Tensor:
    return torch.randn(NUM_NODES, CHANNELS, generator=torch.Generator().manual_seed(seed))


def known_layer(conv: type, **options: Any) -> Any:
    """A layer that has computed a call."""
    torch.manual_seed(0)
    layer = conv(CHANNELS, 4, heads=3, **options)
    layer(features(), edges())
    assert vars(layer)["_known_call"] == call_signature(layer, features(), edges())
    return layer


def result(layer: Any, arguments: tuple, options: dict[str, Any]) -> Any:
    torch.manual_seed(1)
    try:
        return layer(*arguments, **options)
    except Exception as error:
        return type(error), str(error)


def assert_same(actual: Any, expected: Any) -> None:
    assert type(actual) is type(expected)
    if isinstance(actual, Tensor):
        assert actual.dtype == expected.dtype
        assert torch.equal(actual, expected)
    elif isinstance(actual, tuple):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    else:
        assert actual == expected


def add_message_hook(layer: Any) -> None:
    layer.register_message_forward_hook(lambda _layer, _inputs, out: 2 * out)


def override_message(layer: Any) -> None:
    class Doubled(type(layer)):
        def message(self, *args: Any, **kwargs: Any) -> Tensor:
            return 2 * super().message(*args, **kwargs)

    layer.__class__ = Doubled


def hook_projection(layer: Any) -> None:
    layer._lins()[0].register_forward_hook(lambda _lin, _inputs, out: 2 * out)


def replace_projection(layer: Any) -> None:
    name = "lin" if hasattr(layer, "lin") else "lin_l"
    setattr(layer, name, torch.nn.Sequential(torch.nn.Linear(CHANNELS, 12), torch.nn.Tanh()))


def replace_attention(layer: Any) -> None:
    name = "att_src" if hasattr(layer, "att_src") else "att"
    setattr(layer, name, torch.nn.Parameter(torch.ones(1, 2, 4)))


def attribute(name: str, value: Any) -> Callable[[Any], None]:
    return lambda layer: setattr(layer, name, value)


#: Changes of a layer between two calls.
CHANGES = {
    "nothing": lambda _layer: None,
    "evaluation mode": lambda layer: layer.eval(),
    "message hook": add_message_hook,
    "overridden message": override_message,
    "hook of the projection": hook_projection,
    "other projection": replace_projection,
    "attention of another shape": replace_attention,
    "meta projection": lambda layer: layer._lins()[0].to("meta"),
    "narrow projection": lambda layer: layer._lins()[0].register_forward_hook(
        lambda _lin, _inputs, out: out.bfloat16()
    ),
    "float64": lambda layer: layer.double(),
    "no bias": attribute("bias", None),
    "wide bias": attribute("bias", torch.nn.Parameter(torch.ones(12, dtype=torch.float64))),
    "dropout": attribute("dropout", 0.5),
    "invalid dropout": attribute("dropout", 1.5),
    "slope": attribute("negative_slope", -0.3),
    "infinite slope": attribute("negative_slope", float("inf")),
    "no loops": attribute("add_self_loops", False),
    "mean": lambda layer: (setattr(layer, "concat", False), setattr(layer, "bias", None)),
    "scatter": attribute("backend", "scatter"),
    "unknown backend": attribute("backend", "other"),
    "other flow": attribute("flow", "target_to_source"),
    "parameters": lambda layer: [p.data.mul_(2) for p in layer.parameters()],
}


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_layer_computes_as_a_new_one(conv: type, change: str) -> None:
    known = known_layer(conv)
    CHANGES[change](known)
    new = copy.deepcopy(known)
    vars(new).pop("_known_call")
    for double in (False, True):
        x = features(1).double() if double else features(1)
        expected = result(new, (x, edges(1)), {})
        assert_same(result(known, (x, edges(1)), {}), expected)


#: Other arguments than those of the earlier call.
ARGUMENTS: dict[str, Callable[[], tuple[tuple, dict[str, Any]]]] = {
    "more nodes": lambda: ((torch.randn(30, CHANNELS), edges()), {}),
    "fewer nodes than in the graph": lambda: ((features()[:3], edges()), {}),
    "no nodes": lambda: ((torch.randn(0, CHANNELS), edges()[:, :0]), {}),
    "no edges": lambda: ((features(), edges()[:, :0]), {}),
    "negative index": lambda: ((features(), edges() - 1), {}),
    "int32": lambda: ((features(), edges().int()), {}),
    "int8": lambda: ((features(), edges().to(torch.int8)), {}),
    "float edges": lambda: ((features(), edges().float()), {}),
    "three rows": lambda: ((features(), torch.cat([edges(), edges()[:1]])), {}),
    "edges as a list": lambda: ((features(), edges().tolist()), {}),
    "EdgeIndex": lambda: ((features(), EdgeIndex(edges())), {}),  # pyright: ignore
    "other width": lambda: ((features()[:, :4].contiguous(), edges()), {}),
    "batch": lambda: ((torch.stack([features(), features(1)]), edges()), {}),
    "pair": lambda: (((features(), features(1)), edges()), {}),
    "integers": lambda: ((features().long(), edges()), {}),
    "sparse": lambda: ((features().relu().to_sparse_coo(), edges()), {}),
    "float64": lambda: ((features().double(), edges()), {}),
    "bfloat16": lambda: ((features().bfloat16(), edges()), {}),
    "weights": lambda: ((features(), edges()), {"return_attention_weights": True}),
    "edge features": lambda: ((features(), edges(), torch.randn(20, 2)), {}),
    "meta": lambda: ((features().to("meta"), edges()), {}),
}


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_other_arguments_are_checked(conv: type, arguments: str) -> None:
    known = known_layer(conv)
    new = copy.deepcopy(known)
    vars(new).pop("_known_call")
    torch.manual_seed(2)
    given, options = ARGUMENTS[arguments]()
    assert_same(result(known, given, options), result(new, given, options))


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
def test_autocast_and_observers_and_transforms_take_the_checked_way(conv: type) -> None:
    layer = known_layer(conv)
    with torch.autocast("cpu", torch.bfloat16):
        assert call_signature(layer, features(), edges()) is None
    with torch.autograd.forward_ad.dual_level():
        assert call_signature(layer, features(), edges()) is None
    report = gatsparse.explain_backend(layer, features(), edges())
    assert [choice.backend for choice in report] == ["fused"]
    edge_index, x = edges(), torch.stack([features(), features(1)])
    batched = torch.func.vmap(lambda x: layer(x, edge_index))(x)
    torch.testing.assert_close(batched[0], layer(x[0], edge_index))


def widen_projections(layer: Any) -> None:
    """Makes two rows of heads of each node."""
    for name in ("lin", "lin_l", "lin_r"):
        if hasattr(layer, name):
            setattr(layer, name, torch_geometric.nn.Linear(CHANNELS, 24))


#: Layers and arguments that need conversions in every call.
CONVERTED: dict[str, Callable[[Any], tuple[Tensor, Tensor]]] = {
    "int8": lambda _: (features(), edges().to(torch.int8)),
    "uint8": lambda _: (features(), edges().to(torch.uint8)),
    "bfloat16": lambda layer: (layer.bfloat16() and features().bfloat16(), edges()),
    "float16": lambda layer: (layer.half() and features().half(), edges()),
    "rows": lambda layer: (widen_projections(layer) or features(), edges()),
    "wide bias": lambda layer: (CHANGES["wide bias"](layer) or features(), edges()),
}


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
@pytest.mark.parametrize("converted", CONVERTED)
def test_equal_calls_with_conversions_are_equal(conv: type, converted: str) -> None:
    torch.manual_seed(0)
    layer = conv(CHANNELS, 4, heads=3)
    arguments = CONVERTED[converted](layer)
    first = result(layer, arguments, {})
    assert isinstance(first, Tensor)
    assert_same(result(layer, arguments, {}), first)


@pytest.mark.parametrize(
    "options",
    [
        {"residual": True},
        {"flow": "target_to_source"},
        {"backend": "scatter"},
        {"backend": "dense"},
    ],
)
def test_calls_that_need_more_than_the_kernels_are_not_known(options: dict[str, Any]) -> None:
    layer = gatsparse.GATConv(CHANNELS, 4, **options)
    layer(features(), edges())
    assert "_known_call" not in vars(layer)


def test_a_known_call_makes_no_check_again(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = known_layer(gatsparse.GATConv)
    monkeypatch.setattr(
        "gatsparse.nn.attention_conv.check_features", lambda *_: pytest.fail("checked")
    )
    layer(features(1), edges(1))
    monkeypatch.setattr(known_call, "has_level", lambda: True)
    with pytest.raises(pytest.fail.Exception, match="checked"):
        layer(features(1), edges(1))


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
def test_gradients_of_a_known_call_are_those_of_a_new_layer(conv: type) -> None:
    known = known_layer(conv, dropout=0.4)
    new = copy.deepcopy(known)
    vars(new).pop("_known_call")
    grads = []
    for layer in (known, new):
        x = features(1).requires_grad_()
        torch.manual_seed(3)
        layer(x, edges(1)).square().sum().backward()
        grads.append([x.grad, *[p.grad for p in layer.parameters()]])
    for actual, expected in zip(*grads, strict=True):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("dropout", [2.0, -0.5, float("nan")])
def test_dropout_is_checked_when_training_begins(dropout: float) -> None:
    layer = known_layer(gatsparse.GATConv).eval()
    layer.dropout = dropout
    for _ in range(2):
        layer(features(), edges())
    layer.train()
    with pytest.raises(ValueError, match="dropout: expected 0 <= dropout <= 1"):
        layer(features(), edges())


@pytest.mark.parametrize("name", ["att_src", "att_dst", "bias"])
def test_a_parameter_that_became_a_plain_tensor_may_have_another_dtype(name: str) -> None:
    layer = gatsparse.GATConv(CHANNELS, 4)
    value = getattr(layer, name).detach().double()
    delattr(layer, name)
    setattr(layer, name, value)
    outs = [layer(features(), edges()) for _ in range(3)]
    assert outs[0].dtype == outs[2].dtype
    assert torch.equal(outs[0], outs[2])


def test_decelerated_layers_keep_nothing_of_known_calls() -> None:
    layer = gatsparse.accelerate(torch_geometric.nn.GATConv(CHANNELS, 4))
    layer(features(), edges())
    assert "_known_call" in vars(layer)
    assert "_known_call" not in vars(gatsparse.decelerate(layer))
