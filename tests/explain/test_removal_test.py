"""The removal test recognises attention that matters, and attention that does not."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import gatsparse
from gatsparse.explain import explain
from gatsparse.explain.removal_test import _interval


def stars(num_stars: int = 30, leaves: int = 5) -> Data:
    """Centres with in-edges from leaves, whose two features are random: a score and a value."""
    generator = torch.Generator().manual_seed(0)
    centre = torch.arange(num_stars).repeat_interleave(leaves)
    leaf = torch.arange(num_stars * leaves) + num_stars
    x = torch.zeros(num_stars * (leaves + 1), 2)
    x[num_stars:, 0] = torch.rand(num_stars * leaves, generator=generator)
    x[num_stars:, 1] = 1.0
    return Data(x=x, edge_index=torch.stack([leaf, centre]))


class Planted(torch.nn.Module):
    """A layer whose scores are a multiple of the first feature.

    The logits are the sum of the second feature, weighted by the attention. The node itself takes
    part with a score and a value of 0, so that the sum grows with the weights of the leaves.
    """

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.conv = gatsparse.GATConv(2, 2, bias=False)
        with torch.no_grad():
            self.conv.lin.weight.copy_(torch.eye(2))
            self.conv.att_src.copy_(torch.tensor([[[strength, 0.0]]]))
            self.conv.att_dst.zero_()

    def forward(self, x, edge_index):
        value = self.conv(x, edge_index)[:, 1:]
        return torch.cat([value, -value], dim=1)


def test_attention_that_decides_has_rank_correlation_one():
    data = stars()
    test = explain(Planted(strength=2.0), data, nodes=[], removals=20).removal
    assert test.num_nodes == 20
    for correlation in test.correlations[:3]:
        assert correlation.within.mean == pytest.approx(1)
    assert test.effects["most attended"].low > test.effects["random other"].high
    assert test.effects["random other"].mean > test.effects["least attended"].mean
    assert test.advantage.low > 0


def test_equal_attention_has_no_rank_correlation():
    test = explain(Planted(strength=0.0), stars(), nodes=[], removals=20).removal
    assert test.headline.within.count == 0
    assert np.isnan(test.headline.pooled)
    assert not test.headline.within.excludes_zero


def test_rows_of_each_node(model, data):
    test = explain(model, data, nodes=[], removals=30).removal
    for node in np.unique(test.node):
        rows = test.node == node
        weight = test.weight[rows]
        src, dst = data.edge_index
        sources = src[(dst == node) & (src != node)].unique()
        assert len(set(test.neighbor[rows])) == rows.sum()
        # At most 8; one fewer if the least attended one is also drawn at random.
        assert min(len(sources), 8) - rows.sum() in (0, 1)
        assert set(test.neighbor[rows]) <= set(sources.tolist())
        assert test.strongest[rows].tolist() == (weight == weight.max()).tolist()
        assert test.weakest[rows].tolist() == (weight == weight.min()).tolist()
        assert not (test.drawn[rows] & test.strongest[rows]).any()
        assert test.drawn[rows].any()
    assert (test.effect == np.abs(test.drop)).all()


def test_test_nodes_are_drawn_by_seed(model, data):
    def drawn(seed: int) -> list[int]:
        test = explain(model, data, nodes=[], removals=5, seed=seed).removal
        return np.unique(test.node).tolist()

    assert drawn(0) == drawn(0) != drawn(1)
    assert data.test_mask[drawn(0)].all()


def test_very_large_neighborhoods_end_the_test(model, data, monkeypatch):
    monkeypatch.setattr("gatsparse.explain.removal_test._BUDGET", 1)
    explanation = explain(model, data, nodes=[], removals=5)
    assert explanation.removal.num_nodes == 1
    (note,) = explanation.notes
    assert note.startswith("In-neighbours of 1 nodes instead of 5 were removed")


def test_no_node_has_two_in_neighbors(data):
    data.edge_index = torch.stack([torch.arange(80), torch.arange(80).roll(1)])
    explanation = explain(gatsparse.GAT(6, 8, 1, 3), data, nodes=[])
    assert explanation.removal is None
    assert explanation.notes == [
        "No in-neighbours were removed: no test node has at least two of them."
    ]


def test_interval_is_student_s():
    # Of the table of the t-distribution: 2.776 for 4 degrees of freedom.
    interval = _interval([1.0, 2.0, 3.0, 4.0, 5.0, np.nan])
    assert interval.mean == 3
    assert interval.count == 5
    assert interval.high - 3 == pytest.approx(2.776 * np.sqrt(2.5 / 5), abs=1e-3)
    assert 3 - interval.low == pytest.approx(interval.high - 3)
    assert _interval([0.7, 0.9, 1.0], (-1.0, 1.0)).high == 1  # of correlations
    assert _interval([2.0]).count == 1
    assert not _interval([2.0]).excludes_zero
