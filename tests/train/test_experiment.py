from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import load, random_split
from gatsparse.train import (
    ConfigError,
    Epoch,
    FitResult,
    OptimConfig,
    TrainConfig,
    TrainingDivergedError,
    build_model,
    fit,
    parse_config,
    train,
)
from gatsparse.train.full_batch import model_graph
from gatsparse.train.run_folder import RunFolder


@pytest.fixture
def config(small_run: TrainConfig) -> TrainConfig:
    return replace(small_run, progress=False)


def folders(config: TrainConfig) -> list[Path]:
    return sorted(config.run_dir.iterdir())


def rows_of(folder: Path, seed: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"seed-{seed}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("progress", [False, True])
def test_run_folder_holds_all_results(config: TrainConfig, task: Data, progress: bool):
    config = replace(config, progress=progress)
    results = train(config)
    (folder,) = folders(config)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        "config.yaml",
        "environment.json",
        "features.json",
        *("seed-5.json", "seed-5.jsonl", "seed-5.pt"),
        *("seed-6.json", "seed-6.jsonl", "seed-6.pt"),
        "summary.json",
    ]
    assert parse_config(folder / "config.yaml") == config

    for seed, result in zip((5, 6), results, strict=True):
        rows = rows_of(folder, seed)
        assert [(row["seed"], row["epoch"]) for row in rows] == [(seed, i) for i in (1, 2, 3, 4)]
        assert [row["train_loss"] for row in rows] == result.losses

    summary = json.loads((folder / "summary.json").read_text())
    assert summary["seeds"] == [5, 6]
    assert summary["rules"]["val_score"]["test_score"] == [result.test_score for result in results]

    checkpoint = torch.load(folder / "seed-6.pt", weights_only=True)
    assert (checkpoint["seed"], checkpoint["test_score"]) == (6, results[1].test_score)
    assert checkpoint["rule"] == "val_score"
    data = task.clone()
    data.x = data["x"] / data["x"].sum(dim=1, keepdim=True)
    model = build_model(config.model, data)
    model.load_state_dict(checkpoint["state_dict"])
    predicted = model.eval()(data.x, model_graph(config.model.kind, data)).argmax(dim=1)
    correct = (predicted == data.y)[data.test_mask]
    assert correct.double().mean().item() == results[1].test_score


def test_same_config_gives_the_same_results_in_a_new_folder(config: TrainConfig):
    first, second = train(config), train(config)
    assert [result.losses for result in first] == [result.losses for result in second]
    assert len(folders(config)) == 2
    assert rows_of(folders(config)[0], 6) == rows_of(folders(config)[1], 6)


def test_order_of_seeds_does_not_matter(config: TrainConfig):
    backwards = replace(config, seeds=[6, 5])
    losses = [result.losses for result in train(config)]
    assert [result.losses for result in train(backwards)] == losses[::-1]


def test_number_of_threads_is_set_and_restored(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch, threads
):
    threads(3)
    seen: list[int] = []

    def watched(*args: Any, **options: Any) -> FitResult:
        seen.append(torch.get_num_threads())
        return fit(*args, **options)

    monkeypatch.setattr("gatsparse.train.experiment.fit", watched)
    train(config)
    train(replace(config, threads=2))
    assert seen == [1, 1, 2, 2]
    assert torch.get_num_threads() == 3


def test_each_seed_has_its_own_random_split(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    masks: list[torch.Tensor] = []

    def watched(model: torch.nn.Module, data: Data, *args: Any, **options: Any) -> FitResult:
        masks.append(data.val_mask)
        return fit(model, data, *args, **options)

    monkeypatch.setattr("gatsparse.train.loading.load", load)
    monkeypatch.setattr("gatsparse.train.experiment.fit", watched)
    train(replace(config, split="random", epochs=1))
    data = load("digits")
    assert [mask.tolist() for mask in masks] == [
        random_split(data, seed).val_mask.tolist() for seed in (5, 6)
    ]


def test_too_small_classes_for_a_random_split_raise(config: TrainConfig):
    with pytest.raises(ConfigError, match=r"split: digits has no random split: .* class 0 .* 20"):
        train(replace(config, split="random"))
    assert not config.run_dir.exists()


def test_file_in_place_of_the_run_folder_raises(config: TrainConfig):
    config.run_dir.write_text("")
    for run_dir in (config.run_dir, config.run_dir / "below"):
        with pytest.raises(ConfigError, match=f"^run_dir: expected a folder, got {run_dir}, "):
            train(replace(config, run_dir=run_dir))


def test_run_folder_that_cannot_be_created_raises(small_run: TrainConfig):
    with pytest.raises(ConfigError, match=r"^run_dir: expected a folder that can be written, got "):
        train(replace(small_run, run_dir=small_run.run_dir / ("x" * 300)))


def test_seed_that_diverges_is_named(config: TrainConfig):
    with pytest.raises(TrainingDivergedError, match=r"seed 5, epoch 1: the .* loss is (nan|inf)"):
        train(replace(config, optim=OptimConfig(lr=1e30)))


def test_interrupted_run_can_be_read(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    losses: list[float] = []
    cross_entropy = torch.nn.functional.cross_entropy

    def interrupted(*args: Any) -> torch.Tensor:
        losses.append(0.0)
        if len(losses) == 2 * 4 + 2 * 2 + 1:  # the second seed's third step
            raise KeyboardInterrupt
        return cross_entropy(*args)

    monkeypatch.setattr("torch.nn.functional.cross_entropy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    (folder,) = folders(config)
    assert [row["epoch"] for row in rows_of(folder, 5)] == [1, 2, 3, 4]
    assert [row["epoch"] for row in rows_of(folder, 6)] == [1, 2]
    assert json.loads((folder / "summary.json").read_text())["seeds"] == [5]
    assert torch.load(folder / "seed-5.pt", weights_only=True)["epochs"] == 4
    assert not (folder / "seed-6.pt").exists()


def test_error_of_a_file_names_that_file(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "no space left on device", "checkpoint-5")

    monkeypatch.setattr("gatsparse.train.experiment.fit", fail)
    with pytest.raises(OSError, match="no space left on device: 'checkpoint-5'"):
        train(config)


def test_full_disk_names_the_file_of_the_rows(tmp_path: Path):
    (tmp_path / "seed-5.jsonl").symlink_to("/dev/full")
    row = Epoch(epoch=1, train_loss=1.0, val_loss=1.0, val_score=0.5, test_score=0.5)
    with (
        pytest.raises(OSError, match=r"No space left on device: '.*/seed-5.jsonl'"),
        RunFolder(tmp_path).metrics(5) as append,
    ):
        append(row)


def test_run_folder_that_cannot_be_begun_is_removed(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatsparse.train.run_folder.config_yaml", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    assert list(config.run_dir.iterdir()) == []


def test_incomplete_file_never_gets_its_name(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    def disk_full(_: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("gatsparse.train.run_folder.torch.save", disk_full)
    with pytest.raises(OSError, match="no space left"):
        train(config)
    (folder,) = folders(config)
    assert not (folder / "seed-5.pt").exists()
    assert not (folder / "seed-5.json").exists()
    assert not (folder / "summary.json").exists()
