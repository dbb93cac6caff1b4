"""Classes of nodes and of graphs."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.data.graph_set import graph_labels
from gatsparse.data.labels import node_labels
from gatsparse.train.objectives.objective import Objective


class Classification(Objective):
    """One class of each node: cross entropy of the logits of the classes.

    Args:
        metric (str, optional): As in :class:`Objective`.
        weight (Tensor, optional): Weight of each class in the loss.
        num_classes (int, optional): Number of classes of the labels, so that :meth:`loss` need not
            read them from the device.
    """

    metrics = ("accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "roc_auc")

    def __init__(
        self,
        metric: str = "accuracy",
        weight: Tensor | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(metric)
        self.weight, self.num_classes = weight, num_classes

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
        count = int(y.max()) + 1 if self.num_classes is None else self.num_classes
        if outputs.dim() != 2 or outputs.size(1) < count:
            raise ValueError(
                f"model: expected logits of at least {count} classes, as the largest label in "
                f"data.y is {count - 1}, got {list(outputs.shape)}"
            )
        weight = None if self.weight is None else self.weight.to(outputs)
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
