"""Graph classification: handwritten digits, each image a graph of its 64 pixels.

Pixels are linked with their eight neighbours. Intensity and position are the features of a node,
the direction is the feature of an edge. PyG's DataLoader combines 32 graphs into a batch. The
images are part of scikit-learn, so nothing is downloaded:

    python examples/graph_classification.py
    python examples/graph_classification.py --layer GATv2Conv
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import global_max_pool, global_mean_pool
from torch_geometric.utils import grid, remove_self_loops

from gatsparse import GATConv, GATv2Conv

LAYERS = {"GATConv": GATConv, "GATv2Conv": GATv2Conv}


def digits() -> list[Data]:
    """Returns 1,797 graphs of 64 nodes and 420 edges."""
    images, labels = load_digits(return_X_y=True)
    edge_index, position = grid(8, 8)
    edge_index, _ = remove_self_loops(edge_index)
    direction = position[edge_index[1]] - position[edge_index[0]]
    return [
        Data(
            x=torch.cat([image[:, None] / 16, position / 7], dim=1),
            edge_index=edge_index,
            edge_attr=direction,
            y=int(label),
        )
        for image, label in zip(torch.from_numpy(images).float(), labels, strict=True)
    ]


class GAT(torch.nn.Module):
    """Three layers, followed by the mean and the maximum over the nodes of each graph."""

    def __init__(self, out_channels: int, conv: Callable) -> None:
        super().__init__()
        self.conv1 = conv(3, 16, heads=4, edge_dim=2)
        self.conv2 = conv(64, 16, heads=4, edge_dim=2, residual=True)
        self.conv3 = conv(64, 16, heads=4, edge_dim=2, residual=True)
        self.lin = torch.nn.Linear(2 * 64, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor) -> Tensor:
        """Returns logits ``[B, out_channels]`` of the graphs that :obj:`batch` numbers."""
        for conv in (self.conv1, self.conv2, self.conv3):
            x = F.elu(conv(x, edge_index, edge_attr))
        return self.lin(torch.cat([global_mean_pool(x, batch), global_max_pool(x, batch)], dim=1))


def main(arguments: Sequence[str] | None = None) -> float:
    """Returns the accuracy on the 360 test graphs after the last epoch."""
    parser = argparse.ArgumentParser(description="Graph classification with GAT.")
    parser.add_argument("--layer", default="GATConv", choices=LAYERS)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)

    graphs = digits()
    order = torch.randperm(len(graphs)).tolist()
    train_loader = DataLoader([graphs[i] for i in order[360:]], batch_size=32, shuffle=True)
    test_loader = DataLoader([graphs[i] for i in order[:360]], batch_size=360)
    model = GAT(10, LAYERS[options.layer])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)

    def logits(batch: Data) -> Tensor:
        return model(batch.x, batch.edge_index, batch.edge_attr, batch.batch)

    accuracy = 0.0
    for epoch in range(1, options.epochs + 1):
        for batch in train_loader:
            optimizer.zero_grad()
            F.cross_entropy(logits(batch), batch.y).backward()
            optimizer.step()
        with torch.no_grad():
            correct = torch.cat([logits(batch).argmax(dim=1) == batch.y for batch in test_loader])
        accuracy = correct.float().mean().item()
        print(f"epoch {epoch}: test accuracy {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
