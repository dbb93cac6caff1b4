from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

import gatsparse
from gatsparse.data import stochastic_block_model


@pytest.fixture
def data() -> Data:
    """A directed graph of 80 nodes in 3 classes."""
    return stochastic_block_model(80, 400, num_classes=3, num_features=6)


@pytest.fixture
def model() -> torch.nn.Module:
    """A model with initial weights: two layers, two heads in each."""
    return gatsparse.GAT(6, 8, num_layers=2, out_channels=3, heads=2).eval()
