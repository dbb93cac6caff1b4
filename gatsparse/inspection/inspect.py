"""Inspection of a graph before any training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from gatsparse.config_types import ConfigError, require
from gatsparse.data import GraphFiles, GraphStatistics, edge_homophily, graph_statistics
from gatsparse.data.graph_files.files import graphs_file, nodes_file, open_table
from gatsparse.data.graph_files.table import Table
from gatsparse.data.labels import Task, node_labels
from gatsparse.data.undirected import undirected
from gatsparse.inference import check_budget
from gatsparse.inspection.columns import ColumnSummary, summarize_columns
from gatsparse.inspection.cost import Cost, training_cost
from gatsparse.inspection.labels import find_labels
from gatsparse.inspection.roles import choose_roles
from gatsparse.train import (
    ModelConfig,
    OptimConfig,
    SamplingConfig,
    TrainConfig,
    build_model,
    load_task,
    task_of_seed,
)
from gatsparse.train.memory import estimate

if TYPE_CHECKING:
    from torch_geometric.data import Data

_MOST_DOUBLED = 50_000_000  # edges to which the reverse ones are added
_MOST_FULL = 20_000_000  # edges of graphs that are trained as a whole
_FEW_NODES = 10_000  # training nodes up to which a model is trained as in the paper


@dataclass(frozen=True)
class Inspection:
    """Statistics of a graph, and a configuration to train on it.

    Args:
        config (TrainConfig): A configuration that can be run.
        data (torch_geometric.data.Data): The data of this configuration.
        columns (dict of ColumnSummary): Columns of the table of nodes.
        statistics (GraphStatistics): Statistics of the edges in the files; with a configuration
            that is kept, of the edges of the training.
        homophily (float, optional): Share of edges between nodes of the same class.
        cost (Cost): Memory and time of a training.
        reasons (list of str): What was chosen in the configuration, and why.

    Example:
        >>> from gatsparse.inspection import inspect_graph
        >>> inspection = inspect_graph("digits")
        >>> inspection.data.num_edges, inspection.reasons
        (24678, [])
    """

    config: TrainConfig
    data: Data
    columns: dict[str, ColumnSummary]
    statistics: GraphStatistics
    homophily: float | None
    cost: Cost
    reasons: list[str]


def inspect_graph(
    dataset: str | GraphFiles | TrainConfig,
    task: Task | None = None,
    root: str | Path | None = None,
) -> Inspection:
    """Reads a graph, and suggests how to train on it.

    Args:
        dataset (str, GraphFiles or TrainConfig): A folder of files, their configuration, the name
            of a data set, or ``"module:function"``: then what is not set is chosen. Or the
            configuration of a training, which is kept.
        task (str, optional): The task of a data set. (default: the one that the labels in files
            suggest, link_prediction without labels; else classification)
        root (str or Path, optional): Folder that is searched first for the files of a data set.

    Raises:
        ConfigError: If there is no such data set, it has several graphs, or :obj:`task` or
            :obj:`root` is passed in addition to a configuration.
        GraphFileError: If a file is damaged or contradictory.

    Example:
        >>> from gatsparse.inspection import inspect_graph
        >>> inspection = inspect_graph("digits")
        >>> inspection.statistics.num_nodes, round(inspection.homophily, 2)
        (1797, 0.96)
        >>> inspection.config.mode
        'full'
    """
    given = isinstance(dataset, TrainConfig)
    config = dataset if isinstance(dataset, TrainConfig) else TrainConfig(dataset)
    if task is not None:
        require(not given, "task", "None with a configuration, which has one", task)
        config = replace(config, task=task)
    if root is not None:
        require(not given, "root", "None with a configuration, which has one", root)
        config = replace(config, root=root)
    if config.task == "graph_classification":
        raise ConfigError("task: expected a task of one graph to inspect, got graph_classification")
    columns: dict[str, ColumnSummary] = {}
    reasons: list[str] = []
    if isinstance(config.dataset, GraphFiles):
        path = nodes_file(config.dataset)
        table = None if path is None else open_table(path)
        columns = {} if table is None else summarize_columns(table)
        if not given:
            config = _with_roles(config, config.dataset, table, columns, task, reasons)
    data = load_task(config if given else _with_any_edges(config))
    assert data.edge_index is not None
    statistics = graph_statistics(data.edge_index, data["x"].size(0))
    homophily = None
    if config.task == "classification" and statistics.num_edges > 0:
        try:
            homophily = edge_homophily(data.edge_index, node_labels(data))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"dataset: {error}: set task") from error
    if not given:
        config = _suggest(config, data, statistics, reasons)
        if config.undirected:
            data.edge_index, data.edge_attr = undirected(
                data.edge_index, data.edge_attr, statistics.num_nodes
            )
    cost = training_cost(config, task_of_seed(data, config, config.all_seeds[0]))
    return Inspection(config, data, columns, statistics, homophily, cost, reasons)


def _with_roles(
    config: TrainConfig,
    files: GraphFiles,
    table: Table | None,
    columns: dict[str, ColumnSummary],
    task: Task | None,
    reasons: list[str],
) -> TrainConfig:
    """Chooses the task and the roles of the columns."""
    labels = find_labels(files, table, columns)
    if task is None and labels.empty and (path := graphs_file(files)) is not None:
        raise ConfigError(
            f"dataset: expected one graph to inspect, got the table of graphs {path}: train with "
            "task: graph_classification in a configuration"
        )
    roles = choose_roles(files, columns, labels, task)
    reasons += roles.reasons
    return replace(
        config,
        dataset=roles.files,
        task=roles.task,
        normalize_features=roles.normalize_features,
    )


def _with_any_edges(config: TrainConfig) -> TrainConfig:
    """The configuration with which edges of unknown nodes are counted instead of raised."""
    if not isinstance(config.dataset, GraphFiles):
        return config
    return replace(config, dataset=replace(config.dataset, unknown_nodes="drop"))


def _suggest(
    config: TrainConfig, data: Data, statistics: GraphStatistics, reasons: list[str]
) -> TrainConfig:
    """Chooses the mode, the model and the direction of the edges."""
    if isinstance(config.dataset, GraphFiles) and (count := data.dropped["unknown_nodes"]) > 0:
        reasons.append(
            f"{count:,} edges of nodes that are not in the table are dropped: unknown_nodes: error "
            "names the first"
        )
        config = _with_any_edges(config)
    if statistics.reciprocity < 0.99 and not statistics.is_undirected:
        few = statistics.num_edges <= _MOST_DOUBLED
        reasons.append(
            f"{statistics.reciprocity:.0%} of the edges have their reverse: undirected: true "
            "adds the others, so that nodes attend to both ends of their links"
            + ("" if few else "; it is left out here, as it needs twice the memory")
        )
        config = replace(config, undirected=few)
    config = _with_recipe(config, data, reasons)
    needed = estimate(config, data) * (2 if config.undirected else 1)
    if statistics.num_edges > _MOST_FULL or needed > psutil.virtual_memory().available / 2:
        reasons.append("the graph is large: mode sampled takes many steps per epoch in less memory")
        sampling = SamplingConfig(
            num_neighbors=[15] * config.model.num_layers, max_memory=_inference_memory(config, data)
        )
        config = replace(config, mode="sampled", sampling=sampling, epochs=20, patience=5)
    return config


def _with_recipe(config: TrainConfig, data: Data, reasons: list[str]) -> TrainConfig:
    """Chooses dropout, learning rate and weight decay."""
    if config.task in ("link_prediction", "regression"):
        what = "links" if config.task == "link_prediction" else "real numbers"
        reasons.append(f"{what} are learned with lr 0.01, without dropout and weight decay")
        optim = OptimConfig(lr=0.01, weight_decay=0.0)
        return replace(config, model=ModelConfig(dropout=0.0), optim=optim)
    num_train = int(data.train_mask.view(len(data.train_mask), -1)[:, 0].sum())
    if num_train <= _FEW_NODES:
        return config
    reasons.append(f"{num_train:,} training nodes: dropout 0.2 and no weight decay")
    optim = OptimConfig(lr=0.005, weight_decay=0.0)
    return replace(config, model=ModelConfig(dropout=0.2), optim=optim)


def _inference_memory(config: TrainConfig, data: Data) -> str:
    """The smallest of some budgets with which exact inference is possible."""
    x = data["x"]
    model = build_model(config.model, data, config.task)
    for budget in ("1GB", "2GB", "4GB", "8GB", "16GB"):
        try:
            check_budget(model, x.shape, x.dtype, budget, on_disk=False)
        except ValueError:
            continue
        return budget
    return "32GB"
