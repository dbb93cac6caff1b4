"""Predicted against true classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from torch import Tensor

from gatsparse.explain.problem import Problem


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix of the test nodes, or of all labelled nodes if there is no test mask.

    Args:
        nodes (str): ``"test nodes"`` or ``"labelled nodes"``.
        counts (ndarray): int64 ``[C, C]``: row for the true class, column for the predicted class.
        precision, recall, f1 (ndarray): ``[C]``; 0 where they are not defined.
        accuracy (float): Share of the nodes whose predicted class is the true one.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model, data = gatsparse.GAT(64, 8, 2, 10), load("digits")
        >>> confusion = explain(model, data, nodes=[], removals=0).confusion
        >>> int(confusion.counts.sum()) == int(data.test_mask.sum())
        True
    """

    nodes: str
    counts: NDArray[np.int64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    accuracy: float


def confusion_of(problem: Problem, predicted: Tensor) -> Confusion | None:
    """Returns the confusion matrix, or None without labelled nodes.

    Args:
        problem (Problem): Labels and test nodes.
        predicted (Tensor): int64 ``[N]``, predicted classes.
    """
    if problem.y is None or problem.tested.numel() == 0:
        return None
    true, found = problem.y[problem.tested].numpy(), predicted[problem.tested].numpy()
    labels = list(range(len(problem.class_names)))
    precision, recall, f1, _ = precision_recall_fscore_support(
        true,
        found,
        labels=labels,
        zero_division=0,  # pyright: ignore[reportArgumentType]
    )
    return Confusion(
        nodes=problem.tested_name,
        counts=confusion_matrix(true, found, labels=labels),
        precision=np.asarray(precision),
        recall=np.asarray(recall),
        f1=np.asarray(f1),
        accuracy=float((true == found).mean()),
    )
