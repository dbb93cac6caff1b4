"""A graph that was changed after reading is not that of its files."""

import numpy as np
import pytest
import torch

from gatsparse.data import GraphFiles, load_files
from gatsparse.data.graph_files.origin import unchanged_files


def changed(data, key):
    """A copy with other values under a key."""
    data = data.clone()
    data[key] = data[key].roll(1, dims=-1 if key == "edge_index" else 0)
    return data


@pytest.mark.parametrize("key", ["x", "edge_index", "y", "train_mask", "test_mask"])
def test_changed_tensors_are_noticed(folder, key):
    data = load_files(GraphFiles(folder))
    assert unchanged_files(data, "classification").path == folder
    assert unchanged_files(changed(data, key), "classification") is None


def test_labels_of_another_task_are_noticed(folder):
    assert unchanged_files(load_files(GraphFiles(folder)), "link_prediction") is None


@pytest.mark.parametrize("kind", ["bfloat16", "requires_grad"])
def test_features_of_any_kind_are_compared(folder, kind):
    data = load_files(GraphFiles(folder))
    data.x = data.x.bfloat16() if kind == "bfloat16" else data.x.requires_grad_()
    same = unchanged_files(data, "classification")
    assert (same is None) == (kind == "bfloat16")


@pytest.mark.parametrize("on_disk", [True, False])
def test_changes_of_every_fourth_row_are_noticed(tmp_path, on_disk):
    count = 300_000
    y = np.arange(count) % 2
    if on_disk:
        np.save(tmp_path / "x.npy", np.ones((count, 1), np.float32))
    else:
        np.savez(tmp_path / "nodes.npz", f=np.ones(count, np.float32))
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "edges.npy", np.array([[0, 1], [1, 2]]))
    data = load_files(GraphFiles(tmp_path))
    assert unchanged_files(data, "classification") is not None
    for first in range(4):
        other = data.clone()
        other.x = data.x.clone()
        other.x[first::4] += 100
        assert unchanged_files(other, "classification") is None
    if not on_disk:
        other = data.clone()
        other.x[12_345] += 1
        assert torch.equal(other.y, data.y)
        assert unchanged_files(other, "classification") is None
