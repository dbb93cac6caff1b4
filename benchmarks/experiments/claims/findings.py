"""Statistics of all trainings."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.experiments.claims.asymmetry import Asymmetry
from benchmarks.experiments.claims.estimate import Estimate, estimate
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.training import Row, Share, Task
from benchmarks.samples import PERCENT


@dataclass(frozen=True)
class Findings:
    """Rows by data set, model, amount of noise and seed.

    Args:
        datasets (list of str): Names of the data sets.
        noise (list of int): Amounts in %, ascending from 0.
        seeds (list of int): The seeds.
        epochs (int): Number of epochs of each training.
        rows (dict): Rows by task.
    """

    datasets: Sequence[str]
    noise: Sequence[int]
    seeds: Sequence[int]
    epochs: int
    rows: dict[Task, Row]

    @property
    def most(self) -> int:
        """The largest amount of noise."""
        return self.noise[-1]

    @property
    def layers(self) -> range:
        """Indices of the layers with attention."""
        some = self.of(self.datasets[0], ATTENTIVE[0], 0)[0]
        return range(len(some.asymmetries))

    def tasks(self) -> list[Task]:
        """Returns all trainings, ordered by seed."""
        return [
            Task(dataset, model, noise, seed, self.epochs)
            for seed in self.seeds
            for dataset in self.datasets
            for noise in self.noise
            for model in MODELS
        ]

    def complete(self) -> Findings:
        """Returns the findings on data sets with at least two complete seeds.

        Raises:
            ValueError: If no data set has two complete seeds.
        """
        datasets = [name for name in self.datasets if len(self.complete_seeds(name)) > 1]
        if not datasets:
            raise ValueError(
                "datasets: expected at least two seeds for which all trainings succeeded, got "
                "fewer; the rows are kept, and the same command runs the missing trainings"
            )
        return replace(self, datasets=datasets)

    def complete_seeds(self, dataset: str) -> list[int]:
        """Returns the seeds for which every training on a data set succeeded."""
        failed = {
            task.seed for task in self.tasks() if task.dataset == dataset and task not in self.rows
        }
        return [seed for seed in self.seeds if seed not in failed]

    def of(self, dataset: str, model: str, noise: int) -> list[Row]:
        """Returns the rows of all complete seeds."""
        seeds = self.complete_seeds(dataset)
        return [self.rows[Task(dataset, model, noise, seed, self.epochs)] for seed in seeds]

    def accuracy(self, dataset: str, model: str, noise: int) -> Estimate:
        """Returns the test accuracy in %."""
        return estimate(self._accuracies(dataset, model, noise), PERCENT)

    def loss(self, dataset: str, model: str) -> Estimate:
        """Returns the accuracy lost to the most noise, in points, paired by seed."""
        return estimate(self._losses(dataset, model))

    def advantage(self, dataset: str, model: str, other: str) -> Estimate:
        """Returns how many points less a model loses to the most noise than another one.

        The losses are paired by seed: both models see the same noise edges.
        """
        losses = self._losses(dataset, other), self._losses(dataset, model)
        return estimate(_differences(*losses))

    def lead(self, dataset: str, model: str, other: str) -> Estimate:
        """Returns the lead of a model over another one with the most noise, paired by seed."""
        accuracies = (self._accuracies(dataset, name, self.most) for name in (model, other))
        return estimate(_differences(*accuracies))

    def share(
        self, dataset: str, model: str, noise: int, layer: int, of: Callable[[Share], float]
    ) -> Estimate:
        """Returns a function of the :class:`Share` of a layer, in %."""
        rows = self.of(dataset, model, noise)
        return estimate([100 * of(row.shares[layer]) for row in rows])

    def asymmetry(
        self, dataset: str, model: str, layer: int, weight: str, of: Callable[[Asymmetry], float]
    ) -> Estimate:
        """Returns a function of the :class:`Asymmetry` of weights in a layer, without noise."""
        rows = self.of(dataset, model, 0)
        return estimate([of(row.asymmetries[layer][weight]) for row in rows])

    def write_csv(self, path: Path) -> None:
        """Writes a line for every training that succeeded."""
        lines = [_flat(self.rows[task]) for task in self.tasks() if task in self.rows]
        names = list(dict.fromkeys(name for line in lines for name in line))
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(lines)

    def _accuracies(self, dataset: str, model: str, noise: int) -> list[float]:
        return [100 * row.test_score for row in self.of(dataset, model, noise)]

    def _losses(self, dataset: str, model: str) -> list[float]:
        return _differences(
            self._accuracies(dataset, model, 0), self._accuracies(dataset, model, self.most)
        )


def _differences(values: Iterable[float], others: Iterable[float]) -> list[float]:
    return [a - b for a, b in zip(values, others, strict=True)]


def _flat(row: Row) -> dict[str, object]:
    line: dict[str, object] = {
        **row.task._asdict(),
        "val_score": row.val_score,
        "test_score": row.test_score,
        "best_epoch": row.best_epoch,
        "seconds": row.seconds,
    }
    for k, share in enumerate(row.shares, start=1):
        line |= {f"layer{k}_noise_share_{n}": v for n, v in share._asdict().items()}
    for k, layer in enumerate(row.asymmetries, start=1):
        for weight, values in layer.items():
            line |= {f"layer{k}_{weight}_{n}": v for n, v in values._asdict().items()}
    return line
