from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from gatsparse.data import DatasetCorruptError
from gatsparse.data.ogb import load_ogb
from tests.data.ogb.files import (
    ARXIV,
    FILES,
    NUM_EDGES,
    NUM_NODES,
    PAPERS,
    PRODUCTS,
    arrays,
    write,
    write_csv,
)


@pytest.mark.parametrize(("name", "file"), FILES)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file_is_named(places, name: str, file: str, kept: float):
    path = write(places["root"], name) / file
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetCorruptError) as caught:
        load_ogb(name, places["root"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("name", "file"), FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_rubbish_is_named(places, name: str, file: str, packed: bool):
    path = write(places["root"], name) / file
    page = b"<!DOCTYPE html>\n<html></html>\n"
    path.write_bytes(gzip.compress(page) if packed else page)
    with pytest.raises(DatasetCorruptError) as caught:
        load_ogb(name, places["root"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [NUM_NODES - 1, NUM_NODES + 1, 0, [[9], [9]], 1.5])
def test_wrong_number_of_nodes_raises(places, size: Any):
    place = write(places["root"], ARXIV)
    write_csv(place / "raw" / "num-node-list.csv.gz", np.array(size, ndmin=2))
    with pytest.raises(DatasetCorruptError, match=r"num-node-list\.csv\.gz"):
        load_ogb(ARXIV, places["root"])


@pytest.mark.parametrize("size", [NUM_EDGES - 1, NUM_EDGES + 1])
def test_wrong_number_of_edges_raises(places, size: int):
    place = write(places["root"], PRODUCTS)
    write_csv(place / "raw" / "num-edge-list.csv.gz", [size])
    message = (
        rf"edge\.csv\.gz: .*\[2, {size}\], as declared in num-edge-list\.csv\.gz, got .*, 40\]"
    )
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(PRODUCTS, places["root"])


@pytest.mark.parametrize("key", ["node_feat", "node_label", "edge_index"])
@pytest.mark.parametrize("name", [ARXIV, PAPERS])
def test_array_of_another_size_raises(places, name: str, key: str):
    content = arrays(name)
    content[key] = content[key][:, :-1] if key == "edge_index" else content[key][:-1]
    write(places["root"], name, content)
    file = {"node_feat": "node-feat", "node_label": "node-label", "edge_index": "edge"}[key]
    file = "data" if name == PAPERS and key != "node_label" else file
    with pytest.raises(
        DatasetCorruptError, match=rf"{file}\.(csv\.gz|npz): corrupt, .*as declared in"
    ):
        load_ogb(name, places["root"])


@pytest.mark.parametrize("name", [ARXIV, PAPERS])
@pytest.mark.parametrize(
    ("key", "at", "value", "message"),
    [
        ("node_feat", (7, 2), np.nan, "finite"),
        ("node_feat", (17, 4), np.inf, "finite"),
        ("edge_index", (0, 0), NUM_NODES, "0 .. 17"),
        ("edge_index", (1, 39), -1, "0 .. 17"),
        ("node_label", (3, 0), -1, "whole numbers"),
        ("node_label", (3, 0), 0.5, "whole numbers"),
        ("node_label", (3, 0), np.inf, "whole numbers"),
        ("node_label", (3, 0), np.nan, "have a label"),
    ],
)
def test_impossible_values_raise(places, name: str, key: str, at: Any, value: float, message: str):
    content = arrays(name)
    if key == "node_label":
        content[key] = content[key].astype(np.float64)
    content[key][at] = value
    write(places["root"], name, content)
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(name, places["root"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"edge_index": np.zeros((2, NUM_EDGES), dtype=np.float32)}, "int64"),
        ({"edge_index": np.zeros((NUM_EDGES, 2), dtype=np.int64)}, "int64"),
        ({"node_feat": np.zeros((NUM_NODES, 2), dtype=np.int64)}, "floats"),
        ({"node_feat": np.zeros(NUM_NODES, dtype=np.float32)}, "floats"),
        ({"node_label": np.zeros(NUM_NODES, dtype="U1")}, "numbers"),
    ],
)
def test_impossible_dtypes_and_shapes_raise(places, content: dict[str, np.ndarray], message: str):
    write(places["root"], PAPERS, {**arrays(PAPERS), **content})
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(PAPERS, places["root"])


def test_missing_array_is_named(places):
    content = arrays(PAPERS)
    content["node_features"] = content.pop("node_feat")
    write(places["root"], PAPERS, content)
    with pytest.raises(DatasetCorruptError, match=r"data\.npz: .*node_feat"):
        load_ogb(PAPERS, places["root"])


@pytest.mark.parametrize(
    ("split", "nodes", "message"),
    [
        ("train", [0, NUM_NODES], "0 .. 17"),
        ("train", [-1], "0 .. 17"),
        ("train", [[0, 1]], "a column"),
        ("train", [0, 1, 0], "every node in at most one split"),
        ("valid", [5, 4], "every node in at most one split"),
        ("test", [16], "every node in at most one split"),
        ("test", [6], "have a label"),
        ("test", [0.5], "truncated or corrupt"),
    ],
)
def test_impossible_split_raises(places, split: str, nodes: Any, message: str):
    place = write(places["root"], PAPERS)
    write_csv(place / "split" / "time" / f"{split}.csv.gz", nodes)
    with pytest.raises(DatasetCorruptError, match=rf"{split}\.csv\.gz.*{message}"):
        load_ogb(PAPERS, places["root"])
