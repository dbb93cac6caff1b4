"""Every variant, every backend of it against the others: float64 first, then the error budgets."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch_geometric.utils import scatter, softmax

from gatsparse import CSRGraph, _native, slow_path
from gatsparse.ops import edgewise
from gatsparse.slow_path import SlowPathWarning
from gatsparse.testing import Graph, cast, error_budget, graph_zoo, relative_error
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    backward_arguments,
    call,
    edge_list,
    edge_rows,
    fixed_gradient,
    numbered_edges,
    operator_arguments,
    run,
    with_gradients,
    without_bias,
)
from tests.strategies import graphs, shapes

ZOO = graph_zoo()
BACKENDS = ("fused", "scatter", "dense")
HEADS = 8
SHAPES = [(1, 1), (1, 7), (3, 5), (8, 8), (5, 33), (17, 4), (4, 64)]
#: Rows that fit the registers of some instruction set, in float32 or in float64; and rows
#: of more heads, whose first sixteen would.
SHORT_ROWS = [(1, 16), (1, 40), (2, 32), (4, 8), (4, 64), (8, 8), (8, 16), (16, 8), (32, 8)]

every_variant = pytest.mark.parametrize("variant", VARIANTS)
with_and_without_loops = pytest.mark.parametrize("loops", [False, True])
with_and_without_edges = pytest.mark.parametrize("edge", [False, True])


def by_definition(variant, inputs, graph, loops=False, slope=0.2, concat=True):
    """The formula, edge by edge, for forward values."""
    inputs = {name: t.detach() for name, t in inputs.items()}
    x, rows = inputs[VARIANTS[variant].x], edge_rows(inputs)
    out = x.new_zeros(graph.size[1], *x.shape[1:])
    for dst in range(graph.size[1]):
        row = [(e, j) for e, j, i in edge_list(graph, loops) if i == dst]
        if row:
            score = [
                VARIANTS[variant].scores(inputs, None if rows is None else rows[e], j, dst, slope)
                for e, j in row
            ]
            alpha = torch.stack(score).softmax(0)
            for weight, (_, j) in zip(alpha, row, strict=True):
                out[dst] += weight[:, None] * x[j]
    return (out.flatten(1) if concat else out.mean(1)) + inputs["bias"]


def check_agreement(
    variant, graph: Graph, shape, loops, dropout, concat, edge, slope=0.2, seed=0, **kwargs
):
    inputs = VARIANTS[variant].inputs(
        graph, *shape, edge=edge, loop=loops, concat=concat, seed=seed, scale=3.0, **kwargs
    )
    options = {
        "add_self_loops": loops,
        "dropout": dropout,
        "seed": torch.tensor(1234567890123456789 + seed),
        "concat": concat,
        "negative_slope": slope,
    }
    csr = graph.csr()
    fused = run(variant, inputs, csr, backend="fused", **options)
    for backend in ("scatter",) if edge else ("scatter", "dense"):
        assert_close(fused, run(variant, inputs, csr, backend=backend, **options))


@with_and_without_loops
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ZOO)
@every_variant
def test_equals_the_definition(variant, name, backend, loops):
    graph, concat = ZOO[name], not loops
    inputs = VARIANTS[variant].inputs(
        graph, 2, 3, edge=backend != "dense", loop=loops, concat=concat
    )
    options = {"add_self_loops": loops, "concat": concat, "backend": backend}
    out = VARIANTS[variant].attention(**inputs, graph=graph.csr(), **options)
    expected = by_definition(variant, inputs, graph, loops, concat=concat)
    assert relative_error(out, expected) <= 1e-12


#: Loops, dropout, concat, edge: all values of any three of them together.
OPTIONS = [
    (loops, dropout, concat, loops ^ (dropout > 0) ^ concat)
    for loops in (False, True)
    for dropout in (0.0, 0.4)
    for concat in (False, True)
]


@pytest.mark.parametrize(("loops", "dropout", "concat", "edge"), OPTIONS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ZOO)
@every_variant
def test_backends_agree_on_the_zoo(variant, name, shape, loops, dropout, concat, edge):
    check_agreement(variant, ZOO[name], shape, loops, dropout, concat, edge)


@settings(max_examples=500)
@given(
    graphs(),
    shapes,
    st.booleans(),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.2, 0.0, 1.0, -0.5, 2.0]),
    st.integers(0, 99),
)
@every_variant
def test_backends_agree_on_any_graph(
    variant, graph, shape, loops, dropout, concat, edge, slope, seed
):
    check_agreement(variant, graph, shape, loops, dropout, concat, edge, slope, seed)


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("shape", [(3, 37), (18, 2)])
@with_and_without_edges
@pytest.mark.parametrize("name", ["hub", "random", "bipartite, more sources", "no edges"])
@every_variant
def test_every_instruction_set_and_index_dtype(variant, name, edge, shape, index_dtype, isa):
    edge_index, size = ZOO[name]
    graph = CSRGraph.from_edge_index(edge_index, size=size, index_dtype=index_dtype)
    inputs = VARIANTS[variant].inputs(ZOO[name], *shape, edge=edge, loop=True)
    options = {"add_self_loops": True, "dropout": 0.5, "seed": torch.tensor(3)}
    expected = run(variant, inputs, graph, backend="scatter", **options)
    with _native.use_isa(isa):
        actual = run(variant, inputs, graph, backend="fused", **options)
    assert_close(actual, expected, 1e-12)


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("shape", SHORT_ROWS)
@pytest.mark.parametrize("name", ["hub", "random", "bipartite, more sources", "no edges"])
@every_variant
def test_rows_that_fit_the_registers(variant, name, shape, dropout, isa):
    graph = ZOO[name]
    inputs = VARIANTS[variant].inputs(graph, *shape, scale=3.0)
    options = {"add_self_loops": True, "dropout": dropout, "seed": torch.tensor(3)}
    expected = run(variant, inputs, graph.csr(), backend="scatter", **options)
    with _native.use_isa(isa):
        assert_close(run(variant, inputs, graph.csr(), backend="fused", **options), expected)


@pytest.mark.parametrize("step", [-20.0, 20.0])
@every_variant
def test_scores_that_rise_or_fall_from_edge_to_edge(variant, step):
    edge_index = torch.stack([torch.arange(1, 8), torch.zeros(7, dtype=torch.long)])
    graph = Graph(edge_index, (8, 8))
    inputs = VARIANTS[variant].inputs(graph, 8, 8)
    x, att = (
        inputs[name] for name in (VARIANTS[variant].x, "att_src" if variant == "gat" else "att")
    )
    with torch.no_grad():  # the scores of node j grow by about `step` times j
        att.fill_(1.0)
        x.copy_((step * torch.arange(8) / 8)[:, None, None] + x)
    expected = run(variant, inputs, graph.csr(), backend="scatter")
    assert_close(run(variant, inputs, graph.csr(), backend="fused"), expected)


@with_and_without_edges
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0, -0.5, 2.0])
@every_variant
def test_any_negative_slope(variant, slope, edge):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=edge)
    out = VARIANTS[variant].attention(**inputs, graph=graph.csr(), negative_slope=slope)
    assert relative_error(out, by_definition(variant, inputs, graph, slope=slope)) <= 1e-12
    check_agreement(variant, graph, (2, 3), False, 0.0, True, edge, slope)


@pytest.mark.parametrize("change", ["transposed", "every other row", "expanded"])
@every_variant
def test_any_memory_layout(variant, change):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 4, 4, edge=True)
    views = {
        "transposed": lambda t: t.detach().transpose(0, -1).contiguous().transpose(0, -1),
        "every other row": lambda t: t.detach().repeat_interleave(2, dim=0)[::2],
        "expanded": lambda t: t.detach()[:1].expand_as(t),
    }
    inputs = {name: views[change](t).requires_grad_() for name, t in inputs.items()}
    results = [run(variant, inputs, graph.csr(), backend=b) for b in ("fused", "scatter")]
    assert_close(*results)


# Rows of any length ##############################################################


def star(count):
    """A row of that many in-edges, and a node of that many out-edges, none of them loops."""
    edges = torch.stack([1 + torch.arange(count) % 69, torch.zeros(count, dtype=torch.int64)])
    return Graph(torch.cat([edges, edges.flip(0)], dim=1), (70, 70))


def hub(count):
    """Random edges besides a row and a source of that many, loops and duplicates among them."""
    edge_index = torch.randint(90, (2, 2 * count + 300), generator=torch.Generator().manual_seed(5))
    edge_index[1, :count], edge_index[0, count : 2 * count] = 3, 4
    return Graph(edge_index, (90, 90))


LONG_ROWS = {
    "pieces, one of them of loops alone": Graph(
        torch.cat([torch.full((2, 5000), 3), hub(2100).edge_index], dim=1), (90, 90)
    ),
    "loops alone": Graph(torch.full((2, 5000), 3), (5, 5)),
    "loops, then one edge": Graph(
        torch.cat([torch.full((2, 5000), 3), torch.tensor([[2], [3]])], dim=1), (5, 5)
    ),
    "hub": hub(9000),
    "more sources": Graph(hub(5000).edge_index % torch.tensor([[90], [7]]), (90, 7)),
}


@with_and_without_edges
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@with_and_without_loops
@pytest.mark.parametrize("count", [31, 32, 33, 63, 64, 65, 2048, 4095, 4096, 4097, 6144, 6145])
@every_variant
def test_rows_of_this_length(variant, count, loops, dropout, edge):
    check_agreement(variant, star(count), (2, 3), loops, dropout, True, edge)


@with_and_without_edges
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@with_and_without_loops
@pytest.mark.parametrize("shape", [(1, 5), (8, 8), (17, 2)])
@pytest.mark.parametrize("name", LONG_ROWS)
@every_variant
def test_long_rows(variant, name, shape, loops, dropout, edge):
    check_agreement(variant, LONG_ROWS[name], shape, loops, dropout, False, edge)


# Accuracy ########################################################################


def same_precision_reference(variant, inputs, graph, order=0):
    """The output and gradients as PyG computes them, everything in the dtype of the inputs.

    Its roundings depend on the order of edges and channels, and its values do not: 0 is the
    order in which they stand, any other number a random one.
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
    # The gradients of the scores are differences of inner products <g, x>, which may
    # cancel to nothing: their roundings are measured against the products.
    x, g = inputs[VARIANTS[variant].x].detach(), fixed_gradient(fused["out"])
    product = x.norm(dim=2).max() * g.view(-1, *shape).norm(dim=2).max()
    for name, value in exact.items():
        assert fused[name].dtype == dtype
        error = max(relative_error(reference[name], value) for reference in references)
        budget = error_budget(error, dtype)
        if name not in ("out", "bias", VARIANTS[variant].x):
            rounding = torch.finfo(dtype).eps * float(product)
            budget = max(budget, rounding / max(1.0, float(value.abs().max())))
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
def test_a_shift_of_all_scores_changes_nothing(shift):
    graph = ZOO["random"]
    inputs = {**VARIANTS["gat"].inputs(graph, 2, 3, edge=True)}
    options = {"graph": graph.csr(), "negative_slope": 1.0}
    expected = VARIANTS["gat"].attention(**inputs, **options)
    inputs["edge"] = inputs["edge"] + shift
    for backend in ("fused", "scatter"):
        out = VARIANTS["gat"].attention(**inputs, **options, backend=backend)
        # Scores are rounded at 1e4 then.
        assert relative_error(out, expected) <= 1e-10


