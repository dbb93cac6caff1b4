"""Typed configurations; values of another type or out of range are errors."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gatsparse.config_types import MOST, ConfigError, require, require_sizes, require_types
from gatsparse.data import NAMES, OGB_NAMES, GraphFiles
from gatsparse.data.graph_files.origin import unchanged_files
from gatsparse.data.import_path import is_import_path
from gatsparse.data.labels import Task
from gatsparse.data.places import expand
from gatsparse.inference import parse_bytes
from gatsparse.train.class_weights import ClassWeights
from gatsparse.train.device import is_device_name
from gatsparse.train.graph_config import GraphConfig
from gatsparse.train.link_criterion import LINK_METRICS
from gatsparse.train.logs import LogFormat
from gatsparse.train.metrics import Metric
from gatsparse.train.model_config import ModelConfig
from gatsparse.train.objectives.build import NODE_TASKS
from gatsparse.train.stopping import StoppingRule
from gatsparse.train.synthetic_config import SyntheticConfig

if TYPE_CHECKING:
    from torch_geometric.data import Data

_DATASETS = (*NAMES, *OGB_NAMES, "sbm")


def _require_bytes(key: str, value: str) -> None:
    try:
        parse_bytes(value)
    except (ValueError, OverflowError):
        require(False, key, "bytes > 0, such as 4GB or 512MiB", value)


@dataclass(frozen=True)
class SamplingConfig:
    """Mini-batches of sampled neighbourhoods, and exact inference for validation.

    Args:
        batch_size: Training nodes per step.
        num_neighbors: Sampled in-edges per node, one number for each layer; -1 for all in-edges.
        max_memory: Memory limit of exact inference, see gatsparse.infer.

    Example:
        >>> from gatsparse.train import SamplingConfig, TrainConfig
        >>> sampling = SamplingConfig(batch_size=512, num_neighbors=[10, 5])
        >>> TrainConfig("digits", mode="sampled", sampling=sampling).sampling.max_memory
        '4GB'
    """

    batch_size: int = 1024
    num_neighbors: list[int] = field(default_factory=lambda: [15, 10])
    max_memory: str = "4GB"

    def __post_init__(self) -> None:
        require_types(self, "sampling.")
        require_sizes(self, "sampling.", ("batch_size",))
        require(
            all(1 <= count <= MOST or count == -1 for count in self.num_neighbors),
            "sampling.num_neighbors",
            "numbers >= 1, or -1 for all",
            self.num_neighbors,
        )
        _require_bytes("sampling.max_memory", self.max_memory)


@dataclass(frozen=True)
class LinkConfig:
    """Options of task link_prediction.

    Args:
        channels: Size of the embedding of each node; the inner product of two is a logit.
        val_share: Share of the links for validation.
        test_share: Share of the links for test.
        num_negatives: Pairs without a link for each validation and test link.
            (default: 100 with metric mrr, else 1)

    Example:
        >>> from gatsparse.train import LinkConfig, TrainConfig
        >>> link = LinkConfig(channels=32, test_share=0.2)
        >>> TrainConfig("digits", task="link_prediction", link=link).chosen_metric
        'roc_auc'
    """

    channels: int = 64
    val_share: float = 0.05
    test_share: float = 0.1
    num_negatives: int | None = None

    def __post_init__(self) -> None:
        require_types(self, "link.")
        require_sizes(self, "link.", ("channels", "num_negatives"))
        for key in ("val_share", "test_share"):
            share = getattr(self, key)
            require(0 < share < 1, f"link.{key}", "0 < share < 1", share)
        total = self.val_share + self.test_share
        require(total < 1, "link.val_share", "val_share + test_share < 1", total)


@dataclass(frozen=True)
class OptimConfig:
    """Settings of the Adam optimiser.

    Args:
        lr: Learning rate.
        weight_decay: L2 penalty on all parameters.

    Example:
        >>> from gatsparse.train import OptimConfig
        >>> OptimConfig(lr=0.01)
        OptimConfig(lr=0.01, weight_decay=0.0005)
    """

    lr: float = 0.005
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        require_types(self, "optim.")
        require(0 < self.lr < math.inf, "optim.lr", "> 0", self.lr)
        decay = self.weight_decay
        require(0 <= decay < math.inf, "optim.weight_decay", ">= 0", decay)


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of a training; the defaults are the recipe of the GAT paper.

    Args:
        dataset: Name of a data set, also of OGB, or sbm for a synthetic one; a folder of files, or
            the keys of gatsparse.data.GraphFiles; or module:function for a graph of your own, with
            graph_classification for a data set or list of graphs.
            (default: the data that are passed to gatsparse.train.train)
        mode: One step per epoch on the whole graph, or one step per batch of sampled
            neighbourhoods with exact inference for validation. With graph_classification, one step
            on all training graphs, or one per batch of them.
        root: Folder that is searched first for the files of the data set.
        split: Number of the split of a data set that has several; seed: the split with the number
            of the seed; random: a random split for each seed, see gatsparse.data.random_split. With
            link_prediction, the seed of the split, see gatsparse.train.split_links; seed or
            random: the seed of the training. With graph_classification, the same if no split is
            given, see gatsparse.train.split_graphs; random draws a split in any case.
        undirected: Add the reverse of every edge, and drop duplicate edges.
        largest_component: Keep only the largest connected component of the graph.
        normalize_features: Divide the features of each node by their sum, after subtracting the
            least feature of the graph from all. Predictions subtract that of the training.
            (default: only for data sets by name)
        dtype: Dtype of features, parameters and computations.
        model: The model.
        optim: The optimiser.
        sampling: Options of mode sampled; with graph_classification, batch_size is the number of
            graphs per step, and the others are not used.
        synthetic: Options of the data set sbm.
        task: One class of each node, several labels of each node (0 or 1), one or several numbers
            of each node, links between nodes, or one class of each graph.
        metric: Metric of val_score and test_score. classification and graph_classification:
            accuracy, balanced_accuracy, macro_f1, micro_f1, and roc_auc of two classes.
            multi_label: micro_f1, macro_f1, roc_auc and average_precision, the last three averaged
            over the labels. regression: r2, mae and rmse, averaged over the targets.
            link_prediction: roc_auc,
            average_precision, mrr, and hits@10, hits@50 and hits@100, the shares of links that rank
            among as many negatives. (default: the first of the task)
        class_weights: Weights of the training and validation loss: one for each class, or with
            multi_label one for the nodes that have each label. balanced: inverse frequencies of
            the training nodes, or with multi_label the nodes without a label divided by those
            with it.
        link: Options of task link_prediction.
        graph: Options of task graph_classification.
        epochs: Maximum number of epochs.
        patience: Epochs without improvement after which training stops.
        stopping: Rule of early stopping, see gatsparse.train.EarlyStopping, or a list of rules,
            which are applied to the same training; the model of the first rule is saved.
        seeds: List of seeds, one training for each, or a number n for the seeds 0 .. n - 1.
        device: cpu; cuda or cuda:N for a GPU; or auto for a GPU if there is one. The data of a full
            batch are moved to it once, sampled batches while the one before is computed. Trainings
            have not yet been run on a GPU.
        cuda_graph: On a GPU, repeat the step on a small full batch as a CUDA graph if its operators
            allow, see gatsparse.compile_step.
        threads: Threads of one training; training seeds in parallel uses the cores better.
        processes: Number of seeds that are trained in parallel.
            (default: the number of physical cores divided by threads; 1 on a GPU)
        checkpoint_seconds: Seconds between checkpoints of a training; an interrupted training
            resumes from the last one.
        max_memory: Memory limit of the run, on a GPU of its memory; a run that needs more is
            refused. (default: the available memory)
        run_dir: Folder in which the run folder is created.
        resume: Resume the newest unfinished run of this configuration.
        progress: Show progress bars on a terminal, elsewhere a line when epochs have ended, at
            most every five seconds. epochs: a line for each epoch.
        log: Formats in which losses and scores of each epoch are logged in the run folder, in
            addition to its JSON lines.

    Example:
        >>> from gatsparse.train import TrainConfig
        >>> config = TrainConfig("digits", epochs=50, seeds=3, stopping=["val_score", "val_loss"])
        >>> config.all_seeds
        [0, 1, 2]
    """

    dataset: str | GraphFiles | None = None
    mode: Literal["full", "sampled"] = "full"
    root: Path | None = None
    split: int | Literal["random", "seed"] = 0
    undirected: bool = False
    largest_component: bool = False
    normalize_features: bool | None = None
    dtype: Literal["float32", "float64"] = "float32"
    model: ModelConfig = field(default_factory=ModelConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    task: Task = "classification"
    metric: Metric | None = None
    class_weights: ClassWeights = None
    link: LinkConfig = field(default_factory=LinkConfig)
    graph: GraphConfig = field(default_factory=GraphConfig)
    epochs: int = 200
    patience: int = 100
    stopping: StoppingRule | list[StoppingRule] = "val_score"
    seeds: int | list[int] = field(default_factory=lambda: [0])
    device: str = "cpu"
    cuda_graph: bool = True
    threads: int = 1
    processes: int | None = None
    checkpoint_seconds: float = 30.0
    max_memory: str | None = None
    run_dir: Path = Path("runs")
    resume: bool = True
    progress: bool | Literal["epochs"] = True
    log: LogFormat | list[LogFormat] | None = None

    def __post_init__(self) -> None:
        require_types(self)
        object.__setattr__(self, "dataset", _checked_dataset(self.dataset))
        object.__setattr__(self, "run_dir", expand(self.run_dir))
        if self.root is not None:
            object.__setattr__(self, "root", expand(self.root))
        if not isinstance(self.split, str):
            require_sizes(self, "", ("split",), least=0)
        self._check_task()
        if self.mode == "sampled" and self.task != "graph_classification":
            possible = self.model.kind == "gatsparse" and not self.model.paper_exact
            require(possible, "mode", "full unless model.kind is gatsparse", self.mode)
            require(
                len(self.sampling.num_neighbors) == self.model.num_layers,
                "sampling.num_neighbors",
                f"{self.model.num_layers} numbers to match model.num_layers",
                self.sampling.num_neighbors,
            )
            possible = self.model.jk in (None, "last")
            require(possible, "model.jk", "null or last with mode sampled", self.model.jk)
        if self.max_memory is not None:
            _require_bytes("max_memory", self.max_memory)
        require(is_device_name(self.device), "device", "cpu, cuda, cuda:N or auto", self.device)
        seconds = self.checkpoint_seconds
        require(seconds >= 0, "checkpoint_seconds", ">= 0", seconds)
        require_sizes(self, "", ("epochs", "patience", "threads", "processes"))
        require(self.threads <= 1024, "threads", "<= 1024", self.threads)
        require(
            len(self.rules) == len(set(self.rules)) > 0,
            "stopping",
            "a rule, or a list of different rules",
            self.stopping,
        )
        require(len(self.logs) == len(set(self.logs)), "log", "different formats", self.log)
        require(
            not isinstance(self.seeds, int) or 1 <= self.seeds <= 100_000,
            "seeds",
            "a number in 1 .. 100000, or a list of seeds",
            self.seeds,
        )
        require(
            len(self.all_seeds) == len(set(self.all_seeds)) > 0
            and all(0 <= seed < 2**32 for seed in self.all_seeds),
            "seeds",
            "a number >= 1, or a list of different numbers in 0 .. 2**32 - 1",
            self.seeds,
        )

    def _check_task(self) -> None:
        metrics = self._metrics
        allowed = f"one of {', '.join(metrics)} with task {self.task}"
        require(self.metric in (None, *metrics), "metric", allowed, self.metric)
        of_graphs = self.task == "graph_classification"
        possible = not of_graphs or self.model.kind != "dense"
        require(possible, "model.kind", f"not dense with task {self.task}", self.model.kind)
        possible = not of_graphs or not self.largest_component
        require(possible, "largest_component", f"false with task {self.task}", True)
        random = ("classification", "link_prediction", "graph_classification")
        possible = self.split != "random" or self.task in random
        require(possible, "split", f"a number or seed with task {self.task}", self.split)
        weights = self.class_weights
        possible = weights is None or self.task not in ("regression", "link_prediction")
        require(possible, "class_weights", f"null with task {self.task}", weights)
        positive = not isinstance(weights, list) or all(0 < weight < math.inf for weight in weights)
        require(positive, "class_weights", "numbers > 0", weights)

    @property
    def _metrics(self) -> tuple[str, ...]:
        link = self.task == "link_prediction"
        return LINK_METRICS if link else NODE_TASKS[self.task].metrics

    @property
    def chosen_metric(self) -> str:
        """The metric, or the default metric of the task."""
        return self.metric or self._metrics[0]

    @property
    def rules(self) -> list[StoppingRule]:
        """The rules of early stopping, as a list."""
        return [self.stopping] if isinstance(self.stopping, str) else self.stopping

    @property
    def logs(self) -> list[LogFormat]:
        """The formats of logs, as a list."""
        return [self.log] if isinstance(self.log, str) else self.log or []

    @property
    def all_seeds(self) -> list[int]:
        """The seeds, one by one."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def dataset_name(self) -> str:
        """Short name of the data set, for messages and for the run folder."""
        if isinstance(self.dataset, GraphFiles):
            name = self.dataset.path.absolute().name
        else:
            name = "data" if self.dataset is None else self.dataset.rpartition(":")[2]
        return re.sub(r"[^\w.-]+", "_", name) or "graph"

    @property
    def normalizes_features(self) -> bool:
        """Whether features are normalised; by default those of data sets by name."""
        if self.normalize_features is not None:
            return self.normalize_features
        return isinstance(self.dataset, str) and not is_import_path(self.dataset)

    def for_given_data(self, data: Data) -> TrainConfig:
        """The configuration for data that are used instead of the data set; if they are as
        :func:`gatsparse.data.load_files` has read them for the task, with their files.
        """
        dataset = unchanged_files(data, self.task) or self.dataset
        normalize = bool(self.normalize_features)
        return replace(self, dataset=dataset, normalize_features=normalize)

    def with_absolute_paths(self) -> TrainConfig:
        """The configuration, which then has the same meaning in any current folder."""
        root = None if self.root is None else self.root.absolute()
        if not isinstance(self.dataset, GraphFiles):
            return replace(self, root=root)
        files = replace(self.dataset, path=self.dataset.path.absolute())
        return replace(self, dataset=files, root=root)

    def essence(self) -> TrainConfig:
        """The configuration without the keys that do not affect the results."""
        return replace(
            self.with_absolute_paths(),
            metric=self.chosen_metric,
            stopping=self.rules,
            seeds=self.all_seeds,
            processes=None,
            checkpoint_seconds=0.0,
            max_memory=None,
            run_dir=Path(),
            resume=True,
            progress=True,
            log=None,
        )


def _checked_dataset(dataset: str | GraphFiles | None) -> str | GraphFiles | None:
    if not isinstance(dataset, str) or is_import_path(dataset):
        return dataset
    names = {known.lower(): known for known in _DATASETS}
    if dataset.lower() in names:
        return names[dataset.lower()]
    if dataset and expand(dataset).is_dir():
        return GraphFiles(Path(dataset))
    close = get_close_matches(dataset.lower(), names, n=1)
    hint = f" (did you mean {names[close[0]]}?)" if close else ""
    if dataset and expand(dataset).is_file():
        hint = ", a file: pass its folder, whose files the keys of dataset name"
    raise ConfigError(
        f"dataset: expected one of {', '.join(_DATASETS)}, a folder of files, or module:function, "
        f"got {dataset!r}{hint}"
    )
