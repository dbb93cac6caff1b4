import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given

from gatsparse import CSRGraph, _native
from gatsparse.adjacency import as_graph
from tests.graph.expected import ZOO, check_graph
from tests.strategies import graphs


@pytest.mark.parametrize("name", ZOO)
def test_graph_equals_numpy_on_the_zoo(name):
    edge_index, size = ZOO[name]
    graph = CSRGraph.from_edge_index(edge_index, size=size)
    check_graph(graph, edge_index, size)
    assert torch.equal(graph.edge_index(), edge_index)


@given(graphs())
def test_graph_equals_numpy_on_any_graph(graph):
    check_graph(graph.csr(), *graph)


def test_graph_is_built_without_kernels(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "not built")
    edge_index, size = ZOO["random"]
    check_graph(CSRGraph.from_edge_index(edge_index, size=size), edge_index, size)


def test_graph_equals_scipy_csr():
    edge_index, size = ZOO["random"]
    graph = CSRGraph.from_edge_index(edge_index, size=size)
    ones = np.ones(graph.num_edges)
    ours = scipy.sparse.csr_array((ones, graph.col.numpy(), graph.rowptr.numpy()), size[::-1])
    src, dst = edge_index.numpy()
    theirs = scipy.sparse.coo_array((ones, (dst, src)), size[::-1])
    assert abs(ours - theirs.tocsr()).max() == 0


def test_num_nodes_is_inferred():
    graph = CSRGraph.from_edge_index(torch.tensor([[0, 5], [3, 1]]))
    assert graph.size == (6, 6)
    assert CSRGraph.from_edge_index(torch.empty(2, 0, dtype=torch.int64)).size == (0, 0)


def test_int32_and_strided_edge_index_give_the_same_graph():
    edge_index = torch.randint(9, (2, 40))
    expected = CSRGraph.from_edge_index(edge_index, 9)
    for form in (edge_index.int(), edge_index.T.contiguous().T):
        graph = CSRGraph.from_edge_index(form, 9)
        assert all(map(torch.equal, graph.csr, expected.csr))


@pytest.mark.parametrize(
    ("edge_index", "kwargs", "error", "message"),
    [
        ([[0, 1], [1, 0]], {}, TypeError, "edge_index: expected a tensor, got list"),
        (torch.rand(2, 3), {}, TypeError, "edge_index: expected int64 or int32, got torch.float32"),
        (torch.ones(2, 3, dtype=torch.bool), {}, TypeError, "got torch.bool"),
        (torch.tensor([0, 1]), {}, ValueError, r"edge_index: expected shape \[2, E\], got \[2\]"),
        (torch.zeros(3, 2).long(), {}, ValueError, r"got \[3, 2\]"),
        (
            torch.tensor([[0, 1], [7, 0]]),
            {"num_nodes": 5},
            IndexError,
            r"edge_index\[1\]: expected indices in 0 .. 4, got 7 at position 0",
        ),
        (
            torch.tensor([[0, -1], [1, 0]]),
            {"num_nodes": 5},
            IndexError,
            r"edge_index\[0\]: expected indices in 0 .. 4, got -1 at position 1",
        ),
        (torch.tensor([[0], [2]]), {"size": (5, 2)}, IndexError, r"edge_index\[1\]"),
        (torch.tensor([[-(2**40)], [2]]), {}, IndexError, r"edge_index\[0\]"),
        (torch.tensor([[0], [0]]), {"num_nodes": 0}, IndexError, "got 0 at position 0"),
        (torch.tensor([[0], [0]]), {"num_nodes": -1}, ValueError, "num_nodes: expected 0 .. 2"),
        (torch.tensor([[0], [0]]), {"num_nodes": 2**64}, ValueError, "num_nodes: expected 0"),
        (torch.tensor([[0], [0]]), {"num_nodes": 3.5}, TypeError, "expected an integer, got 3.5"),
        (torch.tensor([[0], [0]]), {"num_nodes": 2**45}, RuntimeError, "can't allocate memory"),
        (torch.tensor([[0], [0]]), {"size": (-1, 1)}, ValueError, r"size\[0\]: expected 0"),
        (torch.tensor([[0], [0]]), {"num_nodes": 1, "size": (1, 1)}, ValueError, "got both"),
        (torch.tensor([[0], [0]]), {"index_dtype": torch.int8}, ValueError, "index_dtype"),
    ],
)
def test_bad_arguments_raise(edge_index, kwargs, error, message):
    with pytest.raises(error, match=message):
        CSRGraph.from_edge_index(edge_index, **kwargs)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("index", [-1, 4, 2**40, -(2**40)])
def test_sort_operator_checks_indices(position, index):
    edges = torch.tensor([[0, 1], [1, 0]])
    edges[position, 1] = index
    with pytest.raises(RuntimeError, match="index out of range"):
        torch.ops.gatsparse.coo_to_csr(edges[1], edges[0], 4, 4, True)


def test_transpose_operator_checks_its_arguments():
    rowptr, col = torch.tensor([0, 1, 2]), torch.tensor([0, 1], dtype=torch.int32)
    transpose = torch.ops.gatsparse.csr_transpose
    assert len(transpose([rowptr, col, col], 2)) == 3
    for bad in ([0, 3, 2], [0, 1, 3], [1, 1, 2], [0, -(2**50), 2]):
        with pytest.raises(RuntimeError, match="rowptr: expected to rise"):
            transpose([torch.tensor(bad), col, col], 2)
    with pytest.raises(RuntimeError, match="col: index out of range"):
        transpose([rowptr, col + 1, col], 2)


def test_graph_is_built_under_compile():
    edge_index, size = ZOO["random"]

    @torch.compile(fullgraph=True)
    def build(edge_index):
        graph = as_graph(edge_index, size)
        return graph.rowptr, graph.col, graph.perm_t

    graph = ZOO["random"].csr()
    assert all(map(torch.equal, build(edge_index), (graph.rowptr, graph.col, graph.perm_t)))


def test_operators_pass_opcheck():
    src, dst = ZOO["random"].edge_index
    torch.library.opcheck(torch.ops.gatsparse.coo_to_csr.default, (dst, src, 60, 60, True))
    csr = list(ZOO["random"].csr().csr)
    torch.library.opcheck(torch.ops.gatsparse.csr_transpose.default, (csr, 60))