# Dropout #########################################################################


def even_attention(variant, graph, heads):
    """Inputs of equal scores, one-hot features of the sources: the output is the attention."""
    inputs = VARIANTS[variant].inputs(graph, heads, graph.size[0], scale=0.0)
    one_hot = torch.eye(graph.size[0], dtype=torch.float64)[:, None, :]
    inputs[VARIANTS[variant].x] = one_hot.expand(-1, heads, -1)
    return without_bias(inputs)


@pytest.mark.parametrize("heads", [1, 3, 4, 5, 8, 18])
@with_and_without_loops
@every_variant
def test_backends_drop_the_same_weights(variant, loops, heads):
    graph = ZOO["complete"].csr()
    inputs = even_attention(variant, ZOO["complete"], heads)
    options = {"add_self_loops": loops, "dropout": 0.5, "seed": torch.tensor(2**62 + 5)}
    outs = [
        VARIANTS[variant].attention(**inputs, graph=graph, backend=b, **options).view(12, heads, 12)
        for b in BACKENDS
    ]
    assert torch.equal(outs[0] == 0, outs[1] == 0)
    assert torch.equal(outs[0] == 0, outs[2] == 0)
    assert 0.35 < (outs[0] == 0).double().mean() < 0.65
    (j, i), alpha = VARIANTS[variant].weights(**inputs, graph=graph, **options)
    for h in range(heads):
        assert torch.equal(outs[1][i, h, j], alpha[:, h])


