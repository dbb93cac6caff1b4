"""Tasks: the labels, loss, predictions and score of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.checks import check_instance
from gatsparse.data.graph_set import graph_labels
from gatsparse.data.labels import Task, node_labels
from gatsparse.train.class_weights import (
    balanced_classes,
    balanced_positives,
    class_weights,
)
from gatsparse.train.metrics import METRICS, metric_function

if TYPE_CHECKING:
    from gatsparse.train.config import TrainConfig


class TargetScale(NamedTuple):
    """Mean and standard deviation of each target of a regression over the training nodes.

    A model is trained on ``(y - mean) / std``: its outputs times :obj:`std` plus :obj:`mean` are
    predictions of ``y``. The deviation of a constant target is 1.

    Example:
        >>> from gatsparse.train import TargetScale
        >>> TargetScale(mean=[20.0], std=[5.0]).std
        [5.0]
    """

    mean: list[float]
    std: list[float]


class Objective(ABC):
    """Loss, predictions and score of a task.

    Args:
        metric (str): The metric of :meth:`score`, one of :attr:`metrics`.

    Attributes:
        metrics (tuple of str): Metrics of the task; the first is the default.
        target_scale (TargetScale, optional): Scale of the targets of a regression.
    """

    metrics: ClassVar[tuple[str, ...]]
    target_scale: TargetScale | None = None

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._metric_function = metric_function(metric)

    @staticmethod
    @abstractmethod
    def labels(data: Data) -> Tensor:
        """Returns the labels of all nodes in one format.

        Raises:
            TypeError, ValueError: If ``data.y`` does not hold labels of the task.
        """

    @staticmethod
    def labelled(y: Tensor) -> Tensor:
        """Returns which nodes have a label, bool ``[N]``: all whose row has no NaN."""
        return ~y.isnan().any(dim=1)

    @staticmethod
    def num_outputs(y: Tensor) -> int:
        """Returns the number of outputs of a model for each node."""
        return y.size(1)

    @abstractmethod
    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Returns the mean loss of outputs ``[n, K]`` and labels of the same nodes.

        Raises:
            ValueError: If outputs are missing.
        """

    @abstractmethod
    def predict(self, outputs: Tensor) -> Tensor:
        """Returns predictions in the format of the labels for outputs ``[n, K]``."""

    def probabilities(self, outputs: Tensor) -> Tensor | None:  # noqa: ARG002
        """Returns probabilities ``[n, K]``, or None if the task has none."""
        return None

    def ranking(self, outputs: Tensor) -> Tensor:
        """Returns values that order the nodes, for metrics of scores."""
        return outputs

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Returns the metric of outputs ``[n, K]`` and labels of the same nodes."""
        ranks = METRICS[self.metric].ranks
        return self._metric_function(y, self.ranking(outputs) if ranks else self.predict(outputs))


class Classification(Objective):
    """One class of each node: cross entropy of the logits of the classes.

    Args:
        metric (str, optional): As in :class:`Objective`.
        weight (Tensor, optional): Weight of each class in the loss.
    """

    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "roc_auc")

    def __init__(self, metric: str = "accuracy", weight: Tensor | None = None) -> None:
        super().__init__(metric)
        self.weight = weight

    @staticmethod
    def labels(data: Data) -> Tensor:
        """Returns int64 ``[N]``, -1 for unlabelled nodes, as :func:`node_labels` does."""
        return node_labels(data)

    @staticmethod
    def labelled(y: Tensor) -> Tensor:
        """Returns which nodes have a class, bool ``[N]``."""
        return y >= 0

    @staticmethod
    def num_outputs(y: Tensor) -> int:
        """Returns the number of classes, one more than the largest.

        Raises:
            ValueError: If no node is labelled.
        """
        if not bool((y >= 0).any()):
            raise ValueError("data.y: expected a labelled node, got none")
        return int(y.max()) + 1

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Returns the mean cross entropy, weighted by the weights of the classes."""
        most = int(y.max())
        if outputs.dim() != 2 or outputs.size(1) <= most:
            raise ValueError(
                f"model: expected logits of at least {most + 1} classes, as the largest label in "
                f"data.y is {most}, got {list(outputs.shape)}"
            )
        weight = None if self.weight is None else self.weight.to(outputs.dtype)
        return F.cross_entropy(outputs, y, weight)

    def predict(self, outputs: Tensor) -> Tensor:
        """Returns the class with the largest logit, int64 ``[n]``."""
        return outputs.argmax(dim=1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Returns the softmax of the logits."""
        return outputs.softmax(dim=1)

    def ranking(self, outputs: Tensor) -> Tensor:
        """Returns the difference of the logits of two classes.

        Raises:
            ValueError: If there are more classes.
        """
        if outputs.size(1) != 2:
            raise ValueError(f"metric: expected 2 classes for roc_auc, got {outputs.size(1)}")
        return outputs[:, 1] - outputs[:, 0]


class GraphClassification(Classification):
    """One class of each graph, otherwise as :class:`Classification`."""

    @staticmethod
    def labels(data: Data) -> Tensor:
        """Returns int64 ``[G]``, -1 for unlabelled graphs, as :func:`graph_labels` does."""
        return graph_labels(data)


class MultiLabel(Objective):
    """Several labels of each node, each 0 or 1: binary cross entropy of a logit for each.

    Args:
        metric (str, optional): As in :class:`Objective`.
        pos_weight (Tensor, optional): Weight of the nodes with each label in the loss.
    """

    metrics = ("micro_f1", "macro_f1", "roc_auc", "average_precision")

    def __init__(self, metric: str = "micro_f1", pos_weight: Tensor | None = None) -> None:
        super().__init__(metric)
        self.pos_weight = pos_weight

    @staticmethod
    def labels(data: Data) -> Tensor:
        """Returns floats ``[N, K]`` of 0, 1 and NaN."""
        y = _matrix(data, "labels [N, K] of 0 and 1")
        if y.dim() != 2 or y.size(1) < 2:
            raise ValueError(
                f"data.y: expected several labels per node, [{y.size(0)}, K], got {list(y.shape)}: "
                "train one class per node with task classification"
            )
        other = (y != 0) & (y != 1) & ~y.isnan()
        if bool(other.any()):
            raise ValueError(
                "data.y: expected 0 or 1, or NaN for unlabelled nodes, with task multi_label, "
                f"got {float(y[other][0]):g}"
            )
        return y

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Returns the mean binary cross entropy of all labels."""
        _check_outputs(outputs, y)
        weight = None if self.pos_weight is None else self.pos_weight.to(outputs.dtype)
        y = y.to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, y, pos_weight=weight)

    def predict(self, outputs: Tensor) -> Tensor:
        """Returns int64 ``[n, K]``: 1 where the probability is above 0.5."""
        return (outputs > 0).long()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Returns the sigmoid of the logits."""
        return outputs.sigmoid()


class Regression(Objective):
    """Targets of each node: mean squared error of standardised targets.

    Args:
        metric (str): As in :class:`Objective`.
        target_scale (TargetScale): Scale of the targets.
    """

    metrics = ("r2", "mae", "rmse")

    def __init__(self, metric: str, target_scale: TargetScale) -> None:
        super().__init__(metric)
        self.target_scale = target_scale
        self.mean, self.std = (torch.tensor(v, dtype=torch.float64) for v in target_scale)

    @staticmethod
    def labels(data: Data) -> Tensor:
        """Returns floats ``[N, K]``, NaN for unlabelled nodes."""
        y = _matrix(data, "targets [N] or [N, K]")
        if bool(y.isinf().any()):
            raise ValueError(
                "data.y: expected finite targets, or NaN for unlabelled nodes, got inf"
            )
        if y.dim() not in (1, 2) or y.numel() == 0:
            raise ValueError(
                f"data.y: expected targets [{y.size(0)}] or [{y.size(0)}, K], got {list(y.shape)}"
            )
        return y.view(len(y), -1)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Returns the mean squared error in units of the standard deviation of each target."""
        _check_outputs(outputs, y)
        return F.mse_loss(outputs, ((y - self.mean) / self.std).to(outputs.dtype))

    def predict(self, outputs: Tensor) -> Tensor:
        """Returns float64 ``[n, K]`` in the units of the targets."""
        return outputs * self.std + self.mean


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
        return Regression(metric, TargetScale(mean.tolist(), std.tolist()))
    count = NODE_TASKS[config.task].num_outputs(y)
    if config.task == "multi_label":
        return MultiLabel(metric, class_weights(weights, y_train, count, balanced_positives))
    return Classification(metric, class_weights(weights, y_train, count, balanced_classes))


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


def _matrix(data: Data, expected: str) -> Tensor:
    """The labels as a floating-point tensor with a row for each node."""
    check_instance("data", data, Data, "torch_geometric.data.Data")
    y = data.y
    if not isinstance(y, Tensor):
        raise TypeError(f"data.y: expected a tensor of {expected}, got {type(y).__name__}")
    if y.layout != torch.strided or y.is_complex():
        raise TypeError(
            f"data.y: expected a dense tensor of {expected}, got {y.layout} of {y.dtype}"
        )
    num_nodes = data.x.size(0) if isinstance(data.x, Tensor) else y.size(0) if y.dim() else 0
    if y.dim() == 0 or y.size(0) != num_nodes:
        raise ValueError(f"data.y: expected {expected} with N = {num_nodes}, got {list(y.shape)}")
    return y if y.is_floating_point() else y.double()


def _check_outputs(outputs: Tensor, y: Tensor) -> None:
    if outputs.shape != y.shape:
        raise ValueError(
            f"model: expected {y.size(1)} outputs of each node, as data.y has {y.size(1)} columns, "
            f"got {list(outputs.shape)}"
        )
