from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch_geometric.data import Data

from gatsparse.train import TargetScale, TrainConfig
from gatsparse.train.objectives.build import NODE_TASKS, build_objective
from gatsparse.train.objectives.classification import Classification
from gatsparse.train.objectives.multi_label import MultiLabel
from gatsparse.train.objectives.regression import Regression

NAN, INF = torch.nan, torch.inf
LABELS = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])


def data_of(y: Tensor, train: list[int] | None = None) -> Data:
    """Returns checked data, of which some nodes or all are training nodes."""
    mask = torch.ones(len(y), dtype=torch.bool)
    if train is not None:
        mask = torch.isin(torch.arange(len(y)), torch.tensor(train))
    return Data(x=torch.zeros(len(y), 1), y=y, train_mask=mask)


def objective_of(task: Any, y: Tensor, train: list[int] | None = None, **options: Any) -> Any:
    return build_objective(TrainConfig("digits", task=task, **options), data_of(y, train))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
def test_labels_are_floats(dtype: torch.dtype):
    y = MultiLabel.labels(data_of(LABELS.to(dtype)))
    assert torch.equal(y, LABELS.to(y.dtype))
    assert MultiLabel.num_outputs(y) == 2


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_targets_are_a_matrix(shape: tuple[int, ...]):
    y = torch.arange(torch.Size(shape).numel()).view(shape)
    found = Regression.labels(data_of(y))
    assert torch.equal(found, y.view(4, -1).double())
    assert Regression.num_outputs(found) == found.size(1)


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_rows_with_nan_are_unlabelled(task: Any):
    y = NODE_TASKS[task].labels(data_of(torch.tensor([[0.0, 1.0], [NAN, 1.0], [NAN, NAN]])))
    assert NODE_TASKS[task].labelled(y).tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("task", "y", "message"),
    [
        ("multi_label", torch.zeros(4), r"data\.y: expected several labels per node, \[4, K\]"),
        ("multi_label", torch.zeros(4, 1), "train one class per node with task classification"),
        ("multi_label", torch.full((4, 2), 2), r"data\.y: expected 0 or 1, or NaN .*, got 2"),
        ("multi_label", torch.full((4, 2), -1), "got -1"),
        ("regression", torch.full((4,), INF), r"data\.y: expected finite targets"),
        ("regression", torch.zeros(4, 0), r"data\.y: expected targets \[4\] or \[4, K\]"),
        ("regression", torch.zeros(4, 2, 2), r"data\.y: expected targets"),
        ("classification", torch.zeros(4, 2), "several labels per node need task multi_label"),
    ],
)
def test_labels_of_another_task_raise(task: Any, y: Tensor, message: str):
    with pytest.raises(ValueError, match=message):
        NODE_TASKS[task].labels(data_of(y))


@pytest.mark.parametrize("task", ["multi_label", "regression"])
def test_labels_that_are_no_matrix_raise(task: Any):
    with pytest.raises(TypeError, match=r"data\.y: expected a tensor of .*, got NoneType"):
        NODE_TASKS[task].labels(Data(x=torch.zeros(4, 1)))
    for y in (torch.eye(4).to_sparse(), torch.eye(4).to(torch.complex64)):
        with pytest.raises(TypeError, match=r"data\.y: expected a dense tensor"):
            NODE_TASKS[task].labels(data_of(y))
    with pytest.raises(ValueError, match=r"data\.y: expected .* N = 4, got \[3, 2\]"):
        NODE_TASKS[task].labels(Data(x=torch.zeros(4, 1), y=torch.zeros(3, 2)))


def test_classification():
    logits = torch.tensor([[0.0, 2.0], [3.0, 1.0], [5.0, 6.0]])
    y = torch.tensor([1, 0, 0])
    objective = Classification("accuracy")
    assert objective.predict(logits).tolist() == [1, 0, 1]
    assert objective.score(logits, y) == pytest.approx(2 / 3)
    torch.testing.assert_close(objective.loss(logits, y), F.cross_entropy(logits, y))
    torch.testing.assert_close(objective.probabilities(logits).sum(1), torch.ones(3))
    with pytest.raises(ValueError, match=r"model: expected logits of at least 4 classes"):
        objective.loss(torch.zeros(2, 3), torch.tensor([0, 3]))


