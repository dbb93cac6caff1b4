"""Features of GATv2 only: one tensor at both ends, and features of one dtype."""

import pytest
import torch

from gatsparse.ops import gatv2_attention
from gatsparse.testing import Graph, gatv2_inputs, graph_zoo, relative_error
from tests.ops.variants import assert_close, run

ZOO = graph_zoo()


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("edge", [False, True])
def test_one_tensor_at_both_ends(edge, dropout):
    graph = ZOO["random"]
    inputs = gatv2_inputs(graph, 3, 5, edge=edge, loop=True)
    options = {"add_self_loops": True, "dropout": dropout, "seed": torch.tensor(3)}
    apart = {**inputs, "x_dst": inputs["x_src"].detach().clone().requires_grad_()}
    expected = run("gatv2", apart, graph.csr(), backend="scatter", **options)
    expected["x_src"] = expected["x_dst"] = expected["x_src"] + expected["x_dst"]
    shared = {**inputs, "x_dst": inputs["x_src"]}
    for backend in ("fused", "scatter", "dense")[: 2 if edge else 3]:
        assert_close(run("gatv2", shared, graph.csr(), backend=backend, **options), expected)


@pytest.mark.parametrize("name", ["x_dst", "edge", "loop"])
def test_features_of_another_dtype_raise(name):
    inputs = gatv2_inputs(ZOO["random"], 2, 3, edge=True, loop=True)
    inputs[name] = inputs[name].float()
    with pytest.raises(ValueError, match=f"{name}: expected torch.float64 to match x_src, got"):
        gatv2_attention(**inputs, graph=ZOO["random"].csr(), add_self_loops=True)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_where_records_of_the_edges_would_be_too_large(dropout):
    """72 bytes for each of 950,000 edges are more than 64 MB and six times the features."""
    num_nodes, num_edges = 1000, 950_000
    torch.manual_seed(0)
    graph = Graph(torch.randint(num_nodes, (2, num_edges)), (num_nodes, num_nodes))
    options = {"add_self_loops": True, "dropout": dropout, "seed": torch.tensor(3)}
    inputs = gatv2_inputs(graph, 8, 8, dtype=torch.float32)
    exact = {k: v.detach().double().requires_grad_() for k, v in inputs.items()}
    single = run("gatv2", inputs, graph.csr(), backend="fused", **options)
    double = run("gatv2", exact, graph.csr(), backend="fused", **options)  # in blocks of edges
    for name, value in double.items():
        terms = num_edges if name in ("att", "bias") else num_edges / num_nodes
        assert relative_error(single[name], value) <= torch.finfo(torch.float32).eps * terms, name
