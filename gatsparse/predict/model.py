"""The model of a finished run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from gatsparse.checks import check_instance
from gatsparse.config_types import ConfigError
from gatsparse.data import GraphSchema
from gatsparse.data.places import expand
from gatsparse.train import FitResult, ModelSizes, TrainConfig
from gatsparse.train.config_file import read_config
from gatsparse.train.graph_model import model_of_run
from gatsparse.train.metrics import METRICS
from gatsparse.train.objectives.build import trained_objective
from gatsparse.train.objectives.objective import Objective
from gatsparse.train.run_folder import RunFolder


@dataclass(frozen=True)
class FinishedRun:
    """A model of a run, and what is needed to apply it.

    Args:
        path (Path): The run folder.
        config (TrainConfig): Its configuration.
        seed (int): The seed of the model.
        seeds (list of int): The finished seeds.
        result (FitResult): Result of the seed.
        sizes (ModelSizes): Numbers of features and outputs.
        schema (GraphSchema, optional): Columns and classes of a graph in files.
        feature_shift (float, optional): What is subtracted from features before they are
            normalised; None if they are not.
        model (torch.nn.Module): The model in evaluation mode.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_run
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("digits_runs"), progress=False)
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("digits_runs").iterdir()))
        >>> run.seed, run.classes[:3]
        (0, ['0', '1', '2'])
    """

    path: Path
    config: TrainConfig
    seed: int
    seeds: list[int]
    result: FitResult
    sizes: ModelSizes
    schema: GraphSchema | None
    feature_shift: float | None
    model: torch.nn.Module

    @property
    def classes(self) -> list[str]:
        """Names of the classes, labels or targets."""
        if self.schema is not None:
            return self.schema.classes
        return [str(label) for label in range(self.sizes.out_channels)]

    @property
    def objective(self) -> Objective:
        """Predictions and scores of a task of nodes or graphs."""
        return trained_objective(
            self.config.task, self.config.chosen_metric, self.result.target_scale
        )


def load_run(path: str | Path, seed: int | None = None) -> FinishedRun:
    """Loads a model of a run folder.

    Args:
        path (str or Path): A run folder of :func:`gatsparse.train.train`.
        seed (int, optional): The seed of the model.
            (default: the finished seed with the best validation score under the first rule)

    Raises:
        ConfigError: If the folder is not a run folder, or the seed is not finished.
        DamagedFileError: If a file is missing or has changed.
        TypeError: If an argument is of a wrong type.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.predict import load_run
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("own_runs"), progress=False)
        >>> (result,) = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> run = load_run(next(Path("own_runs").iterdir()))
        >>> run.result.val_score == result.val_score
        True
    """
    check_instance("path", path, (str, Path), "a path")
    check_instance("seed", seed, (int, type(None)), "an integer")
    path = expand(path)
    if not (path / "config.yaml").is_file():
        raise ConfigError(f"run: expected a folder of gatsparse train with config.yaml, got {path}")
    config = read_config(path / "config.yaml")
    folder = RunFolder(path)
    seeds = [number for number in config.all_seeds if folder.is_finished(number)]
    if seed is not None and seed not in seeds:
        raise ConfigError(f"seed: expected one of the finished seeds {seeds} of {path}, got {seed}")
    if not seeds:
        raise ConfigError(
            f"run: expected a finished seed in {path}, got none: gatsparse train continues the run"
        )
    results = {number: folder.load_result(number) for number in seeds if seed in (None, number)}
    sign = -1 if METRICS[config.chosen_metric].is_error else 1
    best = max(results, key=lambda number: sign * results[number].val_score)
    sizes = folder.load_sizes(best)
    model = model_of_run(config, sizes, getattr(torch, config.dtype))
    model.load_state_dict(results[best].state_dict)
    return FinishedRun(
        path,
        config,
        best,
        seeds,
        results[best],
        sizes,
        folder.load_schema(),
        folder.load_feature_shift() if config.normalizes_features else None,
        model.eval(),
    )


def require_node_task(run: FinishedRun) -> None:
    """Raises :class:`ConfigError` if the model of a run predicts links."""
    if run.config.task == "link_prediction":
        raise ConfigError(
            f"run: expected a task of nodes, got link_prediction in {run.path}: its outputs are "
            "embeddings; gatsparse predict --pairs and gatsparse.predict.predict_links use them"
        )


def load_model(path: str | Path, seed: int | None = None) -> torch.nn.Module:
    """Loads the model of a run folder, in evaluation mode.

    Args:
        path (str or Path): As in :func:`gatsparse.predict.load_run`.
        seed (int, optional): As in :func:`gatsparse.predict.load_run`.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense; with edge
        features ``forward(x, edge_index, edge_attr=edge_attr)``. With task graph_classification,
        a :class:`gatsparse.train.GraphClassifier`.

    Raises:
        ConfigError, DamagedFileError, TypeError: As in :func:`gatsparse.predict.load_run`.

    Example:
        >>> from pathlib import Path
        >>> import gatsparse
        >>> from gatsparse.train import TrainConfig, train
        >>> config = TrainConfig("digits", epochs=2, run_dir=Path("my_runs"), progress=False)
        >>> _ = train(config)  # doctest: +ELLIPSIS
        memory: ...
        >>> model = gatsparse.load_model(next(Path("my_runs").iterdir()))
        >>> model.training
        False
    """
    return load_run(path, seed).model
