"""The files from which a graph was read, as long as the graph is as it was read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from torch import Tensor
from torch_geometric.data import Data

from gatsparse.data.graph_files.config import GraphFiles

_ROWS = 2**16  # that are compared
_KEYS = ("x", "edge_index", "edge_attr")


@dataclass(frozen=True)
class Origin:
    """The files of a graph.

    Args:
        files (GraphFiles): The files.
        digest (str): Digest of some rows of its features and of some of its edges.
    """

    files: GraphFiles
    digest: str


def origin_of(files: GraphFiles, data: Data) -> Origin:
    """Returns the origin of a graph that was read just now."""
    return Origin(replace(files, path=files.path.absolute()), _digest(data))


def unchanged_files(data: Data) -> GraphFiles | None:
    """Returns the files of a graph, or None if its features or edges are not those of files.

    Features that were scaled and edges that were added after reading are noticed, because up to
    65,536 rows of each are compared.

    Args:
        data (torch_geometric.data.Data): The graph.
    """
    origin = data.get("origin")
    if not isinstance(origin, Origin) or origin.digest != _digest(data):
        return None
    return origin.files


def _digest(data: Data) -> str:
    digest = hashlib.sha256()
    for key in _KEYS:
        value = data.get(key)
        if isinstance(value, Tensor):
            digest.update(f"{key} {value.dtype} {list(value.shape)}\n".encode())
            for part in _rows(key, value):
                step = max(len(part) // _ROWS, 1)
                digest.update(part[::step].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _rows(key: str, value: Tensor) -> tuple[Tensor, ...]:
    if value.is_sparse_csr:
        return value.crow_indices(), value.col_indices(), value.values()
    return (value.t(),) if key == "edge_index" else (value,)
