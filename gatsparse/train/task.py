"""The data of one seed, with its split, checked."""

from __future__ import annotations

import warnings
from copy import copy

from torch_geometric.data import Data

from gatsparse.checks import check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.data import (
    random_split,
)
from gatsparse.data.labels import MASKS, Task, node_mask
from gatsparse.train.config import TrainConfig
from gatsparse.train.graph_split import split_graphs
from gatsparse.train.link_criterion import LinkCriterion
from gatsparse.train.link_split import split_links
from gatsparse.train.loading import choose_split
from gatsparse.train.metrics import require_scorable
from gatsparse.train.objectives.build import NODE_TASKS, build_objective


def task_of_seed(data: Data, config: TrainConfig, seed: int) -> Data:
    """Returns the data of one seed, with its split.

    Args:
        data (torch_geometric.data.Data): Data of :func:`load_task`.
        config (TrainConfig): If its :obj:`split` is ``"random"``, the split is drawn here; if
            it is ``"seed"``, the seed is the number of the split.
        seed (int): The seed.

    Returns:
        torch_geometric.data.Data: The same data with masks ``[N]`` of this seed; with task
        link_prediction, data of :func:`split_links`, and with graph_classification masks ``[G]``.

    Raises:
        ConfigError: If a class has too few nodes for a random split, the data set has no split with
            the number of the seed, or a split cannot be trained with this task, metric or class
            weights.

    Example:
        >>> from gatsparse.train import TrainConfig, load_task, task_of_seed
        >>> config = TrainConfig("digits", split="random")
        >>> int(task_of_seed(load_task(config), config, seed=3).train_mask.sum())
        200
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    check_instance("config", config, TrainConfig, "a TrainConfig")
    check_integer("seed", seed, 0, 2**64 - 1)
    if config.task == "link_prediction":
        return _link_task(data, config, seed)
    if config.task == "graph_classification":
        return _trainable(_graph_split(data, config, seed), config)
    if config.split == "seed":
        num_splits = data.train_mask.view(data.num_nodes, -1).size(1)
        if seed >= num_splits:
            raise ConfigError(
                f"split: expected seeds below {num_splits}, the number of splits of "
                f"{config.dataset_name}, got {seed}"
            )
        data = choose_split(copy(data), seed, num_splits)
    try:
        if config.split == "random":
            data = random_split(data, seed)
    except ValueError as error:
        raise ConfigError(f"split: {config.dataset_name} has no random split: {error}") from error
    return _trainable(data, config)


def _trainable(data: Data, config: TrainConfig) -> Data:
    """Raises :class:`ConfigError` unless data with a split can be trained."""
    try:
        build_objective(config, checked_task(data, config.task, config.chosen_metric))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"dataset: {config.dataset_name} cannot be trained: {error}") from error
    return data


def _graph_split(data: Data, config: TrainConfig, seed: int) -> Data:
    """Graphs with the split that is given, else with one that is drawn."""
    number = seed if isinstance(config.split, str) else config.split
    missing = [key for key in MASKS if data.get(key) is None]
    if config.split == "random" or len(missing) == len(MASKS):
        try:
            return split_graphs(data, number, config.graph)
        except ValueError as error:
            raise ConfigError(
                f"split: {config.dataset_name} has no random split: {error}"
            ) from error
    if missing:
        raise ConfigError(
            f"split: expected all of {', '.join(MASKS)} in {config.dataset_name}, got no "
            f"{', '.join(missing)}: set split to random to draw a split"
        )
    num_splits = 1 if data.train_mask.dim() == 1 else data.train_mask.size(1)
    if number >= num_splits:
        raise ConfigError(
            f"split: expected 0 <= split < {num_splits} of {config.dataset_name}, got {number}"
        )
    return choose_split(copy(data), number, num_splits)


def checked_task(data: Data, task: Task = "classification", metric: str = "accuracy") -> Data:
    """Returns a shallow copy with labels in the format of the task and masks of bool ``[N]``.

    Args:
        data (torch_geometric.data.Data): With features, edges, labels and three masks.
        task (str, optional): The task.
        metric (str, optional): The metric, which must be defined for the labels of each split.

    Raises:
        TypeError, ValueError: As in :meth:`~gatsparse.train.objectives.objective.Objective.labels`,
            :func:`~gatsparse.data.labels.node_mask` and
            :func:`~gatsparse.train.metrics.require_scorable`; if :obj:`x` or :obj:`edge_index` is
            missing.

    Warns:
        UserWarning: If training nodes are in the validation or test mask, too.
    """
    y = NODE_TASKS[task].labels(data)
    labelled = NODE_TASKS[task].labelled(y)
    for key in ("x", "edge_index"):
        if data.get(key) is None:
            hint = ": set edge_index from adj_t" if key == "edge_index" and "adj_t" in data else ""
            raise ValueError(f"data.{key}: expected a tensor, got None{hint}")
    checked, unit = copy(data), "graph" if task == "graph_classification" else "node"
    for key in MASKS:
        checked[key] = node_mask(data, key, labelled, unit)
        require_scorable(metric, y[checked[key]], key)
    for key in MASKS[1:]:
        shared = int((checked.train_mask & checked[key]).sum())
        if shared:
            warnings.warn(
                f"data.{key}: {shared} of its {int(checked[key].sum())} {unit}s are in train_mask, "
                f"too: its scores include {unit}s that the model was trained on",
                stacklevel=2,
            )
    checked.y = y
    return checked


def _link_task(data: Data, config: TrainConfig, seed: int) -> Data:
    link, mrr = config.link, config.chosen_metric == "mrr"
    try:
        split = split_links(
            data,
            seed if isinstance(config.split, str) else config.split,
            val_share=link.val_share,
            test_share=link.test_share,
            num_negatives=link.num_negatives or (100 if mrr else 1),
            same_source=mrr,
        )
        LinkCriterion(config.chosen_metric, split)
    except ValueError as error:
        raise ConfigError(f"dataset: {config.dataset_name} cannot be trained: {error}") from error
    return split
