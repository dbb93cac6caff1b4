"""Sparse features of graphs in files."""

import numpy as np
import pytest
import scipy.sparse

from gatsparse.data import GraphFiles
from gatsparse.train import TrainConfig, load_task


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_normalized_sparse_features(tmp_path, mode):
    matrix = scipy.sparse.random(10, 40, density=0.2, random_state=0, format="csr")
    scipy.sparse.save_npz(tmp_path / "x.npz", matrix * 50)
    np.save(tmp_path / "y.npy", np.arange(10) % 2)
    np.save(tmp_path / "edges.npy", np.arange(18).reshape(2, 9) % 10)
    data = load_task(TrainConfig(GraphFiles(tmp_path), mode=mode, normalize_features=True))
    assert data.x.to_dense().sum(dim=1).tolist() == pytest.approx([1.0] * 10, abs=1e-6)
