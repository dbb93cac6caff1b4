"""Made-up graphs and findings."""

import dataclasses

import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from benchmarks.experiments.claims.asymmetry import (
    WEIGHTS,
    Asymmetry,
)
from benchmarks.experiments.claims.findings import Findings
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.training import Row, Share


def random_data(num_nodes=30, num_edges=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
    edge_index = to_undirected(edge_index[:, edge_index[0] != edge_index[1]], num_nodes=num_nodes)
    x = torch.randn(num_nodes, 7, generator=generator)
    return Data(x=x, edge_index=edge_index, y=torch.arange(num_nodes) % 3)


ACCURACIES = dict.fromkeys(MODELS, (0.8, 0.6))


def made_up(accuracies, shares=(0.4, 0.5), score=0.01, seeds=3):
    """Returns findings with these accuracies, without and with noise, by model."""
    findings = Findings(["digits"], [0, 100], range(seeds), 1, {})
    for task in findings.tasks():
        accuracy = accuracies[task.model][task.noise > 0] + 0.001 * task.seed
        row = Row(task, accuracy, accuracy, 1, 0.1)
        if task.model in ATTENTIVE:
            weights = {name: Asymmetry(0.2, 0.1, 0.5) for name in WEIGHTS}
            weights["score"] = Asymmetry(score, score, 0.0)
            extra = {"shares": [Share(*shares)] * 2} if task.noise else {"asymmetries": [weights]}
            row = dataclasses.replace(row, **extra)
        findings.rows[task] = row
    return findings
