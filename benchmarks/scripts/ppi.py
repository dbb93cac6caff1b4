"""Many labels per node on unseen graphs, of the size of PPI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv

from benchmarks.scripts.script import Script
from gatsparse.data import rmat

_HELD_OUT = 2  # graphs for validation, and for testing
_FEATURES, _LABELS = 50, 121


class GAT(torch.nn.Module):
    """Three layers with linear skips: twice 4 heads x 256 channels, and the mean of 6 heads."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = GATConv(in_channels, 256, heads=4)
        self.lin1 = torch.nn.Linear(in_channels, 4 * 256)
        self.conv2 = GATConv(4 * 256, 256, heads=4)
        self.lin2 = torch.nn.Linear(4 * 256, 4 * 256)
        self.conv3 = GATConv(4 * 256, out_channels, heads=6, concat=False)
        self.lin3 = torch.nn.Linear(4 * 256, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns logits ``[N, labels]``."""
        x = F.elu(self.conv1(x, edge_index) + self.lin1(x))
        x = F.elu(self.conv2(x, edge_index) + self.lin2(x))
        return self.conv3(x, edge_index) + self.lin3(x)


def data(_root: Path | None, scale: float) -> list[Data]:
    """Draws 24 graphs of 2,400 nodes and 60,000 edges; a smaller scale shrinks both numbers."""
    count, num_nodes = 2 * _HELD_OUT + max(1, round(20 * scale)), round(2400 * scale)
    generator = torch.Generator().manual_seed(0)
    return [
        Data(
            x=torch.randn(num_nodes, _FEATURES, generator=generator),
            edge_index=rmat(num_nodes, round(60_000 * scale), seed=k),
            y=(torch.rand(num_nodes, _LABELS, generator=generator) < 0.3).float(),
        )
        for k in range(count)
    ]


def script(data: Any, dropout: float = 0.0) -> Script:  # noqa: ARG001  it has no dropout
    """The script, with batches of one graph in training and of two in testing."""
    train_dataset = data[: -2 * _HELD_OUT]
    train_loader = DataLoader(train_dataset, batch_size=1, shuffle=True)
    val_loader = DataLoader(data[-2 * _HELD_OUT : -_HELD_OUT], batch_size=2)
    test_loader = DataLoader(data[-_HELD_OUT:], batch_size=2)
    model = GAT(_FEATURES, _LABELS)
    loss_op = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

    def train() -> float:
        model.train()
        total_loss = 0.0
        for batch in train_loader:
            optimizer.zero_grad()
            loss = loss_op(model(batch.x, batch.edge_index), batch.y)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * batch.num_graphs
        return total_loss / len(train_dataset)

    @torch.no_grad()
    def score(loader: DataLoader) -> float:
        labels, predicted = [], []
        for batch in loader:
            labels.append(batch.y)
            predicted.append((model(batch.x, batch.edge_index) > 0).float())
        y, pred = torch.cat(labels).numpy(), torch.cat(predicted).numpy()
        return float(f1_score(y, pred, average="micro") if pred.any() else 0.0)

    def test() -> list[float]:
        model.eval()
        return [score(val_loader), score(test_loader)]

    return Script(model, optimizer, train, test)
