"""Graphs and features that the layers are tested with."""

import pytest
import torch

from gatsparse.testing import graph_zoo
from tests.nn.layers import OURS

ZOO = graph_zoo()
SQUARE = {name: graph for name, graph in ZOO.items() if graph.size[0] == graph.size[1]}
EDGES, (NUM_NODES, _) = ZOO["random"]
FILL_VALUES = [
    None,
    0.5,
    torch.tensor([0.5, -1.0, 2.0]).double(),
    "mean",
    "add",
    "min",
    "max",
    "mul",
]
every_layer = pytest.mark.parametrize("layer", OURS)


def features(num_nodes=NUM_NODES, channels=6):
    return torch.randn(num_nodes, channels, dtype=torch.float64)
