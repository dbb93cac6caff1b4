"""Compares trainings of several labels and of targets with a training loop in plain PyG.

``python -m benchmarks.experiments.tasks``
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from joblib import Parallel, delayed
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT
from torch_geometric.utils import scatter

from benchmarks.experiments.claims.estimate import estimate
from gatsparse.data import stochastic_block_model
from gatsparse.train import ModelConfig, OptimConfig, TrainConfig, build_model, fit

TASKS = ("multi_label", "regression")
KINDS = ("gatsparse", "scatter", "pyg")


@dataclass(frozen=True)
class Size:
    """Size of the data and of a training.

    Args:
        num_graphs (int): Number of graphs, at least 4.
        num_nodes (int): Nodes of each graph.
        epochs (int): Number of epochs.
    """

    num_graphs: int = 10
    num_nodes: int = 250
    epochs: int = 100


def inductive_data(task: str, size: Size) -> Data:
    """Returns graphs like those of PPI, joined to one: 50 features, an average in-degree of 8,
    and two graphs each for validation and for test.

    A random network of two layers makes the labels: 121 labels, each of which a tenth to half of
    the nodes have, or one target with noise. For the target it weighs the edges by their features.

    Args:
        task (str): One of :data:`TASKS`.
        size (Size): Size of the data.
    """
    graphs: list[Any] = [
        stochastic_block_model(size.num_nodes, 8 * size.num_nodes, 5, 50, seed=seed)
        for seed in range(size.num_graphs)
    ]
    joined: Any = Batch.from_data_list(graphs)
    data, graph = Data(x=joined.x, edge_index=joined.edge_index), joined.batch
    generator = torch.Generator().manual_seed(0)
    weights = torch.ones(data.num_edges)
    if task == "regression":
        data.edge_attr = torch.rand(data.num_edges, 2, generator=generator)
        weights = data.edge_attr[:, 0]
    labels = 121 if task == "multi_label" else 1
    hidden = _layer(joined.x, joined.edge_index, weights, 16, generator).relu()
    values = _layer(hidden, joined.edge_index, weights, labels, generator)
    if task == "multi_label":
        shares = 0.1 + 0.4 * torch.rand(labels, generator=generator)
        data.y = (values.argsort(0).argsort(0) >= (1 - shares) * len(values)).float()
    else:
        noise = torch.randn(values.shape, generator=generator)
        data.y = 100 + 10 * (values + 0.1 * values.std() * noise)
    data.train_mask = graph < size.num_graphs - 4
    data.val_mask = (graph >= size.num_graphs - 4) & (graph < size.num_graphs - 2)
    data.test_mask = graph >= size.num_graphs - 2
    return data


def _layer(
    x: Tensor, edge_index: Tensor, weights: Tensor, width: int, generator: torch.Generator
) -> Tensor:
    """A random projection of the features of a node and the weighted mean of its in-neighbours."""
    src, dst = edge_index
    mean = scatter(weights[:, None] * x[src], dst, dim_size=len(x), reduce="mean")
    both = torch.cat([x, math.sqrt(8) * mean], dim=1)
    return both @ torch.randn(both.size(1), width, generator=generator) / math.sqrt(both.size(1))


def score_of_gatsparse(task: Any, kind: Any, data: Data, seed: int, epochs: int) -> float:
    """Trains by :func:`gatsparse.train.fit`; returns the test score of the best epoch."""
    torch.set_num_threads(1)
    model = ModelConfig(
        kind, architecture="deep", num_layers=3, hidden_channels=16, heads=4, dropout=0.1
    )
    optim = OptimConfig(0.005, 0.0)
    config = TrainConfig("sbm", task=task, model=model, optim=optim, epochs=epochs, patience=epochs)
    seed_everything(seed)
    return fit(build_model(model, data, task), data, config).test_score


def score_of_pyg(task: str, data: Any, seed: int, epochs: int) -> float:
    """Trains the same model of PyG in a loop of its own; returns as :func:`score_of_gatsparse`."""
    torch.set_num_threads(1)
    seed_everything(seed)
    edge_dim = None if data.edge_attr is None else 2
    model = GAT(
        50, 64, 3, data.y.size(1), 0.1, act="gelu", norm="layer", norm_kwargs={"mode": "node"},
        heads=4, residual=True, edge_dim=edge_dim,
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    y, train = data.y, data.train_mask
    mean, std = y[train].mean(0), y[train].std(0, correction=0)
    best = best_test = -math.inf
    for _ in range(epochs):
        model.train()
        optimizer.zero_grad()
        out = model(data.x, data.edge_index, edge_attr=data.edge_attr)[train]
        if task == "multi_label":
            loss = F.binary_cross_entropy_with_logits(out, y[train])
        else:
            loss = F.mse_loss(out, (y[train] - mean) / std)
        loss.backward()
        optimizer.step()
        model.eval()
        with torch.no_grad():
            out = model(data.x, data.edge_index, edge_attr=data.edge_attr)
        score = _micro_f1 if task == "multi_label" else _r2
        predicted = out if task == "multi_label" else out * std + mean
        val, test = (score(predicted[m], y[m]) for m in (data.val_mask, data.test_mask))
        if val > best:
            best, best_test = val, test
    return best_test


def _micro_f1(logits: Tensor, y: Tensor) -> float:
    predicted = (logits > 0).float()
    hits = (predicted * y).sum()
    return float(2 * hits / (predicted.sum() + y.sum()))


def _r2(predicted: Tensor, y: Tensor) -> float:
    return 1 - float(((predicted - y) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def compare(task: str, seeds: int, size: Size, processes: int) -> list[str]:
    """Returns a row of a table for every contender: its score, and its difference from the loop.

    Args:
        task (str): One of :data:`TASKS`.
        seeds (int): Number of seeds.
        size (Size): Size of the data and of the trainings.
        processes (int): Number of trainings at a time.
    """
    data = inductive_data(task, size)
    contenders = ("loop in PyG", *KINDS)
    trainings = list(product(contenders, range(seeds)))
    scores: Any = Parallel(processes)(
        delayed(score_of_pyg)(task, data, seed, size.epochs)
        if name == contenders[0]
        else delayed(score_of_gatsparse)(task, name, data, seed, size.epochs)
        for name, seed in trainings
    )
    found = dict(zip(trainings, scores, strict=True))
    rows = []
    for name in contenders:
        own = estimate([100 * found[name, seed] for seed in range(seeds)])
        row = f"| {task} | {name} | {own.mean:.2f} +- {own.std:.2f} |"
        if name == contenders[0]:
            rows.append(f"{row} |")
            continue
        pairs = [100 * (found[name, seed] - found[contenders[0], seed]) for seed in range(seeds)]
        differences = estimate(pairs)
        rows.append(
            f"{row} {differences.mean:.2f} ({differences.low:.2f} to {differences.high:.2f}) |"
        )
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Prints the table of both tasks.

    Args:
        arguments (list of str, optional): Arguments of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments.tasks")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=Size.epochs)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    print("| task | contender | test micro F1 or R2, % | difference, 95 % interval |")
    print("| --- | --- | --- | --- |")
    for task in TASKS:
        size = Size(epochs=options.epochs)
        print("\n".join(compare(task, options.seeds, size, options.processes)), flush=True)


if __name__ == "__main__":
    main()
