"""Node classification: the two-layer GAT of the paper on a citation graph.

Only the imports of layers and dropout differ from PyG's own example. ``--pyg`` runs the layers of
PyG and the dropout of torch instead, to compare the time of an epoch:

    python examples/node_classification.py
    python examples/node_classification.py --pyg
    python examples/node_classification.py --layer GATv2Conv --dataset citeseer
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
import torch.nn.functional as F
import torch_geometric.nn as pyg
import torch_geometric.transforms as T
from torch import Tensor

from gatsparse import GATConv, GATv2Conv
from gatsparse.data import load
from gatsparse.nn import dropout

LAYERS = {"GATConv": GATConv, "GATv2Conv": GATv2Conv}


class GAT(torch.nn.Module):
    """Eight heads of eight channels, then one head of a channel per class."""

    def __init__(
        self, in_channels: int, out_channels: int, conv: Callable, dropout: Callable
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv1 = conv(in_channels, 8, heads=8, dropout=0.6)
        self.conv2 = conv(8 * 8, out_channels, heads=1, concat=False, dropout=0.6)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns logits ``[N, out_channels]``."""
        x = self.dropout(x, p=0.6, training=self.training)
        x = F.elu(self.conv1(x, edge_index))
        x = self.dropout(x, p=0.6, training=self.training)
        return self.conv2(x, edge_index)


def main(arguments: Sequence[str] | None = None) -> float:
    """Returns the accuracy on the test nodes at the epoch of the best validation accuracy."""
    parser = argparse.ArgumentParser(description="Node classification with GAT.")
    parser.add_argument("--dataset", default="cora", help="or citeseer, pubmed, digits")
    parser.add_argument("--layer", default="GATConv", choices=LAYERS)
    parser.add_argument("--pyg", action="store_true", help="use layers of PyG, dropout of torch")
    parser.add_argument("--epochs", type=int, default=200)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)

    data = T.NormalizeFeatures()(load(options.dataset))
    parts = (LAYERS[options.layer], dropout)
    if options.pyg:
        parts = (getattr(pyg, options.layer), F.dropout)
    model = GAT(data.num_features, int(data.y.max()) + 1, *parts)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)[data.train_mask]
        F.cross_entropy(out, data.y[data.train_mask]).backward()
        optimizer.step()

    @torch.no_grad()
    def test() -> list[float]:
        model.eval()
        correct = (model(data.x, data.edge_index).argmax(dim=1) == data.y).float()
        return [correct[mask].mean().item() for mask in (data.val_mask, data.test_mask)]

    results, seconds = [], []
    for epoch in range(1, options.epochs + 1):
        start = time.perf_counter()
        train()
        results.append(test())
        seconds.append(time.perf_counter() - start)
        if epoch % 20 == 0:
            print("epoch {}: validation {:.1%}, test {:.1%}".format(epoch, *results[-1]))
    _, accuracy = max(results, key=lambda result: result[0])
    print(f"Test accuracy at the best validation accuracy: {accuracy:.1%}")
    print(f"Median time of an epoch: {1e3 * median(seconds):.1f} ms")
    return accuracy


if __name__ == "__main__":
    main()
