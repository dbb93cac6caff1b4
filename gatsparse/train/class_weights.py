"""Weights of classes and of labels in the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

#: ``"balanced"``, a weight for each class or label, or no weights.
ClassWeights = Literal["balanced"] | list[float] | None


def class_weights(
    weights: ClassWeights, y: Tensor, count: int, balanced: Callable[[Tensor, int], Tensor]
) -> Tensor | None:
    """Returns the weights ``[count]``, or None.

    Args:
        weights (str or list of float, optional): The key of the configuration.
        y (Tensor): Labels of the training nodes.
        count (int): Number of classes or labels.
        balanced (callable): Computes balanced weights from :obj:`y` and :obj:`count`.

    Raises:
        ValueError: If the list has another length, or as :obj:`balanced`.
    """
    if weights is None:
        return None
    if weights == "balanced":
        return balanced(y, count)
    if len(weights) != count:
        raise ValueError(
            f"class_weights: expected {count} weights, one for each class or label, "
            f"got {len(weights)}"
        )
    return torch.tensor(weights, dtype=torch.float64, device=y.device)


def balanced_classes(y: Tensor, num_classes: int) -> Tensor:
    """Returns the inverse frequency of each class, as scikit-learn's ``class_weight="balanced"``.

    Args:
        y (Tensor): Classes ``[n]``.
        num_classes (int): Number of classes.

    Raises:
        ValueError: If a class has no node.
    """
    counts = torch.bincount(y, minlength=num_classes)
    if bool((counts == 0).any()):
        raise ValueError(
            "class_weights: expected a training node of each class with balanced, got none of "
            f"class {int(counts.argmin())}: pass a list of weights"
        )
    return len(y) / (num_classes * counts.double())


def balanced_positives(y: Tensor, num_labels: int) -> Tensor:
    """Returns the number of nodes without each label divided by the number of nodes with it.

    Args:
        y (Tensor): Labels ``[n, num_labels]`` of 0 and 1.
        num_labels (int): Number of labels.

    Raises:
        ValueError: If a label is the same for all nodes.
    """
    positives = y.double().sum(dim=0)
    negatives = len(y) - positives
    for label in range(num_labels):
        if positives[label] == 0 or negatives[label] == 0:
            raise ValueError(
                "class_weights: expected training nodes with and without each label with balanced, "
                f"got only {int(positives[label] > 0)} of label {label}: pass a list of weights"
            )
    return negatives / positives
