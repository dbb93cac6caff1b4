from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch_geometric.datasets import Planetoid

from gatsparse.data import DatasetCorruptError, DatasetNotFoundError, load
from gatsparse.data.planetoid import raw_files, read_planetoid

PARTS = [file.split(".", 2)[2] for file in raw_files("Cora")]


@pytest.mark.parametrize("name", ["Cora", "CiteSeer", "PubMed"])
def test_equals_pyg(planetoid, tmp_path: Path, name: str):
    raw_dir = tmp_path / name / "raw"
    planetoid(raw_dir, name)
    expected: Any = Planetoid(str(tmp_path), name)[0]
    data = read_planetoid(raw_dir, name)
    assert sorted(data.keys()) == sorted(expected.keys())
    for key in data.keys():  # noqa: SIM118 - a Data is no mapping
        assert torch.equal(data[key], expected[key]), key


def test_writes_nothing_and_sees_a_changed_file(planetoid, tmp_path: Path):
    raw_dir = tmp_path / "Cora" / "raw"
    paths = planetoid(raw_dir)
    before = read_planetoid(raw_dir, "Cora")
    allx = pickle.loads(paths["allx"].read_bytes())
    paths["allx"].write_bytes(pickle.dumps(2 * allx))
    after = read_planetoid(raw_dir, "Cora")
    assert torch.equal(after["x"][:510], 2 * before["x"][:510])
    assert sorted(tmp_path.rglob("*.*")) == sorted(paths.values())


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file_is_named(planetoid, tmp_path: Path, part: str, kept: float):
    path = planetoid(tmp_path / "raw")[part]
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetCorruptError, match=path.name):
        read_planetoid(tmp_path / "raw", "Cora")


@pytest.mark.parametrize("part", PARTS)
def test_rubbish_is_named(planetoid, tmp_path: Path, part: str):
    path = planetoid(tmp_path / "raw")[part]
    path.write_text("<!DOCTYPE html>\n<html></html>\n")
    with pytest.raises(DatasetCorruptError, match=path.name):
        read_planetoid(tmp_path / "raw", "Cora")


@pytest.mark.parametrize("part", PARTS)
def test_file_of_another_size_is_named(planetoid, tmp_path: Path, part: str):
    """The size of each file contradicts the other seven."""
    path = planetoid(tmp_path / "raw")[part]
    if part == "test.index":
        path.write_text("\n".join(path.read_text().split()[:-1]))
    else:
        content = pickle.loads(path.read_bytes())
        if part == "graph":
            del content[max(content)]
        else:
            content = content[:-1]
        path.write_bytes(pickle.dumps(content))
    # The numbers of rows of x and y, tx and ty, allx and ally are each told by the pair.
    either = {"x": "y", "tx": "ty", "allx": "ally"}.get(part, part)
    with pytest.raises(DatasetCorruptError, match=rf"ind\.cora\.({part}|{either})\b"):
        read_planetoid(tmp_path / "raw", "Cora")


def _nan_features(content: Any) -> Any:
    content.data[0] = np.nan
    return content


def _features_out_of_range(content: Any) -> Any:
    content.indices[0] = 1000
    return content


def _negative_row_pointer(content: Any) -> Any:
    content.indptr[-1] = -(2**20)
    return content


def _falling_row_pointer(content: Any) -> Any:
    content.indptr[1] = content.indptr[2] + 1
    return content


def _value_without_column(content: Any) -> Any:
    content.data = np.append(content.data, np.float32(1))
    return content


def _two_labels(content: Any) -> Any:
    content[0] = 1
    return content


def _neighbour(node: Any):
    def edit(content: Any) -> Any:
        content[0] = [*content[0], node]
        return content

    return edit


@pytest.mark.parametrize(
    ("part", "edit"),
    [
        ("allx", _nan_features),
        ("allx", _features_out_of_range),
        ("allx", _negative_row_pointer),
        ("allx", _falling_row_pointer),
        ("allx", _value_without_column),
        ("tx", lambda content: content[:, :-1]),
        ("tx", lambda content: content.tocsc()),
        ("x", lambda content: sparse.hstack([content, content])),
        ("tx", lambda _: "not a matrix"),
        ("ally", _two_labels),
        ("ally", lambda content: content * 0),
        ("ty", lambda content: np.pad(content, ((0, 0), (0, 1)))),
        ("ty", lambda _: None),
        ("y", lambda content: content[0]),
        ("graph", _neighbour(520)),
        ("graph", _neighbour(-1)),
        ("graph", _neighbour(0.5)),
        ("graph", _neighbour("a")),
        ("graph", _neighbour(7)),  # and 0 is no neighbour of 7
        ("graph", lambda content: {key + 1: value for key, value in content.items()}),
        ("graph", lambda content: dict.fromkeys(content, ())),
        ("graph", lambda content: list(content.values())),
    ],
)
def test_impossible_content_is_named(planetoid, tmp_path: Path, part: str, edit):
    path = planetoid(tmp_path / "raw")[part]
    path.write_bytes(pickle.dumps(edit(pickle.loads(path.read_bytes()))))
    with pytest.raises(DatasetCorruptError, match=rf"{path.name}\b"):
        read_planetoid(tmp_path / "raw", "Cora")


class _Command:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("part", PARTS[:-1])
def test_pickled_code_is_not_run(
    planetoid, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    path = planetoid(tmp_path / "raw")[part]
    path.write_bytes(pickle.dumps(_Command()))
    with pytest.raises(DatasetCorruptError, match=rf"{path.name}: .*it refers to .*mkdir"):
        read_planetoid(tmp_path / "raw", "Cora")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("wrong", ["509", "520", "511", "-1", "1.5", "x"])
def test_wrong_test_node_raises(planetoid, tmp_path: Path, wrong: str):
    path = planetoid(tmp_path / "raw")["test.index"]
    path.write_text(path.read_text().replace("510", wrong))
    with pytest.raises(DatasetCorruptError, match=path.name):
        read_planetoid(tmp_path / "raw", "Cora")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("cora", (2708, 1433, 7, 10556, 140)),
        ("citeseer", (3327, 3703, 6, 9104, 120)),
        ("pubmed", (19717, 500, 3, 88648, 60)),
    ],
)
def test_real_data_sets_have_the_published_sizes(
    name: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Planetoid, "download", _no_network)
    try:
        data = load(name)
    except DatasetNotFoundError:
        pytest.skip(f"{name} is not on this machine")
    num_classes = int(data["y"].max()) + 1
    num_train = int(data.train_mask.sum())
    assert (data.num_nodes, data.num_features, num_classes, data.num_edges, num_train) == sizes
    assert (int(data.val_mask.sum()), int(data.test_mask.sum())) == (500, 1000)


def _no_network(_: Planetoid) -> None:
    raise OSError("no network in tests")
