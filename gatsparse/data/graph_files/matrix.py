"""Features of nodes as a matrix in a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gatsparse.data.features import open_features
from gatsparse.data.graph_files.config import FEATURE_SUFFIXES, GraphFiles
from gatsparse.data.graph_files.table import GraphFileError
from gatsparse.extras import require_extra

_NAMES = ("x.npy", "features.npy", "x.npz", "features.npz")


def feature_file(files: GraphFiles) -> Path | None:
    """Returns the matrix of features: the one that is configured, or a file with a usual name."""
    if isinstance(files.features, str) and files.features.endswith(FEATURE_SUFFIXES):
        return files.path / files.features
    if files.features is None:
        return next((path for name in _NAMES if (path := files.path / name).exists()), None)
    return None


def read_matrix(path: Path, count: int | None, of: str) -> Tensor:
    """Features of a matrix in a file, which stays on disk if it is an ``.npy`` file."""
    if not path.exists():
        raise GraphFileError(f"{path}: no such file (dataset.features)")
    if path.is_dir():
        raise GraphFileError(f"{path}: expected a file, got a folder: rename or remove it")
    try:
        x = _sparse_matrix(path) if path.suffix == ".npz" else open_features(path)
    except ValueError as error:
        text = str(error)
        raise GraphFileError(text if str(path) in text else f"{path}: {text}") from error
    if x.dim() != 2:
        raise GraphFileError(f"{path}: expected features [N, F], got {list(x.shape)}")
    if count is not None and x.size(0) != count:
        raise GraphFileError(
            f"{path}: expected {count} rows, one for each row of {of}, got {x.size(0)}"
        )
    if x.layout == torch.strided and not x.is_floating_point():
        x = x.float()
    _check_matrix(path, x)
    return x


def _check_matrix(path: Path, x: Tensor, block: int = 2**16) -> None:
    """Raises if a number is not finite; blocks of rows bound the memory of a mapped file."""
    if x.layout != torch.strided:
        if not bool(x.values().isfinite().all()):
            raise GraphFileError(f"{path}: expected finite numbers")
        return
    for first in range(0, x.size(0), block):
        wrong = ~x[first : first + block].isfinite().all(dim=1)
        if bool(wrong.any()):
            row = first + int(wrong.nonzero()[0])
            raise GraphFileError(f"{path}: row {row}: expected finite numbers")


def _sparse_matrix(path: Path) -> Tensor:
    require_extra(f"{path}: reading it", "data", "scipy")
    import scipy.sparse

    try:
        matrix = scipy.sparse.load_npz(path).tocsr()
    except (OSError, ValueError, KeyError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"expected a matrix of scipy.sparse.save_npz ({error})") from error
    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            matrix.shape,
            check_invariants=True,
        )
