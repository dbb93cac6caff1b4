"""``gatsparse info MODEL``: what a run or a saved model is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import gatsparse
from gatsparse.train import ModelConfig, Output, TrainConfig, load_task, train
from gatsparse_cli import main


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    return TrainConfig(
        "digits",
        model=ModelConfig(hidden_channels=4, heads=2),
        epochs=3,
        seeds=[5, 6],
        stopping=["val_score", "val_loss"],
        processes=1,
        run_dir=tmp_path_factory.mktemp("runs"),
    )


@pytest.fixture(scope="module")
def run(config: TrainConfig) -> Path:
    """A finished run."""
    train(config, output=Output())
    (folder,) = config.run_dir.iterdir()
    return folder


def info(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["info", str(path)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def error(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(["info", str(path)])
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("gatsparse info: ")
    assert str(path) in line
    return code, line


def test_run_folder(run: Path, capsys: pytest.CaptureFixture[str]):
    out = info(run, capsys)
    assert f"run folder: {run}" in out
    assert "data: digits, 64 features, 10 outputs" in out
    assert "model: 646 parameters" in out  # 64 * 8 + 3 * 8, 8 * 10 + 3 * 10
    assert "(conv1): GATConv(64, 4, heads=2, backend='auto')" in out
    assert "conv1  GATConv  fused" in out
    summary = json.loads((run / "summary.json").read_text())
    for k, seed in enumerate((5, 6)):
        for rule, figures in summary["rules"].items():
            assert (
                f"seed {seed}, {rule}: epoch {figures['best_epoch'][k]} of 3, accuracy "
                f"val {figures['val_score'][k]:.1%}, test {figures['test_score'][k]:.1%}"
            ) in out
    assert f"torch {torch.__version__}" in out


def test_model_of_a_run(run: Path, capsys: pytest.CaptureFixture[str]):
    out = info(run / "seed-6.pt", capsys)
    assert "conv2  GATConv  fused" in out
    assert "seed 6, val_score" in out
    assert "seed 5" not in out


def test_unfinished_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for file in run.iterdir():
        if not file.name.startswith("seed-6"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    assert "not finished: 1 of 2 seed(s)" in info(tmp_path, capsys)


def test_requested_backend_is_shown(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    for kind, shown in (
        ("scatter", "scatter  backend='scatter' was requested"),
        ("pyg", "PyG      gatsparse.accelerate replaces it"),
        ("dense", "dense    model.kind is dense"),
    ):
        model = replace(config.model, kind=kind)
        train(replace(config, model=model, epochs=1, seeds=[5]), output=Output())
        (folder,) = config.run_dir.glob(f"digits-{kind}-*")
        assert shown in info(folder, capsys)


def test_edge_features(config: TrainConfig, capsys: pytest.CaptureFixture[str]):
    data = load_task(config)
    data.edge_attr = torch.rand(data.num_edges, 3)
    run_dir = config.run_dir.with_name("runs-with-edges")
    train(replace(config, run_dir=run_dir, epochs=1, seeds=[5]), data=data, output=Output())
    (folder,) = run_dir.iterdir()
    assert "conv1  GATConv  fused" in info(folder, capsys)


def test_state_dict_without_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "mine.pt"
    torch.save(gatsparse.GATConv(6, 2, heads=3).state_dict(), path)
    out = info(path, capsys)
    assert "lin.weight  [6, 6] float32" in out
    assert "54 numbers" in out  # 36 + 3 * 6
    assert "The file has no configuration: `gatsparse info RUN/seed-N.pt`" in out


def test_model_that_was_copied_from_its_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "seed-5.pt"
    path.write_bytes((run / "seed-5.pt").read_bytes())
    out = info(path, capsys)
    assert "rule: val_score" in out
    assert "conv1.lin.weight  [8, 64] float32" in out


class Executed:
    """A pickle that shows when it is loaded."""

    def __reduce__(self) -> Any:
        return print, ("executed",)


@pytest.mark.parametrize(
    "content",
    [Executed(), {"state_dict": Executed()}, [1], 3, {}, {"a": 1}, gatsparse.GATConv(2, 2)],
)
def test_file_of_something_else_is_reported(
    content: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    code, line = error(path, capsys)
    assert code == 1
    assert "expected a run folder of gatsparse train, or a file seed-N.pt in it, got a" in line


@pytest.mark.parametrize("content", [b"", b"text\n", b"PK\x03\x04", b"\x80\x02."])
def test_damaged_file_is_reported(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "damaged.pt"
    path.write_bytes(content)
    assert error(path, capsys)[0] == 1


def test_damaged_model_of_a_run_is_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "run"
    folder.mkdir()
    for file in run.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "seed-5.pt").write_bytes((run / "seed-5.pt").read_bytes()[:-9])
    code, line = error(folder / "seed-5.pt", capsys)
    assert code == 1
    assert "damaged" in line


def test_missing_environment_is_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for file in run.iterdir():
        if file.name != "environment.json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    assert "trained with: unknown" in info(tmp_path, capsys)


def test_paths_that_are_no_model_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert error(tmp_path / "none", capsys)[0] == 2
    assert error(tmp_path, capsys)[0] == 2


def test_check_is_for_the_installation(capsys: pytest.CaptureFixture[str]):
    assert main(["info", "--check", "model.pt"]) == 2
    assert capsys.readouterr().err == "gatsparse info: --check: expected no MODEL\n"
