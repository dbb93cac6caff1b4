"""Metrics: their functions, their format in output, and where they are defined."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

Metric = Literal[
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "micro_f1",
    "roc_auc",
    "average_precision",
    "r2",
    "mae",
    "rmse",
    "mrr",
    "hits@10",
    "hits@50",
    "hits@100",
]


class Properties(NamedTuple):
    """Properties of a metric.

    Attributes:
        title (str): Its name in output.
        ranks (bool): Whether it compares scores of the classes instead of predicted classes.
        is_share (bool): Whether it is printed as a percentage.
        is_error (bool): Whether smaller values are better.
        bounds (tuple of float): Smallest and largest possible value.
    """

    title: str
    ranks: bool = False
    is_share: bool = True
    is_error: bool = False
    bounds: tuple[float, float] = (0.0, 1.0)


METRICS: dict[str, Properties] = {
    "accuracy": Properties("accuracy"),
    "balanced_accuracy": Properties("balanced accuracy"),
    "macro_f1": Properties("macro F1"),
    "micro_f1": Properties("micro F1"),
    "roc_auc": Properties("ROC AUC", ranks=True),
    "average_precision": Properties("average precision", ranks=True),
    "r2": Properties("R2", is_share=False, bounds=(-math.inf, 1.0)),
    "mae": Properties("MAE", is_share=False, is_error=True, bounds=(0.0, math.inf)),
    "rmse": Properties("RMSE", is_share=False, is_error=True, bounds=(0.0, math.inf)),
    "mrr": Properties("MRR"),
    "hits@10": Properties("hits@10"),
    "hits@50": Properties("hits@50"),
    "hits@100": Properties("hits@100"),
}


def metric_function(metric: str) -> Callable[[Tensor, Tensor], float]:
    """Returns the function ``f(y, predicted)`` of a metric of labels, of scikit-learn except for
    accuracy.

    Scores of several labels or targets are averaged. Imports scikit-learn now, because the time of
    the first epoch is measured.

    Args:
        metric (str): A key of :data:`METRICS`.
    """
    if metric == "accuracy":
        return _accuracy
    import numpy as np
    from sklearn import metrics

    def balanced_accuracy(y: Any, predicted: Any) -> float:
        # As balanced_accuracy_score, which warns of predicted classes that are not in y.
        return metrics.recall_score(y, predicted, labels=np.unique(y), average="macro")

    functions: dict[str, Callable[[Any, Any], Any]] = {
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": partial(metrics.f1_score, average="macro"),
        "micro_f1": partial(metrics.f1_score, average="micro"),
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
        "r2": metrics.r2_score,
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
    }
    function = functions[metric]
    return lambda y, predicted: float(function(y.cpu().numpy(), predicted.detach().cpu().numpy()))


def format_score(metric: str, score: float, digits: int = 1) -> str:
    """Returns a score as text: a percentage with some digits, or a number such as an error."""
    return f"{score:.{digits}%}" if METRICS[metric].is_share else f"{score:.4g}"


def require_scorable(metric: str, y: Tensor, key: str) -> None:
    """Raises :class:`ValueError` if a metric of a split is not defined.

    Args:
        metric (str): A key of :data:`METRICS`.
        y (Tensor): Labels of the nodes of the split: classes ``[n]``, labels or targets ``[n, K]``.
        key (str): Name of its mask.
    """
    if y.dim() == 1:
        if metric == "roc_auc":
            _require_two_classes(y, key)
        return
    for column, values in enumerate(y.unbind(1)):
        least, most = float(values.min()), float(values.max())
        if metric == "r2" and least == most:
            raise ValueError(
                f"data.y: expected different targets in {key} for metric r2, got only {least:g}: "
                "use metric mae or rmse"
            )
        if metric == "roc_auc" and least == most:
            raise ValueError(
                f"data.y: expected nodes with and without each label in {key} for metric roc_auc, "
                f"got only {least:g} of label {column}: use metric micro_f1"
            )
        if metric in ("macro_f1", "average_precision") and most == 0:
            raise ValueError(
                f"data.y: expected a node with each label in {key} for metric {metric}, got none "
                f"with label {column}: use metric micro_f1"
            )
    if metric == "micro_f1" and not bool(y.any()):
        raise ValueError(f"data.y: expected a node with a label in {key} for metric micro_f1")


def _require_two_classes(y: Tensor, key: str) -> None:
    classes = y.unique().tolist()
    if max(classes) > 1:
        raise ValueError(f"metric: expected 2 classes for roc_auc, got class {max(classes)}")
    if len(classes) < 2:
        raise ValueError(
            f"data.y: expected nodes of both classes in {key} for metric roc_auc, "
            f"got only class {classes[0]}"
        )


def _accuracy(y: Tensor, predicted: Tensor) -> float:
    return (predicted == y).double().mean().item()
