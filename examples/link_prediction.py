"""Link prediction: which citations were removed from the graph.

10 % of the links are removed for testing and 5 % for validation. GAT embeds the nodes of the
remaining graph; the score of a pair is the dot product of its embeddings. Every epoch draws new
pairs without a link as negative samples:

    python examples/link_prediction.py
    python examples/link_prediction.py --layer GATv2Conv --dataset citeseer
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.utils import negative_sampling

from gatsparse import GATConv, GATv2Conv
from gatsparse.data import load

LAYERS = {"GATConv": GATConv, "GATv2Conv": GATv2Conv}


class Encoder(torch.nn.Module):
    """Two layers, without dropout."""

    def __init__(self, in_channels: int, out_channels: int, conv: Callable) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, 32, heads=4)
        self.conv2 = conv(4 * 32, out_channels, heads=1)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns embeddings ``[N, out_channels]``."""
        return self.conv2(F.elu(self.conv1(x, edge_index)), edge_index)


def decode(z: Tensor, pairs: Tensor) -> Tensor:
    """Returns scores ``[P]`` of node pairs ``[2, P]`` from embeddings :obj:`z` ``[N, C]``."""
    return (z[pairs[0]] * z[pairs[1]]).sum(dim=1)


def main(arguments: Sequence[str] | None = None) -> float:
    """Returns the area under the ROC curve of the test links at the best validation epoch."""
    parser = argparse.ArgumentParser(description="Link prediction with GAT.")
    parser.add_argument("--dataset", default="cora", help="or citeseer, pubmed, digits")
    parser.add_argument("--layer", default="GATConv", choices=LAYERS)
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args(arguments)
    seed_everything(0)  # negative samples are drawn with Python's generator, too

    split = T.RandomLinkSplit(0.05, 0.1, is_undirected=True, add_negative_train_samples=False)
    data, *held_out = split(T.NormalizeFeatures()(load(options.dataset)))
    model = Encoder(data.num_features, 64, LAYERS[options.layer])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def train() -> None:
        optimizer.zero_grad()
        z = model(data.x, data.edge_index)
        links = data.edge_label_index
        others = negative_sampling(data.edge_index, data.num_nodes, links.size(1))
        scores = decode(z, torch.cat([links, others], dim=1))
        labels = torch.cat([torch.ones(links.size(1)), torch.zeros(others.size(1))])
        F.binary_cross_entropy_with_logits(scores, labels).backward()
        optimizer.step()

    @torch.no_grad()
    def test() -> list[float]:
        z = model(data.x, data.edge_index)  # the training graph has no held-out links
        return [roc_auc_score(d.edge_label, decode(z, d.edge_label_index)) for d in held_out]

    results = []
    for epoch in range(1, options.epochs + 1):
        train()
        results.append(test())
        if epoch % 10 == 0:
            print("epoch {}: validation AUC {:.3f}, test {:.3f}".format(epoch, *results[-1]))
    _, area = max(results, key=lambda result: result[0])
    print(f"Test AUC at the best validation AUC: {area:.3f}")
    return area


if __name__ == "__main__":
    main()
