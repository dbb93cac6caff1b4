import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given

import gatsparse
from gatsparse import CSRGraph, _native
from gatsparse.adjacency import as_graph
from gatsparse.graph import _find_duplicate, _sort_by_row
from gatsparse.testing import Graph, graph_zoo, relative_error
from tests.strategies import graphs

ZOO = graph_zoo()


def check_structure(graph, edge_index, size):
    """The structure against its definition, by NumPy."""
    num_src, num_dst = size
    src, dst = edge_index.numpy()
    perm = np.argsort(dst, kind="stable")
    rowptr = np.concatenate([[0], np.cumsum(np.bincount(dst, minlength=num_dst))])
    assert graph.size == size
    assert graph.num_edges == len(src)
    assert graph.rowptr.dtype == torch.int64
    np.testing.assert_array_equal(graph.rowptr, rowptr)
    np.testing.assert_array_equal(graph.perm, perm)
    np.testing.assert_array_equal(graph.col, src[perm])
    perm_t = np.argsort(src[perm], kind="stable")
    np.testing.assert_array_equal(
        graph.rowptr_t, np.concatenate([[0], np.cumsum(np.bincount(src, minlength=num_src))])
    )
    np.testing.assert_array_equal(graph.perm_t, perm_t)
    np.testing.assert_array_equal(graph.col_t, dst[perm][perm_t])


@pytest.mark.parametrize("name", ZOO)
def test_structure_of_the_zoo(name):
    edge_index, size = ZOO[name]
    graph = CSRGraph.from_edge_index(edge_index, size=size)
    check_structure(graph, edge_index, size)
    assert torch.equal(graph.edge_index(), edge_index)


@given(graphs())
def test_structure_of_any_graph(graph):
    check_structure(graph.csr(), *graph)


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("index_dtype", [torch.int32, torch.int64])
def test_structure_of_a_large_graph(threads, num_threads, index_dtype):
    threads(num_threads)
    size = (20_011, 30_013)
    edge_index = torch.stack([torch.randint(n, (400_000,)) for n in size])
    graph = CSRGraph.from_edge_index(edge_index, size=size, index_dtype=index_dtype)
    check_structure(graph, edge_index, size)
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
        check_structure(graph, edge_index, size)
        assert graph.col.dtype == graph.perm.dtype == graph.col_t.dtype == index_dtype


