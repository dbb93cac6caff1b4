"""Nodes that are requested by number or by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatsparse.checks import check_instance
from gatsparse.data import NodeIds
from gatsparse.index_checks import check_range

_EXPECTED = "a list of node numbers or ids"


def requested_nodes(nodes: Any, num_nodes: int, node_ids: Any) -> list[int]:
    """Returns the numbers of requested nodes.

    Args:
        nodes (list of int or str): Integers are numbers of nodes; texts are ids.
        num_nodes (int): Number of nodes.
        node_ids (sequence, optional): Ids of the nodes. (default: their numbers)

    Raises:
        TypeError: If :obj:`nodes` is no such list.
        ValueError: If there is no node with an id, or several.
        IndexError: If a number is out of range.
    """
    check_instance("nodes", nodes, (Sequence, Tensor, np.ndarray), _EXPECTED)
    if isinstance(nodes, (str, bytes)):
        raise TypeError(f"nodes: expected {_EXPECTED}, got {nodes!r}")
    nodes = nodes.tolist() if isinstance(nodes, np.ndarray) else nodes
    if isinstance(nodes, Sequence) and any(isinstance(node, str) for node in nodes):
        texts = {str(node) for node in nodes if isinstance(node, str)}
        found = _find(texts, range(num_nodes) if node_ids is None else node_ids)
        nodes = [found[node] if isinstance(node, str) else node for node in nodes]
    try:
        index = torch.as_tensor(nodes if len(nodes) else torch.zeros(0, dtype=torch.int64))
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"nodes: expected {_EXPECTED}, got {nodes!r}") from error
    if index.dtype not in (torch.int64, torch.int32) or index.dim() != 1:
        raise TypeError(f"nodes: expected {_EXPECTED}, got {index.dtype} {list(index.shape)}")
    check_range("nodes", index, num_nodes)
    return index.tolist()


def _find(texts: set[str], node_ids: Any) -> dict[str, int]:
    """The number of the node with each id."""
    found: dict[str, int] = {}
    if isinstance(node_ids, NodeIds) and node_ids.values is not None:  # each id occurs once
        import pyarrow as pa

        names = sorted(texts)
        nodes = node_ids.find(pa.array(names, pa.large_string())).tolist()
        found = {name: node for name, node in zip(names, nodes, strict=True) if node >= 0}
    else:
        for node in range(len(node_ids)):
            name = str(node_ids[node])
            if name not in texts:
                continue
            if name in found:
                raise ValueError(
                    f"nodes: expected the id of one node, got {name!r} of the nodes {found[name]} "
                    f"and {node}: pass a number"
                )
            found[name] = node
    for name in sorted(texts - found.keys()):
        raise ValueError(f"nodes: expected the id of a node, got {name!r}")
    return found
