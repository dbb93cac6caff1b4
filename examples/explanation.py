"""Explanation: which edges a trained GAT attends to.

It first compares the share of the attention within a class with that of equal attention. It then
prints the attention of one node, next to the scores of an explainer of PyG:

    python examples/explanation.py
    python examples/explanation.py --explainer GNNExplainer --node 2178
    python examples/explanation.py --layer GATv2Conv --dataset digits
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
import torch_geometric.transforms as T
from torch import Tensor
from torch_geometric.explain import AttentionExplainer, Explainer, GNNExplainer, ModelConfig
from torch_geometric.utils import degree

from gatsparse import GAT, attention_weights
from gatsparse.data import load

EXPLAINERS = {"AttentionExplainer": AttentionExplainer("mean"), "GNNExplainer": GNNExplainer(50)}


class Result(NamedTuple):
    """Accuracy, shares within a class per layer, and two scores ``[E]`` of every edge."""

    accuracy: float
    attended: list[float]
    equal: float
    attention: Tensor
    explained: Tensor


def main(arguments: Sequence[str] | None = None) -> Result:
    """Trains a model, and prints and returns its attention."""
    parser = argparse.ArgumentParser(description="Explanation of GAT by its attention.")
    parser.add_argument("--dataset", default="cora", help="or citeseer, pubmed, digits")
    parser.add_argument("--layer", default="GATConv", choices=["GATConv", "GATv2Conv"])
    parser.add_argument("--explainer", default="AttentionExplainer", choices=EXPLAINERS)
    parser.add_argument("--node", type=int, default=1761, help="node to explain")
    parser.add_argument("--epochs", type=int, default=100)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)

    data = T.NormalizeFeatures()(load(options.dataset))
    shape = (data.num_features, 64, 2, int(data.y.max()) + 1)
    model = GAT(*shape, heads=8, dropout=0.6, act="elu", v2=options.layer == "GATv2Conv")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)
    for _ in range(options.epochs):
        optimizer.zero_grad()
        out = model(data.x, data.edge_index)[data.train_mask]
        F.cross_entropy(out, data.y[data.train_mask]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        correct = model(data.x, data.edge_index).argmax(dim=1) == data.y
    accuracy = correct[data.test_mask].float().mean().item()
    print(f"Test accuracy: {accuracy:.1%}")

    src, dst = data.edge_index
    same = data.y[src] == data.y[dst]
    weight = 1 / (1 + degree(dst, data.num_nodes))[dst]  # 1 for the self-loop
    equal = (weight[same].sum() / weight.sum()).item()
    print(f"Within a class: edges {same.float().mean():.1%}, equal attention {equal:.1%}")
    attended, layers = [], []
    for layer in attention_weights(model, data):
        edge = ~layer.loop_mask
        alpha = torch.empty_like(weight)
        alpha[layer.edge_id[edge]] = layer.alpha[edge].mean(dim=1)
        layers.append(alpha)
        attended.append((alpha[same].sum() / alpha.sum()).item())
        print(f"{layer.name}: attention within a class {attended[-1]:.1%}; top edges")
        for k in (alpha / weight).topk(3).indices.tolist():
            print(f"    {src[k]} -> {dst[k]}: {alpha[k] / weight[k]:.2f} times an equal share")
    attention = torch.stack(layers).mean(dim=0)

    explainer = Explainer(
        model,
        EXPLAINERS[options.explainer],
        explanation_type="model",
        edge_mask_type="object",
        model_config=ModelConfig("multiclass_classification", "node", "raw"),
    )
    explained = explainer(data.x, data.edge_index, index=options.node).edge_mask
    print(f"In-edges of node {options.node} of class {data.y[options.node]}:")
    for k in (dst == options.node).nonzero().flatten().tolist():
        print(f"    {src[k]} of class {data.y[src[k]]}: attention {attention[k]:.3f}, ", end="")
        print(f"{options.explainer} {explained[k]:.3f}")
    return Result(accuracy, attended, equal, attention, explained)


if __name__ == "__main__":
    main()
