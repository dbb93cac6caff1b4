"""Classes of small graphs, in batches of 64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, global_mean_pool

from benchmarks import zoo
from benchmarks.scripts.script import Script

_CLASSES = 2


class GAT(torch.nn.Module):
    """Three layers of 4 heads x 16 channels, the mean over nodes, and a linear layer."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv1 = GATConv(in_channels, 16, heads=4)
        self.conv2 = GATConv(64, 16, heads=4)
        self.conv3 = GATConv(64, 16, heads=4)
        self.lin = torch.nn.Linear(64, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        """Returns logits ``[graphs, classes]``."""
        x = self.conv1(x, edge_index).relu()
        x = self.conv2(x, edge_index).relu()
        x = self.conv3(x, edge_index)
        x = global_mean_pool(x, batch)
        x = F.dropout(x, p=self.dropout, training=self.training)
        return self.lin(x)


def data(_root: Path | None, scale: float) -> list[Any]:
    """Draws 600 graphs of 20 to 40 nodes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        graphs = zoo.molecules(max(20, round(600 * scale)), 16, 4).to_data_list()
        for graph in graphs:
            graph.y = torch.randint(_CLASSES, (1,))
    return graphs


def script(data: Any, dropout: float = 0.5) -> Script:
    """The script, which trains on nine tenths of the graphs."""
    held_out = len(data) // 10
    train_dataset, test_dataset = data[held_out:], data[:held_out]
    train_loader = DataLoader(train_dataset, batch_size=64, shuffle=True)
    test_loader = DataLoader(test_dataset, batch_size=64)
    model = GAT(data[0].num_features, _CLASSES, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train() -> float:
        model.train()
        total_loss = 0.0
        for batch in train_loader:
            optimizer.zero_grad()
            out = model(batch.x, batch.edge_index, batch.batch)
            loss = F.cross_entropy(out, batch.y)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * batch.num_graphs
        return total_loss / len(train_dataset)

    @torch.no_grad()
    def correct(loader: DataLoader) -> int:
        total = 0
        for batch in loader:
            pred = model(batch.x, batch.edge_index, batch.batch).argmax(dim=-1)
            total += int((pred == batch.y).sum())
        return total

    def test() -> list[float]:
        model.eval()
        counts = correct(train_loader), correct(test_loader)
        return [counts[0] / len(train_dataset), counts[1] / len(test_dataset)]

    return Script(model, optimizer, train, test)