@every_variant
def test_dropout_extremes(variant):
    graph = ZOO["random"].csr()
    inputs = VARIANTS[variant].inputs(ZOO["random"], 2, 3)
    for backend in BACKENDS:
        none = run(variant, inputs, graph, dropout=0.0, backend=backend)
        tiny = run(variant, inputs, graph, dropout=1e-12, seed=torch.tensor(0), backend=backend)
        assert_close(none, tiny)
        every = run(variant, inputs, graph, dropout=1.0, backend=backend)
        out = every.pop("out")
        assert torch.equal(out, inputs["bias"].detach().expand_as(out))
        assert torch.equal(every.pop("bias"), none["bias"])
        assert all((tensor == 0).all() for tensor in every.values())


@every_variant
def test_dropout_keeps_the_mean(variant):
    graph = ZOO["chain"].csr()
    inputs = without_bias(VARIANTS[variant].inputs(ZOO["chain"], 4, 2))
    inputs = {name: t.detach() for name, t in inputs.items()}
    attention = VARIANTS[variant].attention
    exact = attention(**inputs, graph=graph)
    draws = torch.stack([attention(**inputs, graph=graph, dropout=0.5) for _ in range(2000)])
    # On a chain, attention is 1, so a draw is 0 or 2x with a standard deviation of |x|.
    bound = 5 * inputs[VARIANTS[variant].x].abs().max() / 2000**0.5
    assert (draws.mean(0) - exact).abs().max() < bound


