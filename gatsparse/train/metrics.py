"""Loss and scores of node classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable


def class_loss(logits: Tensor, y: Tensor) -> Tensor:
    """Returns the mean cross entropy of logits ``[N, classes]`` and classes ``[N]``.

    Raises:
        ValueError: If the logits of a class are missing.
    """
    most = int(y.max())
    if logits.dim() != 2 or logits.size(1) <= most:
        raise ValueError(
            f"model: expected logits of at least {most + 1} classes, as the largest label in "
            f"data.y is {most}, got {list(logits.shape)}"
        )
    return F.cross_entropy(logits, y)


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Returns the fraction of nodes whose class has the largest logit."""
    return (logits.argmax(dim=1) == y).double().mean().item()


def roc_auc(logits: Tensor, y: Tensor) -> float:
    """Returns the area under the receiver operating characteristic of two classes.

    Raises:
        ValueError: If the logits are not of shape ``[N, 2]``.
    """
    if logits.size(1) != 2:
        raise ValueError(f"metric: expected 2 classes for roc_auc, got {logits.size(1)}")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y.numpy(), (logits[:, 1] - logits[:, 0]).detach().numpy()))


def metric_function(metric: str) -> Callable[[Tensor, Tensor], float]:
    """Returns the function of a metric. Imports its packages now, because the time of the first
    epoch is measured.
    """
    if metric == "accuracy":
        return accuracy
    import sklearn.metrics  # noqa: F401

    return roc_auc


def require_scorable(metric: str, y: Tensor, key: str) -> None:
    """Raises :class:`ValueError` if a metric of a split is not defined.

    Args:
        metric (str): ``"accuracy"`` or ``"roc_auc"``.
        y (Tensor): Classes of the nodes of the split.
        key (str): Name of its mask.
    """
    if metric != "roc_auc":
        return
    classes = y.unique().tolist()
    if max(classes) > 1:
        raise ValueError(f"metric: expected 2 classes for roc_auc, got class {max(classes)}")
    if len(classes) < 2:
        raise ValueError(
            f"data.y: expected nodes of both classes in {key} for metric roc_auc, "
            f"got only class {classes[0]}"
        )
