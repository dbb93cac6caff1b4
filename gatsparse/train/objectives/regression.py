"""Numbers to predict for each node."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train.objectives.label_matrix import check_outputs, label_matrix
from gatsparse.train.objectives.objective import Objective, TargetScale


class Regression(Objective):
    """Targets of each node: mean squared error of standardised targets.

    Args:
        metric (str): As in :class:`Objective`.
        target_scale (TargetScale): Scale of the targets.
        device (torch.device, optional): Device of the outputs.
    """

    metrics = ("r2", "mae", "rmse")

    def __init__(
        self, metric: str, target_scale: TargetScale, device: torch.device | None = None
    ) -> None:
        super().__init__(metric)
        self.target_scale = target_scale
        self.mean, self.std = (
            torch.tensor(v, dtype=torch.float64, device=device) for v in target_scale
        )

    @staticmethod
    def labels(data: Data) -> Tensor:
        """Returns floats ``[N, K]``, NaN for unlabelled nodes."""
        y = label_matrix(data, "targets [N] or [N, K]")
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
        check_outputs(outputs, y)
        mean, std = self.mean.to(y.device), self.std.to(y.device)
        return F.mse_loss(outputs, ((y - mean) / std).to(outputs.dtype))

    def predict(self, outputs: Tensor) -> Tensor:
        """Returns float64 ``[n, K]`` in the units of the targets."""
        return outputs * self.std + self.mean
