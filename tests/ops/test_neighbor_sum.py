import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import gatsparse
from gatsparse import _native, slow_path
from gatsparse.ops import neighbor_sum
from gatsparse.slow_path import SlowPathWarning
from gatsparse.testing import Graph, error_budget, graph_zoo, relative_error
from tests.strategies import graphs

ZOO = graph_zoo()


def by_definition(x, graph):
    out = x.new_zeros(graph.size[1], x.size(1))
    for j, i in graph.edge_index.T.tolist():
        out[i] += x[j]
    return out


def check(graph, width):
    x = torch.randn(graph.size[0], width, dtype=torch.float64, requires_grad=True)
    out = neighbor_sum(x, graph.csr())
    assert relative_error(out, by_definition(x.detach(), graph)) <= 1e-12
    weight = torch.randn_like(out)
    (grad,) = torch.autograd.grad(out, x, weight)
    transpose = Graph(graph.edge_index.flip(0), graph.size[::-1])
    assert relative_error(grad, by_definition(weight, transpose)) <= 1e-12


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("width", [1, 7, 16, 33, 256])
@pytest.mark.parametrize("name", ZOO)
def test_equals_the_definition(name, width, isa):
    with _native.use_isa(isa):
        check(ZOO[name], width)


@given(graphs(), st.integers(1, 70))
def test_equals_the_definition_on_any_graph(graph, width):
    check(graph, width)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_error_budget(dtype):
    graph = ZOO["hub"].csr()
    x = torch.randn(graph.num_src, 64).to(dtype)
    exact = neighbor_sum(x.double(), graph)
    j, i = graph.edge_index()
    reference = x.new_zeros(graph.num_dst, 64).index_add(0, i, x[j])
    budget = error_budget(relative_error(reference, exact), dtype)
    out = neighbor_sum(x, graph)
    assert out.dtype == dtype
    assert relative_error(out, exact) <= budget


def test_pytorch_checks():
    graph = ZOO["random"].csr()
    x = torch.randn(60, 5, dtype=torch.float64, requires_grad=True)
    operator = torch.ops.gatsparse.neighbor_sum
    torch.library.opcheck(operator.default, (x, list(graph.csr), list(graph.csr_t)))
    assert torch.autograd.gradcheck(lambda x: neighbor_sum(x, graph), x)
    assert torch.autograd.gradgradcheck(lambda x: neighbor_sum(x, graph), x)
    compiled = torch.compile(lambda x: neighbor_sum(x, graph), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), neighbor_sum(x, graph))
    tangent = torch.randn_like(x)
    _, actual = torch.func.jvp(lambda x: neighbor_sum(x, graph), (x.detach(),), (tangent,))
    assert relative_error(actual, neighbor_sum(tangent, graph)) <= 1e-12


def test_same_bits_for_any_number_of_threads(threads):
    edge_index = torch.randint(5000, (2, 60_000))
    edge_index[1, :20_000] = 3
    graph = Graph(edge_index, (5000, 5000)).csr()
    x = torch.randn(5000, 64)
    results = []
    for num_threads in (1, 2, 3, 8):
        threads(num_threads)
        results.append(neighbor_sum(x, graph))
    assert all(torch.equal(results[0], result) for result in results[1:])


def test_other_dtypes_layouts_and_missing_kernels(monkeypatch):
    graph = ZOO["random"].csr()
    x = torch.randn(60, 5, dtype=torch.float64)
    expected = neighbor_sum(x, graph)
    assert neighbor_sum(x.half(), graph).dtype == torch.float16
    assert relative_error(neighbor_sum(x.T.contiguous().T, graph), expected) == 0
    monkeypatch.setattr(_native, "MISSING", "not built")
    monkeypatch.setattr(slow_path, "_warned", set())
    with pytest.warns(SlowPathWarning, match="not built"):
        out = neighbor_sum(x, graph)
    assert relative_error(out, expected) <= 1e-12


@pytest.mark.parametrize(
    ("x", "graph", "error", "message"),
    [
        (torch.zeros(59, 5), None, ValueError, r"x: expected shape \[60, F\] .*, got \[59, 5\]"),
        (torch.zeros(60, 0), None, ValueError, "with F >= 1"),
        (torch.zeros(60, 5, 2), None, ValueError, r"got \[60, 5, 2\]"),
        (torch.zeros(60, 5).long(), None, TypeError, "x: expected a floating point tensor"),
        (None, None, TypeError, "x: expected a tensor, got NoneType"),
        (torch.zeros(60, 5), ZOO["random"].edge_index, TypeError, "graph: expected a CSRGraph"),
        (torch.zeros(60, 5, device="meta"), None, ValueError, "x: expected a tensor on cpu"),
    ],
)
def test_bad_inputs_raise(x, graph, error, message):
    with pytest.raises(error, match=message):
        neighbor_sum(x, ZOO["random"].csr() if graph is None else graph)


@pytest.mark.parametrize("index", [-1, 60, 2**31 - 1])
def test_kernel_rejects_indices_out_of_range(index):
    ptr, other, perm = ZOO["random"].csr().csr
    other = other.clone()
    other[17] = index
    with pytest.raises(RuntimeError, match="col: index out of range"):
        torch.ops.gatsparse.neighbor_sum(torch.zeros(60, 5), [ptr, other, perm], [])


def test_rows_of_no_features():
    """The operator accepts them, unlike the function."""
    graph = gatsparse.CSRGraph.from_edge_index(torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
    out = torch.ops.gatsparse.neighbor_sum(torch.zeros(3, 0), list(graph.csr), [])
    assert out.shape == (3, 0)
