"""Trainings of several labels and of targets, from the configuration to the run folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric import seed_everything
from torch_geometric.data import Data

from gatsparse.train import (
    ConfigError,
    FitResult,
    ModelConfig,
    ModelSizes,
    OptimConfig,
    SamplingConfig,
    TargetScale,
    TrainConfig,
    build_model,
    build_model_of_sizes,
    fit,
    task_of_seed,
    train,
)
from gatsparse.train.objectives.classification import Classification
from gatsparse.train.objectives.multi_label import MultiLabel
from gatsparse.train.objectives.regression import Regression
from gatsparse.train.run_folder import RunFolder

TASKS: list[Any] = ["multi_label", "regression"]


def labelled(task: Data, name: str) -> Data:
    """Returns the data of three classes with other labels: which of two pairs of classes a node is
    in, or targets in the hundreds.
    """
    y = task["y"]
    if name == "multi_label":
        task.y = torch.stack([y != 0, y != 1], dim=1).float()
    if name == "regression":
        noise = torch.rand(len(y), generator=torch.Generator().manual_seed(0))
        task.y = 500.0 + 100.0 * y + noise
    return task


def config_of(name: Any, kind: Any = "gatsparse", **options: Any) -> TrainConfig:
    model = ModelConfig(kind, hidden_channels=4, heads=2, dropout=0.0)
    sampling = SamplingConfig(batch_size=8, num_neighbors=[5, 5], max_memory="100MB")
    options = {"epochs": 120, "model": model, "sampling": sampling, **options}
    return TrainConfig("digits", task=name, optim=OptimConfig(lr=0.02), **options)


def run(data: Data, config: TrainConfig) -> FitResult:
    seed_everything(0)
    return fit(build_model(config.model, data, config.task), data, config)


@pytest.mark.parametrize("mode", ["full", "sampled"])
@pytest.mark.parametrize(("name", "least"), [("multi_label", 0.9), ("regression", 0.7)])
def test_training_learns(task: Data, name: str, least: float, mode: Any):
    """The micro F1 of ones is 0.8, the R2 of the mean 0."""
    result = run(labelled(task, name), config_of(name, mode=mode))
    assert result.test_score >= least


@pytest.mark.parametrize("kind", ["scatter", "pyg", "dense"])
@pytest.mark.parametrize("name", TASKS)
def test_kinds_train_alike(task: Data, name: str, kind: str):
    """Without dropout and in float64, the losses of the kinds differ by rounding only."""
    task = labelled(task, name)
    task.x = task["x"].double()
    ours, other = config_of(name, epochs=5), config_of(name, kind, epochs=5)
    models = [build_model(config.model, task, name) for config in (ours, other)]
    if kind == "dense":
        models[1].load_gat_state(models[0].state_dict())  # pyright: ignore[reportCallIssue]
    else:
        models[1].load_state_dict(models[0].state_dict())
    losses = [fit(m, task, c).losses for m, c in zip(models, (ours, other), strict=True)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_best_epoch_has_the_smallest_error(task: Data, metric: Any):
    errors: list[float] = []
    config = config_of("regression", metric=metric, epochs=20)
    task = labelled(task, "regression")
    seed_everything(0)
    model = build_model(config.model, task, "regression")
    result = fit(model, task, config, on_epoch=lambda epoch: errors.append(epoch.val_score))
    assert result.val_score == min(errors) < errors[0]
    assert result.best_epoch == errors.index(min(errors)) + 1


def test_units_of_the_targets_do_not_change_the_training(task: Data):
    """A power of two and a sum of integers are exact."""
    task = labelled(task, "regression")
    task.y = task["y"].round().double()
    config = config_of("regression", metric="mae", epochs=5)
    meters = run(task, config)
    task.y = 4096.0 * task["y"]
    millimeters = run(task, config)
    assert millimeters.losses == meters.losses
    assert millimeters.test_score == pytest.approx(4096 * meters.test_score, rel=1e-12)


def test_nodes_without_labels_are_ignored_outside_of_the_masks(task: Data):
    task = labelled(task, "regression")
    expected = run(task, config_of("regression", epochs=3))
    more = task.clone()
    more.train_mask[0] = False
    more.y[0] = torch.nan
    assert run(more, config_of("regression", epochs=3)).losses != expected.losses
    more.train_mask[0] = True
    with pytest.raises(ValueError, match=r"data\.y: expected a label for each node in train_mask"):
        run(more, config_of("regression"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "multi_label", "metric": "accuracy"}, "metric: expected one of micro_f1, "),
        ({"task": "regression", "metric": "roc_auc"}, "metric: expected one of r2, mae, rmse"),
        ({"metric": "mae"}, "metric: expected one of accuracy, .* with task classification"),
        ({"task": "ranking"}, "task: expected classification or multi_label or regression"),
        ({"task": "regression", "split": "random"}, "split: expected a number or seed"),
        ({"task": "regression", "class_weights": "balanced"}, "class_weights: expected null"),
        ({"class_weights": [1.0, 0.0]}, "class_weights: expected numbers > 0"),
        ({"class_weights": [1.0, torch.inf]}, "class_weights: expected numbers > 0"),
        ({"class_weights": "equal"}, "class_weights: expected balanced or list of float or null"),
    ],
)
def test_impossible_configurations_raise(options: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        TrainConfig("digits", **options)


def test_default_metric_is_the_first_of_the_task():
    chosen = [TrainConfig("digits", task=name).chosen_metric for name in ("classification", *TASKS)]
    assert chosen == ["accuracy", "micro_f1", "r2"]
    assert TrainConfig("digits").essence() == TrainConfig("digits", metric="accuracy").essence()


def test_labels_of_another_task_are_an_error_of_the_configuration(task: Data):
    with pytest.raises(ConfigError, match=r"digits cannot be trained: data\.y: expected several"):
        task_of_seed(task, config_of("multi_label"), 0)
    with pytest.raises(ConfigError, match="cannot be trained: class_weights: expected 3 weights"):
        task_of_seed(task, config_of("classification", class_weights=[1.0]), 0)


@pytest.mark.parametrize("name", ["classification", *TASKS])
def test_saved_model_is_built_without_its_data(
    name: Any, task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = labelled(task, name)
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: data.clone())
    config = config_of(name, epochs=3, run_dir=tmp_path, progress=False, normalize_features=False)
    (result,) = train(config)

    (folder,) = tmp_path.iterdir()
    saved = torch.load(folder / "seed-0.pt", weights_only=True)
    model = build_model_of_sizes(config.model, ModelSizes(**saved["sizes"]))
    model.load_state_dict(saved["state_dict"])
    outputs = model.eval()(data.x, data.edge_index)
    if name == "regression":
        objective = Regression("r2", TargetScale(**saved["target_scale"]))
        stored = json.loads((folder / "seed-0.json").read_text())["target_scale"]
        assert TargetScale(**stored) == objective.target_scale == result.target_scale
    else:
        objective = Classification() if name == "classification" else MultiLabel()
        assert saved["target_scale"] is None
    test = data.test_mask
    y = objective.labels(data)
    assert objective.score(outputs[test], y[test]) == result.test_score
    assert RunFolder(folder).load_result(0).target_scale == result.target_scale


def test_errors_are_printed_as_numbers(
    task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    data = labelled(task, "regression")
    monkeypatch.setattr("gatsparse.train.loading.load", lambda *_: data.clone())
    config = config_of("regression", metric="rmse", epochs=2, run_dir=tmp_path, progress=False)
    (result,) = train(replace(config, seeds=[3]))
    out = capsys.readouterr().out
    assert f"seed 3: test {result.test_score:.4g}, val {result.val_score:.4g}," in out
    assert f"test RMSE {result.test_score:.4g}\n" in out
