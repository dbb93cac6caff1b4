"""Attention between classes, against numbers computed by hand."""

import numpy as np
import pytest
import torch

from gatsparse.explain.class_attention import class_attention
from tests.explain.test_entropy import attention

# Node 0 of class 0 attends to itself and to nodes 1 (class 0), 2 (class 1) and 3 (unlabelled).
# Node 2 of class 1 attends to node 1. The unlabelled node attends to node 0.
EDGES = [(0, 0), (1, 0), (2, 0), (3, 0), (1, 2), (0, 3)]
ALPHA = [[0.4, 0.2], [0.3, 0.1], [0.2, 0.3], [0.1, 0.4], [1.0, 1.0], [1.0, 1.0]]
Y = torch.tensor([0, 0, 1, -1])


def test_shares_of_each_class():
    classes = class_attention(attention(EDGES, ALPHA), Y, num_classes=3)
    assert classes.to_self == pytest.approx([0.3, 0, 0])
    assert classes.to_class == pytest.approx(np.array([[0.2, 1, 0], [0.25, 0, 0], [0, 0, 0]]))
    assert classes.to_unlabelled == pytest.approx([0.25, 0, 0])
    assert classes.num_nodes.tolist() == [1, 1, 0]


def test_shares_of_equal_weights():
    classes = class_attention(attention(EDGES, ALPHA), Y, num_classes=3)
    assert classes.equal_to_self.tolist() == [0.25, 0, 0]
    assert classes.equal_to_class.tolist() == [[0.25, 1, 0], [0.25, 0, 0], [0, 0, 0]]
    assert classes.equal_to_unlabelled.tolist() == [0.25, 0, 0]


def test_share_within_a_class_ignores_self_loops_and_unlabelled_nodes():
    classes = class_attention(attention(EDGES, ALPHA), Y, num_classes=3)
    assert classes.within == pytest.approx([0.3 / 1.5, 0.1 / 1.4])
    assert classes.equal_within == pytest.approx(0.25 / 1.5)


def test_no_edge_between_labelled_nodes():
    classes = class_attention(attention(EDGES[-1:], ALPHA[-1:]), Y, num_classes=3)
    assert np.isnan(classes.within).all()
    assert np.isnan(classes.equal_within)
    assert classes.to_class.sum() == 0
