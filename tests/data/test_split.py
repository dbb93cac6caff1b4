from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import random_split

KEYS = ("train_mask", "val_mask", "test_mask")


def data_of(*sizes: int) -> Data:
    """Returns nodes of classes of these sizes, in random order."""
    y = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Data(y=y[torch.randperm(len(y))], x=torch.rand(len(y), 2))


def test_counts_by_class():
    data = data_of(50, 51, 200)
    split = random_split(data, 0)
    masks = torch.stack([split[key] for key in KEYS])
    assert masks.dtype == torch.bool
    assert torch.equal(masks.sum(dim=0), torch.ones(301, dtype=torch.int64))
    counts = [[int((mask & (data.y == label)).sum()) for label in range(3)] for mask in masks]
    assert counts == [[20, 20, 20], [30, 30, 30], [0, 1, 150]]


def test_other_numbers_per_class():
    split = random_split(data_of(7, 8), 0, num_train_per_class=2, num_val_per_class=5)
    assert [int(split[key].sum()) for key in KEYS] == [4, 10, 1]


def test_labels_with_gaps():
    data = data_of(60, 60)
    data.y = data["y"] * 5 + 2
    assert int(random_split(data, 0).train_mask.sum()) == 40


def test_split_depends_on_the_seed_only():
    data = data_of(100, 100)
    state = torch.get_rng_state()
    first = random_split(data, 7)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again, other = random_split(data, 7), random_split(data, 8)
    for key in KEYS:
        assert torch.equal(first[key], again[key])
        assert not torch.equal(first[key], other[key])


def test_classes_are_drawn_independently():
    data = Data(y=torch.arange(2).repeat_interleave(100), x=torch.rand(200, 2))
    for key in KEYS:
        of_first, of_second = random_split(data, 0)[key].chunk(2)
        assert not torch.equal(of_first, of_second)


def test_split_does_not_change_its_input():
    data = data_of(100, 100)
    split = random_split(data, 0)
    assert "train_mask" not in data
    assert split.x is data.x


def test_nodes_of_a_class_are_equally_likely():
    data = Data(y=torch.zeros(60, dtype=torch.int64))
    drawn = sum(random_split(data, seed).train_mask.double() for seed in range(600))
    # Of 600 draws of probability 1/3: mean 200, standard deviation 11.5.
    assert 200 - 5 * 11.5 < float(drawn.min()) <= float(drawn.max()) < 200 + 5 * 11.5


def test_too_small_class_raises():
    message = r"data\.y: expected at least 50 nodes of class 1 \(20 to train, 30 .*, got 49"
    with pytest.raises(ValueError, match=message):
        random_split(data_of(100, 49), 0)


def test_split_without_test_nodes_raises():
    with pytest.raises(ValueError, match=r"data\.y: expected a class of more than 50 nodes"):
        random_split(data_of(50, 50), 0)
