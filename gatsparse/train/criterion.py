"""Loss and scores of a training."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train.objectives.objective import Objective


class Criterion(Protocol):
    """Loss and scores of the outputs of all nodes."""

    def train_loss(self, outputs: Tensor) -> Tensor:
        """Returns the loss of the training part for outputs ``[N, K]``."""
        ...

    def val_loss(self, outputs: Tensor) -> Tensor:
        """Returns the loss of the validation part for outputs ``[N, K]``."""
        ...

    def scores(self, outputs: Tensor) -> tuple[float, float]:
        """Returns the scores of the validation and of the test part for outputs ``[N, K]``."""
        ...


class NodeCriterion:
    """Loss and scores of the labels of nodes, or of graphs.

    Args:
        objective (Objective): The task.
        data (torch_geometric.data.Data): Data of :func:`~gatsparse.train.task.checked_task`.
    """

    def __init__(self, objective: Objective, data: Data) -> None:
        self.objective = objective
        masks = (data.train_mask, data.val_mask, data.test_mask)
        self.train, self.val, self.test = (mask.nonzero().squeeze(1) for mask in masks)
        self.y_train, self.y_val, self.y_test = (
            data["y"][nodes] for nodes in (self.train, self.val, self.test)
        )

    def train_loss(self, outputs: Tensor) -> Tensor:
        """Returns the loss of the training nodes."""
        return self.objective.loss(outputs[self.train], self.y_train)

    def val_loss(self, outputs: Tensor) -> Tensor:
        """Returns the loss of the validation nodes."""
        return self.objective.loss(outputs[self.val], self.y_val)

    def scores(self, outputs: Tensor) -> tuple[float, float]:
        """Returns the scores of the validation and of the test nodes."""
        score = self.objective.score
        return score(outputs[self.val], self.y_val), score(outputs[self.test], self.y_test)
