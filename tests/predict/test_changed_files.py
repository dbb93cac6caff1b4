"""Graphs of load_files in memory that are not as in their files, or not as in the training."""

import pytest
import torch

from gatsparse.data import GraphFiles, load_files
from gatsparse.explain import explain
from gatsparse.predict import load_data, load_run, predict
from gatsparse.train import ConfigError, Output, TrainConfig, train
from tests.predict.conftest import write_graph


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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "blue",
            "green",
            r"^data.schema.columns: .* \(price, colour, .*load_files\(files, task, run",
        ),
        (
            "book",
            "zeal",
            r"^data.schema.classes: expected \['book', .*, got \['game', .*load_f",
        ),
    ],
)
def test_other_meanings_of_features_and_classes_are_refused(folder, tmp_path, old, new, message):
    """Columns have as many features, but others."""
    files = GraphFiles(folder, standardize=new == "green")
    run = run_of(tmp_path, load_files(files))
    other = write_graph(tmp_path / "other", first=0 if new == "zeal" else 1000)
    nodes = other / "nodes.csv"
    nodes.write_text(nodes.read_text().replace(old, new))
    others = GraphFiles(other, standardize=files.standardize)
    data = load_files(others)
    with pytest.raises(ConfigError, match=message):
        load_data(run, data)
    if new == "zeal":
        del data.y
        assert load_data(run, data).num_nodes == 180
    same = load_files(GraphFiles(folder, standardize=files.standardize), schema=run.schema)
    assert list(predict(run, load_data(run, same)).scores()) == ["all"]


def test_ids_of_a_part_of_a_graph(data, tmp_path):
    run = run_of(tmp_path, data)
    nodes = torch.arange(0, 180, 2)
    part = data.subgraph(nodes)
    with pytest.raises(ConfigError, match=r"^data.node_ids: expected 90 ids, .* got 180: set it"):
        load_data(run, part)
    explanation = explain(run.model, part, nodes=[3], removals=0)
    assert explanation.nodes[0].id == "3"
    assert any("there are 180 for 90 nodes" in note for note in explanation.notes)
    part.node_ids = data.node_ids.take(nodes.numpy())
    predict(run, load_data(run, part)).write(tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().splitlines()[2].startswith('"item-2",')
    assert explain(run.model, part, nodes=[3], removals=0).nodes[0].id == "item-6"


def test_labels_of_another_task_are_refused(data, tmp_path):
    config = TrainConfig(task="regression", epochs=1, run_dir=tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"^task: expected classification, .* 'regression'\)$"):
        train(config, data, output=Output())
    data.y = data.y.float()
    train(config, data, output=Output())