@every_variant
def test_seed_comes_from_torch(variant):
    graph = ZOO["random"].csr()
    inputs = VARIANTS[variant].inputs(ZOO["random"], 2, 3)

    def draw(seed):
        torch.manual_seed(seed)
        return VARIANTS[variant].attention(**inputs, graph=graph, dropout=0.5)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@every_variant
def test_dropout_does_not_depend_on_the_order_of_the_structure(variant):
    # The number of an edge is its position in edge_index: sorted input, same numbers.
    graph = ZOO["random"]
    order = torch.argsort(graph.edge_index[1], stable=True)
    moved = CSRGraph.from_edge_index(graph.edge_index[:, order], size=graph.size)
    inputs = without_bias(VARIANTS[variant].inputs(graph, 2, 3))
    _, alpha, _, alpha_moved = (
        tensor
        for csr in (graph.csr(), moved)
        for tensor in VARIANTS[variant].weights(
            **inputs, graph=csr, dropout=0.5, seed=torch.tensor(11)
        )
    )
    assert torch.equal(alpha[0] == 0, alpha_moved[0] == 0)


# Attention weights ###############################################################


@with_and_without_edges
@pytest.mark.parametrize("name", ZOO)
@every_variant
def test_attention_weights_give_the_output(variant, name, edge):
    graph = ZOO[name].csr()
    inputs = VARIANTS[variant].inputs(ZOO[name], 3, 4, edge=edge, loop=True)
    inputs = without_bias(inputs)
    options = {"graph": graph, "add_self_loops": True}
    out = VARIANTS[variant].attention(**inputs, **options, backend="fused")
    (j, i), alpha = VARIANTS[variant].weights(**inputs, **options)
    messages = (alpha[..., None] * inputs[VARIANTS[variant].x][j]).flatten(1)
    assert relative_error(out, torch.zeros_like(out).index_add(0, i, messages)) <= 1e-12
    sums = torch.zeros(graph.num_dst, 3, dtype=torch.float64).index_add(0, i, alpha)
    assert torch.allclose(sums[i], torch.ones_like(alpha))


# PyTorch's own checks ############################################################


@pytest.mark.parametrize("save", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize(
    ("name", "shape", "edge", "concat"),
    [
        ("random", (8, 8), False, True),
        ("random", (2, 3), True, False),
        ("no edges", (2, 3), True, True),
        ("bipartite, more sources", (8, 8), False, False),
    ],
)
@every_variant
def test_opcheck(variant, name, shape, edge, concat, dropout, save):
    inputs = VARIANTS[variant].inputs(ZOO[name], *shape, edge=edge, loop=True, concat=concat)
    options = {"concat": concat, "dropout": dropout, "save": save}
    arguments = operator_arguments(variant, inputs, ZOO[name].csr(), **options)
    if not save:
        detached = [t.detach() if isinstance(t, torch.Tensor) else t for t in arguments.values()]
        arguments = dict(zip(arguments, detached, strict=True))
    operators = torch.ops.gatsparse
    torch.library.opcheck(getattr(operators, variant).default, tuple(arguments.values()))
    if save:
        backward = backward_arguments(arguments, call(variant, arguments))
        torch.library.opcheck(getattr(operators, f"{variant}_backward").default, backward)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name", ["duplicate edges", "isolated nodes", "bipartite, more destinations"]
)
@every_variant
def test_gradcheck(variant, name, backend, dropout):
    graph, concat = ZOO[name], dropout == 0.0
    inputs = VARIANTS[variant].inputs(
        graph, 2, 2, edge=backend != "dense", loop=True, concat=concat
    )

    def function(*tensors):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)),
            graph=graph.csr(),
            concat=concat,
            add_self_loops=True,
            dropout=dropout,
            seed=torch.tensor(5),
            backend=backend,
        )

    assert torch.autograd.gradcheck(function, tuple(inputs.values()))


