"""Outputs of models of runs: those of the training, on the whole graph and layer by layer."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import torch

from gatsparse.predict import load_data, predict
from gatsparse.train import ConfigError, ModelConfig
from gatsparse_cli import main

SMALL = {"hidden_channels": 4, "heads": 2}
CASES = {
    "full": {},
    "sampled": {"mode": "sampled"},
    "pyg": {"model": ModelConfig(kind="pyg", **SMALL)},
    "dense": {"model": ModelConfig(kind="dense", **SMALL)},
    "deep and undirected": {"model": ModelConfig(architecture="deep", **SMALL), "undirected": True},
    "random split of each seed": {"split": "random", "seeds": [3, 1], "dtype": "float64"},
    "multi_label": {"task": "multi_label", "label": ["red", "round"]},
    "multi_label, sampled": {"task": "multi_label", "label": ["red", "round"], "mode": "sampled"},
    "regression": {"task": "regression", "label": "size"},
    "regression of two, sampled": {
        **{"task": "regression", "label": ["size", "round"]},
        **{"metric": "rmse", "mode": "sampled"},
    },
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES)
def test_scores_are_exactly_those_of_the_training(trained, options):
    run = trained(**options)
    scores = predict(run, load_data(run)).scores()
    assert scores == {"val": run.result.val_score, "test": run.result.test_score}


def test_limited_memory_gives_the_same_outputs(trained, monkeypatch):
    """A model of a full training is applied layer by layer if it does not fit."""
    run = trained()
    data = load_data(run)
    expected = predict(run, data).outputs
    monkeypatch.setattr("gatsparse.predict.outputs.estimate_of_sizes", lambda *_: 10**9)
    limited = predict(run, data, max_memory="500MB").outputs
    # Both sum in float32 over at most 5 in-edges, in another order.
    torch.testing.assert_close(limited, expected, rtol=1e-5, atol=1e-6)


def test_models_that_need_the_whole_graph_are_refused(trained):
    run = trained(model=ModelConfig(kind="dense", **SMALL))
    with pytest.raises(ConfigError, match=r"max_memory: expected .*got 50.0 kB; layer by layer is"):
        predict(run, load_data(run), max_memory="50kB")


def test_embeddings_are_no_predictions(trained, tmp_path):
    run = trained(task="link_prediction")
    predictions = predict(run, load_data(run))
    for call in (predictions.scores, lambda: predictions.write(tmp_path / "p.csv")):
        with pytest.raises(ConfigError, match=r"expected a task of nodes, got link_pred.*--pairs"):
            call()


def test_number_of_threads_is_restored(trained, threads):
    run = trained()
    threads(2)
    predict(run, load_data(run), threads=1)
    assert torch.get_num_threads() == 2


def test_killed_command_continues(trained, tmp_path, monkeypatch):
    """It is killed after its first layer; the second call computes only the other one."""
    run = trained(mode="sampled")
    command = ["predict", str(run.path), "--max-memory", "60MB", "--out"]
    assert main([*command, str(tmp_path / "whole.csv")]) == 0
    script = f"""
import os, signal
from gatsparse.inference.stage import Folder
from gatsparse_cli import main
finish = Folder.finish
Folder.finish = lambda self: (finish(self), os.kill(os.getpid(), signal.SIGKILL))
main({[*command, str(tmp_path / "killed.csv")]!r})
"""
    killed = subprocess.run([sys.executable, "-c", script], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed.csv").exists()

    layers: list[int] = []
    begin = "gatsparse.inference.stage.Folder.begin"
    monkeypatch.setattr(begin, _recorded(layers))
    assert main([*command, str(tmp_path / "killed.csv")]) == 0
    assert layers == [1]
    assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob(".*.work"))


def _recorded(layers: list[int]):
    from gatsparse.inference.stage import Folder

    begin = Folder.begin

    def recorded(self: Folder, layer: int) -> None:
        layers.append(layer)
        begin(self, layer)

    return recorded
