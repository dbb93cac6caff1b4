"""Odd and bad inputs of the attention operators, missing libraries and damaged graphs."""

import pytest
import torch

from gatsparse import _native, slow_path
from gatsparse.ops import scatter
from gatsparse.slow_path import SlowPathWarning
from gatsparse.testing import Graph, cast, relative_error
from tests.ops.agreement import (
    ZOO,
    every_variant,
)
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    backward_arguments,
    call,
    operator_arguments,
    run,
    without_bias,
)


@every_variant
def test_nan_reaches_its_neighbours_only(variant):
    graph = ZOO["chain"]
    inputs = {name: t.detach() for name, t in VARIANTS[variant].inputs(graph, 2, 3).items()}
    inputs["x_dst"] = torch.randn(21, 2, 3, dtype=torch.float64)
    for name, reached in ((VARIANTS[variant].x, 5), ("x_dst", 9)):
        odd = {**inputs, name: inputs[name].clone()}
        odd[name][4 if reached == 5 else 9, 0, 0] = torch.nan
        for backend in ("fused", "scatter"):
            out = VARIANTS[variant].attention(**odd, graph=graph.csr(), backend=backend)
            expected = [[reached, channel] for channel in range(3)]  # of head 0
            assert out.isnan().nonzero().tolist() == expected


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64])
@every_variant
def test_scores_of_minus_infinity(variant, count):
    """They may be anywhere in a row; a row of them only is NaN, as in torch.softmax."""
    edges = torch.stack([torch.arange(64), torch.zeros(64, dtype=torch.int64)])
    graph = Graph(edges, (64, 2))
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=True)
    inputs = {name: t.detach() for name, t in without_bias(inputs).items()}
    if variant == "gatv2":
        inputs["att"] = inputs["att"].abs()
    inputs["edge"][:count] = -torch.inf
    results = [
        VARIANTS[variant].attention(**inputs, graph=graph.csr(), backend=backend)
        for backend in ("fused", "scatter")
    ]
    assert results[0][0].isfinite().all() == (count < 64)
    for result in results:
        assert torch.equal(result[1], torch.zeros(6, dtype=torch.float64))
        assert torch.allclose(result, results[0], rtol=1e-12, atol=1e-14, equal_nan=True)


@pytest.mark.parametrize("count", [1, 3])
def test_scores_of_minus_infinity_in_rows_that_fit_the_registers(count):
    """The scores overflow in float32, although the features are finite."""
    graph = Graph(torch.tensor([[0, 1, 2, 3, 4], [5, 5, 5, 5, 5]]), (6, 6))
    inputs = VARIANTS["gatv2"].inputs(graph, 1, 16, dtype=torch.float32)
    inputs = {name: t.detach() for name, t in inputs.items()}
    inputs["att"][0, 0, 0] = -10.0
    inputs["x_src"][:count, 0, 0] = 3e38
    out, expected = (
        VARIANTS["gatv2"].attention(**inputs, graph=graph.csr(), backend=backend)
        for backend in ("fused", "scatter")
    )
    assert expected.isfinite().all()
    assert relative_error(out, expected) <= 1e-6


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"x": torch.zeros(60, 2)},
            ValueError,
            r"{x}: expected shape \[60, H, C\] .* got \[60, 2\]",
        ),
        ({"x": torch.zeros(59, 2, 3)}, ValueError, r"{x}: expected shape \[60, H, C\]"),
        ({"x": torch.zeros(60, 2, 0)}, ValueError, "with H, C >= 1"),
        ({"x": torch.zeros(60, 2, 3).long()}, TypeError, "{x}: expected a floating point tensor"),
        ({"x": None}, TypeError, "{x}: expected a tensor, got NoneType"),
        ({"att": torch.zeros(1, 2, 4)}, ValueError, r"{att}: expected shape \[1, 2, 3\], got \["),
        (
            {"att": torch.zeros(2, 3)},
            ValueError,
            r"{att}: expected shape \[1, 2, 3\], got \[2, 3\]",
        ),
        ({"att": torch.zeros(1, 2, 3).int()}, TypeError, "{att}: expected a floating point tensor"),
        (
            {"att": torch.zeros(1, 2, 3, device="meta")},
            ValueError,
            "{att}: expected a tensor on cpu",
        ),
        ({"x_dst": torch.zeros(6, 2, 3)}, ValueError, r"x_dst: expected shape \[60, 2, 3\]"),
        ({"x_dst": [3.0]}, TypeError, "x_dst: expected a tensor, got list"),
        ({"edge": torch.zeros(499)}, ValueError, r"edge: expected shape \[500, 2.*got \[499\]"),
        ({"edge": 3}, TypeError, "edge: expected a tensor, got int"),
        ({"loop": torch.zeros(60, 2)}, ValueError, "loop: expected None, got a tensor"),
        ({"bias": torch.zeros(3)}, ValueError, r"bias: expected shape \[6\], got \[3\]"),
        (
            {"bias": torch.zeros(6), "concat": False},
            ValueError,
            r"bias: expected shape \[3\], got \[6\]",
        ),
        ({"seed": 3, "dropout": 0.5}, TypeError, "seed: expected an int64 tensor, got int"),
        ({"seed": torch.tensor([3]), "dropout": 0.5}, ValueError, r"seed: expected shape \[\]"),
        ({"seed": torch.tensor(3.0), "dropout": 0.5}, TypeError, "got torch.float32"),
        ({"graph": torch.zeros(2, 3).long()}, TypeError, "graph: expected a CSRGraph, got Tensor"),
        ({"dropout": 1.5}, ValueError, "dropout: expected 0 <= dropout <= 1, got 1.5"),
        ({"dropout": -0.1}, ValueError, "dropout"),
        ({"dropout": float("nan")}, ValueError, "dropout"),
        ({"backend": "quick"}, ValueError, "backend: expected one of .*, got 'quick'"),
    ],
)
@every_variant
def test_bad_inputs_raise(variant, change, error, message):
    """``x`` denotes the first features, and ``att`` the first parameter."""
    arguments = VARIANTS[variant].inputs(ZOO["random"], 2, 3, dtype=torch.float32)
    names = {"x": VARIANTS[variant].x, "att": "att_src" if variant == "gat" else "att"}
    change = {names.get(name, name): value for name, value in change.items()}
    message = message.replace("{x}", names["x"]).replace("{att}", names["att"])
    with pytest.raises(error, match=message):
        VARIANTS[variant].attention(**{**arguments, "graph": ZOO["random"].csr(), **change})


