"""Node-property data sets of the Open Graph Benchmark (OGB), from its raw files.

OGB's own data sets unpickle their processed files, which torch rejects since 2.6, and ask
before they download. OGB's readers silently truncate surplus rows, do not name damaged files,
and load the features as float64 first. Therefore the files are read here, by pandas and NumPy;
the tests compare the results with OGB's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch_geometric.data import Data
from torch_geometric.utils import index_to_mask, to_undirected

from gatsparse.data.ogb.accuracy import evaluator
from gatsparse.data.ogb.download import fetch
from gatsparse.data.ogb.layout import DATASETS, NAMES, SPLITS, check_name
from gatsparse.data.ogb.parsed import load_arrays
from gatsparse.extras import require_extra

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMES", "evaluator", "load_ogb"]


def load_ogb(name: str, root: str | Path | None = None, *, undirected: bool = False) -> Data:
    r"""Loads a node-property data set of the Open Graph Benchmark.

    The files are read from the first of these folders that holds all of them:
    :obj:`root`, ``data``, ``../shared/data``, the user's cache directory; each in OGB's
    layout, such as ``data/ogbn_arxiv/raw/edge.csv.gz``. If no folder does, they are downloaded
    into the cache directory without asking: the archives have 0.1, 1.4 and 60 GB.

    Nothing is unpickled, and nothing is written to the other folders. Arrays of ``.csv.gz``
    files, which are slow to parse, are kept in the cache directory until the files change
    (3 GB for ogbn-products). The arrays of ogbn-papers100M (83 GB) are not cached.

    Args:
        name (str): One of :data:`NAMES`, in any case.
        root (str or Path, optional): Folder to search first.
        undirected (bool, optional): Whether to add the reverse of every edge and to remove
            duplicate edges, as is usual for the two citation graphs.
            (default: :obj:`False`)

    Returns:
        torch_geometric.data.Data: :obj:`x` ``[N, F]``, float32, or the dtype in the ``.npz``
        file of ogbn-papers100M; :obj:`y` int64 ``[N]``, -1 for a node without a label;
        :obj:`edge_index` int64 ``[2, E]`` in OGB's order, directed in ogbn-arxiv and
        ogbn-papers100M, every edge next to its reverse in ogbn-products; and OGB's split,
        boolean :obj:`train_mask`, :obj:`val_mask`, :obj:`test_mask` ``[N]``.

    Raises:
        ValueError: If :obj:`name` is unknown.
        ImportError: If pandas, platformdirs or, for a download, ogb is not installed:
            ``pip install 'gatsparse[ogb]'``.
        DatasetNotFoundError: If the files are missing and cannot be downloaded; the message
            names every folder and the missing files.
        DatasetCorruptError: If a file is truncated or corrupt; the message names it.

    Example:
        >>> from gatsparse.data import OGB_NAMES, load_ogb
        >>> OGB_NAMES
        ('ogbn-arxiv', 'ogbn-products', 'ogbn-papers100M')
        >>> data = load_ogb("ogbn-arxiv", undirected=True)  # doctest: +SKIP
    """
    dataset = DATASETS[check_name(name)]
    files = dataset.raw
    read = partial(load_arrays, dataset, cache=files.places(root)[-1])
    place = files.find(root)
    if place is None:
        require_extra("gatsparse.data.load_ogb", "ogb", "ogb")
        arrays = files.download(root, partial(fetch, dataset), read)
    else:
        arrays = read(place)
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    edge_index, num_nodes = tensors["edge_index"], tensors["x"].size(0)
    if undirected:
        edge_index = to_undirected(edge_index, num_nodes=num_nodes)
    train_mask, val_mask, test_mask = (index_to_mask(tensors[key], num_nodes) for key in SPLITS)
    return Data(
        x=tensors["x"],
        y=tensors["y"],
        edge_index=edge_index,
        train_mask=train_mask,
        val_mask=val_mask,
        test_mask=test_mask,
    )
