from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import join_graphs
from gatsparse.train import (
    ConfigError,
    GraphConfig,
    ModelConfig,
    TrainConfig,
    load_task,
    split_graphs,
    task_of_seed,
)

MASKS = ("train_mask", "val_mask", "test_mask")


def data_of(labels: list[int]) -> Data:
    edge = torch.tensor([[0], [1]])
    return join_graphs([Data(x=torch.ones(2, 1), edge_index=edge, y=label) for label in labels])


def config_of(**options: Any) -> TrainConfig:
    return TrainConfig(task="graph_classification", **options)


@pytest.mark.parametrize("seed", range(5))
def test_stratified_parts_have_the_same_shares_of_classes(seed: int):
    data = split_graphs(data_of([0, 0, 0, 1] * 25 + [-1]), seed)
    masks = torch.stack([data[key] for key in MASKS])
    assert masks.sum(1).tolist() == [80, 10, 10]
    assert masks.sum(0).tolist() == [1] * 100 + [0]  # one part for each labelled graph
    ones = [int(data["y"][mask].sum()) for mask in masks]
    assert ones[0] == 20
    assert set(ones[1:]) <= {2, 3}


def test_random_split_ignores_the_classes():
    config = GraphConfig(draw="random", train_share=0.5, val_share=0.25)
    data = split_graphs(data_of([0] * 7 + [1]), 0, config)
    assert [int(data[key].sum()) for key in MASKS] == [4, 2, 2]
    with pytest.raises(ValueError, match=r"only 1 member, .* set graph\.draw to random"):
        split_graphs(data_of([0] * 7 + [1]), 0, GraphConfig(train_share=0.5, val_share=0.25))


def test_too_few_graphs_raise():
    with pytest.raises(ValueError, match=r"got 3 labelled graphs, of which 2, 0 and 1 in these"):
        split_graphs(data_of([0, 1, 0]), 0)


def test_split_is_that_of_a_number_or_of_the_seed():
    data = data_of([0, 1] * 30)
    expected = split_graphs(data, 3)["test_mask"]
    for split, seed, same in ((3, 0, True), ("random", 3, True), ("seed", 3, True), (3, 3, True)):
        task = task_of_seed(data, config_of(split=split), seed)
        assert torch.equal(task["test_mask"], expected) == same
    assert not torch.equal(task_of_seed(data, config_of(split=4), 3)["test_mask"], expected)


def test_given_split_is_kept_unless_a_random_one_is_requested():
    data = data_of([0, 1] * 30)
    part = torch.arange(60) % 3
    for number, key in enumerate(MASKS):
        data[key] = part == number
    assert torch.equal(task_of_seed(data, config_of(), 5)["val_mask"], part == 1)
    drawn = task_of_seed(data, config_of(split="random"), 5)
    assert torch.equal(drawn["val_mask"], split_graphs(data, 5)["val_mask"])
    with pytest.raises(ConfigError, match="split: expected 0 <= split < 1 of data, got 1"):
        task_of_seed(data, config_of(split=1), 0)
    del data.val_mask
    with pytest.raises(ConfigError, match=r"split: expected all of .*, got no val_mask"):
        task_of_seed(data, config_of(), 0)


def test_mask_of_an_unlabelled_graph_raises():
    data = data_of([0, 1, -1])
    for number, key in enumerate(MASKS):
        data[key] = torch.arange(3) == number
    with pytest.raises(
        ConfigError, match="a label for each graph in test_mask, got 1 of 1 without"
    ):
        task_of_seed(data, config_of(), 0)


def test_one_graph_without_batch_raises():
    with pytest.raises(ConfigError, match=r"expected several graphs .* got digits: data\.batch"):
        load_task(TrainConfig("digits", task="graph_classification"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": ModelConfig(kind="dense")},
            r"model\.kind: expected not dense with task graph_class",
        ),
        ({"largest_component": True}, "largest_component: expected false with task graph_class"),
        ({"metric": "r2"}, "metric: expected one of accuracy, .* with task graph_classification"),
    ],
)
def test_impossible_configurations_raise(options: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        config_of(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "min"}, r"graph\.pooling: expected mean or sum or max, got 'min'"),
        ({"channels": 0}, r"graph\.channels: expected >= 1, got 0"),
        ({"train_share": 0.9}, r"graph\.train_share: expected positive shares"),
    ],
)
def test_impossible_options_raise(options: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        GraphConfig(**options)
