"""Classes of papers on Cora and CiteSeer, from a dense bag of words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import GATConv

from benchmarks.scripts.script import Script
from gatsparse.data import load


class GAT(torch.nn.Module):
    """Two layers, the first of 8 heads x 8 channels."""

    def __init__(self, in_channels: int, out_channels: int, conv: Any, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv1 = conv(in_channels, 8, heads=8, dropout=dropout)
        self.conv2 = conv(64, out_channels, heads=1, concat=False, dropout=dropout)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns logits ``[N, classes]``."""
        x = F.dropout(x, p=self.dropout, training=self.training)
        x = F.elu(self.conv1(x, edge_index))
        x = F.dropout(x, p=self.dropout, training=self.training)
        return self.conv2(x, edge_index)


def data(root: Path | None, scale: float, name: str) -> Data:
    """Returns a data set, of which a scale below 1 keeps evenly spaced nodes."""
    graph = T.NormalizeFeatures()(load(name, root))
    if scale < 1:
        graph = graph.subgraph(torch.arange(0, graph["x"].size(0), round(1 / scale)))
    return graph


def script(data: Any, dropout: float = 0.6, conv: Any = GATConv) -> Script:
    """The script, with Adam on the whole graph."""
    model = GAT(data.num_features, int(data.y.max()) + 1, conv, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)

    def train() -> float:
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)
        loss = F.cross_entropy(out[data.train_mask], data.y[data.train_mask])
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def test() -> list[float]:
        model.eval()
        correct = (model(data.x, data.edge_index).argmax(dim=-1) == data.y).float()
        masks = (data.train_mask, data.val_mask, data.test_mask)
        return [correct[mask].mean().item() for mask in masks]

    return Script(model, optimizer, train, test)
