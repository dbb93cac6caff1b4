import pytest
import torch

from gatsparse.train.metrics import accuracy, class_loss, roc_auc


def test_roc_auc_compares_both_logits():
    y = torch.tensor([1, 0, 1, 0])
    logits = torch.tensor([[0.0, 1.0], [9.0, 3.0], [-2.0, 0.0], [3.0, 4.0]])
    assert roc_auc(logits, y) == 0.875  # the differences 1, -6, 2 and 1, of which two are equal


def test_accuracy_is_the_share_of_largest_logits():
    logits = torch.tensor([[0.0, 1.0, -1.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0], [3.0, 1.0, 2.0]])
    assert accuracy(logits, torch.tensor([1, 0, 2, 2])) == 0.75


def test_loss_names_the_class_without_logits():
    with pytest.raises(ValueError, match=r"model: expected logits of at least 4 classes"):
        class_loss(torch.zeros(2, 3), torch.tensor([0, 3]))
