"""The report says in which direction the edges lead."""

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import graph_statistics
from gatsparse.inspection import Inspection
from gatsparse.inspection.cost import Cost
from gatsparse.inspection.report import report
from gatsparse.train import TrainConfig

RING = torch.stack([torch.arange(2000), torch.arange(2000).roll(1)])
BOTH = torch.cat([RING, RING.flip(0)], dim=1)
LOOP = torch.tensor([[0], [0]])


@pytest.mark.parametrize(
    ("edge_index", "line"),
    [
        (BOTH, "4,000, undirected (each edge in both directions)"),
        (torch.cat([BOTH, LOOP], 1), "4,001, undirected (each edge in both directions)"),
        (BOTH[:, 1:], "3,999, directed (99.9% of the edges have their reverse)"),
        (BOTH[:, :3000], "3,000, directed (66.6% of the edges have their reverse)"),
        (RING, "2,000, directed (0.0% of the edges have their reverse)"),
        (LOOP, "1"),
        (LOOP[:, :0], "0"),
    ],
)
def test_direction(edge_index, line):
    statistics = graph_statistics(edge_index, 2000)
    data = Data(x=torch.zeros(2000, 1), edge_index=edge_index)
    config = TrainConfig("digits", task="link_prediction")
    text = report(Inspection(config, data, {}, statistics, None, Cost(0, None), []))
    assert f"edges      {line}\n" in text
