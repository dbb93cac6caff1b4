"""What our layers add to PyG's: the constructor, the checks of a call, and when our operators
can serve it.
"""

from __future__ import annotations

from typing import Any

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn import Linear
from torch_geometric.utils import is_sparse, scatter

from gatsparse.graph import CSRGraph
from gatsparse.ops import backend as backends
from gatsparse.ops.backend import Backend
from gatsparse.ops.philox import draw_seed

_HOOKS = (
    "_propagate_forward_pre_hooks",
    "_propagate_forward_hooks",
    "_message_forward_pre_hooks",
    "_message_forward_hooks",
    "_aggregate_forward_pre_hooks",
    "_aggregate_forward_hooks",
    "_edge_update_forward_pre_hooks",
    "_edge_update_forward_hooks",
)
_MESSAGE_PASSING = ("message", "aggregate", "update", "edge_update", "propagate", "edge_updater")


class AttentionConv:
    """The constructor of our layers, in front of that of PyG's class, the next base."""

    backend: Backend = "auto"

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        *args: Any,
        backend: Backend = "auto",
        **kwargs: Any,
    ) -> None:
        for name, value in (("out_channels", out_channels), ("heads", heads)):
            if value < 1:
                raise ValueError(f"{name}: expected >= 1, got {value}")
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout: expected 0 <= dropout <= 1, got {dropout}")
        backends.check(backend)
        super().__init__(
            in_channels,  # pyright: ignore[reportCallIssue]
            out_channels,
            heads,
            concat,
            negative_slope,
            dropout,
            add_self_loops,
            *args,
            **kwargs,
        )
        self.backend = backend


def unmet(
    layer: Any, base: type[torch_geometric.nn.MessagePassing], edge_index: Any, backend: Backend
) -> list[str]:
    """What keeps our operator from serving a call of :obj:`layer`, so that the forward of
    :obj:`base`, PyG's class, must.

    Raises:
        ValueError: If something does and the named backend never falls back.
    """
    reasons = []
    if isinstance(edge_index, EdgeIndex) or is_sparse(edge_index):
        reasons.append(f"edge_index: {type(edge_index).__name__} is not sorted natively yet")
    if layer.explain:
        reasons.append("explain: an explainer masks messages")
    if any(getattr(layer, hooks) for hooks in _HOOKS):
        reasons.append("message-passing hooks are registered")
    if overridden := [name for name in _MESSAGE_PASSING if _overrides(type(layer), base, name)]:
        reasons.append(f"{type(layer).__name__} overrides {', '.join(overridden)}")
    if layer.aggr not in ("add", "sum"):
        reasons.append(f"aggr={layer.aggr!r}; expected 'add'")
    if layer.flow != "source_to_target":
        reasons.append(f"flow={layer.flow!r}; expected 'source_to_target'")
    if reasons:
        backends.choose(backend, {"fused": reasons, "dense": reasons, "scatter": []})
    return reasons


def _overrides(cls: type, base: type, name: str) -> bool:
    """Whether a user's subclass has a method of message passing of its own."""
    method = getattr(cls, name)
    if method is getattr(base, name):
        return False
    # PyG generates these two for every class, each in a module named after it.
    return not method.__module__.endswith(("_propagate", "_edge_updater"))


def options(layer: Any) -> dict[str, Any]:
    """How a layer's scores become attention in this call: arguments of our operators."""
    dropout = layer.dropout if layer.training else 0.0
    return {
        "add_self_loops": layer.add_self_loops,
        "negative_slope": layer.negative_slope,
        "dropout": dropout,
        "seed": draw_seed() if dropout > 0.0 else None,
    }


def check_x(x: Tensor | tuple[Tensor, Tensor | None], lins: tuple[Linear, Linear]) -> None:
    """Raises TypeError or ValueError if :obj:`x` is not what the projections take."""
    tensors = (x, None) if isinstance(x, Tensor) else x
    if not isinstance(tensors, (tuple, list)) or len(tensors) != 2:
        raise TypeError(f"x: expected a tensor or a pair of them, got {type(x).__name__}")
    for k, (tensor, lin) in enumerate(zip(tensors, lins, strict=True)):
        if tensor is None and k == 1:
            continue
        name = "x" if isinstance(x, Tensor) else f"x[{k}]"
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
        width = lin.in_channels
        if tensor.dim() != 2 or width not in (-1, tensor.size(1)):
            expected = "F" if width == -1 else width
            raise ValueError(f"{name}: expected shape [N, {expected}], got {list(tensor.shape)}")


def sizes(
    x_src: Tensor,
    x_dst: Tensor | None,
    edge_index: Any,
    size: tuple[int | None, int | None] | None,
) -> tuple[int, int]:
    """``(N_src, N_dst)``, by :obj:`x`; where it tells nothing, by the other arguments."""
    num_src = x_src.size(0)
    given = edge_index.size if isinstance(edge_index, CSRGraph) else size or (None, None)
    num_dst = x_dst.size(0) if x_dst is not None else given[1]
    num_dst = num_src if num_dst is None else num_dst
    for k, (expected, got) in enumerate(zip((num_src, num_dst), size or given, strict=True)):
        if got is not None and got != expected:
            raise ValueError(f"size[{k}]: expected {expected}, as x has it, got {got}")
    return num_src, num_dst


def edge_features(
    layer: Any, edge_index: Tensor | CSRGraph, edge_attr: Tensor, graph: CSRGraph
) -> tuple[Tensor, Tensor | None]:
    r"""The features of the edges ``[E, D]`` and, where :obj:`layer` adds self-loops, theirs:
    ``[min(N_src, N_dst), D]``, filled as its ``fill_value`` says.

    Raises:
        TypeError: If :obj:`edge_attr` is no tensor of floats.
        ValueError: If it has no row for every edge, or not the layer's ``edge_dim``.
    """
    if not isinstance(edge_attr, Tensor):
        raise TypeError(f"edge_attr: expected a tensor, got {type(edge_attr).__name__}")
    if not edge_attr.is_floating_point():
        raise TypeError(f"edge_attr: expected a floating point tensor, got {edge_attr.dtype}")
    edge_attr = edge_attr[:, None] if edge_attr.dim() == 1 else edge_attr
    width = layer.lin_edge.in_channels
    fits = edge_attr.dim() == 2 and width in (-1, edge_attr.size(1))
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
        src, dst = graph.edge_index() if isinstance(edge_index, CSRGraph) else edge_index
        # Edges that are loops themselves, or lead to no loop, go to a row beyond the last.
        counts = (src != dst) & (dst < num_loops)
        index = torch.where(counts, dst, num_loops).long()
        loop = scatter(edge_attr, index, dim=0, dim_size=num_loops + 1, reduce=fill_value)[:-1]
    elif isinstance(fill_value, Tensor):
        loop = fill_value.to(edge_attr).expand(shape)
    else:
        loop = edge_attr.new_full(shape, fill_value)
    return edge_attr, loop
