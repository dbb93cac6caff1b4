"""Entropy of the attention, against numbers computed by hand."""

import math

import numpy as np
import pytest
import torch

from gatsparse.explain.entropy import attention_entropy
from gatsparse.nn import LayerAttention


def attention(edges: list[tuple[int, int]], alpha: list[list[float]]) -> LayerAttention:
    edge_index = torch.tensor(edges).t()
    loops = edge_index[0] == edge_index[1]
    return LayerAttention("layer", edge_index, torch.tensor(alpha), loops, torch.arange(len(edges)))


# Node 3 has three in-edges, node 1 has one, the others have none.
EDGES = [(0, 3), (1, 3), (2, 3), (0, 1)]


def test_entropy_of_one_node():
    entropy = attention_entropy(attention(EDGES, [[0.5], [0.25], [0.25], [1.0]]), num_nodes=4)
    expected = 0.5 * math.log(2) + 0.5 * math.log(4)
    assert entropy.num_nodes == 1, "a single in-edge says nothing"
    assert entropy.mean == pytest.approx([expected])
    assert entropy.equal_mean == pytest.approx(math.log(3))
    assert entropy.relative == pytest.approx([expected / math.log(3)])
    assert entropy.neighbors == pytest.approx(np.full((1, 3), math.exp(expected)))
    assert entropy.equal_neighbors.tolist() == [3, 3, 3]


def test_equal_weights_have_the_histogram_of_the_baseline():
    edges = [(j, i) for i in range(2, 12) for j in range(i)]
    alpha = [[1 / i, 1 / i] for _, i in edges]
    entropy = attention_entropy(attention(edges, alpha), num_nodes=12)
    assert entropy.counts.tolist() == [entropy.equal_counts.tolist()] * 2
    assert entropy.equal_counts.sum() == entropy.num_nodes == 10
    # The weights are float32, so that ln(1 / alpha) has a relative error of about 1e-7.
    assert entropy.relative == pytest.approx([1, 1], rel=1e-6)


def test_heads_are_independent():
    alpha = [[1.0, 0.5], [0.0, 0.25], [0.0, 0.25], [1.0, 1.0]]
    entropy = attention_entropy(attention(EDGES, alpha), num_nodes=4)
    assert entropy.mean[0] == 0.0, "one edge has all the attention"
    assert entropy.mean[1] > 1.0
    assert entropy.counts[0].argmax() == 0


def test_no_node_has_two_in_edges():
    assert attention_entropy(attention([(0, 1), (1, 0)], [[1.0], [1.0]]), num_nodes=2) is None
