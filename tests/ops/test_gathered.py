"""Tables that the kernels copy before they gather from them."""

import pytest
import torch

from gatsparse import CSRGraph, release_memory
from gatsparse.memory import new_empty
from gatsparse.ops import gat_attention, gatv2_attention

NODES, EDGES = 70_000, 300_000  # tables of 18 MB, more than four edges per node
OPERATORS = {"GAT": (gat_attention, 1), "GATv2": (gatv2_attention, 2)}


def results(operator, tables, parameters, graph, grad_out):
    inputs = [t.detach().requires_grad_() for t in (*tables, *parameters)]
    out = operator(*inputs, graph, add_self_loops=True)
    return [out, *torch.autograd.grad(out, inputs, grad_out)]


@pytest.mark.parametrize("name", OPERATORS)
def test_results_do_not_depend_on_where_the_tables_are(name):
    operator, num_tables = OPERATORS[name]
    torch.manual_seed(0)
    graph = CSRGraph.from_edge_index(torch.randint(NODES, (2, EDGES)), NODES)
    tables = [torch.randn(NODES, 8, 8) for _ in range(num_tables)]
    parameters = [torch.randn(1, 8, 8) / 4 for _ in range(3 - num_tables)]
    grad_out = torch.randn(NODES, 64)
    copied = results(operator, tables, parameters, graph, grad_out)
    kept = [new_empty(t, t.shape).copy_(t) for t in (*tables, grad_out)]
    in_place = results(operator, kept[:-1], parameters, graph, kept[-1])
    for first, second in zip(copied, in_place, strict=True):
        assert torch.equal(first, second)
    release_memory()
