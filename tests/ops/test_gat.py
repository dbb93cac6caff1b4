"""Every backend of GAT against the others, float64 first, then the error budgets."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch_geometric.utils import add_self_loops, remove_self_loops, scatter, softmax

from gatsparse import CSRGraph, _native
from gatsparse.ops import gat_attention, gat_attention_weights
from gatsparse.ops.gat import scatter as scatter_backend
from gatsparse.testing import (
    Graph,
    error_budget,
    gat_inputs,
    graph_zoo,
    relative_error,
)
from tests.strategies import graphs, shapes

ZOO = graph_zoo()
BACKENDS = ("fused", "scatter", "dense")
SHAPES = [(1, 1), (1, 7), (3, 5), (8, 8), (5, 33)]


def run(inputs, graph, **kwargs):
    """The output, and the gradients of a fixed linear function of it."""
    out = gat_attention(*inputs, graph, **kwargs)
    return (out.detach(), *torch.autograd.grad(out, inputs, fixed_gradient(out)))


def fixed_gradient(out):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(out.shape, dtype=torch.float64, generator=generator).to(out.dtype)


def by_definition(inputs, edge_index, size, add_self_loops, dropped=None, slope=0.2):
    """The formula, edge by edge, for forward values."""
    x, alpha_src, alpha_dst = (t.detach() for t in inputs)
    pairs = list(enumerate(edge_index.T.tolist()))
    if add_self_loops:
        pairs = [(e, (j, i)) for e, (j, i) in pairs if j != i]
        pairs += [(edge_index.size(1) + i, (i, i)) for i in range(min(size))]
    out = x.new_zeros(size[1], *x.shape[1:])
    for dst in range(size[1]):
        row = [(e, j) for e, (j, i) in pairs if i == dst]
        for h in range(x.size(1)):
            if not row:
                continue
            score = torch.stack([alpha_src[j, h] + alpha_dst[dst, h] for _, j in row])
            alpha = torch.where(score > 0, score, slope * score).softmax(0)
            for weight, (e, j) in zip(alpha, row, strict=True):
                scale = 1.0 if dropped is None else dropped[e, h]
                out[dst, h] += weight * scale * x[j, h]
    return out


def check_agreement(graph: Graph, heads, channels, add_self_loops, dropout, seed=0):
    inputs = gat_inputs(graph.size, heads, channels, seed=seed, scale=3.0)
    results = [
        run(
            inputs,
            graph.csr(),
            add_self_loops=add_self_loops,
            dropout=dropout,
            seed=torch.tensor(1234567890123456789 + seed),
            backend=backend,
        )
        for backend in BACKENDS
    ]
    for backend, result in zip(BACKENDS[1:], results[1:], strict=True):
        for ours, theirs in zip(results[0], result, strict=True):
            assert relative_error(ours, theirs) <= 1e-10, backend


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ZOO)
def test_equals_the_definition(name, backend, add_self_loops):
    graph = ZOO[name]
    inputs = gat_inputs(graph.size, 2, 3)
    out = gat_attention(*inputs, graph.csr(), add_self_loops=add_self_loops, backend=backend)
    expected = by_definition(inputs, *graph, add_self_loops)
    assert relative_error(out, expected) <= 1e-12


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ZOO)
def test_backends_agree_on_the_zoo(name, shape, add_self_loops, dropout):
    check_agreement(ZOO[name], *shape, add_self_loops, dropout)


@settings(max_examples=500)
@given(graphs(), shapes, st.booleans(), st.sampled_from([0.0, 0.3, 0.9]), st.integers(0, 99))
def test_backends_agree_on_any_graph(graph, shape, add_self_loops, dropout, seed):
    check_agreement(graph, *shape, add_self_loops, dropout, seed)


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("name", ["hub", "random", "bipartite, more sources", "no edges"])
def test_every_instruction_set_and_index_dtype(isa, index_dtype, name):
    edge_index, size = ZOO[name]
    graph = CSRGraph.from_edge_index(edge_index, size=size, index_dtype=index_dtype)
    inputs = gat_inputs(size, 3, 37)
    options = {"add_self_loops": True, "dropout": 0.5, "seed": torch.tensor(3)}
    expected = run(inputs, graph, backend="scatter", **options)
    with _native.use_isa(isa):
        actual = run(inputs, graph, backend="fused", **options)
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative_error(ours, theirs) <= 1e-12


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, -0.5, 2.0])
def test_any_negative_slope(slope):
    graph = ZOO["random"]
    inputs = gat_inputs(graph.size, 2, 3)
    results = [run(inputs, graph.csr(), negative_slope=slope, backend=b) for b in BACKENDS]
    expected = by_definition(inputs, *graph, add_self_loops=False, slope=slope)
    assert relative_error(results[0][0], expected) <= 1e-12
    for result in results[1:]:
        for ours, theirs in zip(results[0], result, strict=True):
            assert relative_error(ours, theirs) <= 1e-10


# Accuracy ########################################################################


def same_precision_reference(inputs, graph):
    """The output and gradients as PyG computes them, everything in the dtype of the inputs."""
    x, alpha_src, alpha_dst = inputs
    edge_index, _ = add_self_loops(remove_self_loops(graph.edge_index())[0], num_nodes=x.size(0))
    j, i = edge_index
    alpha = softmax(F.leaky_relu(alpha_src[j] + alpha_dst[i], 0.2), i, num_nodes=x.size(0))
    out = scatter(alpha[..., None] * x[j], i, dim=0, dim_size=x.size(0))
    return (out.detach(), *torch.autograd.grad(out, inputs, fixed_gradient(out)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [0.0, 1.0, 80.0])
@pytest.mark.parametrize("name", ["random", "hub", "dense with duplicates", "complete"])
def test_error_budget(name, scale, dtype):
    graph = ZOO[name].csr()
    inputs = gat_inputs(graph.size, 8, 8, scale=scale).to(dtype)
    exact = same_precision_reference(inputs.to(torch.float64), graph)
    reference = same_precision_reference(inputs, graph)
    fused = run(inputs, graph, add_self_loops=True, backend="fused")
    # The gradients of the scores are differences of inner products <g, x>, which may
    # cancel to nothing: their roundings are measured against the products.
    product = inputs.x.detach().norm(dim=2).max() * fixed_gradient(fused[0]).norm(dim=2).max()
    for k, (ours, theirs, value) in enumerate(zip(fused, reference, exact, strict=True)):
        assert ours.dtype == dtype
        budget = error_budget(relative_error(theirs, value), dtype)
        if k >= 2:
            rounding = torch.finfo(dtype).eps * float(product)
            budget = max(budget, rounding / max(1.0, float(value.abs().max())))
        assert relative_error(ours, value) <= budget


def test_huge_scores_neither_overflow_nor_underflow():
    graph = ZOO["random"].csr()
    x, alpha_src, alpha_dst = gat_inputs(graph.size, 2, 3)
    for shift in (-1e4, 1e4):
        for backend in BACKENDS:
            out = gat_attention(x, alpha_src + shift, alpha_dst, graph, backend=backend)
            assert out.isfinite().all()
            assert out.abs().max() > 0


# Dropout #########################################################################


@pytest.mark.parametrize("heads", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("add_self_loops", [False, True])
def test_backends_drop_the_same_weights(heads, add_self_loops):
    # With one-hot features of the sources, the output is the attention itself.
    graph = ZOO["complete"].csr()
    n = graph.num_src
    x = torch.eye(n, dtype=torch.float64)[:, None, :].expand(n, heads, n)
    zero = torch.zeros(n, heads, dtype=torch.float64)
    options = {"add_self_loops": add_self_loops, "dropout": 0.5, "seed": torch.tensor(2**62 + 5)}
    outs = [gat_attention(x, zero, zero, graph, backend=b, **options) for b in BACKENDS]
    assert torch.equal(outs[0] == 0, outs[1] == 0)
    assert torch.equal(outs[0] == 0, outs[2] == 0)
    assert 0.35 < (outs[0] == 0).double().mean() < 0.65
    (j, i), alpha = gat_attention_weights(zero, zero, graph, **options)
    for h in range(heads):
        assert torch.equal(outs[1][i, h, j], alpha[:, h])


def test_dropout_extremes():
    graph = ZOO["random"].csr()
    inputs = gat_inputs(graph.size, 2, 3)
    for backend in BACKENDS:
        none = run(inputs, graph, dropout=0.0, backend=backend)
        tiny = run(inputs, graph, dropout=1e-12, seed=torch.tensor(0), backend=backend)
        every = run(inputs, graph, dropout=1.0, backend=backend)
        for a, b in zip(none, tiny, strict=True):
            assert relative_error(a, b) <= 1e-10
        assert all((tensor == 0).all() for tensor in every)


def test_dropout_keeps_the_mean():
    graph = ZOO["chain"].csr()
    x, alpha_src, alpha_dst = gat_inputs(graph.size, 4, 2)
    exact = gat_attention(x, alpha_src, alpha_dst, graph)
    draws = torch.stack(
        [gat_attention(x, alpha_src, alpha_dst, graph, dropout=0.5) for _ in range(2000)]
    )
    # On a chain, attention is 1, so a draw is 0 or 2x with a standard deviation of |x|.
    bound = 5 * x.detach().abs().max() / 2000**0.5
    assert (draws.mean(0) - exact).abs().max() < bound


def test_seed_comes_from_torch():
    graph = ZOO["random"].csr()
    inputs = gat_inputs(graph.size, 2, 3)

    def draw(seed):
        torch.manual_seed(seed)
        return gat_attention(*inputs, graph, dropout=0.5)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_dropout_does_not_depend_on_the_order_of_the_structure():
    # The number of an edge is its position in edge_index: sorted input, same numbers.
    graph = ZOO["random"]
    perm = torch.argsort(graph.edge_index[1], stable=True)
    inputs = gat_inputs(graph.size, 2, 3)
    seed = torch.tensor(11)
    _, alpha = gat_attention_weights(*inputs[1:], graph.csr(), dropout=0.5, seed=seed)
    moved = CSRGraph.from_edge_index(graph.edge_index[:, perm], size=graph.size)
    _, alpha_moved = gat_attention_weights(*inputs[1:], moved, dropout=0.5, seed=seed)
    assert torch.equal(alpha[0] == 0, alpha_moved[0] == 0)


# Attention weights ###############################################################


@pytest.mark.parametrize("name", ZOO)
def test_attention_weights_give_the_output(name):
    graph = ZOO[name].csr()
    x, alpha_src, alpha_dst = gat_inputs(graph.size, 3, 4)
    out = gat_attention(x, alpha_src, alpha_dst, graph, add_self_loops=True, backend="fused")
    (j, i), alpha = gat_attention_weights(alpha_src, alpha_dst, graph, add_self_loops=True)
    total = torch.zeros_like(out).index_add(0, i, alpha[..., None] * x[j])
    assert relative_error(out, total) <= 1e-12
    sums = torch.zeros(graph.num_dst, 3, dtype=torch.float64).index_add(0, i, alpha)
    assert torch.allclose(sums[i], torch.ones_like(alpha))


# PyTorch's own checks ############################################################


def operator_arguments(graph, dropout=0.0, dtype=torch.float64):
    seed = torch.tensor(5) if dropout > 0 else None
    inputs = gat_inputs(graph.size, 2, 3, dtype=dtype)
    return (*inputs, list(graph.csr), list(graph.csr_t), True, 0.2, dropout, seed)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["random", "no edges", "bipartite, more sources"])
def test_opcheck(name, dropout):
    graph = ZOO[name].csr()
    arguments = operator_arguments(graph, dropout)
    torch.library.opcheck(torch.ops.gatsparse.gat.default, arguments)
    outputs = torch.ops.gatsparse.gat(*arguments)
    tensors = [t.detach() for t in (torch.ones_like(outputs[0]), *arguments[:3], *outputs)]
    torch.library.opcheck(torch.ops.gatsparse.gat_backward.default, (*tensors, *arguments[3:]))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["random", "isolated nodes", "bipartite, more destinations"])
def test_gradcheck(name, backend, dropout):
    graph = ZOO[name].csr()
    inputs = gat_inputs(graph.size, 2, 2)

    def function(*tensors):
        return gat_attention(
            *tensors,
            graph,
            add_self_loops=True,
            dropout=dropout,
            seed=torch.tensor(5),
            backend=backend,
        )

    assert torch.autograd.gradcheck(function, tuple(inputs))


def test_double_backward():
    graph = ZOO["duplicate edges"].csr()
    inputs = gat_inputs(graph.size, 2, 2)

    def function(backend):
        return lambda *tensors: gat_attention(*tensors, graph, backend=backend)

    assert torch.autograd.gradgradcheck(function("scatter"), tuple(inputs))
    (grad,) = torch.autograd.grad(
        function("fused")(*inputs).square().sum(), inputs[:1], create_graph=True
    )
    with pytest.raises(NotImplementedError, match="backend='scatter'"):
        grad.sum().backward()


def test_forward_mode_and_functional_transforms():
    graph = ZOO["random"].csr()
    inputs = tuple(t.detach() for t in gat_inputs(graph.size, 2, 3))

    def function(*tensors, backend="auto"):
        return gat_attention(*tensors, graph, backend=backend)

    tangents = tuple(torch.randn_like(t) for t in inputs)
    h = 1e-6
    shifted = [
        function(*(t + s * v for t, v in zip(inputs, tangents, strict=True))) for s in (h, -h)
    ]
    _, tangent = torch.func.jvp(function, inputs, tangents)
    assert relative_error(tangent, (shifted[0] - shifted[1]) / (2 * h)) <= 1e-7
    expected = torch.autograd.functional.jacobian(
        lambda x: function(x, *inputs[1:]).sum(), inputs[0]
    )
    actual = torch.func.grad(lambda x: function(x, *inputs[1:]).sum())(inputs[0])
    assert relative_error(actual, expected) <= 1e-12
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(inputs[0], tangents[0])
        assert forward_ad.unpack_dual(function(dual, *inputs[1:])).tangent is not None
        with pytest.raises(ValueError, match="forward-mode differentiation"):
            function(dual, *inputs[1:], backend="fused")


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("backend", ["fused", "scatter"])
def test_compile_without_graph_breaks(backend, dropout):
    graph = ZOO["random"].csr()
    inputs = gat_inputs(graph.size, 2, 3)
    seed = torch.tensor(5)

    def function(*tensors):
        return gat_attention(*tensors, graph, dropout=dropout, seed=seed, backend=backend)

    expected = function(*inputs)
    actual = torch.compile(function, fullgraph=True)(*inputs)
    assert relative_error(actual, expected) <= 1e-12
    grads = [torch.autograd.grad(out.sum(), inputs) for out in (actual, expected)]
    for ours, theirs in zip(*grads, strict=True):
        assert relative_error(ours, theirs) <= 1e-12


# Determinism #####################################################################


def test_same_bits_for_any_number_of_threads(threads):
    size = (5000, 5000)
    edge_index = torch.randint(5000, (2, 60_000))
    edge_index[1, :20_000] = 3
    edge_index[0, 20_000:40_000] = 4
    graph = CSRGraph.from_edge_index(edge_index, size=size)
    inputs = gat_inputs(size, 8, 8, dtype=torch.float32)
    results = []
    for num_threads in (1, 2, 3, 8, 1):
        threads(num_threads)
        options = {"dropout": 0.3, "seed": torch.tensor(1), "backend": "fused"}
        results.append(run(inputs, graph, add_self_loops=True, **options))
    for result in results[1:]:
        assert all(map(torch.equal, results[0], result))


# Bad input #######################################################################


def test_nan_reaches_the_neighbours_and_nobody_else():
    graph = ZOO["chain"].csr()
    x, alpha_src, alpha_dst = (t.detach() for t in gat_inputs(graph.size, 2, 3))
    x[4, 0, 0] = torch.nan
    for backend in ("fused", "scatter"):
        out = gat_attention(x, alpha_src, alpha_dst, graph, backend=backend)
        assert torch.equal(out.isnan().nonzero(), torch.tensor([[5, 0, 0]]))
    alpha_src[7, 1] = torch.nan
    for backend in ("fused", "scatter"):
        out = gat_attention(x, alpha_src, alpha_dst, graph, backend=backend)
        assert out[8, 1].isnan().all()
        assert out.isnan().sum() == 4


@pytest.mark.parametrize("count", [1, 31, 32, 33, 63, 64])
def test_scores_of_minus_infinity(count):
    """Wherever they stand in a row; a row of nothing else is NaN, as in torch.softmax."""
    graph = CSRGraph.from_edge_index(
        torch.stack([torch.arange(64), torch.zeros(64, dtype=torch.int64)]), size=(64, 2)
    )
    x, alpha_src, alpha_dst = (t.detach() for t in gat_inputs(graph.size, 2, 3))
    alpha_src[:count] = -torch.inf
    results = [gat_attention(x, alpha_src, alpha_dst, graph, backend=b) for b in BACKENDS]
    assert results[0][0].isfinite().all() == (count < 64)
    for result in results:
        assert torch.equal(result[1], torch.zeros(2, 3, dtype=torch.float64))
        assert torch.allclose(result, results[0], rtol=1e-12, equal_nan=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": torch.zeros(60, 2)}, ValueError, r"x: expected shape \[60, H, C\]"),
        ({"x": torch.zeros(59, 2, 3)}, ValueError, r"x: expected shape \[60, H, C\]"),
        ({"x": torch.zeros(60, 2, 0)}, ValueError, "with H, C >= 1"),
        ({"seed": 3, "dropout": 0.5}, TypeError, "seed: expected an int64 tensor, got int"),
        ({"seed": torch.tensor([3]), "dropout": 0.5}, ValueError, r"seed: expected shape \[\]"),
        ({"x": torch.zeros(60, 2, 3).long()}, TypeError, "x: expected a floating point"),
        ({"x": None}, TypeError, "x: expected a tensor, got NoneType"),
        ({"alpha_src": torch.zeros(60, 3)}, ValueError, r"alpha_src: expected shape \[60, 2\]"),
        ({"alpha_dst": torch.zeros(6, 2)}, ValueError, r"alpha_dst: expected shape \[60, 2\]"),
        ({"alpha_dst": torch.zeros(60, 2, device="meta")}, ValueError, "alpha_dst: expected on"),
        ({"graph": torch.zeros(2, 3).long()}, TypeError, "graph: expected a CSRGraph"),
        ({"dropout": 1.5}, ValueError, "dropout: expected 0 <= dropout <= 1, got 1.5"),
        ({"dropout": -0.1}, ValueError, "dropout"),
        ({"dropout": float("nan")}, ValueError, "dropout"),
        ({"backend": "quick"}, ValueError, "backend: expected one of .*, got 'quick'"),
        (
            {"x": torch.zeros(60, 2, 3).half(), "backend": "fused"},
            ValueError,
            "backend='fused' cannot serve this call: x is torch.float16",
        ),
    ],
)
def test_bad_input(change, error, message):
    arguments = {
        "x": torch.zeros(60, 2, 3),
        "alpha_src": torch.zeros(60, 2),
        "alpha_dst": torch.zeros(60, 2),
        "graph": ZOO["random"].csr(),
    }
    with pytest.raises(error, match=message):
        gat_attention(**{**arguments, **change})


def test_auto_serves_what_fused_cannot(monkeypatch):
    graph = ZOO["random"].csr()
    x, alpha_src, alpha_dst = gat_inputs(graph.size, 2, 3)
    half = gat_attention(x.half(), alpha_src.half(), alpha_dst.half(), graph)
    assert half.dtype == torch.float16
    expected = gat_attention(x, alpha_src, alpha_dst, graph, backend="fused")
    monkeypatch.setattr(_native, "MISSING", "not built")
    assert relative_error(gat_attention(x, alpha_src, alpha_dst, graph), expected) <= 1e-12
    with pytest.raises(ValueError, match="not built; `gatsparse info` says"):
        gat_attention(x, alpha_src, alpha_dst, graph, backend="fused")


@pytest.mark.parametrize("which", ["csr", "csr_t"])
@pytest.mark.parametrize("index", [-1, 60, 2**31 - 1])
def test_kernels_never_leave_their_buffers(which, index):
    graph = ZOO["random"].csr()
    arguments = list(operator_arguments(graph))
    structure = 3 if which == "csr" else 4
    col = arguments[structure][1].clone()
    col[17] = index
    arguments[structure] = [arguments[structure][0], col, arguments[structure][2]]
    with pytest.raises(RuntimeError, match=f"{'col' if which == 'csr' else 'csr_t'}: index out"):
        torch.ops.gatsparse.gat(*arguments)[0].sum().backward()


@pytest.mark.parametrize("index", [-1, 500, 2**31 - 1])
def test_backward_checks_the_permutation(index):
    arguments = list(operator_arguments(ZOO["random"].csr()))
    perm_t = arguments[4][2].clone()
    perm_t[17] = index
    arguments[4] = [*arguments[4][:2], perm_t]
    with pytest.raises(RuntimeError, match="csr_t: index out of range"):
        torch.ops.gatsparse.gat(*arguments)[0].sum().backward()


def test_without_torch_scatter(monkeypatch):
    graph = ZOO["hub"].csr()
    inputs = gat_inputs(graph.size, 3, 2)
    options = {"add_self_loops": True, "dropout": 0.5, "seed": torch.tensor(1)}
    expected = run(inputs, graph, backend="fused", **options)
    monkeypatch.setattr(scatter_backend, "torch_scatter", None)
    actual = run(inputs, graph, backend="scatter", **options)
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative_error(ours, theirs) <= 1e-12