def test_roc_auc_compares_both_logits():
    y = torch.tensor([1, 0, 1, 0])
    logits = torch.tensor([[0.0, 1.0], [9.0, 3.0], [-2.0, 0.0], [3.0, 4.0]])
    # The differences 1, -6, 2 and 1, of which two are equal.
    assert Classification("roc_auc").score(logits, y) == 0.875
    with pytest.raises(ValueError, match="metric: expected 2 classes for roc_auc, got 3"):
        Classification("roc_auc").score(torch.zeros(4, 3), y)


def test_multi_label():
    logits = torch.tensor([[2.0, -1.0], [-0.1, 0.1], [-1.0, -1.0], [0.0, -3.0]])
    objective = MultiLabel()
    assert objective.predict(logits).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    assert objective.score(logits, LABELS) == pytest.approx(4 / (4 + 0 + 2))
    probability = objective.probabilities(logits)
    expected = -torch.where(LABELS == 1, probability, 1 - probability).log().mean()
    torch.testing.assert_close(objective.loss(logits, LABELS), expected)
    assert MultiLabel("roc_auc").score(logits, LABELS) == pytest.approx((1 + 1) / 2)
    for outputs in (torch.zeros(4, 3), torch.zeros(4)):
        with pytest.raises(ValueError, match="model: expected 2 outputs of each node"):
            objective.loss(outputs, LABELS)


def test_regression_is_trained_on_standardised_targets():
    y = torch.tensor([[10.0, 7.0], [14.0, 7.0], [100.0, 9.0]])
    objective = objective_of("regression", y, train=[0, 1], metric="mae")
    assert objective.target_scale == TargetScale([12.0, 7.0], [2.0, 1.0])  # a constant target: 1
    outputs = torch.tensor([[-1.0, 0.0], [2.0, 0.0]])
    assert objective.loss(outputs, y[:2]).item() == pytest.approx((0 + 0 + 1 + 0) / 4)
    assert objective.predict(outputs).tolist() == [[10.0, 7.0], [16.0, 7.0]]
    assert objective.score(outputs, y[:2]) == pytest.approx(0.5)
    assert objective.probabilities(outputs) is None


def test_balanced_weights_of_classes_are_those_of_scikit_learn():
    y = torch.tensor([0, 0, 0, 1, 2, 2, 1, 1, 1])
    train = [0, 1, 2, 3, 4, 5]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y[train].numpy())
    objective = objective_of("classification", y, train, class_weights="balanced")
    assert objective.weight.tolist() == pytest.approx(expected.tolist())
    logits = torch.randn(9, 3)
    weight = torch.from_numpy(expected).float()
    torch.testing.assert_close(objective.loss(logits, y), F.cross_entropy(logits, y, weight))


def test_balanced_weights_of_labels_are_negatives_by_positives():
    objective = objective_of("multi_label", LABELS, class_weights="balanced")
    assert objective.pos_weight.tolist() == pytest.approx([1 / 3, 3])
    logits = torch.zeros(4, 2)
    weight = torch.where(LABELS == 1, torch.tensor([1 / 3, 3]), 1.0)
    expected = (weight * torch.tensor(2.0).log()).mean()
    torch.testing.assert_close(objective.loss(logits, LABELS), expected)


def test_listed_weights():
    y = torch.tensor([0, 1, 1])
    assert objective_of("classification", y, class_weights=[1.0, 2.5]).weight.tolist() == [1, 2.5]
    assert objective_of("multi_label", LABELS, class_weights=[3.0, 1.0]).pos_weight[0] == 3
    assert objective_of("classification", y).weight is None


@pytest.mark.parametrize(
    ("task", "y", "train", "weights", "message"),
    [
        ("classification", torch.tensor([0, 1, 2]), [0, 1], "balanced", "got none of class 2"),
        ("classification", torch.tensor([0, 1, 2]), None, [1.0, 2.0], "expected 3 weights"),
        ("multi_label", LABELS, [0, 2], "balanced", "got only 0 of label 1"),
        ("multi_label", LABELS, [0, 1], "balanced", "got only 1 of label 0"),
        ("multi_label", LABELS, None, [1.0], "expected 2 weights"),
    ],
)
def test_undefined_weights_raise(task: Any, y: Tensor, train: Any, weights: Any, message: str):
    with pytest.raises(ValueError, match=f"class_weights: .*{message}"):
        objective_of(task, y, train, class_weights=weights)
