"""Features of GATv2 only: one tensor at both ends, and features of one dtype."""

import pytest
import torch

from gatsparse.ops import gatv2_attention
from gatsparse.testing import gatv2_inputs, graph_zoo
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
