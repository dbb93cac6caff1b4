from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from gatsparse.train import ModelConfig, TrainConfig


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


@pytest.fixture
def small_run(task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A run of two seeds on :func:`task`, in one process."""
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    return TrainConfig(
        "digits",
        model=ModelConfig(hidden_channels=4, heads=2),
        epochs=4,
        seeds=[5, 6],
        processes=1,
        run_dir=tmp_path / "runs",
    )
