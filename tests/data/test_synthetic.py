import math

import pytest
import torch

from gatsparse.data import rmat, synthetic

UNIFORM = (0.25, 0.25, 0.25, 0.25)


def degrees(edge_index, num_nodes):
    return torch.bincount(edge_index[1], minlength=num_nodes).sort(descending=True).values


@pytest.mark.parametrize(
    ("num_nodes", "num_edges"), [(1, 0), (1, 5), (2, 9), (1000, 5000), (2**16 + 1, 10)]
)
def test_shape_and_range(num_nodes, num_edges):
    edge_index = rmat(num_nodes, num_edges)
    assert (edge_index.dtype, list(edge_index.shape)) == (torch.int64, [2, num_edges])
    assert bool(((edge_index >= 0) & (edge_index < num_nodes)).all())


def test_is_the_same_for_any_number_of_threads():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = rmat(3000, 20000, seed=3)
        torch.set_num_threads(4)
        assert torch.equal(rmat(3000, 20000, seed=3), one)
    finally:
        torch.set_num_threads(threads)
    assert not torch.equal(rmat(3000, 20000, seed=4), one)


def test_is_the_same_everywhere():
    edge_index = rmat(1000, 5000)
    position = torch.arange(1, 5001)
    assert edge_index[:, :3].tolist() == [[947, 589, 209], [46, 570, 29]]
    assert int((edge_index * position).sum()) == 12_485_791_607


def test_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    rmat(100, 100)
    assert torch.equal(torch.rand(1), expected)


def test_blocks_join(monkeypatch):
    monkeypatch.setattr(synthetic, "_BLOCK", 64)
    edge_index = rmat(1000, 5000)
    assert edge_index.unique(dim=1).size(1) > 4000
    assert edge_index.unique().numel() > 500


def test_degrees_are_skewed():
    skewed = degrees(rmat(10000, 160000), 10000)
    even = degrees(rmat(10000, 160000, probabilities=UNIFORM), 10000)
    assert skewed[0] > 100 * 16 > 40 * even[0]
    assert skewed[:100].sum() > 0.3 * 160000 > 10 * even[:100].sum()


def test_nodes_are_permuted():
    num_nodes = 2**12
    edge_index = rmat(num_nodes, 60000)
    assert 0.4 < float((edge_index < num_nodes // 2).double().mean()) < 0.6


def test_every_quadrant_has_its_probability():
    probabilities = (0.4, 0.3, 0.2, 0.1)
    bounds, codes = synthetic._quadrants(2, probabilities)
    chances = torch.diff(bounds, prepend=torch.zeros(1), append=torch.ones(1))
    for chance, (source, target) in zip(chances.tolist(), codes.T.tolist(), strict=True):
        first = 2 * (source // 2) + target // 2
        second = 2 * (source % 2) + target % 2
        assert math.isclose(chance, probabilities[first] * probabilities[second])


def test_edges_follow_the_model():
    """Of two nodes, before they are permuted, every edge is one quadrant."""
    probabilities = (0.5, 0.25, 0.15, 0.1)
    codes = rmat(2, 40000, probabilities=probabilities)
    counts = torch.bincount(2 * codes[0] + codes[1], minlength=4) / 40000
    either = [counts, counts.flip(0)]  # the two nodes may be exchanged
    expected = torch.tensor(probabilities)
    assert min(float((count - expected).abs().max()) for count in either) < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_nodes": 0}, "num_nodes: expected >= 1, got 0"),
        ({"num_edges": -1}, "num_edges: expected >= 0, got -1"),
        ({"probabilities": (0.5, 0.5)}, r"probabilities: expected four numbers"),
        ({"probabilities": (0.5, 0.3, 0.1, 0.0)}, r"sum to 1.*got \(0.5, 0.3, 0.1, 0.0\)"),
        ({"probabilities": (1.5, -0.5, 0.0, 0.0)}, "numbers >= 0"),
        ({"probabilities": (0.2, 0.3, 0.3, 0.2)}, "largest first"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        rmat(**{"num_nodes": 10, "num_edges": 10, **arguments})
