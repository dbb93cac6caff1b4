"""OGB's evaluation metric of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gatsparse.data.ogb.layout import check_name
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def evaluator(name: str) -> Callable[[Tensor, Tensor], float]:
    r"""Returns OGB's evaluation metric of a data set: the accuracy, computed by OGB's evaluator.

    Args:
        name (str): One of :data:`NAMES`, in any case.

    Returns:
        Callable: Takes :obj:`y_pred`, either logits ``[N, C]`` of a floating-point type or
        labels int64 ``[N]`` or ``[N, 1]``, and :obj:`y_true`, labels int64 ``[N]`` or
        ``[N, 1]``. Returns the fraction of correct nodes among those whose
        :obj:`y_true` is not -1. Raises :class:`ValueError` for other shapes or types, or
        if no node has a label.

    Raises:
        ValueError: If :obj:`name` is unknown.
        ImportError: If ogb is not installed: ``pip install 'gatsparse[ogb]'``.

    Example:
        >>> import torch
        >>> from gatsparse.data import ogb_evaluator
        >>> ogb_evaluator("ogbn-arxiv")(torch.tensor([1, 2, 0]), torch.tensor([1, 0, -1]))
        0.5
    """
    key = check_name(name)
    require_extra("gatsparse.data.ogb_evaluator", "ogb", "ogb")
    from ogb.nodeproppred import Evaluator

    judge = Evaluator(key)

    def accuracy(y_pred: Tensor, y_true: Tensor) -> float:
        if y_pred.is_floating_point() and y_pred.dim() == 2 and y_pred.size(1) > 1:
            y_pred = y_pred.argmax(dim=1)
        y_pred, y_true = _label_column("y_pred", y_pred), _label_column("y_true", y_true)
        if y_pred.size(0) != y_true.size(0):
            raise ValueError(
                f"y_pred: expected {y_true.size(0)} nodes to match y_true, got {y_pred.size(0)}"
            )
        known = y_true[:, 0].cpu() >= 0
        if not known.any():
            raise ValueError("y_true: expected a node with a label, got none")
        # OGB ignores nodes whose label is NaN, which is -1 here.
        result = judge.eval({"y_true": y_true.cpu()[known], "y_pred": y_pred.cpu()[known]})
        return result["acc"]

    return accuracy


def _label_column(name: str, labels: Tensor) -> Tensor:
    if labels.dtype != torch.int64 or labels.dim() not in (1, 2) or labels[:1].numel() != 1:
        expected = "int64 [N] or [N, 1]" + (", or floats [N, C]" if name == "y_pred" else "")
        raise ValueError(f"{name}: expected {expected}, got {labels.dtype} {list(labels.shape)}")
    return labels.view(-1, 1)
