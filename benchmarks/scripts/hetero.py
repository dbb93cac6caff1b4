"""Classes of authors in a graph of authors, papers and terms, of the size of DBLP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.nn import GATConv, HeteroConv, Linear, to_hetero

from benchmarks.scripts.script import Script

_CLASSES = 4


class HeteroGAT(torch.nn.Module):
    """Two layers, each the sum of one GAT layer of 4 heads x 16 channels per edge type."""

    def __init__(self, edge_types: list[tuple[str, str, str]], dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.convs = torch.nn.ModuleList()
        for _ in range(2):
            layers: dict[Any, Any] = {
                edge_type: GATConv((-1, -1), 16, heads=4, dropout=dropout, add_self_loops=False)
                for edge_type in edge_types
            }
            self.convs.append(HeteroConv(layers, aggr="sum"))
        self.lin = Linear(64, _CLASSES)

    def forward(
        self, x_dict: dict[str, Tensor], edge_index_dict: dict[tuple[str, str, str], Tensor]
    ) -> Tensor:
        """Returns the logits of the authors."""
        for conv in self.convs:
            x_dict = conv(x_dict, edge_index_dict)
            x_dict = {
                key: F.dropout(F.leaky_relu(x), p=self.dropout, training=self.training)
                for key, x in x_dict.items()
            }
        return self.lin(x_dict["author"])


class SkipGAT(torch.nn.Module):
    """Two layers with linear skips, for :func:`to_hetero`."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.conv1 = GATConv((-1, -1), 64, dropout=dropout, add_self_loops=False)
        self.lin1 = Linear(-1, 64)
        self.conv2 = GATConv((-1, -1), _CLASSES, dropout=dropout, add_self_loops=False)
        self.lin2 = Linear(-1, _CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns the logits of a node type."""
        x = (self.conv1(x, edge_index) + self.lin1(x)).relu()
        return self.conv2(x, edge_index) + self.lin2(x)


def data(_root: Path | None, scale: float) -> HeteroData:
    """Draws bags of words for authors and papers, dense features for terms, and random edges."""
    generator = torch.Generator().manual_seed(0)
    authors, papers, terms = (round(count * scale) for count in (4057, 14_328, 7723))

    def words(rows: int, columns: int, density: float) -> Tensor:
        return (torch.rand(rows, columns, generator=generator) < density).float()

    def edges(sources: int, targets: int, count: int) -> Tensor:
        ends = [torch.randint(n, (count,), generator=generator) for n in (sources, targets)]
        return torch.stack(ends)

    graph = HeteroData()
    graph["author"].x = words(authors, 334, 0.05)
    graph["author"].y = torch.randint(_CLASSES, (authors,), generator=generator)
    graph["author"].train_mask = torch.rand(authors, generator=generator) < 0.1
    graph["author"].test_mask = ~graph["author"].train_mask
    graph["paper"].x = words(papers, 4231, 0.005)
    graph["term"].x = torch.randn(terms, 50, generator=generator)
    writes = edges(authors, papers, round(19_645 * scale))
    uses = edges(papers, terms, round(85_810 * scale))
    graph["author", "to", "paper"].edge_index = writes
    graph["paper", "to", "author"].edge_index = writes.flip(0)
    graph["paper", "to", "term"].edge_index = uses
    graph["term", "to", "paper"].edge_index = uses.flip(0)
    return graph


def hetero_conv(data: Any, dropout: float = 0.5) -> Script:
    """The script with :class:`HeteroConv`."""
    return _script(HeteroGAT(data.edge_types, dropout), lambda out: out, data)


def transformed(data: Any, dropout: float = 0.5) -> Script:
    """The script with :func:`to_hetero`, whose model returns the logits of all types."""
    model = to_hetero(SkipGAT(dropout), data.metadata(), aggr="sum")
    return _script(model, lambda out: out["author"], data)


def _script(model: Any, authors: Any, data: Any) -> Script:
    with torch.no_grad():
        model(data.x_dict, data.edge_index_dict)  # initialises lazy sizes
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=0.001)

    def train() -> float:
        model.train()
        optimizer.zero_grad()
        out = authors(model(data.x_dict, data.edge_index_dict))
        mask = data["author"].train_mask
        loss = F.cross_entropy(out[mask], data["author"].y[mask])
        loss.backward()
        optimizer.step()
        return loss.item()

    @torch.no_grad()
    def test() -> list[float]:
        model.eval()
        pred = authors(model(data.x_dict, data.edge_index_dict)).argmax(dim=-1)
        correct = (pred == data["author"].y).float()
        return [
            correct[data["author"][f"{split}_mask"]].mean().item() for split in ("train", "test")
        ]

    return Script(model, optimizer, train, test)
