"""Trainings and their rows."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch_geometric import seed_everything
from torch_geometric.data import Data

from benchmarks.experiments.claims.asymmetry import Asymmetry, asymmetries, attention_and_scores
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.noise import equal_weights, noise_edges, weight_share
from benchmarks.rows import parsed
from gatsparse.train import ModelConfig, TrainConfig, fit, load_task


class Task(NamedTuple):
    """A training to run.

    Args:
        dataset (str): Name of the data set.
        model (str): Name in :data:`benchmarks.experiments.claims.models.MODELS`.
        noise (int): Number of noise edges, in % of the edges.
        seed (int): Seed of weights, dropout and noise.
        epochs (int): Number of epochs; the model of the best validation accuracy is kept.
    """

    dataset: str
    model: str
    noise: int
    seed: int
    epochs: int


class Share(NamedTuple):
    """Share of noise edges in the weights of their destinations' in-edges.

    Args:
        attention (float): Share of the attention.
        equal (float): Share of equal weights.
    """

    attention: float
    equal: float


@dataclass(frozen=True)
class Row:
    """A finished training: one line of ``rows.jsonl``.

    Args:
        task (Task): The training.
        val_score, test_score (float): Accuracies of the model that is kept, 0 .. 1.
        best_epoch (int): Epoch of the model that is kept, counted from 1.
        seconds (float): Wall time of the training.
        shares (list): A :class:`Share` for every layer; empty without noise or attention.
        asymmetries (list): An :class:`Asymmetry` for every layer and each of
            :data:`benchmarks.experiments.claims.asymmetry.WEIGHTS`; empty with noise or without
            attention.
    """

    task: Task
    val_score: float
    test_score: float
    best_epoch: int
    seconds: float
    shares: list[Share] = field(default_factory=list)
    asymmetries: list[dict[str, Asymmetry]] = field(default_factory=list)

    def to_json(self) -> str:
        """Returns the row as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Row:
        """Reads a row from a line of JSON."""
        raw = json.loads(line)
        raw["task"] = Task(*raw["task"])
        raw["shares"] = [Share(*share) for share in raw["shares"]]
        raw["asymmetries"] = [
            {name: Asymmetry(*values) for name, values in layer.items()}
            for layer in raw["asymmetries"]
        ]
        return cls(**raw)


class Failure(NamedTuple):
    """A failed training.

    Args:
        task (Task): The training.
        reason (str): Reason of the failure.
    """

    task: Task
    reason: str


def read(path: Path) -> dict[Task, Row]:
    """Reads the rows of a file by task; see :func:`benchmarks.rows.parsed`.

    Raises:
        ValueError: If a line is not a row.
    """
    return {row.task: row for row in parsed(path, Row.from_json)}


def train(task: Task) -> Row:
    """Trains a model on a data set with noise, and measures its attention.

    Raises:
        DatasetNotFoundError, TrainingDivergedError: See :mod:`gatsparse.train`.
        ValueError: If a number of the row is not finite.
    """
    model = MODELS[task.model]
    config = TrainConfig(
        task.dataset,
        model=ModelConfig(kind=model.kind),
        epochs=task.epochs,
        patience=task.epochs,
        stopping="val_score",
    )
    data = _load(config.dataset, config.model).clone()
    assert data.edge_index is not None
    assert data.num_nodes is not None
    num_edges = data.edge_index.size(1)
    noise = noise_edges(data.edge_index, data.num_nodes, task.noise / 100, task.seed)
    data.edge_index = torch.cat([data.edge_index, noise], dim=1)

    seed_everything(task.seed)
    network = model.build(data, config.model)
    result = fit(network, data, config)
    network.load_state_dict(result.state_dict)
    shares, found = [], []
    if task.model in ATTENTIVE:
        for attention, scores in attention_and_scores(network, data):
            dst, is_noise = attention.edge_index[1], attention.edge_id >= num_edges
            if noise.size(1) > 0:
                weights = attention.alpha, equal_weights(dst)
                shares.append(Share(*(weight_share(dst, w, is_noise) for w in weights)))
            else:
                found.append(asymmetries(attention, scores))
    numbers = [number for share in shares for number in share]
    numbers += [number for layer in found for values in layer.values() for number in values]
    if not all(map(math.isfinite, [result.val_score, result.test_score, *numbers])):
        raise ValueError(f"{task}: expected finite accuracies, shares and asymmetries")
    return Row(
        task, result.val_score, result.test_score, result.best_epoch, result.seconds, shares, found
    )


@cache
def _load(dataset: str, model: ModelConfig) -> Data:
    return load_task(TrainConfig(dataset, model=model))
