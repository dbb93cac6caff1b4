"""Links of Cora, from a dense bag of words."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch_geometric.nn import GATConv
from torch_geometric.utils import negative_sampling

from benchmarks.scripts.script import Script


class Net(torch.nn.Module):
    """Two layers that embed nodes; the score of a pair is a dot product."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.conv1 = GATConv(in_channels, 16, heads=8, dropout=dropout)
        self.conv2 = GATConv(128, out_channels, heads=1, dropout=dropout)

    def encode(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns embeddings ``[N, C]``."""
        x = F.elu(self.conv1(x, edge_index))
        x = F.dropout(x, p=self.dropout, training=self.training)
        return self.conv2(x, edge_index)

    def decode(self, z: Tensor, pairs: Tensor) -> Tensor:
        """Returns scores ``[P]`` of pairs ``[2, P]``."""
        return (z[pairs[0]] * z[pairs[1]]).sum(dim=-1)


def script(data: Any, dropout: float = 0.3) -> Script:
    """The script, which draws new pairs without a link in every epoch."""
    split = T.RandomLinkSplit(0.05, 0.1, is_undirected=True, add_negative_train_samples=False)
    train_data, *held_out = split(data)
    model = Net(data.num_features, 64, dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = torch.nn.BCEWithLogitsLoss()

    def train() -> float:
        model.train()
        optimizer.zero_grad()
        z = model.encode(train_data.x, train_data.edge_index)
        positive = train_data.edge_label_index
        negative = negative_sampling(train_data.edge_index, data.num_nodes, positive.size(1))
        out = model.decode(z, torch.cat([positive, negative], dim=-1))
        labels = torch.cat([train_data.edge_label, out.new_zeros(negative.size(1))])
        loss = criterion(out, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def area(links: Any) -> float:
        model.eval()
        z = model.encode(links.x, links.edge_index)
        return float(roc_auc_score(links.edge_label, model.decode(z, links.edge_label_index)))

    def test() -> list[float]:
        return [area(links) for links in held_out]

    return Script(model, optimizer, train, test)
