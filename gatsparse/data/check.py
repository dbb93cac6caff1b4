"""Checks of node-classification data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gatsparse.data.errors import require
from gatsparse.data.labels import MASKS

if TYPE_CHECKING:
    from pathlib import Path

    from torch_geometric.data import Data


def check_data(data: Data, path: Path) -> None:
    """Checks features, labels, edges and splits for shape, type and range.

    Args:
        data (Data): With :obj:`x` ``[N, F]``, :obj:`y` ``[N]``, :obj:`edge_index`
            ``[2, E]`` and three masks ``[N]`` or, for S splits, ``[N, S]``.
        path (Path): The file or folder that was read, for the message.

    Raises:
        DatasetCorruptError: If a check fails.
    """
    x, y, edge_index = data["x"], data["y"], data["edge_index"]
    require(
        x.dim() == 2 and x.is_floating_point(),
        path,
        f"features: expected floats [N, F], got {x.dtype} {list(x.shape)}",
    )
    require(bool(x.isfinite().all()), path, "features: expected finite numbers")
    num_nodes = x.size(0)
    require(
        y.dtype == torch.int64 and y.shape == (num_nodes,) and bool((y >= 0).all()),
        path,
        f"labels: expected int64 [{num_nodes}] >= 0, got {y.dtype} {list(y.shape)}",
    )
    require(
        edge_index.dtype == torch.int64 and edge_index.dim() == 2 and edge_index.size(0) == 2,
        path,
        f"edges: expected int64 [2, E], got {edge_index.dtype} {list(edge_index.shape)}",
    )
    require(
        bool(((edge_index >= 0) & (edge_index < num_nodes)).all()),
        path,
        f"edges: expected node indices in 0 .. {num_nodes - 1}",
    )
    masks = [data[key] for key in MASKS]
    for key, mask in zip(MASKS, masks, strict=True):
        require(
            mask.dtype == torch.bool and mask.dim() in (1, 2) and mask.size(0) == num_nodes,
            path,
            f"{key}: expected bool [{num_nodes}] or [{num_nodes}, S], "
            f"got {mask.dtype} {list(mask.shape)}",
        )
        require(mask.shape == masks[0].shape, path, f"{key}: expected the shape of {MASKS[0]}")
        require(bool(mask.any(dim=0).all()), path, f"{key}: expected a node in every split")
    overlap = (masks[0] & masks[1]) | (masks[0] & masks[2]) | (masks[1] & masks[2])
    require(not overlap.any(), path, "train_mask, val_mask, test_mask: expected no common node")
