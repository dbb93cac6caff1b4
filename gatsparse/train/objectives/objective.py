"""Interface of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train.metrics import METRICS, metric_function


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
