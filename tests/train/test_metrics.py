from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor

from gatsparse.train.metrics import format_score, metric_function, require_scorable

LABELS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
PREDICTED = torch.tensor([[1, 0], [1, 0], [1, 1], [0, 0]])
SCORES = torch.tensor([[2.0, -1.0], [0.5, -0.5], [0.4, 1.0], [-3.0, -2.0]])
TARGETS = torch.tensor([[0.0], [2.0], [4.0]])
VALUES = torch.tensor([[1.0], [2.0], [1.0]])


@pytest.mark.parametrize(
    ("metric", "y", "predicted", "expected"),
    [
        ("accuracy", torch.tensor([1, 0, 2, 2]), torch.tensor([1, 0, 2, 0]), 0.75),
        # Recalls 1, 1/2 and 1; class 3 is predicted only.
        ("balanced_accuracy", torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 3, 2]), 5 / 6),
        # F1 of 2/3, 2/3 and 0.
        ("macro_f1", torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0]), (1 / 2 + 2 / 3) / 3),
        ("micro_f1", torch.tensor([0, 0, 1, 2]), torch.tensor([0, 1, 1, 0]), 0.5),
        # Label 0: 2 hits, 1 false alarm, 0 misses. Label 1: 0, 1, 1.
        ("micro_f1", LABELS, PREDICTED, 4 / (4 + 1 + 2)),
        ("macro_f1", LABELS, PREDICTED, (4 / 5 + 0) / 2),
        # Label 0 is ordered perfectly; of label 1, one of three comparisons is wrong.
        ("roc_auc", LABELS, SCORES, (1 + 2 / 3) / 2),
        ("average_precision", LABELS, SCORES, (1 + 1 / 2) / 2),
        ("r2", TARGETS, VALUES, 1 - (1 + 0 + 9) / 8),
        ("mae", TARGETS, VALUES, 4 / 3),
        ("rmse", TARGETS, VALUES, (10 / 3) ** 0.5),
        ("rmse", TARGETS.repeat(1, 2), torch.cat([TARGETS, VALUES], 1), (10 / 3) ** 0.5 / 2),
    ],
)
def test_metrics_by_hand(metric: str, y: Tensor, predicted: Tensor, expected: float):
    assert metric_function(metric)(y, predicted) == pytest.approx(expected, rel=1e-7)


def test_balanced_accuracy_equals_that_of_scikit_learn():
    y, predicted = torch.from_numpy(np.random.default_rng(0).integers(0, 4, (2, 100)))
    found = metric_function("balanced_accuracy")(y, predicted)
    assert found == pytest.approx(balanced_accuracy_score(y.numpy(), predicted.numpy()), rel=1e-12)


def test_shares_are_percentages_and_errors_are_numbers():
    assert format_score("micro_f1", 0.9234) == "92.3%"
    assert format_score("rmse", 12.34567) == "12.35"
    assert format_score("r2", -0.5) == "-0.5"


@pytest.mark.parametrize(
    ("metric", "y", "message"),
    [
        ("roc_auc", torch.tensor([0, 1, 2]), "metric: expected 2 classes for roc_auc, got class 2"),
        ("roc_auc", torch.tensor([1, 1]), r"data\.y: .* both classes in val_mask .* only class 1"),
        ("roc_auc", LABELS[:2], r"data\.y: .* in val_mask for metric roc_auc, got only 1 of la"),
        ("average_precision", LABELS[2:], r"data\.y: .* val_mask .* none with label 0: use"),
        ("macro_f1", LABELS[[0, 2]], r"data\.y: .* val_mask .* none with label 1: use"),
        ("micro_f1", LABELS[2:], r"data\.y: expected a node with a label in val_mask"),
        ("r2", TARGETS[:1], r"data\.y: expected different targets in val_mask .* got only 0: use"),
    ],
)
def test_undefined_metrics_raise(metric: str, y: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        require_scorable(metric, y, "val_mask")


def test_defined_metrics_are_accepted():
    for metric in ("micro_f1", "macro_f1", "roc_auc", "average_precision"):
        require_scorable(metric, LABELS, "val_mask")
    for metric in ("mae", "rmse"):
        require_scorable(metric, TARGETS[:1], "val_mask")
    require_scorable("micro_f1", LABELS[:1], "val_mask")
