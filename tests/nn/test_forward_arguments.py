"""Arguments of a model when its attention is read."""

import pytest
import torch
import torch_geometric.nn
from torch_geometric.data import Data, HeteroData

from gatsparse import attention_weights
from tests.nn.layers import OURS

every_layer = pytest.mark.parametrize("layer", OURS)


@every_layer
def test_attention_of_a_hetero_conv(layer):
    data = HeteroData()
    data["a"].x, data["b"].x = torch.randn(5, 6), torch.randn(4, 6)
    types = [("a", "to", "b"), ("b", "from", "a")]
    for count, edge_type in enumerate(types, start=2):
        data[edge_type].edge_index = torch.randint(4, (2, count))
    convs = {edge_type: OURS[layer]((6, 6), 4, add_self_loops=False) for edge_type in types}
    found = attention_weights(torch_geometric.nn.HeteroConv(convs), data)
    assert [(f.edge_type, f.alpha.size(0)) for f in found] == [(types[0], 2), (types[1], 3)]


@every_layer
def test_model_that_does_not_call_its_layers_raises(layer):
    class Unused(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = OURS[layer](6, 4)

        def forward(self, x):
            return x

    with pytest.raises(ValueError, match=r"expected Unused\.forward to call its GAT layers"):
        attention_weights(Unused(), Data(x=torch.randn(3, 6)))
