import pytest
import torch

from gatsparse.ops.fused import padded_heads
from gatsparse.testing import Graph
from tests.ops.variants import VARIANTS, call, operator_arguments


@pytest.mark.parametrize("heads", [1, 2, 4, 5, 8, 9, 16, 17, 33])
@pytest.mark.parametrize("variant", VARIANTS)
def test_traced_shapes_equal_the_padding_of_the_kernels(variant, heads):
    graph = Graph(torch.zeros(2, 1, dtype=torch.int64), (1, 1))
    inputs = VARIANTS[variant].inputs(graph, heads, 2)
    *_, numbers_of_heads = call(variant, operator_arguments(variant, inputs, graph.csr()))
    assert numbers_of_heads.size(1) == padded_heads(heads)
