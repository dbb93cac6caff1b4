"""Finished and missing trainings of the reproduction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from benchmarks.experiments.paper.protocols import SUFFIXES, TIMED, paper_config, short_config
from gatsparse.train import ConfigError, TrainConfig, parse_config, train
from gatsparse.train.model_config import Kind


@dataclass(frozen=True)
class Seed:
    """A finished training.

    Args:
        accuracies (dict): Test accuracy in percent, by rule of early stopping.
        epochs (int): Number of epochs run.
        seconds (float): Wall time of all epochs.
    """

    accuracies: dict[str, float]
    epochs: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """The trainings of one run folder.

    Args:
        folder (Path): The folder.
        code (str): Digest of the code that trained.
        seeds (dict): Finished trainings by seed.
    """

    folder: Path
    code: str
    seeds: dict[int, Seed]

    def accuracies(self, rule: str) -> list[float]:
        """Test accuracies of all seeds, in percent."""
        return [seed.accuracies[rule] for seed in self.seeds.values()]

    def first(self, count: int | None) -> Run:
        """Returns the run with the seeds below :obj:`count` only."""
        if count is None:
            return self
        return replace(self, seeds={key: seed for key, seed in self.seeds.items() if key < count})


@dataclass(frozen=True)
class PaperRuns:
    """Folder of the runs, and overrides of their configurations.

    Args:
        out (Path): Folder of all run folders.
        overrides (tuple): ``"--key", "value"`` pairs that override the configurations.
    """

    out: Path
    overrides: tuple[str, ...] = ()

    def protocol(self, dataset: str, suffix: str) -> TrainConfig:
        """Returns the configuration of a protocol."""
        return self._config(paper_config(dataset, suffix), f"{dataset}{suffix}")

    def protocol_by_pyg(self, dataset: str, suffix: str) -> TrainConfig:
        """Returns the configuration of a protocol with PyG's layers, without ``paper_exact``."""
        config = self.protocol(dataset, suffix)
        return replace(config, model=replace(config.model, kind="pyg", paper_exact=False))

    def short(self, dataset: str, kind: Kind) -> TrainConfig:
        """Returns the configuration with 200 epochs, with layers of a kind."""
        config = self._config(short_config(dataset), f"{dataset}-short")
        return replace(config, model=replace(config.model, kind=kind))

    def _config(self, path: Path, name: str) -> TrainConfig:
        return replace(_config(path, self.overrides), run_dir=self.out / name)


@cache
def _config(path: Path, overrides: tuple[str, ...]) -> TrainConfig:
    return parse_config(path, overrides)


def of_tables(paper_runs: PaperRuns, datasets: Sequence[str]) -> Iterator[TrainConfig]:
    """Yields the trainings for the accuracies of all protocols."""
    for dataset in datasets:
        for suffix in SUFFIXES:
            yield paper_runs.protocol(dataset, suffix)


def of_times(paper_runs: PaperRuns, datasets: Sequence[str]) -> Iterator[TrainConfig]:
    """Yields the trainings with PyG's layers that are timed."""
    for dataset in datasets:
        for suffix in TIMED:
            yield paper_runs.protocol_by_pyg(dataset, suffix)


def of_comparison(paper_runs: PaperRuns, datasets: Sequence[str]) -> Iterator[TrainConfig]:
    """Yields the same trainings with our layers and with PyG's."""
    kinds: tuple[Kind, ...] = ("gatsparse", "pyg")
    for dataset in datasets:
        for kind in kinds:
            yield paper_runs.short(dataset, kind)


def complete(config: TrainConfig) -> None:
    """Trains the seeds of a configuration, unless a run has them all.

    An unfinished run is continued. A finished run is accepted, whatever code made it.

    Raises:
        ValueError: If a run folder is damaged.
        RuntimeError: If seeds are missing after the training.
    """
    if _missing(config):
        train(config)
        missing = _missing(config)
        if missing:
            raise RuntimeError(f"seeds: expected all in {config.run_dir}, missing {missing}")


def _missing(config: TrainConfig) -> list[int]:
    """Returns the seeds of a configuration that its run lacks."""
    run = find(config)
    return sorted(set(config.all_seeds) - set(run.seeds if run is not None else ()))


def find(config: TrainConfig) -> Run | None:
    """Returns the run of a configuration with the most seeds, the newest of several.

    Raises:
        ValueError: If a run folder is damaged.
    """
    paths = config.run_dir.glob(f"{config.dataset_name}-{config.model.kind}-*/summary.json")
    newest = sorted(paths, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    found = [_read(path) for path in newest if _is_of(path.with_name("config.yaml"), config)]
    return max(found, key=lambda run: len(run.seeds), default=None)


def _is_of(path: Path, config: TrainConfig) -> bool:
    try:
        return _essence(parse_config(path)) == _essence(config)
    except ConfigError:  # of another version
        return False


def _essence(config: TrainConfig) -> TrainConfig:
    """Returns the configuration without options that do not affect the accuracy of a seed."""
    return replace(config.essence(), root=None, seeds=[0], threads=1)


def _read(path: Path) -> Run:
    try:
        return _parsed(path)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path.parent}: expected a run folder with summary.json and environment.json, got "
            f"{type(error).__name__}: {error}; move the folder away and train again"
        ) from error


def _parsed(path: Path) -> Run:
    summary = json.loads(path.read_text())
    environment = json.loads(path.with_name("environment.json").read_text())
    rules = {name: rule["test_score"] for name, rule in summary["rules"].items()}
    rows = zip(summary["seeds"], summary["epochs"], summary["seconds"], strict=True)
    seeds = {
        seed: Seed({name: 100 * accuracies[k] for name, accuracies in rules.items()}, *row)
        for k, (seed, *row) in enumerate(rows)
    }
    return Run(path.parent, environment["code"][:12], seeds)
