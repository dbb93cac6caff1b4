"""Several labels of each node."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train.objectives.label_matrix import check_outputs, label_matrix
from gatsparse.train.objectives.objective import Objective


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
        y = label_matrix(data, "labels [N, K] of 0 and 1")
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
        check_outputs(outputs, y)
        weight = None if self.pos_weight is None else self.pos_weight.to(outputs)
        y = y.to(outputs.dtype)
        return F.binary_cross_entropy_with_logits(outputs, y, pos_weight=weight)

    def predict(self, outputs: Tensor) -> Tensor:
        """Returns int64 ``[n, K]``: 1 where the probability is above 0.5."""
        return (outputs > 0).long()

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Returns the sigmoid of the logits."""
        return outputs.sigmoid()
