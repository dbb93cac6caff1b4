import pytest
import torch
from hypothesis import given

from gatsparse import CSRGraph, _native
from gatsparse.graph.csr import find_duplicate_in_torch
from tests.graph.expected import ZOO
from tests.strategies import graphs


def duplicate_by_loop(edge_index):
    """Returns the first edge that repeats another, and the last one it repeats, by a plain loop."""
    seen = {}
    for position, edge in enumerate(zip(*edge_index.tolist(), strict=True)):
        if edge in seen:
            return seen[edge], position
        seen[edge] = position
    return None


def duplicate_in_torch(graph):
    pair = find_duplicate_in_torch(graph.csr)
    assert pair.dtype == torch.int64
    return tuple(pair.tolist()) or None


@pytest.mark.parametrize("name", ZOO)
def test_find_duplicate_equals_a_loop_on_the_zoo(name):
    graph = ZOO[name].csr()
    expected = duplicate_by_loop(ZOO[name].edge_index)
    assert graph.find_duplicate() == duplicate_in_torch(graph) == expected
    assert graph.reverse().find_duplicate() == expected


def test_zoo_has_graphs_with_and_without_duplicates():
    """The zoo covers both results of the search."""
    assert ZOO["duplicate loops"].csr().find_duplicate() == (0, 1)
    assert ZOO["duplicate edges"].csr().find_duplicate() == (0, 1)
    assert ZOO["dense with duplicates"].csr().find_duplicate() is not None
    assert ZOO["complete"].csr().find_duplicate() is None
    assert ZOO["hub"].csr().find_duplicate() == (0, 200)


@given(graphs(max_nodes=6, max_edges=20))
def test_find_duplicate_equals_a_loop_on_any_graph(graph):
    expected = duplicate_by_loop(graph.edge_index)
    for dtype in (torch.int32, torch.int64):
        csr_graph = CSRGraph.from_edge_index(graph.edge_index, size=graph.size, index_dtype=dtype)
        assert csr_graph.find_duplicate() == expected
    assert duplicate_in_torch(csr_graph) == expected


def test_find_duplicate_without_kernels(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "not built")
    assert ZOO["hub"].csr().find_duplicate() == (0, 200)
    assert ZOO["complete"].csr().find_duplicate() is None


@pytest.mark.parametrize("num_threads", [1, 2, 4])
def test_find_duplicate_among_the_edges_of_hubs(threads, num_threads):
    """The edges of two hubs all differ until some are repeated."""
    threads(num_threads)
    src = torch.randperm(20_000).repeat(2)
    dst = torch.tensor([7, 19_999]).repeat_interleave(20_000)
    edge_index = torch.stack([src, dst])
    assert CSRGraph.from_edge_index(edge_index, 20_000).find_duplicate() is None
    for first, second in ((39_999, 30_000), (10, 39_998), (25_000, 39_999)):
        repeated = edge_index.clone()
        repeated[:, second] = repeated[:, first]
        graph = CSRGraph.from_edge_index(repeated, 20_000)
        pair = (min(first, second), max(first, second))
        assert graph.find_duplicate() == duplicate_in_torch(graph) == pair
        # Later duplicates do not change the result, nor does a third equal edge.
        more = torch.cat([repeated, repeated[:, :500], repeated[:, [first]]], dim=1)
        assert CSRGraph.from_edge_index(more, 20_000).find_duplicate() == pair


def test_find_duplicate_returns_the_first_of_many(threads):
    edge_index = torch.randint(300, (2, 60_000))
    expected = duplicate_by_loop(edge_index)
    for num_threads in (1, 4):
        threads(num_threads)
        graph = CSRGraph.from_edge_index(edge_index, 300)
        assert graph.find_duplicate() == duplicate_in_torch(graph) == expected


def graph_of_falling_positions():
    """A graph whose equal edges are not in the order of their positions."""
    ptr, col = torch.tensor([0, 4]), torch.tensor([0, 1, 0, 1])
    return CSRGraph.from_csr(ptr, col, 2, torch.tensor([3, 2, 0, 1]))


def test_find_duplicate_with_falling_positions():
    assert graph_of_falling_positions().edge_index().tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]
    assert graph_of_falling_positions().find_duplicate() == (1, 2)


def test_find_duplicate_in_torch_with_falling_positions():
    assert duplicate_in_torch(graph_of_falling_positions()) == (1, 2)


def test_find_duplicate_operator_checks_its_arguments():
    rowptr, col = torch.tensor([0, 1, 2]), torch.tensor([0, 1], dtype=torch.int32)
    find_duplicate = torch.ops.gatsparse.find_duplicate
    assert find_duplicate([rowptr, col, col], 2).tolist() == []
    assert find_duplicate([torch.tensor([0, 2]), col * 0, col], 1).tolist() == [0, 1]
    for bad in ([0, 3, 2], [0, 1, 3], [0, -(2**50), 2]):
        with pytest.raises(RuntimeError, match="rowptr: expected to rise"):
            find_duplicate([torch.tensor(bad), col, col], 2)
    for other in (col - 1, col + 1):
        with pytest.raises(RuntimeError, match="col: index out of range"):
            find_duplicate([rowptr, other, col], 2)
