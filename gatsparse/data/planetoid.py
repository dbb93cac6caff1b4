"""Cora, CiteSeer and PubMed from the raw files that PyG's Planetoid downloads."""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from torch_geometric.io import read_planetoid_data

from gatsparse.data.check import check_data
from gatsparse.data.errors import reading, require

if TYPE_CHECKING:
    from pathlib import Path

    from torch_geometric.data import Data

_NUM_VAL = 500

# Names that the pickles may import, by package; any other name could execute arbitrary code.
_TRUSTED = {
    "__builtin__": {"list"},
    "collections": {"defaultdict"},
    "numpy": {"_reconstruct", "dtype", "ndarray"},
    "scipy": {"csr_matrix"},
}


def raw_files(name: str) -> tuple[str, ...]:
    """The names of the eight raw files."""
    parts = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
    return tuple(f"ind.{name.lower()}.{part}" for part in parts)


def read_planetoid(raw_dir: Path, name: str) -> Data:
    """Checks the raw files against each other, then reads them with PyG.

    Nothing is cached on disk, so changes of the files take effect. Seven of the files are
    pickles; a pickle that refers to anything but arrays, matrices and dictionaries is rejected
    before PyG reads it.

    Args:
        raw_dir (Path): The folder of the eight files.
        name (str): ``"Cora"``, ``"CiteSeer"`` or ``"PubMed"``.

    Returns:
        torch_geometric.data.Data: Features float32 ``[N, F]``, and the public split.

    Raises:
        DatasetCorruptError: If a file is damaged or contradicts another one.
    """
    with warnings.catch_warnings():
        # The pickles refer to modules that SciPy and NumPy have moved since.
        warnings.simplefilter("ignore", DeprecationWarning)
        _check_files([raw_dir / file for file in raw_files(name)], gaps=name == "CiteSeer")
        with reading(raw_dir):
            data = read_planetoid_data(str(raw_dir), name)
    check_data(data, raw_dir)
    graph = raw_dir / f"ind.{name.lower()}.graph"
    require(data.is_undirected(), graph, "expected every edge in both directions")
    return data


def _check_files(paths: list[Path], gaps: bool) -> None:
    x, tx, allx, y, ty, ally, graph, index = paths
    num_known, num_features = _features_shape(allx)
    num_classes = _labels_shape(ally)[1]
    num_rows = {}
    for features, labels in ((x, y), (tx, ty), (allx, ally)):
        num_rows[features], width = _features_shape(features)
        _expect(features, "columns", num_features, width)
        height, width = _labels_shape(labels)
        _expect(labels, f"rows to match {features.name}", num_rows[features], height)
        _expect(labels, "columns", num_classes, width)
    require(
        num_rows[x] + _NUM_VAL <= num_known,
        allx,
        f"expected at least {num_rows[x]} training and {_NUM_VAL} validation rows, got {num_known}",
    )

    with reading(index):
        nodes = np.unique(np.loadtxt(index, dtype=np.int64, ndmin=1))
    _expect(index, f"different nodes to match the rows of {tx.name}", num_rows[tx], nodes.size)
    # Only CiteSeer has isolated nodes that occur in no file except the graph.
    num_nodes = int(nodes[-1]) + 1 if gaps else num_known + num_rows[tx]
    require(
        nodes[0] == num_known and nodes[-1] == num_nodes - 1,
        index,
        f"expected the nodes {num_known} .. {num_nodes - 1}, got {nodes[0]} .. {nodes[-1]}",
    )

    neighbours_of = _unpickle(graph)
    with reading(graph):
        nodes = np.array(sorted(neighbours_of))
        neighbours = np.array([node for row in neighbours_of.values() for node in row])
        in_range = (neighbours >= 0) & (neighbours < num_nodes)
    require(
        np.array_equal(nodes, np.arange(num_nodes)),
        graph,
        f"expected the nodes 0 .. {num_nodes - 1}, got {nodes.size} keys",
    )
    require(
        neighbours.dtype.kind == "i" and bool(in_range.all()),
        graph,
        f"expected neighbours in 0 .. {num_nodes - 1}",
    )


def _expect(path: Path, what: str, expected: int, got: int) -> None:
    require(got == expected, path, f"expected {expected} {what}, got {got}")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name not in _TRUSTED.get(module.partition(".")[0], ()):
            raise pickle.UnpicklingError(f"it refers to {module}.{name}")
        return super().find_class(module, name)


def _unpickle(path: Path) -> Any:
    with reading(path), path.open("rb") as file:
        return _Unpickler(file, encoding="latin1").load()


def _features_shape(path: Path) -> tuple[int, int]:
    from scipy import sparse

    features = _unpickle(path)
    with reading(path):
        num_rows, num_columns = features.shape
        ptr, index, value = features.indptr, features.indices, features.data
        # SciPy does not check these numbers: wrong ones make it write out of bounds.
        sound = (
            isinstance(features, sparse.csr_matrix)
            and ptr.dtype in (np.int32, np.int64)
            and index.dtype == ptr.dtype
            and num_rows > 0
            and ptr.shape == (num_rows + 1,)
            and index.shape == value.shape == (ptr[-1],)
            and ptr[0] == 0
            and (np.diff(ptr) >= 0).all()
            and ((index >= 0) & (index < num_columns)).all()
            and np.isfinite(value).all()
        )
    require(bool(sound), path, "expected a scipy.sparse.csr_matrix of finite features")
    return num_rows, num_columns


def _labels_shape(path: Path) -> tuple[int, int]:
    labels = _unpickle(path)
    with reading(path):
        num_rows, num_columns = labels.shape
        sound = (
            isinstance(labels, np.ndarray)
            and labels.dtype.kind in "iuf"
            and np.isin(labels, (0, 1)).all()
            and (labels.sum(axis=1) == 1).all()
        )
    require(bool(sound), path, "expected a numpy.ndarray of one-hot labels")
    return num_rows, num_columns
