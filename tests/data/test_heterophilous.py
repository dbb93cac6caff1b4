from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.datasets import HeterophilousGraphDataset

from gatsparse.data import DatasetCorruptError, DatasetNotFoundError, load
from gatsparse.data.heterophilous import read_heterophilous


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    splits = rng.integers(0, 3, (10, 40))
    return {
        "node_features": rng.random((40, 5), dtype=np.float32),
        "node_labels": rng.integers(0, 2, 40),
        "edges": np.stack(np.triu_indices(40, k=30), axis=1),
        "train_masks": splits == 0,
        "val_masks": splits == 1,
        "test_masks": splits == 2,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    raw_dir = tmp_path / "tolokers" / "raw"
    raw_dir.mkdir(parents=True)
    np.savez_compressed(raw_dir / "tolokers.npz", **arrays())  # pyright: ignore[reportArgumentType]
    return raw_dir / "tolokers.npz"


def test_equals_pyg(tmp_path: Path, path: Path):
    expected: Any = HeterophilousGraphDataset(str(tmp_path), "tolokers")[0]
    data = read_heterophilous(path)
    assert sorted(data.keys()) == sorted(expected.keys())
    for key in data.keys():  # noqa: SIM118 - a Data is no mapping
        assert torch.equal(data[key], expected[key]), key
    assert data.train_mask.shape == (40, 10)


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_truncated_file_raises(path: Path, kept: float):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetCorruptError, match=r"tolokers\.npz"):
        read_heterophilous(path)


def test_changed_byte_raises(path: Path):
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetCorruptError, match=r"tolokers\.npz"):
        read_heterophilous(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("node_features", np.full((40, 5), np.nan, dtype=np.float32), "finite"),
        ("node_features", np.ones((39, 5), dtype=np.float32), "labels"),
        ("node_features", np.ones((40, 5), dtype=np.int64), "floats"),
        ("node_labels", np.full(40, -1), "labels"),
        ("node_labels", np.ones(40), "int64"),
        ("node_labels", np.array([None] * 40), "truncated or corrupt"),
        ("edges", np.array([[0, 40]]), "0 .. 39"),
        ("edges", np.array([[-1, 0]]), "0 .. 39"),
        ("edges", np.array([0, 1]), r"expected \[E, 2\]"),
        ("edges", np.array([[0.0, 1.0]]), "int64"),
        ("train_masks", np.zeros((10, 40), dtype=bool), "train_mask"),
        ("train_masks", np.ones((10, 40), dtype=bool), "no common node"),
        ("val_masks", np.ones((10, 39), dtype=bool), "val_mask"),
        ("val_masks", np.ones((9, 40), dtype=bool), "val_mask"),
        ("test_masks", np.ones((10, 40), dtype=np.uint8), "test_mask"),
        ("test_masks", None, "test_masks"),
    ],
)
def test_impossible_content_raises(path: Path, key: str, value: np.ndarray | None, message: str):
    content = arrays()
    if value is None:
        del content[key]
    else:
        content[key] = value
    np.savez(path, **content)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DatasetCorruptError, match=rf"tolokers\.npz.*{message}"):
        read_heterophilous(path)


def test_real_data_set_has_the_published_sizes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(HeterophilousGraphDataset, "download", _no_network)
    try:
        data = load("tolokers")
    except DatasetNotFoundError:
        pytest.skip("tolokers is not on this machine")
    assert (data.num_nodes, data.num_features, data.num_edges) == (11758, 10, 1038000)
    assert data.test_mask.shape == (11758, 10)


def _no_network(_: HeterophilousGraphDataset) -> None:
    raise OSError("no network in tests")
