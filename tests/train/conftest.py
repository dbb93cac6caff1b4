from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected


@pytest.fixture
def task() -> Data:
    """Three communities of 20 nodes with distinct, noisy features."""
    generator = torch.Generator().manual_seed(1)
    num_nodes, num_classes = 60, 3
    y = torch.arange(num_nodes) % num_classes
    near = y[:, None] == y[None, :]
    linked = torch.rand(num_nodes, num_nodes, generator=generator) < torch.where(near, 0.2, 0.01)
    edge_index = to_undirected(linked.fill_diagonal_(False).nonzero().t(), num_nodes=num_nodes)
    x = torch.eye(num_classes)[y] + torch.rand(num_nodes, num_classes, generator=generator)
    part = torch.arange(num_nodes) // 20
    return Data(
        x=x,
        y=y,
        edge_index=edge_index,
        train_mask=part == 0,
        val_mask=part == 1,
        test_mask=part == 2,
    )
