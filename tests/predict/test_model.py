"""Models of run folders, and folders that are something else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import gatsparse
from gatsparse.predict import load_run
from gatsparse.train import ConfigError, DamagedFileError, FitResult


def test_model_is_that_of_the_training(trained):
    run = trained()
    model = gatsparse.load_model(run.path)
    assert not model.training
    state = model.state_dict()
    assert state.keys() == run.result.state_dict.keys()
    assert all(torch.equal(state[key], run.result.state_dict[key]) for key in state)
    assert run.classes == ["book", "game", "tool"]


@pytest.mark.parametrize(("metric", "best"), [("r2", 2), ("mae", 1)])
def test_best_seed_in_validation_is_loaded(trained, monkeypatch, metric, best):
    run = trained("size", task="regression", metric=metric, seeds=[1, 2])

    def result(_, seed: int) -> FitResult:
        rules = {rule: replace(kept, val_score=seed) for rule, kept in run.result.rules.items()}
        return replace(run.result, rules=rules)

    monkeypatch.setattr("gatsparse.train.run_folder.RunFolder.load_result", result)
    assert load_run(run.path).seed == best
    assert load_run(run.path, 1).seed == 1


def test_seeds_that_are_not_finished(trained):
    run = trained(seeds=[4, 7])
    with pytest.raises(ConfigError, match=r"^seed: expected one of .* \[4, 7\] of .*, got 5"):
        load_run(run.path, 5)
    (run.path / "seed-4.json").unlink()
    assert load_run(run.path).seeds == [7]
    (run.path / "seed-7.json").unlink()
    with pytest.raises(ConfigError, match=r"^run: expected a finished seed .* continues the run"):
        load_run(run.path)


def test_other_folders(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(ConfigError, match=r"^run: expected a folder of gatsparse train .* got"):
            load_run(path)


@pytest.mark.parametrize("name", ["seed-0.pt", "seed-0.jsonl", "seed-0.json", "schema.json"])
def test_damaged_files(trained, name):
    run = trained()
    path = run.path / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match=name):
        load_run(run.path)


def test_missing_shift_of_normalised_features(trained):
    run = trained(normalize_features=True)
    (run.path / "features.json").unlink()
    with pytest.raises(DamagedFileError, match=r"features\.json: missing .* train again"):
        load_run(run.path)


def test_changed_result_is_damaged(trained):
    """Scores that were edited are not believed."""
    run = trained()
    path = run.path / "seed-0.json"
    content = json.loads(path.read_text())
    content["rules"]["val_score"]["val_score"] = 1.0
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedFileError, match=r"seed-0.json: .*its digest differs"):
        load_run(run.path)
