"""Data to which the model of a run is applied."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from gatsparse.data import GraphFileError, GraphFiles, load, load_files
from gatsparse.predict import load_data, load_run, predict
from gatsparse.train import ConfigError, Output, TrainConfig, load_task, train
from tests.predict.conftest import write_graph


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_another_graph_is_encoded_as_the_training(trained, folder, tmp_path):
    """A model gives the same outputs for the same nodes with other ids and in other columns."""
    run = trained()
    other = tmp_path / "other"
    other.mkdir()
    nodes = [line.split(",") for line in (folder / "nodes.csv").read_text().splitlines()]
    (other / "nodes.csv").write_text(
        "".join(f"{line[2]},9,{line[1]},{line[0]}\n" for line in nodes).replace("9", "new", 1)
    )
    (other / "edges.csv").write_text((folder / "edges.csv").read_text())
    expected = predict(run, load_data(run)).outputs
    predictions = predict(run, load_data(run, other))
    assert torch.equal(predictions.outputs, expected)
    assert predictions.scores() == {}


def test_standardization_is_that_of_the_training(trained, tmp_path):
    run = trained()
    write_graph(tmp_path / "small", first=1000, count=20)
    data = load_data(run, tmp_path / "small")
    price = next(column for column in run.schema.columns if column.name == "price")
    rows = (tmp_path / "small" / "nodes.csv").read_text().splitlines()[1:]
    expected = [(float(row.split(",")[1]) - price.mean) / price.std for row in rows]
    assert data.x[:, 0].tolist() == pytest.approx(expected, rel=1e-5)  # float32
    assert data.node_ids[0] == "item-1000"
    assert len(predict(run, data).outputs) == 20


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("colour", "color", "nodes.csv: expected the column 'colour', a feature of the training"),
        (
            ",blue,",
            ",green,",
            "line .*: column 'colour': expected one of 'blue', 'red', got 'green'",
        ),
        (",book", ",boat", "column 'label': expected .* got 'boat', which the model does not know"),
    ],
)
def test_other_columns_and_values_are_refused(trained, tmp_path, old, new, message):
    run = trained()
    other = write_graph(tmp_path / "other", first=1000)
    edit(other / "nodes.csv", old, new)
    with pytest.raises(GraphFileError, match=message):
        load_data(run, other)


def test_changed_data_of_the_training_are_refused(trained, folder):
    run = trained()
    edit(folder / "edges.csv", "item-5,item-6", "item-5,item-7")
    with pytest.raises(ConfigError, match=r"^data: the data of .* have changed .*--data"):
        load_data(run)
    assert load_data(run, folder).edge_index[:, 20].tolist() == [5, 7]


def test_other_numbers_of_features_are_refused(trained):
    run = trained()
    edges = torch.tensor([[0], [1]])
    with pytest.raises(ConfigError, match=r"^data: expected 3 features of each node .* got 5"):
        load_data(run, Data(x=torch.ones(2, 5), edge_index=edges))
    weighted = Data(x=torch.ones(2, 3), edge_index=edges, edge_attr=torch.ones(1, 1))
    with pytest.raises(ConfigError, match=r"^data: expected no features of each edge .* got 1"):
        load_data(run, weighted)


def run_of(config: TrainConfig, data: Data | None = None):
    train(config, data, output=Output())
    return load_run(next(config.run_dir.iterdir()))


def test_features_are_normalised_as_in_the_training(tmp_path):
    """Data sets by name are normalised, data in memory are not: the training decides for both."""
    data = load("digits")
    named = run_of(TrainConfig("digits", epochs=1, run_dir=tmp_path / "named"))
    assert torch.allclose(load_data(named, data).x.sum(dim=1), torch.ones(1797))
    in_memory = run_of(TrainConfig(epochs=1, run_dir=tmp_path / "in_memory"), data)
    assert torch.equal(load_data(in_memory, data).x, data.x)
    assert torch.equal(load_data(in_memory, "digits").x, data.x)


def test_data_in_memory_with_several_splits(tmp_path):
    data = load("digits")
    masks = torch.stack([data.val_mask, data.train_mask | data.val_mask], dim=1)
    data.val_mask, data.test_mask = masks, torch.stack([data.test_mask] * 2, dim=1)
    data.train_mask = torch.stack([data.train_mask, data.train_mask], dim=1)
    config = TrainConfig(epochs=1, split=0, run_dir=tmp_path / "runs")
    run = run_of(config, data)
    scores = predict(run, load_data(run, data)).scores()
    assert scores == {"val": run.result.val_score, "test": run.result.test_score}
    assert torch.equal(load_data(run, data).val_mask, load_task(config, data).val_mask)


def test_run_on_data_in_memory_needs_them_again(tmp_path):
    run = run_of(TrainConfig(epochs=1, run_dir=tmp_path / "runs"), load("digits"))
    with pytest.raises(ConfigError, match=r"^data: expected data, as .* on data in memory"):
        load_data(run)


def test_run_on_data_of_files_reads_other_folders(folder, tmp_path):
    """A graph of load_files is as good as its files in the configuration."""
    files = GraphFiles(folder, features=["price", "colour"], standardize=True, node_id="id")
    named = run_of(TrainConfig(files, epochs=1, run_dir=tmp_path / "named"))
    in_memory = run_of(TrainConfig(epochs=1, run_dir=tmp_path / "in_memory"), load_files(files))
    assert in_memory.config.dataset == named.config.dataset
    other = write_graph(tmp_path / "other", first=1000, count=20)
    for data in (None, other):
        expected, found = load_data(named, data), load_data(in_memory, data)
        assert torch.equal(found.x, expected.x)
        assert found.node_ids[3] == expected.node_ids[3]


@pytest.mark.parametrize("key", ["x", "edge_index"])
def test_run_on_changed_data_of_files_refuses_other_folders(folder, tmp_path, key):
    """The changes cannot be repeated."""
    data = load_files(GraphFiles(folder))
    data[key] = data.x.log1p() if key == "x" else data.edge_index.flip(0)
    run = run_of(TrainConfig(epochs=1, run_dir=tmp_path / "runs"), data)
    with pytest.raises(ConfigError, match=r"data in memory .* got the folder .* load"):
        load_data(run, folder)
    assert load_data(run, data).num_nodes == 180


def test_features_are_of_the_same_kind_as_in_the_training(trained, folder, tmp_path):
    """A matrix next to columns, and columns next to a matrix, are not used."""
    of_columns = trained()
    np.save(folder / "x.npy", np.ones((180, 3), np.float32))
    expected = load_data(of_columns, write_graph(tmp_path / "same")).x
    assert torch.equal(load_data(of_columns, folder).x, expected)
    columns = ["price", "colour", "size", "red", "round"]
    files = GraphFiles(folder, ignore=columns)
    of_matrix = run_of(TrainConfig(files, epochs=1, run_dir=tmp_path / "of_matrix"))
    assert torch.equal(load_data(of_matrix, folder).x, torch.ones(180, 3))
    with pytest.raises(GraphFileError, match=r"same: expected a matrix of features such as x.npy"):
        load_data(of_matrix, tmp_path / "same")


@pytest.mark.parametrize(
    ("old", "new", "keys", "message"),
    [
        ("item-1001,item-1002", "item-1001,x", {"unknown_nodes": "drop"}, "dataset.unknown_nodes"),
        ("item-1000,", "item-1000,,", {"missing": "zero"}, "column 'price': .* mean or zero"),
        (",blue,", ",green,", {"missing": "zero"}, "column 'colour': .* dataset.missing"),
        ("source,target", "foo,bar", {"source": "foo", "target": "bar"}, "set dataset.source"),
        ("id,", "sku,", {"node_id": "sku"}, "set dataset.node_id"),
    ],
)
def test_other_files_may_be_read_in_another_way(trained, tmp_path, old, new, keys, message):
    """Follows the advice of a message."""
    run = trained()
    other = write_graph(tmp_path / "other", first=1000)
    nodes = (other / "nodes.csv").read_text()
    name = "nodes.csv" if old in nodes else "edges.csv"
    text = (other / name).read_text().replace(old, new, 1)
    (other / name).write_text(re.sub("(item-1000),,[^,]*", r"\1,", text))
    with pytest.raises(GraphFileError, match=message):
        load_data(run, other)
    assert load_data(run, other, **keys).num_nodes == 180


def test_missing_numbers_become_the_mean_of_the_training(trained, tmp_path):
    """Also if its configuration did not allow any."""
    run = trained()
    other = write_graph(tmp_path / "other", first=1000)
    text = (other / "nodes.csv").read_text()
    (other / "nodes.csv").write_text(re.sub("(item-1000),[^,]*", r"\1,", text))
    assert load_data(run, other, missing="mean").x[0, 0] == pytest.approx(0, abs=1e-6)
    price = next(column for column in run.schema.columns if column.name == "price")
    zero = load_data(run, other, missing="zero").x[0, 0]
    assert zero == pytest.approx(-price.mean / price.std, rel=1e-5)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"standardize": False}, "dataset.standardize: expected that of the training"),
        ({"colour": "red"}, "dataset.colour: expected one of nodes, edges, .*, got 'colour'$"),
        ({"mising": "zero"}, "got 'mising': did you mean missing"),
        ({"path": "q"}, "dataset.path: .* got 'q': pass the folder as --data"),
        ({"missing": "guess"}, "dataset.missing: expected error or mean or zero"),
    ],
)
def test_keys_that_another_folder_cannot_have(trained, folder, keys, message):
    with pytest.raises(ConfigError, match=message):
        load_data(trained(), folder, **keys)


def test_keys_need_a_folder(trained):
    with pytest.raises(ConfigError, match=r"dataset.missing: expected a run on files"):
        load_data(trained(), missing="zero")
