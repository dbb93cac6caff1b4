"""Files of predictions: ids, classes, probabilities, values."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from gatsparse.predict import load_data, predict
from gatsparse.train import ConfigError


def written(predictions, path):
    """Returns the columns of a file of predictions."""
    predictions.write(path)
    read = pyarrow.csv.read_csv if path.suffix == ".csv" else pyarrow.parquet.read_table
    return {name: column.to_numpy() for name, column in zip(*_columns(read(path)), strict=True)}


def _columns(table):
    return table.column_names, table.columns


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_classes(trained, tmp_path, name):
    run = trained()
    predictions = predict(run, load_data(run))
    columns = written(predictions, tmp_path / name)
    assert list(columns) == ["id", "class", "p_book", "p_game", "p_tool"]
    assert columns["id"].tolist() == [f"item-{i}" for i in range(180)]
    shares = np.stack([columns[f"p_{label}"] for label in run.classes], axis=1)
    expected = predictions.outputs.softmax(dim=1).numpy()
    assert shares == pytest.approx(expected, rel=1e-6)  # CSV has the digits of a float32
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert columns["class"].tolist() == [run.classes[k] for k in expected.argmax(axis=1)]


def test_labels(trained, tmp_path):
    run = trained(["red", "round"], task="multi_label")
    predictions = predict(run, load_data(run))
    columns = written(predictions, tmp_path / "out.parquet")
    assert list(columns) == ["id", "red", "round", "p_red", "p_round"]
    assert columns["round"].dtype == bool
    assert columns["p_red"] == pytest.approx(predictions.outputs[:, 0].sigmoid().numpy(), rel=1e-6)
    assert (columns["red"] == (columns["p_red"] > 0.5)).all()


def test_numbers_are_in_the_unit_of_the_labels(trained, tmp_path):
    run = trained("size", task="regression", epochs=100)
    data = load_data(run)
    columns = written(predict(run, data), tmp_path / "out.csv")
    assert list(columns) == ["id", "size"]
    scale = run.result.target_scale
    expected = predict(run, data).outputs[:, 0].numpy() * scale.std[0] + scale.mean[0]
    assert columns["size"] == pytest.approx(expected, rel=1e-5)
    assert np.abs(columns["size"] - data.y.numpy()).mean() < data.y.numpy().std()


def test_blocks_of_rows_are_in_order(trained, tmp_path, monkeypatch):
    run = trained()
    predictions = predict(run, load_data(run))
    predictions.write(tmp_path / "whole.csv")
    monkeypatch.setattr("gatsparse.predict.predictions._ROWS", 7)
    predictions.write(tmp_path / "blocks.csv")
    assert (tmp_path / "blocks.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_names_of_columns_are_different(trained, tmp_path):
    """Labels are columns of the file, next to the id."""
    run = trained(["red", "round"], task="multi_label")
    schema = replace(run.schema, classes=["id", "round"])
    predictions = predict(replace(run, schema=schema), load_data(run))
    with pytest.raises(ConfigError, match=r"expected different columns id, .* got 'id' twice"):
        predictions.write(tmp_path / "out.csv")


def test_other_formats_are_refused(trained, tmp_path):
    run = trained()
    predictions = predict(run, load_data(run))
    with pytest.raises(ConfigError, match=r"^out: expected .* \.parquet or \.csv, got .*out\.xlsx"):
        predictions.write(tmp_path / "out.xlsx")
    assert not (tmp_path / "out.xlsx").exists()


@pytest.mark.parametrize("split", [False, True])
def test_nodes_without_a_label_are_not_scored(trained, split):
    """Every labelled node is predicted correctly."""
    run = trained()
    predictions = predict(run, load_data(run))
    data = copy(predictions.data)
    data.y = predictions.outputs.argmax(dim=1)
    data.y[::2] = -1
    if not split:
        data.val_mask = data.test_mask = None
    scores = replace(predictions, data=data).scores()
    assert scores == ({"val": 1.0, "test": 1.0} if split else {"all": 1.0})
