"""Typed configurations; unknown keys and values out of range are errors."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from jsonargparse import ArgumentParser

from gatsparse.data import NAMES
from gatsparse.nn.paper_gat import Kind
from gatsparse.train.stopping import StoppingRule


class ConfigError(ValueError):
    """A configuration that cannot be run."""


def _require(condition: bool, key: str, expected: str, value: object) -> None:
    if not condition:
        raise ConfigError(f"{key}: expected {expected}, got {value!r}")


@dataclass(frozen=True)
class ModelConfig:
    """The two-layer GAT.

    Args:
        kind: Layers of gatsparse, of its scatter backend, of PyG, or dense ones.
        hidden_channels: Size of each head of the first layer.
        heads: Heads of the first layer, concatenated.
        out_heads: Heads of the second layer, averaged.
        dropout: On the inputs of both layers and on their attention.
        negative_slope: Of the LeakyReLU of the scores.
        paper_exact: Every detail as the authors' code has it, see gatsparse.nn.PaperExactGAT.
    """

    kind: Kind = "gatsparse"
    hidden_channels: int = 8
    heads: int = 8
    out_heads: int = 1
    dropout: float = 0.6
    negative_slope: float = 0.2
    paper_exact: bool = False

    def __post_init__(self) -> None:
        _require(self.kind in get_args(Kind), "model.kind", f"one of {get_args(Kind)}", self.kind)
        for key in ("hidden_channels", "heads", "out_heads"):
            _require(getattr(self, key) >= 1, f"model.{key}", ">= 1", getattr(self, key))
        _require(0 <= self.dropout < 1, "model.dropout", "0 <= dropout < 1", self.dropout)
        _require(self.negative_slope >= 0, "model.negative_slope", ">= 0", self.negative_slope)
        _require(
            not self.paper_exact or self.kind == "gatsparse",
            "model.paper_exact",
            f"false with model.kind: {self.kind}, as only gatsparse has that model",
            self.paper_exact,
        )


@dataclass(frozen=True)
class OptimConfig:
    """Adam.

    Args:
        lr: Learning rate.
        weight_decay: L2 penalty, on all parameters.
    """

    lr: float = 0.005
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        _require(self.lr > 0, "optim.lr", "> 0", self.lr)
        _require(self.weight_decay >= 0, "optim.weight_decay", ">= 0", self.weight_decay)


@dataclass(frozen=True)
class TrainConfig:
    """A full-batch training; the defaults are the recipe of the GAT paper.

    Args:
        dataset: Name of the data set.
        root: Folder in which its files are looked for first.
        split: Which split, of a data set that has several, or random: one for each seed,
            see gatsparse.data.random_split.
        largest_component: Keep only the largest connected component of the graph.
        normalize_features: Divide the features of each node by their sum.
        dtype: Of features, parameters and all that is computed.
        model: What is trained.
        optim: How it is optimised.
        epochs: The most epochs.
        patience: Epochs without improvement after which training stops.
        stopping: Rule of early stopping, see gatsparse.train.EarlyStopping, or a list of
            rules: each judges the same training, the model of the first is saved.
        seeds: One training for each; a number n stands for 0 .. n - 1.
        threads: Of one training; seeds side by side use the cores better than threads.
        processes: Seeds that are trained side by side.
            (default: as many as there are physical cores for their threads)
        run_dir: Folder in which the folder of this run is made.
        resume: Continue the newest unfinished run of this configuration.
        progress: Show a progress bar, on a terminal.
    """

    dataset: str
    root: Path | None = None
    split: int | Literal["random"] = 0
    largest_component: bool = False
    normalize_features: bool = True
    dtype: Literal["float32", "float64"] = "float32"
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    epochs: int = 200
    patience: int = 100
    stopping: StoppingRule | list[StoppingRule] = "val_acc"
    seeds: int | list[int] = field(default_factory=lambda: [0])
    threads: int = 1
    processes: int | None = None
    run_dir: Path = Path("runs")
    resume: bool = True
    progress: bool = True

    def __post_init__(self) -> None:
        _require(self.dataset in NAMES, "dataset", f"one of {', '.join(NAMES)}", self.dataset)
        split = self.split
        valid = split == "random" if isinstance(split, str) else split >= 0
        _require(valid, "split", ">= 0 or random", split)
        _require(self.dtype in ("float32", "float64"), "dtype", "float32 or float64", self.dtype)
        for key in ("epochs", "patience", "threads", "processes"):
            value = getattr(self, key)
            _require(value is None or value >= 1, key, ">= 1", value)
        known = get_args(StoppingRule)
        _require(
            len(self.rules) == len(set(self.rules)) > 0 and set(self.rules) <= set(known),
            "stopping",
            f"one of {known}, or a list of different ones",
            self.stopping,
        )
        _require(
            len(self.all_seeds) == len(set(self.all_seeds)) > 0
            and all(0 <= seed < 2**32 for seed in self.all_seeds),
            "seeds",
            "a number >= 1, or a list of different numbers in 0 .. 2**32 - 1",
            self.seeds,
        )

    @property
    def rules(self) -> list[StoppingRule]:
        """The rules of early stopping, as a list."""
        return [self.stopping] if isinstance(self.stopping, str) else self.stopping

    @property
    def all_seeds(self) -> list[int]:
        """The seeds, one by one."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    def essence(self) -> TrainConfig:
        """The configuration without what leaves the numbers as they are."""
        return replace(
            self,
            stopping=self.rules,
            seeds=self.all_seeds,
            processes=None,
            run_dir=Path(),
            resume=True,
            progress=True,
        )


def parse_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Reads a YAML file, then overrides what it says.

    Args:
        path (str or Path): The file.
        overrides (list of str, optional): Such as ``["--epochs", "5", "--model.kind", "pyg"]``.

    Raises:
        ConfigError: If the file cannot be read, a key is unknown, or a value is of
            another type or out of range.
    """
    parser = _parser()
    try:
        values = parser.parse_args(["--config", str(path), *overrides])
        fields = dict(parser.instantiate(values))
        del fields["config"]
        return TrainConfig(**fields)
    except ConfigError:
        raise
    except (ArgumentError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error


def config_yaml(config: TrainConfig) -> str:
    """The configuration as YAML, which :func:`parse_config` reads back."""
    parser = _parser()
    return parser.dump(parser.parse_object(asdict(config)))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="gatsparse train CONFIG",
        description="Keys of a configuration; given here, they override the file.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="Another file, on top of CONFIG.")
    parser.add_class_arguments(TrainConfig, as_group=True)
    return parser
