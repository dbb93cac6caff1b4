"""Warnings of slow paths on large graphs: once per process and reason."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

import gatsparse
from gatsparse import CSRGraph, _native, slow_path
from gatsparse.nn import sparse_linear
from gatsparse.ops import neighbor_sum
from gatsparse.slow_path import LARGE_GRAPH, SlowPathWarning

X = torch.randn(9, 6)
EDGES = torch.randint(9, (2, 40))


@pytest.fixture(autouse=True)
def _nothing_was_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_path, "_warned", set())


def large() -> Tensor:
    return torch.randint(9, (2, LARGE_GRAPH + 1))


def hooked(edges: Tensor) -> None:
    conv = gatsparse.GATConv(6, 2)
    conv.register_message_forward_hook(lambda *_: None)
    conv(X, edges)


def explained(edges: Tensor) -> None:
    conv = gatsparse.GATConv(6, 2, add_self_loops=False)
    conv.explain = True
    conv._edge_mask = torch.nn.Parameter(torch.ones(edges.size(1)))
    conv._loop_mask = torch.ones(edges.size(1), dtype=torch.bool)
    conv._apply_sigmoid = True
    conv(X, edges)


class Doubled(gatsparse.GATConv):
    def message(self, x_j: Tensor, alpha: Tensor) -> Tensor:
        return 2 * alpha.unsqueeze(-1) * x_j


def mapped(edges: Tensor) -> None:
    conv = gatsparse.GATv2Conv(6, 2)
    torch.func.vmap(lambda x: conv(x, edges))(X[None])


def dual(edges: Tensor) -> None:
    with forward_ad.dual_level():
        gatsparse.GATConv(6, 2)(forward_ad.make_dual(X, X), edges)


def of_half_precision(edges: Tensor) -> None:
    x = torch.ones(1, edges.size(1), dtype=torch.float16).to_sparse_coo()
    sparse_linear(x, torch.ones(2, edges.size(1), dtype=torch.float16))


def with_hooked_projection(edges: Tensor) -> None:
    x = torch.ones(1, edges.size(1)).to_sparse_coo()
    conv = gatsparse.GATConv(edges.size(1), 2)
    conv.lin.register_forward_hook(lambda *_: None)
    conv(x, torch.zeros(2, 1, dtype=torch.long))


SLOW: list[tuple[Callable[[Tensor], object], str]] = [
    (hooked, "graph of 100,001 edges .* PyG.* message-passing hooks .*: remove them"),
    (explained, "graph of 100,001 edges .* PyG.* an explainer masks messages"),
    (lambda edges: Doubled(6, 2)(X, edges), "PyG.* Doubled overrides message"),
    (lambda edges: gatsparse.GATConv(6, 2, aggr="mean")(X, edges), "PyG.* aggr='mean'"),
    (mapped, r"scatter.*torch\.func.* backend='scatter' silences"),
    (dual, "scatter.* forward-mode differentiation"),
    (
        lambda edges: neighbor_sum(X.half(), CSRGraph.from_edge_index(edges)),
        "neighbor_sum of a graph of 100,001 edges .* index_add.* torch.float16; expected float32",
    ),
    (of_half_precision, "sparse matrix of 100,001 values .* index_add.* torch.float16"),
    (with_hooked_projection, "sparse matrix of 100,001 values .* Linear .* has hooks"),
]


@pytest.fixture
def every_warning(recwarn: pytest.WarningsRecorder) -> pytest.WarningsRecorder:
    """Records each warning, also if Python's filters have shown it before."""
    warnings.simplefilter("always")
    return recwarn


def messages(recorder: pytest.WarningsRecorder) -> list[str]:
    """Returns the warnings of slow paths; torch has warnings of its own."""
    return [str(w.message) for w in recorder if w.category is SlowPathWarning]


@pytest.mark.parametrize(("call", "message"), SLOW)
def test_slow_path_of_a_large_graph_warns_once(
    call: Callable[[Tensor], object], message: str, every_warning: pytest.WarningsRecorder
):
    call(EDGES)
    assert not messages(every_warning)
    for _ in range(2):
        call(large())
    (shown,) = messages(every_warning)
    assert re.search(message, shown)


def test_each_reason_has_its_own_warning(recwarn: pytest.WarningsRecorder):
    hooked(large())
    mapped(large())
    assert len(messages(recwarn)) == 2


def test_fast_path_does_not_warn(recwarn: pytest.WarningsRecorder):
    conv = gatsparse.GATConv(6, 2, edge_dim=3)
    conv(X, large(), torch.randn(LARGE_GRAPH + 1, 3), return_attention_weights=True)
    assert not recwarn


def test_report_does_not_warn(recwarn):
    conv = gatsparse.GATConv(6, 2)
    conv.register_message_forward_hook(lambda *_: None)
    assert gatsparse.explain_backend(conv, X, large())[0].backend == "PyG"
    assert not recwarn


def test_requested_backend_does_not_warn(recwarn):
    gatsparse.GATConv(6, 2, backend="scatter")(X, large())
    assert not recwarn


def test_missing_kernels_warn_at_the_first_use(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "the extension is missing")
    conv = gatsparse.GATConv(6, 2)
    with pytest.warns(SlowPathWarning, match="the extension is missing.*gatsparse info"):
        conv(X, EDGES)
    conv(X, EDGES)
    neighbor_sum(X, CSRGraph.from_edge_index(EDGES))  # the same reason
    assert "kernels: missing" in str(gatsparse.explain_backend(conv, X, EDGES))