@every_variant
def test_double_backward(variant):
    graph = ZOO["duplicate edges"]
    inputs = VARIANTS[variant].inputs(graph, 2, 2, edge=True)

    def function(backend):
        return lambda *tensors: VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)), graph=graph.csr(), backend=backend
        )

    leaves = tuple(inputs.values())
    assert torch.autograd.gradgradcheck(function("scatter"), leaves)
    out = function("fused")(*leaves)
    (grad,) = torch.autograd.grad(out.square().sum(), leaves[:1], create_graph=True)
    with pytest.raises(NotImplementedError, match="backend='scatter'"):
        grad.sum().backward()


@every_variant
def test_forward_mode_and_functional_transforms(variant):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=True)
    leaves = tuple(t.detach() for t in inputs.values())

    def function(*tensors, backend="auto"):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)), graph=graph.csr(), backend=backend
        )

    tangents = tuple(torch.randn_like(t) for t in leaves)
    h = 1e-6
    shifted = [
        function(*(t + s * v for t, v in zip(leaves, tangents, strict=True))) for s in (h, -h)
    ]
    _, tangent = torch.func.jvp(function, leaves, tangents)
    assert relative_error(tangent, (shifted[0] - shifted[1]) / (2 * h)) <= 1e-7
    expected = torch.autograd.functional.jacobian(
        lambda x: function(x, *leaves[1:]).sum(), leaves[0]
    )
    actual = torch.func.grad(lambda x: function(x, *leaves[1:]).sum())(leaves[0])
    assert relative_error(actual, expected) <= 1e-12
    with forward_ad.dual_level():
        for k in range(len(leaves)):  # whichever tensor carries the tangent
            dual = [*leaves[:k], forward_ad.make_dual(leaves[k], tangents[k]), *leaves[k + 1 :]]
            assert forward_ad.unpack_dual(function(*dual)).tangent is not None
            with pytest.raises(ValueError, match="forward-mode differentiation"):
                function(*dual, backend="fused")


@pytest.mark.parametrize(
    ("backend", "dropout", "edge"),
    [("fused", 0.0, False), ("fused", 0.5, True), ("scatter", 0.5, True)],
)
@every_variant
def test_compile_without_graph_breaks(variant, backend, dropout, edge):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=edge, loop=True)
    csr, seed = graph.csr(), torch.tensor(5)

    def function(*tensors):
        return VARIANTS[variant].attention(
            **dict(zip(inputs, tensors, strict=True)),
            graph=csr,
            add_self_loops=True,
            dropout=dropout,
            seed=seed,
            backend=backend,
        )

    leaves = tuple(inputs.values())
    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True)
    actual, expected = (with_gradients(f(*leaves), inputs) for f in (compiled, function))
    assert_close(actual, expected, 1e-12)


@with_and_without_edges
@every_variant
def test_compile_once_for_any_size(variant, edge):
    def function(edge_index, tensors):
        x = tensors[VARIANTS[variant].x]
        graph = CSRGraph.from_edge_index(edge_index, num_nodes=x.size(0))
        return VARIANTS[variant].attention(**tensors, graph=graph, add_self_loops=True)

    torch.compiler.reset()
    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for k, (num_nodes, num_edges) in enumerate([(60, 500), (31, 90), (1000, 5000)]):
        edge_index = torch.randint(num_nodes, (2, num_edges))
        graph = Graph(edge_index, (num_nodes, num_nodes))
        inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=edge, loop=True)
        with torch._dynamo.config.patch(error_on_recompile=k > 0):
            actual = with_gradients(compiled(edge_index, inputs), inputs)
        assert_close(actual, with_gradients(function(edge_index, inputs), inputs), 1e-12)


# Determinism #####################################################################


