"""Features are normalised as by PyG, and row by row."""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import NormalizeFeatures

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles
from gatsparse.train import TrainConfig, load_task
from gatsparse.train.normalize import feature_shift, normalize

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")

NUMBERS = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
FEATURES = {
    "counts": (10 * NUMBERS).relu().round() * (torch.arange(50) % 5 > 0)[:, None],  # rows of zeros
    "small": NUMBERS.relu() / 100,
    "negative": NUMBERS,
    "positive": NUMBERS.abs() + 1,
    "no nodes": NUMBERS[:0],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FEATURES)
def test_dense_features_are_those_of_pyg(name, dtype):
    x = FEATURES[name].to(dtype)
    before = x.clone()
    assert torch.equal(normalize(x, feature_shift(x)), NormalizeFeatures()(Data(x=x)).x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", ["counts", "small", "positive"])
def test_sparse_features_are_those_of_dense_ones(name):
    x = FEATURES[name]
    sparse = x.to_sparse_csr()
    assert feature_shift(sparse) == feature_shift(x)
    normalized = normalize(sparse, feature_shift(sparse)).to_dense()
    assert torch.allclose(normalized, normalize(x, feature_shift(x)))


def test_sparse_features_with_the_shift_of_dense_ones():
    """Zeros that are not stored are shifted, too."""
    x = FEATURES["counts"]
    assert torch.equal(normalize(x.to_sparse_csr(), -1.5), normalize(x, -1.5))


def test_a_row_depends_on_no_other_row():
    for x in FEATURES.values():
        shift = feature_shift(x)
        assert torch.equal(normalize(x, shift)[1::2], normalize(x[1::2], shift))


def load_sparse(folder, matrix, mode="full"):
    scipy.sparse.save_npz(folder / "x.npz", matrix)
    np.save(folder / "y.npy", np.arange(10) % 2)
    np.save(folder / "edges.npy", np.arange(18).reshape(2, 9) % 10)
    return load_task(TrainConfig(GraphFiles(folder), mode=mode, normalize_features=True))


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_features_of_sparse_files(tmp_path, mode):
    matrix = scipy.sparse.random(10, 40, density=0.2, random_state=0, format="csr")
    data = load_sparse(tmp_path, matrix * 50, mode)
    assert data.x.to_dense().sum(dim=1).tolist() == pytest.approx([1.0] * 10, abs=1e-6)


def test_negative_features_of_sparse_files_are_refused(tmp_path):
    matrix = scipy.sparse.random(10, 40, density=0.2, random_state=0, format="csr") * -2
    with pytest.raises(ConfigError, match=r"^normalize_features: expected features >= 0 .* got -1"):
        load_sparse(tmp_path, matrix)
