from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from gatsparse.train import ModelConfig, TrainConfig, build_model, parse_config, train
from gatsparse.train.full_batch import model_structure


@pytest.fixture
def config(task: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    monkeypatch.setattr("gatsparse.train.full_batch.load", lambda *_: task.clone())
    return TrainConfig(
        "digits",
        model=ModelConfig(hidden_channels=4, heads=2),
        epochs=4,
        seeds=[5, 6],
        run_dir=tmp_path / "runs",
        progress=False,
    )


def folders(config: TrainConfig) -> list[Path]:
    return sorted(config.run_dir.iterdir())


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("progress", [False, True])
def test_run_folder(config: TrainConfig, task: Data, progress: bool):
    config = replace(config, progress=progress)
    results = train(config)
    (folder,) = folders(config)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "metrics.jsonl",
        "seed-5.pt",
        "seed-6.pt",
        "summary.json",
    ]
    assert parse_config(folder / "config.yaml") == config

    rows = rows_of(folder)
    assert [(row["seed"], row["epoch"]) for row in rows] == [
        (seed, epoch) for seed in (5, 6) for epoch in (1, 2, 3, 4)
    ]
    assert [row["train_loss"] for row in rows] == results[0].losses + results[1].losses

    summary = json.loads((folder / "summary.json").read_text())
    accuracies = [result.test_acc for result in results]
    assert summary["test_acc"] == accuracies
    assert summary["test_acc_mean"] == pytest.approx(fmean(accuracies))
    assert summary["test_acc_std"] == pytest.approx(stdev(accuracies))

    checkpoint = torch.load(folder / "seed-6.pt", weights_only=True)
    assert (checkpoint["seed"], checkpoint["test_acc"]) == (6, results[1].test_acc)
    data = task.clone()
    data.x = data["x"] / data["x"].sum(dim=1, keepdim=True)
    model = build_model(config.model, data)
    model.load_state_dict(checkpoint["state_dict"])
    predicted = model.eval()(data.x, model_structure(config.model.kind, data)).argmax(dim=1)
    correct = (predicted == data.y)[data.test_mask]
    assert correct.double().mean().item() == results[1].test_acc


def test_same_config_same_results_in_a_folder_of_its_own(config: TrainConfig):
    first, second = train(config), train(config)
    assert [result.losses for result in first] == [result.losses for result in second]
    assert len(folders(config)) == 2
    assert rows_of(folders(config)[0]) == rows_of(folders(config)[1])


def test_order_of_seeds_does_not_matter(config: TrainConfig):
    backwards = replace(config, seeds=[6, 5])
    losses = [result.losses for result in train(config)]
    assert [result.losses for result in train(backwards)] == losses[::-1]


def test_one_seed_has_no_deviation(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    train(replace(config, seeds=[1]))
    (folder,) = folders(config)
    assert json.loads((folder / "summary.json").read_text())["test_acc_std"] is None
    out = capsys.readouterr().out
    assert folder.name in out
    assert "1 seed(s)" in out
    assert "+-" not in out


def test_interrupted_run_can_be_read(config: TrainConfig, monkeypatch: pytest.MonkeyPatch):
    losses: list[float] = []
    cross_entropy = torch.nn.functional.cross_entropy

    def interrupted(*args: Any) -> torch.Tensor:
        losses.append(0.0)
        if len(losses) == 2 * 4 + 2 * 2 + 1:  # the second seed's third step
            raise KeyboardInterrupt
        return cross_entropy(*args)

    monkeypatch.setattr("gatsparse.train.full_batch.F.cross_entropy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(config)
    (folder,) = folders(config)
    assert [(row["seed"], row["epoch"]) for row in rows_of(folder)] == [
        *((5, epoch) for epoch in (1, 2, 3, 4)),
        *((6, epoch) for epoch in (1, 2)),
    ]
    assert json.loads((folder / "summary.json").read_text())["seeds"] == [5]
    assert torch.load(folder / "seed-5.pt", weights_only=True)["epochs"] == 4
    assert not (folder / "seed-6.pt").exists()


def test_file_that_is_cut_short_never_gets_its_name(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
):
    def disk_full(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("gatsparse.train.run_folder.torch.save", disk_full)
    with pytest.raises(OSError, match="no space left"):
        train(config)
    (folder,) = folders(config)
    assert not (folder / "seed-5.pt").exists()
    assert not (folder / "summary.json").exists()
