"""Blocks of destinations fit the budget."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gatsparse
from gatsparse.data import rmat
from gatsparse.inference import _SLACK, blocks, check_budget, infer, stage
from tests.inference.models import F


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 2**31), st.integers(0, 20_000))
def test_blocks_cover_any_graph_within_the_budget(num_nodes, num_edges, seed, more):
    x, edge_index = torch.randn(num_nodes, F), rmat(num_nodes, num_edges, seed=seed)
    model = gatsparse.nn.PaperGAT(F, 4, 3, heads=2).eval()
    graph = gatsparse.CSRGraph.from_edge_index(edge_index, num_nodes)
    rows = stage.Rows(x)
    cost = blocks._cost(model, 0, rows)
    largest = int(graph.rowptr.diff().max())
    limit = cost[0] * (largest + 1) + cost[1] + cost[2] * largest + more
    budget = math.ceil(limit / blocks._FILL)
    found = list(blocks.destination_blocks(model, 0, rows, graph, 0, budget, -4 * num_nodes, True))
    first = 0
    for block in found:
        assert block.first == first
        first += block.graph.num_dst
        used = (block.nodes.numel(), block.graph.num_dst, block.graph.num_edges)
        assert sum(a * b for a, b in zip(cost, used, strict=True)) <= limit + 1
        assert block.nodes[: block.graph.num_dst].tolist() == list(range(block.first, first))
        assert block.nodes.unique().numel() == block.nodes.numel()
        begin, end = graph.rowptr[[block.first, first]].tolist()
        assert torch.equal(block.nodes[block.graph.col.long()], graph.col[begin:end].long())
        assert torch.equal(block.graph.rowptr, graph.rowptr[block.first : first + 1] - begin)
    assert first == num_nodes
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, graph), model(x, graph))


@pytest.mark.parametrize("resident", [0, 30_000, 60_000])
def test_blocks_leave_what_is_resident_free(task, resident):
    x, edge_index = task
    model, rows = gatsparse.nn.PaperGAT(F, 4, 3, heads=2).double().eval(), stage.Rows(x)
    graph, budget = gatsparse.CSRGraph.from_edge_index(edge_index, len(x)), 120_000
    cost = blocks._cost(model, 0, rows)
    for block in blocks.destination_blocks(model, 0, rows, graph, 0, budget, resident, True):
        used = (block.nodes.numel(), block.graph.num_dst, block.graph.num_edges)
        needed = sum(a * b for a, b in zip(cost, used, strict=True))
        assert resident + 4 * len(x) + needed <= budget


def test_input_and_output_of_a_layer_count():
    model = gatsparse.nn.PaperGAT(F, 8, 5, heads=4)
    needed = _SLACK + 10**6 * (4 * 8 + 5) * 4  # of the second layer
    shape = torch.Size([10**6, F])
    check_budget(model, shape, torch.float32, needed, on_disk=False)
    with pytest.raises(ValueError, match=f"max_memory: layer 2 needs {needed:,} bytes"):
        check_budget(model, shape, torch.float32, needed - 1, on_disk=False)
    check_budget(model, shape, torch.float32, _SLACK, on_disk=True)


def test_blocks_of_the_scatter_backend_are_smaller(task):
    x, _ = task
    model = gatsparse.GAT(F, 16, 2, 5, heads=2)
    fused = blocks._cost(model, 0, stage.Rows(x))
    model.convs[0].backend = "scatter"
    assert blocks._cost(model, 0, stage.Rows(x))[2] > fused[2] + 8 * 16


def test_width_of_the_last_layer_counts(task):
    x, edge_index = task
    model = gatsparse.GAT(F, 16, 2, 100_000, jk="last").double().eval()
    with pytest.raises(ValueError, match=r"max_memory: layer 2 needs .*: pass a folder"):
        infer(model, x, edge_index, max_memory="300MB")
