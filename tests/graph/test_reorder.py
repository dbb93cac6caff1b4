import pytest
import torch
from hypothesis import given

import gatsparse
from gatsparse import CSRGraph
from gatsparse.testing import relative_error
from tests.graph.expected import ZOO, check_graph
from tests.strategies import graphs


def check_reordered(graph, method):
    """Checks that nodes are renumbered and every edge keeps its position."""
    reordered = graph.reorder(method)
    num_nodes = graph.num_dst
    assert reordered.order.dtype == reordered.rank.dtype == torch.int64
    assert torch.equal(reordered.order.sort().values, torch.arange(num_nodes))
    assert torch.equal(reordered.order[reordered.rank], torch.arange(num_nodes))
    assert reordered.graph.col.dtype == graph.col.dtype
    edge_index = reordered.rank[graph.edge_index()]
    assert torch.equal(reordered.graph.edge_index(), edge_index)
    check_graph(reordered.graph, edge_index, graph.size)
    return reordered


SQUARE = [name for name, graph in ZOO.items() if graph.size[0] == graph.size[1]]


@pytest.mark.parametrize("method", ["rcm", "degree"])
@pytest.mark.parametrize("name", SQUARE)
def test_reorder_renumbers_nodes_and_keeps_edge_positions(name, method):
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
def test_layer_gives_the_same_output_in_another_order(method):
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


def test_rcm_restores_a_shuffled_chain():
    rank = torch.randperm(50)
    edge_index = rank[torch.stack([torch.arange(49), torch.arange(1, 50)])]
    src, dst = CSRGraph.from_edge_index(edge_index, 50).reorder("rcm").graph.edge_index()
    assert (src - dst).abs().max() == 1


def test_degree_order_puts_hubs_first_and_keeps_the_rest():
    edge_index = torch.tensor([[0, 1, 2, 3, 5, 5], [5, 5, 5, 5, 0, 1]])
    order = CSRGraph.from_edge_index(edge_index, 7).reorder("degree").order
    assert order.tolist() == [5, 0, 1, 2, 3, 4, 6]


def test_reordered_graph_is_cached_per_method():
    graph = ZOO["random"].csr()
    with torch.inference_mode():
        reordered = graph.reorder()
    assert graph.reorder("rcm") is reordered
    assert graph.reorder("degree") is not reordered
    x = torch.randn(60, 2, requires_grad=True)
    reordered.to_caller(reordered.to_new(x)).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_reorder_rejects_bad_arguments():
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
