"""Typed configurations; unknown keys and values out of range are errors."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from jsonargparse import ArgumentParser

from gatsparse.data import NAMES, OGB_NAMES
from gatsparse.inference import parse_bytes
from gatsparse.nn.paper_gat import Kind
from gatsparse.train.stopping import StoppingRule


class ConfigError(ValueError):
    """A configuration that cannot be run."""


def _require(condition: bool, key: str, expected: str, value: object) -> None:
    if not condition:
        raise ConfigError(f"{key}: expected {expected}, got {value!r}")


@dataclass(frozen=True)
class ModelConfig:
    """The GAT of the paper, or a deeper one.

    Args:
        kind: Layers of gatsparse, of its scatter backend, of PyG, or dense ones.
        hidden_channels: Size of each head of the first layer.
        heads: Heads of the first layer, concatenated.
        out_heads: Heads of the second layer, averaged.
        dropout: On the inputs of both layers and on their attention.
        negative_slope: Of the LeakyReLU of the scores.
        paper_exact: Every detail as the authors' code has it, see gatsparse.nn.PaperExactGAT.
        num_layers: Number of layers; those but the last are as the first.
        architecture: That of the paper, or deep: with residual connections, LayerNorm and GELU,
            all layers of the same number of heads, see gatsparse.nn.build_deep_gat.
    """

    kind: Kind = "gatsparse"
    hidden_channels: int = 8
    heads: int = 8
    out_heads: int = 1
    dropout: float = 0.6
    negative_slope: float = 0.2
    paper_exact: bool = False
    num_layers: int = 2
    architecture: Literal["paper", "deep"] = "paper"

    def __post_init__(self) -> None:
        _require(self.kind in get_args(Kind), "model.kind", f"one of {get_args(Kind)}", self.kind)
        for key in ("hidden_channels", "heads", "out_heads", "num_layers"):
            _require(getattr(self, key) >= 1, f"model.{key}", ">= 1", getattr(self, key))
        _require(0 <= self.dropout < 1, "model.dropout", "0 <= dropout < 1", self.dropout)
        _require(self.negative_slope >= 0, "model.negative_slope", ">= 0", self.negative_slope)
        _require(
            not self.paper_exact or self.kind == "gatsparse",
            "model.paper_exact",
            f"false with model.kind: {self.kind}, as only gatsparse has that model",
            self.paper_exact,
        )
        deep = self.architecture == "deep"
        _require(
            deep or self.architecture == "paper",
            "model.architecture",
            "paper or deep",
            self.architecture,
        )
        if deep:
            layers = self.kind != "dense" and not self.paper_exact
            _require(layers, "model.architecture", "paper of dense and of exact layers", "deep")
            _require(self.out_heads == 1, "model.out_heads", "1 of deep models", self.out_heads)
        two = self.paper_exact or self.kind == "dense"
        _require(
            not two or self.num_layers == 2,
            "model.num_layers",
            "2 of dense and of exact layers",
            self.num_layers,
        )


@dataclass(frozen=True)
class SamplingConfig:
    """Mini-batches of sampled neighbourhoods, and exact inference for validation.

    Args:
        batch_size: Training nodes of a step.
        num_neighbors: In-edges drawn for each node, hop by hop; one number for each layer.
        max_memory: Of exact inference, see gatsparse.infer.
    """

    batch_size: int = 1024
    num_neighbors: list[int] = field(default_factory=lambda: [15, 10])
    max_memory: str = "4GB"

    def __post_init__(self) -> None:
        _require(self.batch_size >= 1, "sampling.batch_size", ">= 1", self.batch_size)
        _require(
            all(count >= 1 or count == -1 for count in self.num_neighbors),
            "sampling.num_neighbors",
            "numbers >= 1, or -1 for all",
            self.num_neighbors,
        )
        try:
            parse_bytes(self.max_memory)
        except ValueError as error:
            raise ConfigError(f"sampling.{error}") from error


@dataclass(frozen=True)
class SyntheticConfig:
    """The data set "sbm", see gatsparse.data.stochastic_block_model.

    Args:
        num_nodes: Number of nodes.
        num_edges: Number of directed edges.
        num_classes: Number of classes.
        num_features: Features of each node.
        homophily: Share of the edges that stay in a class.
        signal: How far the features lift a class out of the noise.
        seed: Of the graph, the features and the split.
    """

    num_nodes: int = 10_000
    num_edges: int = 100_000
    num_classes: int = 10
    num_features: int = 32
    homophily: float = 0.8
    signal: float = 1.0
    seed: int = 0


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
    """A training; the defaults are the recipe of the GAT paper.

    Args:
        dataset: Name of the data set, of OGB's as well, or sbm: one that is made as synthetic says.
        mode: One step an epoch, of the whole graph, or a step for every batch of sampled
            neighbourhoods; then every epoch is validated by exact inference.
        root: Folder in which its files are looked for first.
        split: Which split, of a data set that has several; seed: that of the seed's number; or
            random: one drawn for each seed, see gatsparse.data.random_split.
        undirected: Add the reverse of every edge, and drop duplicate edges.
        largest_component: Keep only the largest connected component of the graph.
        normalize_features: Divide the features of each node by their sum.
        dtype: Of features, parameters and all that is computed.
        model: What is trained.
        optim: How it is optimised.
        sampling: Of mode sampled.
        synthetic: Of the data set sbm.
        metric: What val_acc and test_acc are: the accuracy, or of two classes the area under the
            receiver operating characteristic.
        epochs: The most epochs.
        patience: Epochs without improvement after which training stops.
        stopping: Rule of early stopping, see gatsparse.train.EarlyStopping, or a list of
            rules: each judges the same training, the model of the first is saved.
        seeds: One training for each; a number n stands for 0 .. n - 1.
        threads: Of one training; seeds side by side use the cores better than threads.
        processes: Seeds that are trained side by side.
            (default: as many as there are physical cores for their threads)
        checkpoint_seconds: Time between checkpoints of a training; one that was interrupted goes
            on from the last.
        max_memory: What a training may take; one that needs more is refused.
            (default: the memory that is available)
        run_dir: Folder in which the folder of this run is made.
        resume: Continue the newest unfinished run of this configuration.
        progress: Show a progress bar, on a terminal.
    """

    dataset: str
    mode: Literal["full", "sampled"] = "full"
    root: Path | None = None
    split: int | Literal["random", "seed"] = 0
    undirected: bool = False
    largest_component: bool = False
    normalize_features: bool = True
    dtype: Literal["float32", "float64"] = "float32"
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    metric: Literal["accuracy", "roc_auc"] = "accuracy"
    epochs: int = 200
    patience: int = 100
    stopping: StoppingRule | list[StoppingRule] = "val_acc"
    seeds: int | list[int] = field(default_factory=lambda: [0])
    threads: int = 1
    processes: int | None = None
    checkpoint_seconds: float = 30.0
    max_memory: str | None = None
    run_dir: Path = Path("runs")
    resume: bool = True
    progress: bool = True

    def __post_init__(self) -> None:
        known_data = (*NAMES, *OGB_NAMES, "sbm")
        _require(
            self.dataset in known_data, "dataset", f"one of {', '.join(known_data)}", self.dataset
        )
        _require(self.mode in ("full", "sampled"), "mode", "full or sampled", self.mode)
        split = self.split
        valid = split in ("random", "seed") if isinstance(split, str) else split >= 0
        _require(valid, "split", ">= 0, random or seed", split)
        _require(
            self.metric in ("accuracy", "roc_auc"), "metric", "accuracy or roc_auc", self.metric
        )
        if self.mode == "sampled":
            sampled = self.model.kind == "gatsparse" and not self.model.paper_exact
            _require(sampled, "mode", "full unless model.kind is gatsparse", self.mode)
            _require(
                len(self.sampling.num_neighbors) == self.model.num_layers,
                "sampling.num_neighbors",
                f"{self.model.num_layers} numbers, as model.num_layers",
                self.sampling.num_neighbors,
            )
        if self.max_memory is not None:
            try:
                parse_bytes(self.max_memory)
            except ValueError as error:
                raise ConfigError(str(error)) from error
        _require(
            self.checkpoint_seconds >= 0, "checkpoint_seconds", ">= 0", self.checkpoint_seconds
        )
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
            checkpoint_seconds=0.0,
            max_memory=None,
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
