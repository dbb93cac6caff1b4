"""Edge features of a layer, and features of the self-loops that it adds."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatsparse.adjacency import Adjacency
from gatsparse.ops.edge_list import hide_number

#: By ``fill_value``: the reduction of :func:`torch.scatter_reduce`, and its initial value.
REDUCTIONS = {
    "mean": ("sum", 0.0),
    "add": ("sum", 0.0),
    "sum": ("sum", 0.0),
    "mul": ("prod", 1.0),
    "min": ("amin", torch.inf),
    "max": ("amax", -torch.inf),
}


def edge_attr_of(layer: Any, form: Adjacency, edge_attr: Tensor | None) -> Tensor | None:
    """The edge features of a call: the argument, or else the features stored in the graph."""
    given = edge_attr is not None or layer.lin_edge is None
    return edge_attr if given else form.values


def edge_features(
    layer: Any, form: Adjacency, graph: Any, edge_attr: Tensor
) -> tuple[Tensor, Tensor | None]:
    r"""Returns the features of the edges ``[E, D]`` and, if :obj:`layer` adds self-loops, the
    features of the self-loops ``[min(N_src, N_dst), D]``, filled by its ``fill_value``.

    Raises:
        TypeError: If :obj:`edge_attr` is not a floating point tensor. Integers and bools are
            accepted if the layer fills self-loops by the mean. They are summed in their own dtype
            and become floats by the division, as in PyG.
        ValueError: If its shape does not match the number of edges or the layer's ``edge_dim``.
    """
    if not isinstance(edge_attr, Tensor):
        raise TypeError(f"edge_attr: expected a tensor, got {type(edge_attr).__name__}")
    if not edge_attr.is_floating_point():
        filled = layer.add_self_loops and isinstance(layer.fill_value, str)
        if edge_attr.is_complex() or not (filled and layer.fill_value == "mean"):
            raise TypeError(
                "edge_attr: expected a floating point tensor, or integers with add_self_loops=True "
                f"and fill_value='mean', got {edge_attr.dtype}"
            )
    edge_attr = edge_attr[:, None] if edge_attr.dim() == 1 else edge_attr
    width = getattr(layer.lin_edge, "in_channels", -1)
    fits = edge_attr.dim() == 2 and (width == -1 or width == edge_attr.size(1))
    if not fits or edge_attr.size(0) != graph.num_edges:
        raise ValueError(
            f"edge_attr: expected shape [{graph.num_edges}, {'D' if width == -1 else width}], "
            f"got {list(edge_attr.shape)}"
        )
    if not layer.add_self_loops:
        return edge_attr, None
    num_loops = min(graph.size)
    shape = (num_loops, edge_attr.size(1))
    fill_value = layer.fill_value
    if isinstance(fill_value, str):
        (src, dst), values = hide_number(form.edges().long(), edge_attr)
        # Self-loops, and edges to nodes without an added loop, are reduced into an extra row.
        counts = (src != dst) & (dst < num_loops)
        row = torch.where(counts, dst, num_loops)
        loop = _reduce(values, row, num_loops + 1, fill_value)[:-1]
        return edge_attr.to(loop.dtype), loop
    if isinstance(fill_value, Tensor):
        return edge_attr, fill_value.to(edge_attr).expand(shape)
    return edge_attr, edge_attr.new_full(shape, 1.0 if fill_value is None else fill_value)


def _reduce(values: Tensor, row: Tensor, num_rows: int, reduce: str) -> Tensor:
    """Reduces to ``[num_rows, D]``, by operations that every tracer, ``vmap`` and ONNX support.

    As in :func:`torch_geometric.utils.scatter`, rows without values are 1 for ``"mul"``, else 0.
    """
    if reduce not in REDUCTIONS:
        expected = list(REDUCTIONS)
        raise ValueError(f"fill_value: expected a number or one of {expected}, got {reduce!r}")
    kind, start = REDUCTIONS[reduce]
    count = values.new_zeros(num_rows).scatter_add(0, row, torch.ones_like(values[:, 0]))[:, None]
    out = values.new_full((num_rows, values.size(1)), start)
    out = out.scatter_reduce(0, row[:, None].expand_as(values), values, kind)
    if kind in ("amin", "amax"):
        return out.masked_fill(count == 0, 0.0)
    return out / count.clamp(min=1) if reduce == "mean" else out
