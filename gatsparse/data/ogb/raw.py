"""Node-property data sets of the Open Graph Benchmark (OGB), from its raw files.

OGB's own data sets unpickle what they once processed, which torch refuses since 2.6, and
ask before they download. Its readers cut rows that are too many without a word, name no
damaged file, and hold the features in float64 first. So the files are read here as those
readers do, by pandas and NumPy; the tests compare the two.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import shutil
from contextlib import suppress
from dataclasses import dataclass
from gzip import BadGzipFile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.utils import index_to_mask, to_undirected

from gatsparse.data.errors import DatasetNotFoundError, reading, require
from gatsparse.data.places import roots, socket_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

_URL = "http://snap.stanford.edu/ogb/data/nodeproppred"
_SPLITS = ("train", "valid", "test")
_ARRAYS = ("x", "y", "edge_index", *_SPLITS)
_ROWS = 2**16  # of the features, checked at a time

_CSV_FILES = {
    "x": "raw/node-feat.csv.gz",
    "y": "raw/node-label.csv.gz",
    "edge_index": "raw/edge.csv.gz",
    "num_nodes": "raw/num-node-list.csv.gz",
    "num_edges": "raw/num-edge-list.csv.gz",
}
_CSV_DTYPES = {
    "x": np.float32,
    "y": np.float64,  # that of a label may be missing
    "edge_index": np.int64,
    "num_nodes": np.int64,
    "num_edges": np.int64,
}
_NPZ_FILES = {
    "x": "raw/data.npz",
    "y": "raw/node-label.npz",
    "edge_index": "raw/data.npz",
    "num_nodes": "raw/data.npz",
    "num_edges": "raw/data.npz",
}
_NPZ_KEYS = {
    "x": "node_feat",
    "y": "node_label",
    "edge_index": "edge_index",
    "num_nodes": "num_nodes_list",
    "num_edges": "num_edges_list",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Dataset:
    """A data set in the layout of OGB: ``<root>/<folder>/raw`` and ``.../split/<split>``."""

    folder: str
    archive: str  # the name of the zip file and of the folder in it
    split: str
    inverse: bool = False  # the files hold one direction of every edge
    binary: bool = False  # .npz in place of .csv.gz

    @property
    def url(self) -> str:
        return f"{_URL}/{self.archive}.zip"

    @property
    def sources(self) -> dict[str, str]:
        """The file of every array."""
        splits = {split: f"split/{self.split}/{split}.csv.gz" for split in _SPLITS}
        return {**(_NPZ_FILES if self.binary else _CSV_FILES), **splits}

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.sources.values()))


_DATASETS = {
    "ogbn-arxiv": _Dataset("ogbn_arxiv", "arxiv", "time"),
    "ogbn-products": _Dataset("ogbn_products", "products", "sales_ranking", inverse=True),
    "ogbn-papers100M": _Dataset("ogbn_papers100M", "papers100M-bin", "time", binary=True),
}

#: The data sets that :func:`load_ogb` knows.
NAMES = tuple(_DATASETS)


def load_ogb(name: str, root: str | Path | None = None, *, undirected: bool = False) -> Data:
    r"""Loads a node-property data set of the Open Graph Benchmark.

    The files are taken from the first of these places that has them all:
    :obj:`root`, ``data``, ``../shared/data``, the user's cache directory; each in OGB's
    layout, such as ``data/ogbn_arxiv/raw/edge.csv.gz``. Else they are downloaded into the
    cache directory, without a question: the archives have 0.1, 1.4 and 60 GB.

    Nothing is ever unpickled, and nothing is written to the other places. Of ``.csv.gz``
    files, which are slow to parse, the arrays are kept in the cache directory until the
    files change (3 GB of ogbn-products). Those of ogbn-papers100M, 83 GB, are not.

    Args:
        name (str): One of :data:`NAMES`, in any case.
        root (str or Path, optional): A folder to look in first.
        undirected (bool, optional): Whether to add the reverse of every edge and to drop
            duplicate edges, as is usual for the two citation graphs.
            (default: :obj:`False`)

    Returns:
        torch_geometric.data.Data: :obj:`x` ``[N, F]``, float32, or what the ``.npz`` file
        holds (of ogbn-papers100M); :obj:`y` int64 ``[N]``, -1 for a node without a label;
        :obj:`edge_index` int64 ``[2, E]`` in OGB's order, directed in ogbn-arxiv and
        ogbn-papers100M, every edge beside its reverse in ogbn-products; and OGB's split,
        boolean :obj:`train_mask`, :obj:`val_mask`, :obj:`test_mask` ``[N]``.

    Raises:
        ValueError: If there is no data set of this name.
        ImportError: If pandas, or to download also ogb, is not installed.
        DatasetNotFoundError: If it is nowhere and cannot be downloaded; the message names
            every place and what to put there.
        DatasetCorruptError: If a file is truncated or corrupt; the message names it.
    """
    dataset = _DATASETS[_check_name(name)]
    places = _places(dataset, root)
    place = next((place for place in places if not _lacks(dataset, place)), None)
    arrays = _download(dataset, places) if place is None else _load(dataset, place, places[-1])
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    edge_index, num_nodes = tensors["edge_index"], tensors["x"].size(0)
    if undirected:
        edge_index = to_undirected(edge_index, num_nodes=num_nodes)
    train_mask, val_mask, test_mask = (index_to_mask(tensors[key], num_nodes) for key in _SPLITS)
    return Data(
        x=tensors["x"],
        y=tensors["y"],
        edge_index=edge_index,
        train_mask=train_mask,
        val_mask=val_mask,
        test_mask=test_mask,
    )


def evaluator(name: str) -> Callable[[Tensor, Tensor], float]:
    r"""OGB's measure of a data set: the accuracy, by OGB's own evaluator.

    Args:
        name (str): One of :data:`NAMES`, in any case.

    Returns:
        Callable: Takes :obj:`y_pred`, either logits ``[N, C]`` of a floating-point type or
        labels int64 ``[N]`` or ``[N, 1]``, and :obj:`y_true`, labels int64 ``[N]`` or
        ``[N, 1]``. Gives the fraction of nodes that are right among those whose
        :obj:`y_true` is not -1. Raises :class:`ValueError` for other shapes or types, or
        if no node has a label.

    Raises:
        ValueError: If there is no data set of this name.
        ImportError: If ogb is not installed.
    """
    key = _check_name(name)
    judge = _import("ogb.nodeproppred").Evaluator(key)

    def accuracy(y_pred: Tensor, y_true: Tensor) -> float:
        if y_pred.is_floating_point() and y_pred.dim() == 2 and y_pred.size(1) > 1:
            y_pred = y_pred.argmax(dim=1)
        y_pred, y_true = _label_column("y_pred", y_pred), _label_column("y_true", y_true)
        if y_pred.size(0) != y_true.size(0):
            raise ValueError(
                f"y_pred: expected {y_true.size(0)} nodes, as y_true has, got {y_pred.size(0)}"
            )
        known = y_true[:, 0].cpu() >= 0
        if not known.any():
            raise ValueError("y_true: expected a node with a label, got none")
        # OGB leaves out nodes whose label is NaN, which here is -1.
        result = judge.eval({"y_true": y_true.cpu()[known], "y_pred": y_pred.cpu()[known]})
        return result["acc"]

    return accuracy


def _check_name(name: str) -> str:
    known = {key.lower(): key for key in NAMES}
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(f"name: expected one of {', '.join(NAMES)}, got {name!r}")
    return known[name.lower()]


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"OGB's data sets need {module.split('.')[0]}, which cannot be imported ({error}): "
            "pip install 'ogb>=1.3.6'"
        ) from error


def _label_column(name: str, labels: Tensor) -> Tensor:
    if labels.dtype != torch.int64 or labels.dim() not in (1, 2) or labels[:1].numel() != 1:
        expected = "int64 [N] or [N, 1]" + (", or floats [N, C]" if name == "y_pred" else "")
        raise ValueError(f"{name}: expected {expected}, got {labels.dtype} {list(labels.shape)}")
    return labels.view(-1, 1)


def _places(dataset: _Dataset, root: str | Path | None) -> list[Path]:
    return [place / dataset.folder for place in roots(root)]


def _lacks(dataset: _Dataset, place: Path) -> list[str]:
    return [file for file in dataset.files if not (place / file).is_file()]


def _load(dataset: _Dataset, place: Path, cache: Path) -> dict[str, np.ndarray]:
    """The arrays in :obj:`place`, by way of a copy of them in :obj:`cache` if they are CSV."""
    if dataset.binary:
        return _parse(dataset, place)
    stats = [(file, (place / file).stat()) for file in dataset.files]
    state = repr([(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats])
    copy = cache / f"parsed-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
    arrays = _read_copy(copy)
    if arrays is None:
        arrays = _parse(dataset, place)
        _write_copy(arrays, copy)
    return arrays


def _read_copy(copy: Path) -> dict[str, np.ndarray] | None:
    try:
        return {key: np.load(copy / f"{key}.npy", allow_pickle=False) for key in _ARRAYS}
    except (OSError, ValueError, EOFError):  # there is none, or it is damaged
        return None


def _write_copy(arrays: dict[str, np.ndarray], copy: Path) -> None:
    """Replaces copies of other states of the files. Where nothing can be written, it is let be."""
    with suppress(OSError):
        copy.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=copy.parent, prefix=".parsed-") as folder:
            new = Path(folder, copy.name)
            new.mkdir()
            for key, array in arrays.items():
                np.save(new / f"{key}.npy", array, allow_pickle=False)
            for old in copy.parent.glob("parsed-*"):
                shutil.rmtree(old, ignore_errors=True)
            new.replace(copy)


def _parse(dataset: _Dataset, place: Path) -> dict[str, np.ndarray]:
    """Reads and checks the raw files, which must all be there."""
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
    """A ``.csv.gz`` file without a header, ``[columns, rows]``."""
    pandas = _import("pandas")
    with reading(path):
        try:
            table = pandas.read_csv(path, header=None, dtype=dtype, compression="gzip")
        except BadGzipFile as error:  # an OSError, but not of the system
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
        f"features: expected floats [{num_nodes}, F], the size in {paths['num_nodes'].name}, "
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
        f"edges: expected int64 [2, {num_edges}], the size in {paths['num_edges'].name}, "
        f"got {edge_index.dtype} {list(edge_index.shape)}",
    )
    require(
        0 <= edge_index.min() <= edge_index.max() < num_nodes,
        paths["edge_index"],
        f"edges: expected node indices in 0 .. {num_nodes - 1}",
    )


def _labels(labels: np.ndarray, num_nodes: int, paths: dict[str, Path]) -> np.ndarray:
    """Labels int64 ``[N]``; one that is NaN becomes -1."""
    require(
        labels.size == num_nodes and labels.dtype.kind in "iuf",
        paths["y"],
        f"labels: expected {num_nodes} numbers, the size in {paths['num_nodes'].name}, "
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
    """The nodes of every split, int64."""
    splits, taken = {}, np.zeros(y.size, dtype=bool)
    for split in _SPLITS:
        path = paths[split]
        table = _read_columns(path, np.int64)
        nodes = table[0]
        require(
            len(table) == 1 and 0 <= nodes.min() <= nodes.max() < y.size,
            path,
            f"expected a column of nodes in 0 .. {y.size - 1}",
        )
        once = np.unique(nodes).size == nodes.size and not taken[nodes].any()
        require(once, path, "expected nodes that are in no split yet")
        require(bool((y[nodes] >= 0).all()), path, "expected nodes that have a label")
        taken[nodes] = True
        splits[split] = nodes
    return splits


def _download(dataset: _Dataset, places: list[Path]) -> dict[str, np.ndarray]:
    """Downloads a data set into the last of the places, and loads it.

    It arrives in a temporary folder and is read there, so that neither a part of it nor
    an error page in its stead ever counts as the data set.
    """
    ogb = _import("ogb.utils.url")
    place = places[-1]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=".download-") as arrival:
            with socket_timeout():
                _announce(dataset, place.parent)
                archive = _fetch(ogb, dataset.url, arrival)
            ogb.extract_zip(archive, arrival, log=False)
            Path(archive).unlink()
            arrived = Path(arrival, dataset.archive)
            arrays = _load(dataset, arrived, place)
            for file in dataset.files:
                (place / file).parent.mkdir(parents=True, exist_ok=True)
                (arrived / file).replace(place / file)
    except Exception as error:  # network, proxy, disk, rubbish received: no data set
        raise DatasetNotFoundError(_not_found(dataset, places, error)) from error
    return arrays


def _announce(dataset: _Dataset, cache: Path) -> None:
    """Says how much is to come, and refuses what the disk cannot hold."""
    with urlopen(dataset.url) as reply:
        size = int(reply.headers["Content-Length"])
    free = shutil.disk_usage(cache).free
    if free < 2 * size:  # the archive, and what is compressed in it as it was before
        raise OSError(
            f"{cache}: expected {2 * size / 1e9:.1f} GB free for the archive and its files, "
            f"got {free / 1e9:.1f} GB"
        )
    _log.warning("downloading %.1f GB from %s into %s", size / 1e9, dataset.url, cache)


def _fetch(ogb: Any, url: str, folder: str) -> str:
    try:
        return ogb.download_url(url, folder, log=False)
    except RuntimeError as error:  # OGB's word for whatever stopped it, Ctrl-C included
        raise (error.__context__ or error) from None


def _not_found(dataset: _Dataset, places: list[Path], error: Exception) -> str:
    name = dataset.folder.replace("_", "-")
    lines = [f"data set {name!r} was not found; tried"]
    for place in places:
        lacks = f"lacks {', '.join(_lacks(dataset, place))}" if place.is_dir() else "no such folder"
        lines.append(f"  {place.resolve()}: {lacks}")
    lines.append(f"  download from {dataset.url}: {type(error).__name__}: {error}")
    lines.append(
        f"Put {', '.join(dataset.files)} into one of these folders: extract {dataset.url} "
        f"beside it and rename {dataset.archive} to {dataset.folder}."
    )
    return "\n".join(lines)
