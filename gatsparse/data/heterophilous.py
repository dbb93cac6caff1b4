"""Tolokers from the raw file that PyG's HeterophilousGraphDataset downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from gatsparse.data.check import check_data
from gatsparse.data.errors import reading, require

if TYPE_CHECKING:
    from pathlib import Path


def read_heterophilous(path: Path) -> Data:
    """Reads a graph of "A critical look at the evaluation of GNNs under heterophily".

    Returns the same data as PyG's :class:`~torch_geometric.datasets.HeterophilousGraphDataset`,
    which needs a writable folder.

    Args:
        path (Path): The ``.npz`` file; it holds every edge once.

    Returns:
        torch_geometric.data.Data: Undirected; the masks are ``[N, 10]``, one column per split.

    Raises:
        DatasetCorruptError: If the file is damaged.
    """
    with reading(path), path.open("rb") as stream, np.load(stream) as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
        x, y, edges = (arrays[key] for key in ("node_features", "node_labels", "edges"))
        masks = {
            f"{split}_mask": arrays[f"{split}_masks"].t().contiguous()
            for split in ("train", "val", "test")
        }
    require(
        edges.dim() == 2 and edges.size(1) == 2,
        path,
        f"edges: expected [E, 2], got {list(edges.shape)}",
    )
    edge_index = edges.t().contiguous()
    data = Data(x=x, y=y, edge_index=edge_index, **masks)
    check_data(data, path)
    data.edge_index = to_undirected(edge_index, num_nodes=x.size(0))
    return data
