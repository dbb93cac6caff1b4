"""Features of GAT only: destinations with their own features, and its two backward passes."""

import pytest
import torch

from gatsparse import _native
from gatsparse.ops import gat_attention
from gatsparse.ops.gat import fused
from gatsparse.testing import cast, error_budget, gat_inputs, graph_zoo, relative_error
from tests.ops.variants import (
    assert_close,
    backward_arguments,
    call,
    fixed_gradient,
    operator_arguments,
    run,
    with_gradients,
)

ZOO = graph_zoo()
SQUARE = [name for name, graph in ZOO.items() if graph.size[0] == graph.size[1]]
BACKENDS = ("fused", "scatter", "dense")


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(
    ("shape", "slope"),
    [
        *(((3, 5), slope) for slope in (0.2, 0.0, 1.0, -0.5, 2.0)),
        *((shape, 0.2) for shape in ((1, 1), (17, 4), (4, 64), (1, 16))),
        *(((8, 8), slope) for slope in (0.2, 0.0, 1.0)),
    ],
)
@pytest.mark.parametrize("name", SQUARE)
def test_both_backward_passes_equal_scatter(name, shape, dropout, loops, slope, monkeypatch):
    inputs = gat_inputs(ZOO[name], *shape, scale=3.0)
    options = {
        "add_self_loops": loops,
        "dropout": dropout,
        "seed": torch.tensor(3),
        "negative_slope": slope,
    }
    expected = run("gat", inputs, ZOO[name].csr(), backend="scatter", **options)
    for positive in (False, True):
        monkeypatch.setattr(fused, "positive_pays", lambda *_, way=positive: way)
        assert_close(run("gat", inputs, ZOO[name].csr(), backend="fused", **options), expected)


@pytest.mark.parametrize("alpha_dst", [0.0, -1e3, 1e3])
@pytest.mark.parametrize("alpha_src", [1.0, 59.0, 61.0, 500.0])
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, -0.5, 2.0])
@pytest.mark.parametrize("shape", [(8, 8), (1, 16)])
@pytest.mark.parametrize("name", ["random", "hub"])
def test_terms_of_any_size(name, shape, slope, alpha_src, alpha_dst):
    """Terms of sources are below and above the limit of the factors.

    Terms of destinations keep all scores far from 0.
    """
    inputs = sized_terms(name, shape, alpha_src, alpha_dst)
    options = {"graph": ZOO[name].csr(), "add_self_loops": True, "negative_slope": slope}
    expected = run("gat", inputs, **options, backend="scatter")
    assert_close(run("gat", inputs, **options, backend="fused"), expected)


def sized_terms(name, shape, alpha_src, alpha_dst):
    inputs = {k: t.detach() for k, t in gat_inputs(ZOO[name], *shape, seed=1).items()}
    x, att_src, att_dst = inputs["x"], inputs["att_src"], inputs["att_dst"]
    x[..., 0] = 1.0
    att_src[..., 0] = 0.0
    att_src *= alpha_src / (x * att_src).sum(-1).abs().max()
    att_dst[..., 0] = alpha_dst
    return cast(inputs, torch.float64)


