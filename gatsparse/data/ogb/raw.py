"""Reading and checking of OGB's raw files."""

from __future__ import annotations

from gzip import BadGzipFile
from typing import TYPE_CHECKING

import numpy as np

from gatsparse.data.errors import reading, require
from gatsparse.data.ogb.layout import SPLITS
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from pathlib import Path

    from gatsparse.data.ogb.layout import OgbDataset

_ROWS = 2**16  # rows of features that are checked at a time

_CSV_DTYPES = {
    "x": np.float32,
    "y": np.float64,  # a label may be missing
    "edge_index": np.int64,
    "num_nodes": np.int64,
    "num_edges": np.int64,
}
_NPZ_KEYS = {
    "x": "node_feat",
    "y": "node_label",
    "edge_index": "edge_index",
    "num_nodes": "num_nodes_list",
    "num_edges": "num_edges_list",
}


def read_raw(dataset: OgbDataset, place: Path) -> dict[str, np.ndarray]:
    """Reads and checks the raw files, all of which must exist.

    Returns:
        dict: ``x``, ``y``, ``edge_index`` and the nodes of ``train``, ``valid`` and ``test``.

    Raises:
        DatasetCorruptError: If a file is damaged or contradicts another one.
    """
    paths = {key: place / file for key, file in dataset.sources.items()}
    if dataset.binary:
        raw = {key: _read_npz(paths[key], name) for key, name in _NPZ_KEYS.items()}
    else:
        raw = {key: _read_columns(paths[key], dtype) for key, dtype in _CSV_DTYPES.items()}
        raw["x"] = np.ascontiguousarray(raw["x"].T)
    num_nodes, num_edges = (_size(raw[key], paths[key]) for key in ("num_nodes", "num_edges"))
    _check_features(raw["x"], num_nodes, paths)
    _check_edges(raw["edge_index"], num_nodes, num_edges, paths)
    y = _labels(raw["y"], num_nodes, paths)
    splits = _splits(y, paths)
    edge_index = raw["edge_index"]
    if dataset.inverse:
        edge_index = np.repeat(edge_index, 2, axis=1)
        edge_index[:, 1::2] = raw["edge_index"][::-1]
    return {"x": raw["x"], "y": y, "edge_index": edge_index, **splits}


def _read_columns(path: Path, dtype: type) -> np.ndarray:
    """Reads a ``.csv.gz`` file without a header: ``[columns, rows]``."""
    require_extra("gatsparse.data.load_ogb", "ogb", "pandas")
    import pandas

    with reading(path):
        try:
            table = pandas.read_csv(path, header=None, dtype=dtype, compression="gzip")
        except BadGzipFile as error:  # an OSError that means a damaged file
            raise ValueError(error) from error
        return np.require(table.to_numpy().T, requirements=["C", "W"])


def _read_npz(path: Path, key: str) -> np.ndarray:
    with reading(path), path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return file[key]


def _size(sizes: np.ndarray, path: Path) -> int:
    require(
        sizes.size == 1 and sizes.dtype.kind in "iu" and bool(sizes.min() > 0),
        path,
        f"expected the size of one graph, got {sizes.dtype} {list(sizes.shape)}",
    )
    return int(sizes.item())


def _check_features(x: np.ndarray, num_nodes: int, paths: dict[str, Path]) -> None:
    require(
        x.ndim == 2 and x.shape[0] == num_nodes and x.dtype.kind == "f",
        paths["x"],
        f"features: expected floats [{num_nodes}, F], as declared in {paths['num_nodes'].name}, "
        f"got {x.dtype} {list(x.shape)}",
    )
    finite = all(np.isfinite(x[i : i + _ROWS]).all() for i in range(0, num_nodes, _ROWS))
    require(finite, paths["x"], "features: expected finite numbers")


def _check_edges(
    edge_index: np.ndarray, num_nodes: int, num_edges: int, paths: dict[str, Path]
) -> None:
    require(
        edge_index.dtype == np.int64 and edge_index.shape == (2, num_edges),
        paths["edge_index"],
        f"edges: expected int64 [2, {num_edges}], as declared in {paths['num_edges'].name}, "
        f"got {edge_index.dtype} {list(edge_index.shape)}",
    )
    require(
        0 <= edge_index.min() <= edge_index.max() < num_nodes,
        paths["edge_index"],
        f"edges: expected node indices in 0 .. {num_nodes - 1}",
    )


def _labels(labels: np.ndarray, num_nodes: int, paths: dict[str, Path]) -> np.ndarray:
    """Returns labels int64 ``[N]``; NaN becomes -1."""
    require(
        labels.size == num_nodes and labels.dtype.kind in "iuf",
        paths["y"],
        f"labels: expected {num_nodes} numbers, as declared in {paths['num_nodes'].name}, "
        f"got {labels.dtype} {list(labels.shape)}",
    )
    labels = labels.reshape(-1)
    known = ~np.isnan(labels)
    labels = labels[known]
    whole = (labels >= 0) & (labels < 2**31) & (labels == np.floor(labels))
    require(bool(whole.all()), paths["y"], "labels: expected whole numbers >= 0, or NaN")
    y = np.full(num_nodes, -1, dtype=np.int64)
    y[known] = labels
    return y


def _splits(y: np.ndarray, paths: dict[str, Path]) -> dict[str, np.ndarray]:
    """Returns the nodes of every split, int64."""
    splits, taken = {}, np.zeros(y.size, dtype=bool)
    for split in SPLITS:
        path = paths[split]
        table = _read_columns(path, np.int64)
        nodes = table[0]
        require(
            len(table) == 1 and 0 <= nodes.min() <= nodes.max() < y.size,
            path,
            f"expected a column of nodes in 0 .. {y.size - 1}",
        )
        once = np.unique(nodes).size == nodes.size and not taken[nodes].any()
        require(once, path, "expected every node in at most one split")
        require(bool((y[nodes] >= 0).all()), path, "expected nodes that have a label")
        taken[nodes] = True
        splits[split] = nodes
    return splits
