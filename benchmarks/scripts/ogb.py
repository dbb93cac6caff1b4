"""Classes of nodes on a graph of the size of ogbn-arxiv, whole in every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.nn import GATConv

from benchmarks.scripts.script import Script
from gatsparse.data import rmat

_CLASSES = 40


class GAT(torch.nn.Module):
    """Three layers of 4 heads x 32 channels with linear skips and batch normalisation."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        sizes = [in_channels, 128, 128]
        self.convs = torch.nn.ModuleList(GATConv(size, 32, heads=4) for size in sizes[:2])
        self.convs.append(GATConv(128, out_channels, heads=4, concat=False))
        self.skips = torch.nn.ModuleList(torch.nn.Linear(size, 128) for size in sizes[:2])
        self.skips.append(torch.nn.Linear(128, out_channels))
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm1d(128) for _ in sizes[:2])
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns logarithms of probabilities ``[N, classes]``."""
        *hidden, last = zip(self.convs, self.skips, strict=True)
        for (conv, skip), norm in zip(hidden, self.norms, strict=True):
            x = norm(conv(x, edge_index) + skip(x))
            x = self.dropout(F.elu(x))
        conv, skip = last
        return F.log_softmax(conv(x, edge_index) + skip(x), dim=-1)


def data(_root: Path | None, scale: float) -> Data:
    """Draws a power-law graph of 169,343 nodes and 2,332,486 edges."""
    num_nodes, num_edges = round(169_343 * scale), round(2_332_486 * scale)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(num_nodes, generator=generator)
    train, valid, test = order.split([num_nodes - 2 * (num_nodes // 4), *[num_nodes // 4] * 2])
    return Data(
        x=torch.randn(num_nodes, 128, generator=generator),
        edge_index=rmat(num_nodes, num_edges),
        y=torch.randint(_CLASSES, (num_nodes, 1), generator=generator),
        split_idx={"train": train, "valid": valid, "test": test},
    )


def script(data: Any, dropout: float = 0.5) -> Script:
    """The script, with labels ``[N, 1]`` and a dictionary of splits as OGB has them."""
    model = GAT(data.num_features, _CLASSES, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    train_idx = data.split_idx["train"]

    def train() -> float:
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)[train_idx]
        loss = F.nll_loss(out, data.y.squeeze(1)[train_idx])
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def test() -> list[float]:
        model.eval()
        correct = model(data.x, data.edge_index).argmax(dim=-1, keepdim=True) == data.y
        return [correct[index].float().mean().item() for index in data.split_idx.values()]

    return Script(model, optimizer, train, test)