@pytest.mark.parametrize("alpha_dst", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize("alpha_src", [30.0, 59.0])
def test_error_budget_of_sharp_factors(alpha_src, alpha_dst):
    inputs = cast(sized_terms("random", (8, 8), alpha_src, alpha_dst), torch.float32)
    exact = cast(inputs, torch.float64)
    options = {"graph": ZOO["random"].csr(), "add_self_loops": True}
    expected = run("gat", exact, **options, backend="scatter")["out"]
    error = relative_error(run("gat", inputs, **options, backend="scatter")["out"], expected)
    fused = run("gat", inputs, **options, backend="fused")["out"]
    assert relative_error(fused, expected) <= error_budget(error, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("att_scale", [1e-6, 1e-12])
@pytest.mark.parametrize("positive", [False, True])
def test_gradients_of_tiny_scores(positive, att_scale, dtype, monkeypatch):
    """Gradients depend on the signs of the scores, although all exponentials are 1."""
    monkeypatch.setattr(fused, "positive_pays", lambda *_: positive)
    inputs = cast(gat_inputs(ZOO["random"], 8, 8, scale=att_scale), dtype)
    exact = cast(inputs, torch.float64)
    options = {"graph": ZOO["random"].csr(), "add_self_loops": True}
    expected = run("gat", exact, **options, backend="scatter")
    result = run("gat", inputs, **options, backend="fused")
    for name in ("att_src", "att_dst"):  # their gradients are of size 1
        assert expected[name].abs().max() > 0.1
        assert relative_error(result[name], expected[name]) <= 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("positive", [False, True])
def test_scores_that_cancel(positive, monkeypatch):
    """A score of 0 has the derivative of a negative one, as in PyTorch."""
    monkeypatch.setattr(fused, "positive_pays", lambda *_: positive)
    inputs = gat_inputs(ZOO["random"], 8, 8, scale=3.0)
    with torch.no_grad():
        inputs["att_dst"].copy_(-inputs["att_src"])  # the scores of loops are 0
    options = {"graph": ZOO["random"].csr(), "add_self_loops": True}
    expected = run("gat", inputs, **options, backend="scatter")
    assert_close(run("gat", inputs, **options, backend="fused"), expected)


def test_backward_pass_of_another_instruction_set():
    """Rows of 8x16 fit the registers of some instruction sets only."""
    inputs = gat_inputs(ZOO["random"], 8, 16, dtype=torch.float32)
    graph = ZOO["random"].csr()
    expected = run("gat", inputs, graph, backend="fused")
    for isa in _native.isas():
        with _native.use_isa(isa):
            out = gat_attention(**inputs, graph=graph, backend="fused")
        for other in _native.isas():
            with _native.use_isa(other):
                grads = torch.autograd.grad(
                    out, list(inputs.values()), fixed_gradient(out), retain_graph=True
                )
            for name, grad in zip(inputs, grads, strict=True):
                assert relative_error(grad, expected[name]) <= 1e-5, (isa, other, name)


def test_positive_pays_heuristic():
    assert fused.positive_pays(ZOO["dense with duplicates"].csr(), channels=8)
    assert not fused.positive_pays(ZOO["dense with duplicates"].csr(), channels=128)
    assert not fused.positive_pays(ZOO["chain"].csr(), channels=8)


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("name", ["random", "hub", "bipartite, more sources", "no edges"])
def test_without_att_dst(name, edge):
    inputs = gat_inputs(ZOO[name], 3, 5, edge=edge, loop=True, x_dst=False)
    inputs.pop("x_dst", None)
    zero = {**inputs, "att_dst": torch.zeros_like(inputs["att_dst"])}
    if name.startswith("bipartite"):
        zero["x_dst"] = torch.zeros(7, 3, 5, dtype=torch.float64)
    inputs["att_dst"] = None
    options = {"graph": ZOO[name].csr(), "add_self_loops": True}
    leaves = {name: t for name, t in inputs.items() if t is not None}
    expected = with_gradients(gat_attention(**zero, **options, backend="scatter"), leaves)
    for backend in BACKENDS[: 2 if edge else 3]:
        actual = with_gradients(gat_attention(**inputs, **options, backend=backend), leaves)
        assert_close(actual, expected)


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_destinations_with_their_own_features(dropout, edge):
    graph = ZOO["random"]
    inputs = gat_inputs(graph, 3, 5, edge=edge, loop=True, x_dst=True)
    options = {"add_self_loops": True, "dropout": dropout, "seed": torch.tensor(3)}
    results = [
        run("gat", inputs, graph.csr(), backend=backend, **options)
        for backend in BACKENDS[: 2 if edge else 3]
    ]
    for result in results[1:]:
        assert_close(results[0], result)
    # None is the same as one tensor at both ends.
    inputs["x_dst"] = inputs["x"]
    expected = run("gat", {**inputs, "x_dst": None}, graph.csr(), **options)
    actual = run("gat", inputs, graph.csr(), **options)
    del actual["x_dst"]
    assert_close(actual, expected)


def test_bipartite_graph_without_x_dst_raises():
    inputs = gat_inputs(ZOO["bipartite, more sources"], 2, 3)
    del inputs["x_dst"]
    with pytest.raises(ValueError, match=r"x_dst: expected shape \[7, 2, 3\], .*, got None"):
        gat_attention(**inputs, graph=ZOO["bipartite, more sources"].csr())


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_opcheck_of_both_backward_passes(positive, dropout):
    inputs = gat_inputs(ZOO["random"], 2, 3)
    options = {"positive": positive, "dropout": dropout}
    arguments = operator_arguments("gat", inputs, ZOO["random"].csr(), **options)
    torch.library.opcheck(torch.ops.gatsparse.gat.default, tuple(arguments.values()))
    outputs = call("gat", arguments)
    assert (outputs[6].numel() > 0) == positive
    torch.library.opcheck(
        torch.ops.gatsparse.gat_backward.default, backward_arguments(arguments, outputs)
    )