@pytest.mark.parametrize("num_edges", [5, ITEMS - 1, ITEMS, 3 * ITEMS])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("bad", [-1, 70, 2**31 - 1, -(2**31)])
def test_an_index_out_of_range_among_many(threads, num_edges, dtype, row, bad):
    for num_threads in (1, 3):
        threads(num_threads)
        for position in (0, num_edges // 2, num_edges - 1):
            edge_index = torch.arange(2 * num_edges).view(2, -1).remainder(70).to(dtype)
            edge_index[row, position] = bad
            message = rf"edge_index\[{row}\]: expected .* 0 .. 69, got {bad} at position {position}"
            with pytest.raises(IndexError, match=message):
                CSRGraph.from_edge_index(edge_index, 70)


@pytest.mark.parametrize("num_edges", [3, 2 * ITEMS])
def test_edges_where_there_are_no_nodes(num_edges):
    edge_index = torch.zeros(2, num_edges, dtype=torch.int32)
    for size, row in (((0, 0), 0), ((1, 0), 1), ((0, 1), 0)):
        message = rf"edge_index\[{row}\]: expected indices in 0 .. -1, got 0 at position 0"
        with pytest.raises(IndexError, match=message):
            CSRGraph.from_edge_index(edge_index, size=size)


def test_transposes_check_many_entries(threads):
    rowptr = torch.tensor([0, 10, 2 * ITEMS])
    for num_threads in (1, 3):
        threads(num_threads)
        for bad in (-1, 9, 2**31 - 1):
            col = torch.zeros(2 * ITEMS, dtype=torch.int32)
            col[-1] = bad
            with pytest.raises(RuntimeError, match="col: index out of range"):
                torch.ops.gatsparse.csr_transpose([rowptr, col, torch.arange(2 * ITEMS).int()], 9)


@given(graphs())
def test_sort_in_torch_operations_equals_the_native_one(graph):
    native = graph.csr()
    col, row = graph.edge_index
    fallback = _sort_by_row(row, col, graph.size[1], torch.int32)
    assert all(map(torch.equal, fallback, native.csr))


def test_without_kernels(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "not built")
    edge_index, size = ZOO["random"]
    check_structure(CSRGraph.from_edge_index(edge_index, size=size), edge_index, size)


def test_agrees_with_scipy():
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


def test_other_forms_of_edge_index_give_the_same_structure():
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
def test_bad_input(edge_index, kwargs, error, message):
    with pytest.raises(error, match=message):
        CSRGraph.from_edge_index(edge_index, **kwargs)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("index", [-1, 4, 2**40, -(2**40)])
def test_operators_check_indices_themselves(position, index):
    edges = torch.tensor([[0, 1], [1, 0]])
    edges[position, 1] = index
    with pytest.raises(RuntimeError, match="index out of range"):
        torch.ops.gatsparse.coo_to_csr(edges[1], edges[0], 4, 4, True)


def test_transpose_checks_the_structure():
    rowptr, col = torch.tensor([0, 1, 2]), torch.tensor([0, 1], dtype=torch.int32)
    transpose = torch.ops.gatsparse.csr_transpose
    assert len(transpose([rowptr, col, col], 2)) == 3
    for bad in ([0, 3, 2], [0, 1, 3], [1, 1, 2], [0, -(2**50), 2]):
        with pytest.raises(RuntimeError, match="rowptr: expected to rise"):
            transpose([torch.tensor(bad), col, col], 2)
    with pytest.raises(RuntimeError, match="col: index out of range"):
        transpose([rowptr, col + 1, col], 2)


# Other ways to a structure ########################################################


@pytest.mark.parametrize("name", ZOO)
def test_grouped_edges(name):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    again = CSRGraph.from_csr(graph.rowptr.int(), graph.col.long(), size[0])
    check_structure(again, graph.edge_index()[:, graph.perm.long()], size)
    assert torch.equal(
        CSRGraph.from_csr(graph.rowptr, graph.col, size[0], graph.perm).edge_index(), edge_index
    )
    by_source = CSRGraph.from_csc(graph.rowptr_t, graph.col_t, size[1])
    src, dst = edge_index
    check_structure(by_source, edge_index[:, (src * max(size) + dst).argsort(stable=True)], size)


@pytest.mark.parametrize(
    ("rowptr", "col", "error", "message"),
    [
        ([0, 1, 2], [0, 2], IndexError, "col: expected indices in 0 .. 1, got 2 at position 1"),
        ([0, 2, 1], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([1, 1, 2], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([0, 1, 3], [0, 1], ValueError, "rowptr: expected to rise from 0 to 2"),
        ([], [], ValueError, "rowptr: expected to rise from 0 to 0"),
        ([[0, 1]], [0], ValueError, r"rowptr: expected one dimension, got \[1, 2\]"),
    ],
)
def test_bad_groups(rowptr, col, error, message):
    rowptr, col = (torch.tensor(t, dtype=torch.int64) for t in (rowptr, col))
    with pytest.raises(error, match=message):
        CSRGraph.from_csr(rowptr, col, 2)
    with pytest.raises(error, match=message.replace("rowptr", "colptr").replace("col:", "row:")):
        CSRGraph.from_csc(rowptr, col, 2)


def test_a_structure_is_a_copy_of_the_groups():
    ptr, other = torch.tensor([0, 1]), torch.tensor([0], dtype=torch.int32)
    graph = CSRGraph.from_csr(ptr, other, 1)
    ptr[1], other[0] = 5, 7
    assert torch.equal(graph.edge_index(), torch.zeros(2, 1, dtype=torch.int64))


@pytest.mark.parametrize(
    ("perm", "error", "message"),
    [
        ([0, 1], ValueError, r"perm: expected shape \[1\], got \[2\]"),
        ([1], IndexError, "perm: expected indices in 0 .. 0, got 1 at position 0"),
    ],
)
def test_bad_positions(perm, error, message):
    with pytest.raises(error, match=message):
        CSRGraph.from_csr(torch.tensor([0, 1]), torch.tensor([0]), 1, torch.tensor(perm))


def test_groups_of_wrong_types():
    ptr, other = torch.tensor([0, 1]), torch.tensor([0])
    with pytest.raises(TypeError, match="rowptr: expected a tensor, got list"):
        CSRGraph.from_csr([0, 1], other, 1)
    with pytest.raises(TypeError, match=r"col: expected int64 or int32, got torch\.float32"):
        CSRGraph.from_csr(ptr, other.float(), 1)
    with pytest.raises(ValueError, match=r"num_src: expected 0 .. 2\*\*63 - 1, got -1"):
        CSRGraph.from_csr(ptr, other, -1)


@pytest.mark.parametrize("name", ZOO)
def test_reverse(name):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    reverse = graph.reverse()
    assert graph.reverse() is reverse
    check_structure(reverse, edge_index.flip(0), size[::-1])


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("name", ZOO)
def test_repeat(name, count):
    edge_index, size = ZOO[name]
    graph = ZOO[name].csr()
    shift = torch.tensor(size)[:, None]
    copies = [edge_index + b * shift for b in range(count)]
    expected = torch.cat(copies, dim=1) if copies else edge_index[:, :0]
    check_structure(graph.repeat(count), expected, (count * size[0], count * size[1]))
    more = graph.repeat(7)
    assert graph.repeat(7) is more
    assert more.csr_t.ptr.numel() == 7 * size[0] + 1
    check_structure(graph.repeat(count), expected, (count * size[0], count * size[1]))


def test_a_negative_number_of_copies():
    with pytest.raises(ValueError, match=r"count: expected 0 .. 2\*\*63 - 1, got -1"):
        ZOO["random"].csr().repeat(-1)


def test_to_and_repr():
    graph = ZOO["random"].csr()
    assert graph.to("cpu") is graph
    meta = graph.to("meta")
    assert meta.device.type == "meta"
    assert meta.size == graph.size
    assert repr(graph) == "CSRGraph(num_src=60, num_dst=60, num_edges=500, device='cpu')"


# Edges that stand twice ###########################################################


def first_duplicate(edge_index):
    """By a plain loop: the first edge that stood before, and where it did last."""
    seen = {}
    for position, edge in enumerate(zip(*edge_index.tolist(), strict=True)):
        if edge in seen:
            return seen[edge], position
        seen[edge] = position
    return None


def in_torch_operations(graph):
    pair = _find_duplicate(graph.csr)
    assert pair.dtype == torch.int64
    return tuple(pair.tolist()) or None


@pytest.mark.parametrize("name", ZOO)
def test_duplicates_of_the_zoo(name):
    graph = ZOO[name].csr()
    expected = first_duplicate(ZOO[name].edge_index)
    assert graph.find_duplicate() == in_torch_operations(graph) == expected
    assert graph.reverse().find_duplicate() == expected


def test_which_graphs_of_the_zoo_have_duplicates():
    """That the search has something to find, and to miss."""
    assert ZOO["duplicate loops"].csr().find_duplicate() == (0, 1)
    assert ZOO["duplicate edges"].csr().find_duplicate() == (0, 1)
    assert ZOO["dense with duplicates"].csr().find_duplicate() is not None
    assert ZOO["complete"].csr().find_duplicate() is None
    assert ZOO["hub"].csr().find_duplicate() == (0, 200)


@given(graphs(max_nodes=6, max_edges=20))
def test_duplicates_of_any_graph(graph):
    expected = first_duplicate(graph.edge_index)
    for dtype in (torch.int32, torch.int64):
        structure = CSRGraph.from_edge_index(graph.edge_index, size=graph.size, index_dtype=dtype)
        assert structure.find_duplicate() == expected
    assert in_torch_operations(structure) == expected


def test_duplicates_without_kernels(monkeypatch):
    monkeypatch.setattr(_native, "MISSING", "not built")
    assert ZOO["hub"].csr().find_duplicate() == (0, 200)
    assert ZOO["complete"].csr().find_duplicate() is None


@pytest.mark.parametrize("num_threads", [1, 2, 4])
def test_duplicates_of_a_hub(threads, num_threads):
    """Two hubs whose edges all differ, until some are repeated."""
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
        assert graph.find_duplicate() == in_torch_operations(graph) == pair
        # More of them later change nothing, nor does a third one.
        more = torch.cat([repeated, repeated[:, :500], repeated[:, [first]]], dim=1)
        assert CSRGraph.from_edge_index(more, 20_000).find_duplicate() == pair


def test_of_many_duplicates_the_one_that_ends_first(threads):
    edge_index = torch.randint(300, (2, 60_000))
    expected = first_duplicate(edge_index)
    for num_threads in (1, 4):
        threads(num_threads)
        graph = CSRGraph.from_edge_index(edge_index, 300)
        assert graph.find_duplicate() == in_torch_operations(graph) == expected


def positions_that_fall():
    """Equal edges that stand in another order than that of their positions."""
    ptr, col = torch.tensor([0, 4]), torch.tensor([0, 1, 0, 1])
    return CSRGraph.from_csr(ptr, col, 2, torch.tensor([3, 2, 0, 1]))


def test_duplicates_where_positions_fall():
    assert positions_that_fall().edge_index().tolist() == [[0, 1, 1, 0], [0, 0, 0, 0]]
    assert positions_that_fall().find_duplicate() == (1, 2)


def test_duplicates_where_positions_fall_in_torch_operations():
    assert in_torch_operations(positions_that_fall()) == (1, 2)


def test_find_duplicate_checks_the_structure():
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


# Node order #######################################################################


def check_reordered(graph, method):
    """A relabelling of nodes that leaves every edge where it was in the caller's list."""
    reordered = graph.reorder(method)
    num_nodes = graph.num_dst
    assert reordered.order.dtype == reordered.rank.dtype == torch.int64
    assert torch.equal(reordered.order.sort().values, torch.arange(num_nodes))
    assert torch.equal(reordered.order[reordered.rank], torch.arange(num_nodes))
    assert reordered.graph.col.dtype == graph.col.dtype
    edge_index = reordered.rank[graph.edge_index()]
    assert torch.equal(reordered.graph.edge_index(), edge_index)
    check_structure(reordered.graph, edge_index, graph.size)
    return reordered


SQUARE = [name for name, graph in ZOO.items() if graph.size[0] == graph.size[1]]


@pytest.mark.parametrize("method", ["rcm", "degree"])
@pytest.mark.parametrize("name", SQUARE)
def test_reorder_of_the_zoo(name, method):
    check_reordered(ZOO[name].csr(), method)


@given(graphs().filter(lambda graph: graph.size[0] == graph.size[1]))
def test_neighbour_sums_do_not_depend_on_the_order(graph):
    src, dst = graph.edge_index
    x = torch.randint(100, (graph.size[0], 3)).double()
    expected = torch.zeros_like(x).index_add(0, dst, x[src])
    for method in ("rcm", "degree"):
        reordered = check_reordered(graph.csr(), method)
        src_new, dst_new = reordered.graph.edge_index()
        x_new = reordered.to_new(x)
        out = torch.zeros_like(x).index_add(0, dst_new, x_new[src_new])
        assert torch.equal(reordered.to_caller(out), expected)


@pytest.mark.parametrize("method", ["rcm", "degree"])
def test_a_layer_in_another_order(method):
    graph = ZOO["random"].csr()
    conv = gatsparse.GATConv(5, 3, heads=2, dropout=0.5, add_self_loops=False).double()
    x = torch.randn(60, 5, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(60, 6, dtype=torch.float64)

    def run(forward):
        torch.manual_seed(1)  # the same edges are dropped: they keep their numbers
        out = forward()
        return out, *torch.autograd.grad(out, [x, *conv.parameters()], grad)

    reordered = graph.reorder(method)
    expected = run(lambda: conv(x, graph))
    actual = run(lambda: reordered.to_caller(conv(reordered.to_new(x), reordered.graph)))
    for ours, theirs in zip(actual, expected, strict=True):
        assert relative_error(ours, theirs) <= 1e-12


def test_rcm_finds_a_chain_again():
    rank = torch.randperm(50)
    edge_index = rank[torch.stack([torch.arange(49), torch.arange(1, 50)])]
    src, dst = CSRGraph.from_edge_index(edge_index, 50).reorder("rcm").graph.edge_index()
    assert (src - dst).abs().max() == 1


def test_degree_order_puts_hubs_first_and_keeps_the_rest():
    edge_index = torch.tensor([[0, 1, 2, 3, 5, 5], [5, 5, 5, 5, 0, 1]])
    order = CSRGraph.from_edge_index(edge_index, 7).reorder("degree").order
    assert order.tolist() == [5, 0, 1, 2, 3, 4, 6]


def test_an_order_is_computed_once_per_method():
    graph = ZOO["random"].csr()
    with torch.inference_mode():
        reordered = graph.reorder()
    assert graph.reorder("rcm") is reordered
    assert graph.reorder("degree") is not reordered
    x = torch.randn(60, 2, requires_grad=True)
    reordered.to_caller(reordered.to_new(x)).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_reorder_of_what_it_cannot_serve():
    graph = ZOO["random"].csr()
    with pytest.raises(ValueError, match=r"method: expected one of .*'rcm'.*, got 'best'"):
        graph.reorder("best")
    with pytest.raises(ValueError, match=r"graph: expected one node set .*, got size \(30, 7\)"):
        ZOO["bipartite, more sources"].csr().reorder()
    reordered = graph.reorder()
    with pytest.raises(ValueError, match=r"x: expected shape \[60, ...\], got \[61, 2\]"):
        reordered.to_new(torch.zeros(61, 2))
    with pytest.raises(ValueError, match=r"out: expected shape \[60, ...\], got \[\]"):
        reordered.to_caller(torch.tensor(0.0))


# Operators ########################################################################


def test_structure_under_compile():
    edge_index, size = ZOO["random"]

    @torch.compile(fullgraph=True)
    def build(edge_index):
        graph = as_graph(edge_index, size)
        return graph.rowptr, graph.col, graph.perm_t

    graph = ZOO["random"].csr()
    assert all(map(torch.equal, build(edge_index), (graph.rowptr, graph.col, graph.perm_t)))


def test_opcheck():
    src, dst = ZOO["random"].edge_index
    torch.library.opcheck(torch.ops.gatsparse.coo_to_csr.default, (dst, src, 60, 60, True))
    csr = list(ZOO["random"].csr().csr)
    torch.library.opcheck(torch.ops.gatsparse.csr_transpose.default, (csr, 60))
