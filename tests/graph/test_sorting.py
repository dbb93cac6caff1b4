import pytest
import torch
from hypothesis import given

from gatsparse import CSRGraph
from gatsparse.graph.csr import sort_by_row
from gatsparse.testing import Graph
from tests.graph.expected import check_graph
from tests.strategies import graphs


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
def test_large_graph_equals_numpy(threads, num_threads, index_dtype):
    threads(num_threads)
    size = (20_011, 30_013)
    edge_index = torch.stack([torch.randint(n, (400_000,)) for n in size])
    graph = CSRGraph.from_edge_index(edge_index, size=size, index_dtype=index_dtype)
    check_graph(graph, edge_index, size)
    for tensor in (graph.col, graph.perm, graph.col_t, graph.perm_t):
        assert tensor.dtype == index_dtype


ITEMS = 2**16  # fewer are sorted by one thread; more in buckets of up to 2**16 neighbouring keys


def many_edges(num_edges, num_src, num_dst, targets=None):
    generator = torch.Generator().manual_seed(num_edges)
    src = torch.randint(num_src, (num_edges,), generator=generator)
    if targets is None:
        targets = torch.randint(num_dst, (num_edges,), generator=generator)
    return Graph(torch.stack([src, targets]), (num_src, num_dst))


LARGE = {
    "one fewer": many_edges(ITEMS - 1, 500, 700),
    "just as many": many_edges(ITEMS, 500, 700),
    "one more": many_edges(ITEMS + 1, 700, 500),
    "one node": many_edges(ITEMS + 7, 1, 1),
    "two nodes": many_edges(2 * ITEMS, 2, 2),
    "two buckets": many_edges(2 * ITEMS + 1, 2, 65_537),
    "buckets of one node": many_edges(5 * ITEMS, 4, 5),
    "a bucket of fewer nodes": many_edges(3 * ITEMS, 70, 257),
    "more nodes than edges": many_edges(ITEMS + 9, 300_001, 200_003),
    "a hub": many_edges(2 * ITEMS, 1000, 90_000, torch.full((2 * ITEMS,), 40_000)),
    "the last node": many_edges(2 * ITEMS, 9, 131_073, torch.full((2 * ITEMS,), 131_072)),
    "sorted": many_edges(3 * ITEMS, 9, 3 * ITEMS, torch.arange(3 * ITEMS)),
    "reversed": many_edges(3 * ITEMS, 9, 3 * ITEMS, torch.arange(3 * ITEMS).flip(0)),
    "halves": many_edges(2 * ITEMS, 9, 70_000, torch.arange(2 * ITEMS) // ITEMS * 69_999),
}


@pytest.mark.parametrize("given_dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("name", LARGE)
def test_sort_in_buckets(threads, name, given_dtype):
    edge_index, size = LARGE[name]
    for num_threads, index_dtype in ((1, torch.int32), (2, torch.int64), (5, torch.int32)):
        threads(num_threads)
        graph = CSRGraph.from_edge_index(
            edge_index.to(given_dtype), size=size, index_dtype=index_dtype
        )
        check_graph(graph, edge_index, size)
        assert graph.col.dtype == graph.perm.dtype == graph.col_t.dtype == index_dtype


@pytest.mark.parametrize("num_edges", [5, ITEMS - 1, ITEMS, 3 * ITEMS])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("bad", [-1, 70, 2**31 - 1, -(2**31)])
def test_index_out_of_range_is_named_with_its_position(threads, num_edges, dtype, row, bad):
    for num_threads in (1, 3):
        threads(num_threads)
        for position in (0, num_edges // 2, num_edges - 1):
            edge_index = torch.arange(2 * num_edges).view(2, -1).remainder(70).to(dtype)
            edge_index[row, position] = bad
            message = rf"edge_index\[{row}\]: expected .* 0 .. 69, got {bad} at position {position}"
            with pytest.raises(IndexError, match=message):
                CSRGraph.from_edge_index(edge_index, 70)


@pytest.mark.parametrize("num_edges", [3, 2 * ITEMS])
def test_edges_without_nodes_raise(num_edges):
    edge_index = torch.zeros(2, num_edges, dtype=torch.int32)
    for size, row in (((0, 0), 0), ((1, 0), 1), ((0, 1), 0)):
        message = rf"edge_index\[{row}\]: expected indices in 0 .. -1, got 0 at position 0"
        with pytest.raises(IndexError, match=message):
            CSRGraph.from_edge_index(edge_index, size=size)


def test_transpose_operator_checks_large_inputs(threads):
    rowptr = torch.tensor([0, 10, 2 * ITEMS])
    for num_threads in (1, 3):
        threads(num_threads)
        for bad in (-1, 9, 2**31 - 1):
            col = torch.zeros(2 * ITEMS, dtype=torch.int32)
            col[-1] = bad
            with pytest.raises(RuntimeError, match="col: index out of range"):
                torch.ops.gatsparse.csr_transpose([rowptr, col, torch.arange(2 * ITEMS).int()], 9)


@given(graphs())
def test_sort_in_torch_equals_native_sort(graph):
    native = graph.csr()
    col, row = graph.edge_index
    fallback = sort_by_row(row, col, graph.size[1], torch.int32)
    assert all(map(torch.equal, fallback, native.csr))