@every_variant
def test_edge_features_without_loop_features_raise(variant):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=True)
    with pytest.raises(
        ValueError, match="loop: expected a tensor with edge and add_self_loops, got None"
    ):
        VARIANTS[variant].attention(**inputs, graph=graph.csr(), add_self_loops=True)
    with pytest.raises(ValueError, match="backend='dense' cannot handle this call: edge: "):
        VARIANTS[variant].attention(**inputs, graph=graph.csr(), backend="dense")
    with pytest.raises(RuntimeError, match="loop: expected for edge, got none"):
        call(variant, operator_arguments(variant, inputs, graph.csr(), add_self_loops=True))


@every_variant
def test_auto_falls_back_where_fused_raises(variant, monkeypatch):
    graph = ZOO["random"].csr()
    inputs = VARIANTS[variant].inputs(ZOO["random"], 2, 3, edge=True)
    attention = VARIANTS[variant].attention
    half = cast(inputs, torch.float16)
    for backend in ("fused", "scatter"):
        assert attention(**half, graph=graph, backend=backend).dtype == torch.float16
    expected = attention(**inputs, graph=graph, backend="fused")
    monkeypatch.setattr(_native, "MISSING", "not built")
    monkeypatch.setattr(slow_path, "_warned", set())
    with pytest.warns(SlowPathWarning, match="not built"):
        out = attention(**inputs, graph=graph)
    assert relative_error(out, expected) <= 1e-12
    with pytest.raises(ValueError, match="not built; `gatsparse info` shows"):
        attention(**inputs, graph=graph, backend="fused")


@pytest.mark.parametrize(
    ("key", "part", "place", "index"),
    [
        (key, part, place, index)
        for key in ("csr", "csr_t")
        for part, bound in ((1, 60), (2, 500))
        for place, index in ((17, -1), (17, bound), (17, 2**31 - 1), (17, -(2**31)), (499, bound))
    ],
)
@pytest.mark.parametrize(("edge", "dropout"), [(True, 0.0), (False, 0.5), (True, 0.5)])
@pytest.mark.parametrize("shape", [(2, 3), (8, 8)])
@every_variant
def test_kernels_reject_indices_out_of_range(
    variant, shape, edge, dropout, key, part, place, index
):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, *shape, edge=edge, loop=True)
    arguments = operator_arguments(variant, inputs, graph.csr(), dropout=dropout)
    outputs = call(variant, arguments)
    broken = arguments[key][part].clone()
    broken[place] = index
    arguments[key] = [*arguments[key][:part], broken, *arguments[key][part + 1 :]]
    with pytest.raises(RuntimeError, match="index out of range"):
        call(variant, arguments)[0].sum().backward()
    if (variant, key, part) == ("gat", "csr", 1):
        return  # the backward of GAT visits the out-edges alone
    # The backward operator alone, on outputs that were computed before.
    with pytest.raises(RuntimeError, match="index out of range"):
        getattr(torch.ops.gatsparse, f"{variant}_backward")(*backward_arguments(arguments, outputs))


@every_variant
def test_without_torch_scatter(variant, monkeypatch):
    graph = ZOO["hub"]
    inputs = VARIANTS[variant].inputs(graph, 3, 2, edge=True, loop=True)
    options = {"add_self_loops": True, "dropout": 0.5, "seed": torch.tensor(1)}
    expected = run(variant, inputs, graph.csr(), backend="fused", **options)
    monkeypatch.setattr(scatter, "torch_scatter", lambda: None)
    assert_close(run(variant, inputs, graph.csr(), backend="scatter", **options), expected, 1e-12)
