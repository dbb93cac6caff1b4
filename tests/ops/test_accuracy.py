"""Errors of the kernels within budgets from float64."""

import pytest
import torch
from torch_geometric.utils import scatter, softmax

from gatsparse.testing import Graph, cast, error_budget, relative_error
from tests.ops.agreement import (
    BACKENDS,
    HEADS,
    SHORT_ROWS,
    ZOO,
    every_variant,
    with_and_without_edges,
)
from tests.ops.variants import (
    VARIANTS,
    edge_rows,
    fixed_gradient,
    numbered_edges,
    run,
    with_gradients,
)


def same_precision_reference(variant, inputs, graph, order=0):
    """Returns the output and gradients as PyG computes them in the dtype of the inputs.

    Only roundings depend on the order of edges and channels: 0 keeps the order, any other
    number seeds a random one.
    """
    generator = torch.Generator().manual_seed(order)
    edges = numbered_edges(graph, True)
    channels = torch.arange(inputs[VARIANTS[variant].x].size(2))
    if order > 0:
        edges = edges[torch.randperm(len(edges), generator=generator)]
        channels = torch.randperm(len(channels), generator=generator)
    number, j, i = edges.T
    ordered = {name: t[..., channels] if t.dim() == 3 else t for name, t in inputs.items()}
    x, rows = ordered[VARIANTS[variant].x], edge_rows(ordered)
    rows = None if rows is None else rows[number]
    alpha = softmax(VARIANTS[variant].scores(ordered, rows, j, i, 0.2), i, num_nodes=graph.size[1])
    out = scatter(alpha[..., None] * x[j], i, dim=0, dim_size=graph.size[1])
    out = out[..., channels.argsort()].flatten(1) + inputs["bias"]
    return with_gradients(out, inputs)


def check_error_budget(variant, graph, scale, dtype, edge, shape=(HEADS, 8), num_references=8):
    inputs = VARIANTS[variant].inputs(graph, *shape, scale=scale, edge=edge, loop=True)
    inputs = cast(inputs, dtype)
    exact = same_precision_reference(variant, cast(inputs, torch.float64), graph)
    references = [
        same_precision_reference(variant, inputs, graph, k) for k in range(num_references)
    ]
    fused = run(variant, inputs, graph.csr(), add_self_loops=True, backend="fused")
    # The gradients of the scores are differences of inner products <g, x>, which may cancel to
    # nothing: their roundings are measured against the products, and add to those of the scores.
    x, g = inputs[VARIANTS[variant].x].detach(), fixed_gradient(fused["out"])
    product = x.norm(dim=2).max() * g.view(-1, *shape).norm(dim=2).max()
    for name, value in exact.items():
        assert fused[name].dtype == dtype
        error = max(relative_error(reference[name], value) for reference in references)
        budget = error_budget(error, dtype)
        if name not in ("out", "bias", VARIANTS[variant].x):
            rounding = torch.finfo(dtype).eps * float(product)
            budget += rounding / max(1.0, float(value.abs().max()))
        assert relative_error(fused[name], value) <= budget, name


@with_and_without_edges
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.0, 1.0, 80.0])
@pytest.mark.parametrize("name", ["random", "hub", "dense with duplicates", "complete"])
@every_variant
def test_error_budget(variant, name, scale, dtype, edge):
    check_error_budget(variant, ZOO[name], scale, dtype, edge)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 15.0])
@pytest.mark.parametrize("shape", SHORT_ROWS)
@every_variant
def test_error_budget_of_rows_that_fit_the_registers(variant, shape, scale, dtype):
    check_error_budget(variant, ZOO["random"], scale, dtype, edge=False, shape=shape)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("scale", "edge"), [(0.0, False), (1.0, True), (80.0, False)])
@every_variant
def test_error_budget_of_a_row_of_100000_edges(variant, edge, scale, dtype):
    edge_index = torch.randint(1000, (2, 110_000))
    edge_index[1, torch.randperm(110_000)[:100_000]] = 3
    graph = Graph(edge_index, (1000, 1000))
    check_error_budget(variant, graph, scale, dtype, edge, num_references=3)


def test_huge_scores_neither_overflow_nor_underflow():
    graph = ZOO["random"]
    for variant in VARIANTS:
        inputs = VARIANTS[variant].inputs(graph, 2, 3, scale=1e4)
        results = [run(variant, inputs, graph.csr(), backend=backend) for backend in BACKENDS]
        for result in results:
            assert all(tensor.isfinite().all() for tensor in result.values())
            assert result["out"].abs().max() > 0


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_shift_of_all_scores_changes_nothing(shift):
    graph = ZOO["random"]
    inputs = {**VARIANTS["gat"].inputs(graph, 2, 3, edge=True)}
    options = {"graph": graph.csr(), "negative_slope": 1.0}
    expected = VARIANTS["gat"].attention(**inputs, **options)
    inputs["edge"] = inputs["edge"] + shift
    for backend in ("fused", "scatter"):
        out = VARIANTS["gat"].attention(**inputs, **options, backend=backend)
        # Scores of 1e4 are rounded.
        assert relative_error(out, expected) <= 1e-10
