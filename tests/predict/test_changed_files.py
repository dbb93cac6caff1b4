"""Runs on graphs of load_files whose labels, masks or task are not those of the files."""

import pytest

from gatsparse.data import GraphFiles, load_files
from gatsparse.predict import load_data, load_run, predict
from gatsparse.train import ConfigError, Output, TrainConfig, train


def run_of(tmp_path, data):
    config = TrainConfig(epochs=1, run_dir=tmp_path / "runs")
    train(config, data, output=Output())
    return load_run(next(config.run_dir.iterdir()))


@pytest.fixture
def data(folder):
    return load_files(GraphFiles(folder))


@pytest.mark.parametrize("kind", ["permuted", "merged"])
def test_changed_labels_have_no_names_of_the_files(data, folder, tmp_path, kind):
    data.y = (data.y + 1) % 3 if kind == "permuted" else (data.y == 2).long()
    run = run_of(tmp_path, data)
    assert run.classes == (["0", "1", "2"] if kind == "permuted" else ["0", "1"])
    with pytest.raises(ConfigError, match=r"data in memory"):
        load_data(run, folder)
    again = load_data(run, data)
    predict(run, again).write(tmp_path / "p.csv")
    assert predict(run, again).scores()["test"] == run.result.test_score


def test_changed_labels_are_noted(data, tmp_path, capsys):
    data.y = (data.y + 1) % 3
    train(TrainConfig(epochs=1, run_dir=tmp_path / "runs"), data)
    assert "data.y differs from the labels of the files" in capsys.readouterr().out


def test_names_of_changed_labels_are_kept_without_the_origin(data, tmp_path):
    data.y[0] = (data.y[0] + 1) % 3
    del data.origin
    assert run_of(tmp_path, data).classes == ["book", "game", "tool"]


def test_changed_masks_are_not_those_of_the_files(data, tmp_path):
    data.train_mask, data.test_mask = data.test_mask, data.train_mask
    run = run_of(tmp_path, data)
    assert run.classes == ["book", "game", "tool"]
    with pytest.raises(ConfigError, match=r"^data: expected data, as .* on data in memory"):
        load_data(run)


def test_labels_of_another_task_are_refused(data, tmp_path):
    config = TrainConfig(task="regression", epochs=1, run_dir=tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"^task: expected classification, .* 'regression'\)$"):
        train(config, data, output=Output())
    data.y = data.y.float()
    train(config, data, output=Output())
