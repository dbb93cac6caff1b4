"""Whole layers and training steps on the Triton kernels, in Triton's interpreter, in float64."""

import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import gatsparse
from gatsparse import _native
from gatsparse.testing import graph_zoo, relative_error

pytest.importorskip("triton")

OPERATORS = {
    "gat": ("gat", "gat_backward"),
    "gatv2": ("gatv2", "gatv2_backward"),
    "neighbor_sum": ("neighbor_sum",),
    "dropout": ("dropout", "elu_dropout", "elu_dropout_backward"),
    "sparse_linear": ("sparse_linear", "sparse_linear_backward"),
}
EDGES = graph_zoo()["dense with duplicates"].edge_index


def paper_gat() -> tuple[torch.nn.Module, tuple]:
    torch.manual_seed(0)
    model = gatsparse.nn.PaperGAT(12, 4, 3, heads=2).double()
    x = (torch.rand(10, 12, dtype=torch.float64) < 0.3).double().to_sparse_csr()
    return model, (x, EDGES)


def gatv2_with_edge_features() -> tuple[torch.nn.Module, tuple]:
    torch.manual_seed(1)
    model = gatsparse.GATv2Conv(5, 3, heads=2, edge_dim=2, dropout=0.4, residual=True).double()
    edge_attr = torch.randn(EDGES.size(1), 2, dtype=torch.float64)
    return model, (torch.randn(10, 5, dtype=torch.float64), EDGES, edge_attr)


def gat_of_two_node_sets() -> tuple[torch.nn.Module, tuple]:
    torch.manual_seed(2)
    model = gatsparse.GATConv((5, 4), 3, heads=4, concat=False, add_self_loops=False).double()
    graph = graph_zoo()["bipartite, more sources"]
    x = [torch.randn(n, c, dtype=torch.float64) for n, c in zip(graph.size, (5, 4), strict=True)]
    return model, (tuple(x), graph.edge_index)


MODELS = (paper_gat, gatv2_with_edge_features, gat_of_two_node_sets)


def step(build: Callable[[], tuple[torch.nn.Module, tuple]]) -> dict[str, Tensor]:
    """Output and gradients of a training step; every draw of random numbers is the same."""
    model, arguments = build()
    torch.manual_seed(3)
    out = model(*arguments)
    F.mse_loss(out, torch.ones_like(out)).backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    return {"out": out.detach()} | {n: g for n, g in grads.items() if g is not None}


def interpreted() -> Iterator[tuple[str, dict[str, float]]]:
    """Yields the errors of all steps, in the process that interprets Triton's functions."""
    from importlib import import_module

    warnings.simplefilter("ignore")  # PyTorch announces that kernels are replaced
    expected = [step(build) for build in MODELS]
    calls: list[str] = []
    for room, names in OPERATORS.items():
        module = import_module(f"gatsparse.ops.{room}.cuda")
        for name in names:

            def run(*args, module=module, name=name):
                calls.append(name)
                return getattr(module, name)(*args)

            _native.LIBRARY.impl(name, run, "CPU", allow_override=True)
    for build, wanted in zip(MODELS, expected, strict=True):
        found = step(build)
        errors = {name: relative_error(found[name], wanted[name]) for name in wanted}
        yield build.__name__, errors
    yield "calls", {name: float(calls.count(name)) for name in sorted(set(calls))}


@pytest.mark.parametrize("model", [build.__name__ for build in MODELS])
def test_output_and_gradients_agree_with_the_cpu(found, model):
    assert len(found[model]) > 3
    assert max(found[model].values()) < 1e-12, found[model]


def test_every_operator_of_a_step_runs_on_the_kernels(found):
    used = {name for names in OPERATORS.values() for name in names} - {"neighbor_sum"}
    assert set(found["calls"]) == used
