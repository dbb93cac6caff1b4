"""The task of a folder is the one that the content of its labels suggests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFileError, GraphFiles
from gatsparse.inspection import inspect_graph
from gatsparse.inspection.columns import ColumnSummary
from gatsparse.inspection.labels import FoundLabels, separator_of, suggested_task
from gatsparse.inspection.report import suggestion
from gatsparse.train import Output, parse_config, train

COUNT = 60
NUMBER = np.arange(COUNT, dtype=np.float64)


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


def write(folder: Path, **columns: object) -> GraphFiles:
    """Writes a ring of nodes with an age and columns of labels."""
    names = [f"n{i}" for i in range(COUNT)]
    nodes = pa.table({"id": names, "age": NUMBER % 7, **columns})
    pyarrow.parquet.write_table(nodes, folder / "nodes.parquet")
    edges = pa.table({"source": names, "target": names[1:] + names[:1]})
    pyarrow.csv.write_csv(edges, folder / "edges.csv")
    return GraphFiles(folder)


def write_arrays(folder: Path) -> GraphFiles:
    """Writes the same ring without a table of nodes."""
    nodes = np.arange(COUNT)
    np.save(folder / "x.npy", np.zeros((COUNT, 2), np.float32))
    np.save(folder / "edges.npy", np.stack([nodes, np.roll(nodes, -1)]))
    return GraphFiles(folder)


def lists(*texts: str) -> list[str]:
    return [texts[i % len(texts)] for i in range(COUNT)]


LABELS = {
    "classes": (lists("a", "b"), "classification"),
    "whole numbers": (NUMBER % 5, "classification"),
    "real numbers": (NUMBER / 7, "regression"),
    "lists of labels": (lists("red;round", "red", "round"), "multi_label"),
    "vectors of zeros and ones": ([[i % 2, 1 - i % 2] for i in range(COUNT)], "multi_label"),
    "vectors of numbers": ([[i / 7, i % 5] for i in range(COUNT)], "regression"),
    "empty cells": (pa.nulls(COUNT, pa.string()), "link_prediction"),
}


@pytest.mark.parametrize(("labels", "task"), LABELS.values(), ids=LABELS)
def test_suggested_configuration_trains(tmp_path, labels, task):
    inspection = inspect_graph(write(tmp_path, label=labels))
    assert inspection.config.task == task
    (tmp_path / "suggested.yaml").write_text(suggestion(inspection))
    runs = f"--run_dir={tmp_path / 'runs'}"
    config = parse_config(tmp_path / "suggested.yaml", ["--epochs=1", runs])
    assert config.task == task
    train(config, output=Output())


def test_no_labels_suggest_links_and_how_to_name_labels(tmp_path):
    inspection = inspect_graph(write(tmp_path))
    assert inspection.config.task == "link_prediction"
    assert "set dataset.label" in inspection.reasons[0]


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (NUMBER / 7, "regression"),
        (np.arange(COUNT) % 3, "classification"),
        (np.eye(2, dtype=np.int64)[np.arange(COUNT) % 2], "multi_label"),
    ],
)
@pytest.mark.parametrize("graph", [write, write_arrays])
def test_labels_of_a_file(tmp_path, labels, task, graph):
    files = graph(tmp_path)
    np.save(tmp_path / "y.npy", labels)
    assert inspect_graph(files).config.task == task


def test_a_task_that_is_passed_is_kept(tmp_path):
    files = write(tmp_path, label=lists("red;round", "red", "round"))
    inspection = inspect_graph(files, "classification")
    assert inspection.config.dataset.label_separator is None
    assert inspection.data.schema.classes == ["red", "red;round", "round"]
    assert inspect_graph(files, "link_prediction").config.task == "link_prediction"
    assert inspect_graph(files, "multi_label").config.dataset.label_separator == ";"


@pytest.mark.parametrize("label", ["kind", ["kind", "age"]])
@pytest.mark.parametrize("graph", [write, write_arrays])
def test_a_label_that_is_missing_is_an_error(tmp_path, label, graph):
    files = graph(tmp_path)
    with pytest.raises(GraphFileError, match=r"dataset\.label: expected (a|one) column"):
        inspect_graph(replace(files, label=label))


def test_labels_that_cannot_be_read_are_an_error(tmp_path):
    with pytest.raises(GraphFileError, match="column 'label'"):
        inspect_graph(write(tmp_path, label=[["a", "b"]] * COUNT))


def test_several_graphs_are_refused(tmp_path):
    files = write(tmp_path, graph=lists("g", "h"))
    (tmp_path / "graphs.csv").write_text("id,label\ng,x\nh,y\n")
    with pytest.raises(ConfigError, match=r"got the table of graphs .*graphs\.csv: train with"):
        inspect_graph(files)


@pytest.mark.parametrize(
    ("texts", "separator"),
    [
        ({"a;b", "a", "b"}, ";"),
        ({"a | b", "b", "a"}, "|"),
        ({"a;b", "c;d"}, None),  # each a name of its own
        ({"a", "b"}, None),
        ({"a, b", "a", "b"}, None),
    ],
)
def test_separator(texts, separator):
    assert separator_of(FoundLabels("l", [ColumnSummary("l", "text", values=texts)])) == separator


@pytest.mark.parametrize(("count", "task"), [(100, "classification"), (101, "regression")])
def test_many_whole_numbers_are_no_classes(count, task):
    summary = ColumnSummary("l", "number", values=set(range(count)))
    assert suggested_task(FoundLabels("l", [summary]), None) == task
