"""Every backend of every variant, compared with the other backends in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatsparse import CSRGraph, _native
from gatsparse.testing import Graph, relative_error
from tests.ops.agreement import (
    BACKENDS,
    SHORT_ROWS,
    ZOO,
    check_agreement,
    every_variant,
    with_and_without_edges,
    with_and_without_loops,
)
from tests.ops.variants import (
    VARIANTS,
    assert_close,
    edge_list,
    edge_rows,
    run,
    without_bias,
)
from tests.strategies import graphs, shapes

SHAPES = [(1, 1), (1, 7), (3, 5), (8, 8), (5, 33), (17, 4), (4, 64)]


def by_definition(variant, inputs, graph, loops=False, slope=0.2, concat=True):
    """Computes the formula edge by edge, for forward values."""
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
    """Returns a node with this many in-edges and out-edges, without loops."""
    edges = torch.stack([1 + torch.arange(count) % 69, torch.zeros(count, dtype=torch.int64)])
    return Graph(torch.cat([edges, edges.flip(0)], dim=1), (70, 70))


def hub(count):
    """Returns random edges, with one destination and one source of this many edges.

    Loops and duplicates are among them.
    """
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
