"""Heterogeneous graphs: Cora as papers and words.

A paper cites papers and has words; each of these relations has its own attention layer. The only
feature of a paper is a constant, so the model learns from the words, whose embeddings are trained:

    python examples/heterogeneous.py
    python examples/heterogeneous.py --layer GATv2Conv --dataset citeseer
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import HeteroConv

from gatsparse import GATConv, GATv2Conv
from gatsparse.data import load

LAYERS = {"GATConv": GATConv, "GATv2Conv": GATv2Conv}


def papers_and_words(data: Data) -> HeteroData:
    """Converts a citation graph whose features are bags of words."""
    x, graph = data["x"], HeteroData()
    graph["paper"].x = torch.ones(x.size(0), 1)
    for key in ("y", "train_mask", "val_mask", "test_mask"):
        graph["paper"][key] = data[key]
    graph["word"].num_nodes = x.size(1)
    has = x.nonzero().t().contiguous()
    graph["paper", "cites", "paper"].edge_index = data.edge_index
    graph["paper", "has", "word"].edge_index = has
    graph["word", "rev_has", "paper"].edge_index = has.flip(0)
    return graph


class HeteroGAT(torch.nn.Module):
    """Three layers, each the sum of one GAT layer per relation, with 4 heads of 16 channels."""

    def __init__(self, graph: HeteroData, out_channels: int, conv: Callable) -> None:
        super().__init__()
        self.words = torch.nn.Parameter(0.2 * torch.randn(graph["word"].num_nodes, 128))
        options = {"heads": 4, "add_self_loops": False}
        self.convs = torch.nn.ModuleList(
            HeteroConv({edge: conv((-1, -1), 16, **options) for edge in graph.edge_types})
            for _ in range(3)
        )
        self.lin = torch.nn.Linear(4 * 16, out_channels)

    def forward(self, graph: HeteroData) -> Tensor:
        """Returns the logits of the papers ``[N, out_channels]``."""
        x = {"paper": graph["paper"].x, "word": F.dropout(self.words, training=self.training)}
        for conv in self.convs:
            x = conv(x, graph.edge_index_dict)
            x = {kind: F.dropout(F.elu(out), training=self.training) for kind, out in x.items()}
        return self.lin(x["paper"])


def main(arguments: Sequence[str] | None = None) -> float:
    """Returns the accuracy on the test papers at the epoch of the best validation accuracy."""
    parser = argparse.ArgumentParser(description="Papers and words with GAT.")
    parser.add_argument("--dataset", default="cora", help="or citeseer")
    parser.add_argument("--layer", default="GATConv", choices=LAYERS)
    parser.add_argument("--epochs", type=int, default=80)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)

    graph = papers_and_words(load(options.dataset))
    paper = graph["paper"]
    model = HeteroGAT(graph, int(paper.y.max()) + 1, LAYERS[options.layer])
    with torch.no_grad():
        model(graph)  # initialises the lazy sizes (-1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)

    results = []
    for epoch in range(1, options.epochs + 1):
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(graph)[paper.train_mask], paper.y[paper.train_mask]).backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            correct = (model(graph).argmax(dim=1) == paper.y).float()
        results.append([correct[mask].mean().item() for mask in (paper.val_mask, paper.test_mask)])
        if epoch % 10 == 0:
            print("epoch {}: validation {:.1%}, test {:.1%}".format(epoch, *results[-1]))
    _, accuracy = max(results, key=lambda result: result[0])
    print(f"Test accuracy at the best validation accuracy: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