@with_and_without_edges
@every_variant
def test_same_bits_for_any_number_of_threads(variant, edge, threads):
    edge_index = torch.randint(5000, (2, 60_000))
    edge_index[1, :20_000] = 3
    edge_index[0, 20_000:40_000] = 4
    graph = Graph(edge_index, (5000, 5000))
    inputs = VARIANTS[variant].inputs(graph, 8, 8, edge=edge, loop=True, dtype=torch.float32)
    results = []
    for num_threads in (1, 2, 3, 8, 1):
        threads(num_threads)
        options = {"dropout": 0.3, "seed": torch.tensor(1), "backend": "fused"}
        results.append(run(variant, inputs, graph.csr(), add_self_loops=True, **options))
    for result in results[1:]:
        assert all(torch.equal(results[0][name], result[name]) for name in results[0])


# Odd and bad input ###############################################################


@every_variant
def test_nan_reaches_the_neighbours_and_nobody_else(variant):
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
    """Wherever they stand in a row; a row of nothing else is NaN, as in torch.softmax."""
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
    """They overflow in float32; the features themselves are finite."""
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
        ({"att": torch.zeros(1, 2, 3, device="meta")}, ValueError, "{att}: expected on cpu"),
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
def test_bad_input(variant, change, error, message):
    """The first features stand for x here, and the first parameter for att."""
    arguments = VARIANTS[variant].inputs(ZOO["random"], 2, 3, dtype=torch.float32)
    names = {"x": VARIANTS[variant].x, "att": "att_src" if variant == "gat" else "att"}
    change = {names.get(name, name): value for name, value in change.items()}
    message = message.replace("{x}", names["x"]).replace("{att}", names["att"])
    with pytest.raises(error, match=message):
        VARIANTS[variant].attention(**{**arguments, "graph": ZOO["random"].csr(), **change})


@every_variant
def test_edge_features_and_loops_come_together(variant):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, 2, 3, edge=True)
    with pytest.raises(ValueError, match="loop: expected with edge and add_self_loops, got None"):
        VARIANTS[variant].attention(**inputs, graph=graph.csr(), add_self_loops=True)
    with pytest.raises(ValueError, match="backend='dense' cannot serve this call: edge: "):
        VARIANTS[variant].attention(**inputs, graph=graph.csr(), backend="dense")
    with pytest.raises(RuntimeError, match="loop: expected for edge, got none"):
        call(variant, operator_arguments(variant, inputs, graph.csr(), add_self_loops=True))


@every_variant
def test_auto_serves_what_fused_cannot(variant, monkeypatch):
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
    with pytest.raises(ValueError, match="not built; `gatsparse info` says"):
        attention(**inputs, graph=graph, backend="fused")


@pytest.mark.parametrize(
    ("structure", "part", "place", "index"),
    [
        (structure, part, place, index)
        for structure in ("csr", "csr_t")
        for part, bound in ((1, 60), (2, 500))
        for place, index in ((17, -1), (17, bound), (17, 2**31 - 1), (17, -(2**31)), (499, bound))
    ],
)
@pytest.mark.parametrize(("edge", "dropout"), [(True, 0.0), (False, 0.5), (True, 0.5)])
@pytest.mark.parametrize("shape", [(2, 3), (8, 8)])
@every_variant
def test_kernels_never_leave_their_buffers(
    variant, shape, edge, dropout, structure, part, place, index
):
    graph = ZOO["random"]
    inputs = VARIANTS[variant].inputs(graph, *shape, edge=edge, loop=True)
    arguments = operator_arguments(variant, inputs, graph.csr(), dropout=dropout)
    outputs = call(variant, arguments)
    broken = arguments[structure][part].clone()
    broken[place] = index
    arguments[structure] = [*arguments[structure][:part], broken, *arguments[structure][part + 1 :]]
    with pytest.raises(RuntimeError, match="index out of range"):
        call(variant, arguments)[0].sum().backward()
    if (variant, structure, part) == ("gat", "csr", 1):
        return  # the backward of GAT visits the out-edges alone
    # The backward itself, of outputs that were computed before.
    with pytest.raises(RuntimeError, match="index out of range"):
        getattr(torch.ops.gatsparse, f"{variant}_backward")(*backward_arguments(arguments, outputs))


@every_variant
def test_without_torch_scatter(variant, monkeypatch):
    graph = ZOO["hub"]
    inputs = VARIANTS[variant].inputs(graph, 3, 2, edge=True, loop=True)
    options = {"add_self_loops": True, "dropout": 0.5, "seed": torch.tensor(1)}
    expected = run(variant, inputs, graph.csr(), backend="fused", **options)
    monkeypatch.setattr(edgewise, "torch_scatter", lambda: None)
    assert_close(run(variant, inputs, graph.csr(), backend="scatter", **options), expected, 1e-12)
