from __future__ import annotations

from typing import Any

import pytest
import torch

from gatsparse.data.ogb import NAMES, evaluator
from tests.data.ogb.files import (
    ARXIV,
)

# The evaluator


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_ignores_unlabelled_nodes(name: str):
    accuracy = evaluator(name)
    y_true = torch.tensor([2, 0, -1, 1, 1, 0])
    labels = torch.tensor([2, 1, 2, 1, 0, 0])
    logits = torch.nn.functional.one_hot(labels, 3).float().requires_grad_()
    expected = 3 / 5
    for y_pred in (labels, labels[:, None], logits, logits.bfloat16()):
        for y in (y_true, y_true[:, None]):
            result = accuracy(y_pred, y)
            assert (type(result), result) == (float, expected)
    assert accuracy(y_true, y_true) == 1.0


def test_accuracy_equals_the_mean_of_correct_predictions():
    logits, y = torch.randn(1000, 40), torch.randint(40, (1000,))
    expected = (logits.argmax(dim=1) == y).double().mean().item()
    assert evaluator(ARXIV)(logits, y) == expected


@pytest.mark.parametrize(
    ("y_pred", "y_true", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), r"y_pred: expected int64 .*floats \[N, C\], got"),
        (torch.zeros(3, 1), torch.zeros(3).long(), r"y_pred: .* got torch.float32 \[3, 1\]"),
        (torch.zeros(3, 2).long(), torch.zeros(3).long(), r"y_pred: .* got torch.int64 \[3, 2\]"),
        (torch.zeros(3).long(), torch.zeros(3), r"y_true: expected int64 \[N\] or \[N, 1\], got"),
        (torch.zeros(3).long(), torch.zeros(4).long(), "y_pred: expected 4 nodes .* got 3"),
        (torch.zeros(3).long(), torch.full((3,), -1), "y_true: expected a node with a label"),
    ],
)
def test_wrong_shapes_and_types_raise(y_pred: Any, y_true: Any, message: str):
    with pytest.raises(ValueError, match=message):
        evaluator(ARXIV)(y_pred, y_true)
