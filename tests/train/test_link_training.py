"""Trainings of task link_prediction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gatsparse.train import (
    ConfigError,
    FitResult,
    LinkConfig,
    ModelConfig,
    ModelSizes,
    OptimConfig,
    SamplingConfig,
    TrainConfig,
    build_model,
    build_model_of_sizes,
    build_optimizer,
    fit,
    link_scores,
    split_links,
    task_of_seed,
    train,
)
from gatsparse.train.checkpoint import Checkpoint
from gatsparse.train.link_criterion import LinkCriterion


def config_of(**options: Any) -> TrainConfig:
    model = ModelConfig(hidden_channels=4, heads=2, dropout=0.0)
    sampling = SamplingConfig(batch_size=128, num_neighbors=[-1, -1], max_memory="100MB")
    link = LinkConfig(channels=8, val_share=0.1, test_share=0.2)
    options = {"model": model, "sampling": sampling, "link": link, "epochs": 30, **options}
    optim = OptimConfig(lr=0.01, weight_decay=0.0)
    return TrainConfig("digits", task="link_prediction", optim=optim, **options)


def run(data: Data, config: TrainConfig, **options: Any) -> FitResult:
    seed_everything(0)
    model = build_model(config.model, data, config.task, config.link.channels)
    return fit(model, data, config, **options)


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_training_learns(task: Data, mode: Any):
    """Links are within three communities; a third of the other pairs are, too."""
    config = config_of(mode=mode)
    result = run(task_of_seed(task, config, 0), config)
    assert result.test_score >= 0.75
    assert result.losses[-1] < result.losses[0]


def test_steps_are_those_of_a_plain_loop(task: Data):
    config = config_of(epochs=4)
    data = task_of_seed(task, config, 0)
    seed_everything(0)
    model = build_model(config.model, data, config.task, 8)
    optimizer = build_optimizer(config.optim, model)
    criterion, losses = LinkCriterion("roc_auc", data), []
    for _ in range(4):
        pairs, truth = criterion.examples()
        z = model(data.x, data.edge_index)
        scores = (z[pairs[0]] * z[pairs[1]]).sum(1)
        loss = F.binary_cross_entropy_with_logits(scores, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert run(data, config).losses == pytest.approx(losses, rel=1e-6)


def test_held_out_links_do_not_change_the_training(task: Data):
    config = config_of(epochs=3)
    data = task_of_seed(task, config, 0)
    other = data.clone()
    other.val_links, other.test_links = data.test_links, data.val_links
    other.val_negatives, other.test_negatives = data.test_negatives, data.val_negatives
    first, second = run(data, config), run(other, config)
    assert first.losses == second.losses
    assert first.val_score != second.val_score


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_resumed_training_ends_like_an_uninterrupted_one(task: Data, tmp_path: Path, mode: Any):
    config = config_of(mode=mode, epochs=5)
    data = task_of_seed(task, config, 0)
    expected = run(data, config)

    def stop(epoch: Any) -> None:
        if epoch.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data, config, on_epoch=stop, checkpoint=Checkpoint(tmp_path / "state"))
    resumed = run(data, config, checkpoint=Checkpoint(tmp_path / "state"))
    assert (resumed.losses, resumed.rules) == (expected.losses, expected.rules)


def test_split_is_that_of_a_number_or_of_the_seed(task: Data):
    fixed = [task_of_seed(task, config_of(split=3), seed) for seed in (0, 1)]
    own = [task_of_seed(task, config_of(split="random"), seed) for seed in (3, 1)]
    expected = split_links(task, 3, val_share=0.1, test_share=0.2)
    for data in (*fixed, own[0]):
        assert torch.equal(data["test_links"], expected["test_links"])
    assert not torch.equal(own[1]["test_links"], expected["test_links"])


@pytest.mark.parametrize(("metric", "count"), [("mrr", 100), ("hits@10", 1), ("roc_auc", 1)])
def test_default_number_of_negatives(task: Data, metric: Any, count: int):
    data = task_of_seed(task, config_of(metric=metric), 0)
    assert data["test_negatives"].size(1) == count * data["test_links"].size(1)
    link = LinkConfig(num_negatives=5)
    data = task_of_seed(task, config_of(metric=metric, link=link), 0)
    assert data["test_negatives"].size(1) == 5 * data["test_links"].size(1)


def test_saved_model_gives_the_test_score(
    task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    del task.train_mask, task.val_mask, task.test_mask, task.y  # not needed
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: task.clone())
    config = config_of(
        metric="hits@10", epochs=3, run_dir=tmp_path, progress=False, normalize_features=False
    )
    (result,) = train(config)
    (folder,) = tmp_path.iterdir()
    saved = torch.load(folder / "seed-0.pt", weights_only=True)
    model = build_model_of_sizes(config.model, ModelSizes(**saved["sizes"]))
    model.load_state_dict(saved["state_dict"])
    data = task_of_seed(task, config, 0)
    z = model.eval()(data.x, data.edge_index)
    least = link_scores(z, data["test_negatives"]).sort(descending=True).values[9]
    share = (link_scores(z, data["test_links"]) > least).double().mean()
    assert share.item() == result.test_score


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "accuracy"}, "metric: expected one of roc_auc, .* with task link_prediction"),
        ({"class_weights": "balanced"}, "class_weights: expected null with task link_prediction"),
        ({"link": 3}, "link: expected keys and values"),
    ],
)
def test_impossible_configurations_raise(options: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        replace(config_of(), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, r"link\.channels: expected >= 1"),
        ({"val_share": 0.0}, r"link\.val_share: expected 0 < share < 1"),
        ({"val_share": 0.5, "test_share": 0.5}, r"link\.val_share: expected val_share \+ test"),
        ({"num_negatives": 0}, r"link\.num_negatives: expected >= 1"),
    ],
)
def test_impossible_options_raise(options: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        LinkConfig(**options)


def test_graphs_that_cannot_be_split_are_an_error_of_the_configuration(task: Data):
    with pytest.raises(ConfigError, match=r"digits cannot be trained: .* increase num_negatives"):
        task_of_seed(task, config_of(metric="hits@100"), 0)
    task.edge_index = task["edge_index"][:, :1]
    with pytest.raises(ConfigError, match=r"digits cannot be trained: data\.edge_index: expected"):
        task_of_seed(task, config_of(), 0)
