"""The objective of a training, and of a finished one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch_geometric.data import Data

from gatsparse.data.labels import Task
from gatsparse.train.class_weights import balanced_classes, balanced_positives, class_weights
from gatsparse.train.objectives.classification import Classification, GraphClassification
from gatsparse.train.objectives.multi_label import MultiLabel
from gatsparse.train.objectives.objective import Objective, TargetScale
from gatsparse.train.objectives.regression import Regression

if TYPE_CHECKING:
    from gatsparse.train.config import TrainConfig

#: Tasks of the labels of nodes and of graphs.
NODE_TASKS: dict[Task, type[Objective]] = {
    "classification": Classification,
    "multi_label": MultiLabel,
    "regression": Regression,
    "graph_classification": GraphClassification,
}


def build_objective(config: TrainConfig, data: Data) -> Objective:
    """Returns the objective of a training, with the weights and the scale of its training nodes.

    Args:
        config (TrainConfig): Its :obj:`task`, :obj:`metric` and :obj:`class_weights` are used.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task.checked_task`.

    Raises:
        ValueError: If the number of weights is not the number of classes or labels, or balanced
            weights are not defined.
    """
    y, metric, weights = data["y"], config.chosen_metric, config.class_weights
    y_train = y[data.train_mask]
    if config.task == "regression":
        std, mean = torch.std_mean(y_train.double(), dim=0, correction=0)
        std = torch.where(std == 0, 1.0, std)
        return Regression(metric, TargetScale(mean.tolist(), std.tolist()), y.device)
    count = NODE_TASKS[config.task].num_outputs(y)
    if config.task == "multi_label":
        return MultiLabel(metric, class_weights(weights, y_train, count, balanced_positives))
    weight = class_weights(weights, y_train, count, balanced_classes)
    return Classification(metric, weight, count)


def trained_objective(task: Task, metric: str, target_scale: TargetScale | None) -> Objective:
    """Returns the objective of a finished training, for predictions and scores.

    Args:
        task (str): The task.
        metric (str): The metric.
        target_scale (TargetScale, optional): Scale of the targets of a regression.
    """
    if task == "regression":
        assert target_scale is not None
        return Regression(metric, target_scale)
    return NODE_TASKS[task](metric)
