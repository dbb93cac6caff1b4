"""PyG's GATConv, computed without the per-edge message tensor."""

from __future__ import annotations

from typing import Any, cast

import torch_geometric.nn
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.nn import Linear
from torch_geometric.utils import is_sparse

from gatsparse.graph import CSRGraph, as_graph
from gatsparse.ops import backend as backends
from gatsparse.ops import gat_attention, gat_attention_weights
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


def _overrides(cls: type[torch_geometric.nn.GATConv], name: str) -> bool:
    """Whether a user's subclass has a method of message passing of its own."""
    method = getattr(cls, name)
    if method is getattr(torch_geometric.nn.GATConv, name):
        return False
    # PyG generates these two for every class, each in a module named after it.
    return not method.__module__.endswith(("_propagate", "_edge_updater"))


class GATConv(torch_geometric.nn.GATConv):
    r"""The graph attentional operator of `"Graph Attention Networks"
    <https://arxiv.org/abs/1710.10903>`_, a drop-in for
    :class:`torch_geometric.nn.GATConv`.

    .. math::
        x'_i = \Vert_{h=1}^{H} \sum_{j \in \mathcal{N}(i) \cup \{ i \}}
        \alpha^h_{ij} \, \Theta^h x_j, \quad
        \alpha^h_{ij} = \mathrm{softmax}_j \left( \mathrm{LeakyReLU} \left(
        \langle a^h_{src}, \Theta^h x_j \rangle + \langle a^h_{dst}, \Theta^h x_i \rangle
        \right) \right)

    Parameters, ``state_dict`` and results are those of PyG's layer. No tensor of shape
    ``[E, H, C]`` is built, and self-loops are virtual: the graph's structure is sorted
    once per :obj:`edge_index` tensor and used by every layer and step.

    What works on messages themselves (edge features, message-passing hooks, explainers,
    an overridden :meth:`message`, sparse-matrix inputs) runs PyG's own forward.

    Args:
        in_channels (int or tuple): Size of each input sample, ``-1`` to derive it from
            the first input, or a pair for source and destination nodes.
        out_channels (int): Size :math:`C` of each head's output.
        heads (int, optional): Number of heads :math:`H`.
        concat (bool, optional): Heads are averaged instead of concatenated if False.
        negative_slope (float, optional): Of the LeakyReLU.
        dropout (float, optional): Probability that an attention weight is dropped in
            training.
        add_self_loops (bool, optional): Whether each node attends to itself, once.
        backend (str, optional): ``"fused"``, ``"scatter"`` or ``"dense"``, which compute
            the same numbers, or ``"auto"``, the best that can serve. One that is named
            and cannot serve raises.
        **kwargs (optional): As of :class:`torch_geometric.nn.GATConv`: ``edge_dim``,
            ``fill_value``, ``bias``, ``residual`` and those of ``MessagePassing``.

    Raises:
        ValueError: If :obj:`heads` or :obj:`out_channels` is below 1, :obj:`dropout` is
            not in 0 .. 1, or there is no such :obj:`backend`.
    """

    # PyG's inspector reads these types from the source of the class:
    # propagate_type: (x: OptPairTensor, alpha: Tensor)
    # edge_updater_type: (alpha: OptPairTensor, edge_attr: OptTensor)

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
            in_channels,
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

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Tensor | tuple[Tensor, Tensor | None],
        edge_index: Any,
        edge_attr: Tensor | None = None,
        size: tuple[int | None, int | None] | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        r"""Runs the layer.

        Args:
            x (Tensor or tuple): ``[N, F]``, or ``([N_src, F_src], [N_dst, F_dst] or None)``.
            edge_index (Tensor or CSRGraph): ``[2, E]`` of integers, or a structure built
                once; also what PyG's layer takes.
            edge_attr (Tensor, optional): ``[E, D]``, edge features.
            size (tuple, optional): ``(N_src, N_dst)``; checked against :obj:`x`.
            return_attention_weights (bool, optional): Whether to return the attention.

        Returns:
            Tensor or tuple: ``[N_dst, H * C]``, or ``[N_dst, C]`` without :obj:`concat`;
            with the attention ``(out, (edge_index [2, E'], alpha [E', H]))``, as PyG.

        Raises:
            TypeError: If :obj:`x` or :obj:`edge_index` is of a wrong type or dtype.
            ValueError: If shapes contradict each other, or the named backend cannot serve.
            IndexError: If an index of :obj:`edge_index` names no node.
        """
        if unmet := self._unmet(edge_index, edge_attr):
            backends.choose(self.backend, {"fused": unmet, "dense": unmet, "scatter": []})
            if isinstance(edge_index, CSRGraph):
                edge_index, size = edge_index.edge_index(), edge_index.size
            return super().forward(  # pyright: ignore[reportCallIssue]
                x,
                edge_index,
                edge_attr,
                size,  # pyright: ignore[reportArgumentType]
                return_attention_weights,  # pyright: ignore[reportArgumentType]
            )

        self._check_x(x)
        x_src, x_dst = self._project(x)
        graph = as_graph(edge_index, self._size(x_src, x_dst, edge_index, size))
        alpha_src = (x_src * self.att_src).sum(dim=-1)
        if x_dst is None:
            alpha_dst = alpha_src.new_zeros(graph.num_dst, self.heads)
        else:
            alpha_dst = (x_dst * self.att_dst).sum(dim=-1)

        dropout = self.dropout if self.training else 0.0
        options: dict[str, Any] = {
            "add_self_loops": self.add_self_loops,
            "negative_slope": self.negative_slope,
            "dropout": dropout,
            "seed": draw_seed() if dropout > 0.0 else None,
        }
        out = gat_attention(x_src, alpha_src, alpha_dst, graph, backend=self.backend, **options)
        out = out.flatten(1) if self.concat else out.mean(dim=1)

        x_res = x if isinstance(x, Tensor) else x[1]
        if self.res is not None and x_res is not None:
            out = out + self.res(x_res)
        if self.bias is not None:
            out = out + self.bias
        elif self.concat and self.res is None and out.requires_grad:
            out = out.clone()  # it is a view of what backward needs; users may change it
        if return_attention_weights:
            return out, gat_attention_weights(alpha_src, alpha_dst, graph, **options)
        return out

    def _project(self, x: Tensor | tuple[Tensor, Tensor | None]) -> tuple[Tensor, Tensor | None]:
        """``x_src [N_src, H, C]`` and ``x_dst [N_dst, H, C]``; one tensor where both are."""

        def heads(projected: Tensor) -> Tensor:
            return projected.view(-1, self.heads, self.out_channels)

        if self.lin is not None and isinstance(x, Tensor):
            x_src = heads(self.lin(x))
            return x_src, x_src
        x_src, x_dst = (x, x) if isinstance(x, Tensor) else x
        lin_src, lin_dst = self._lins()
        return heads(lin_src(x_src)), None if x_dst is None else heads(lin_dst(x_dst))

    def _lins(self) -> tuple[Linear, Linear]:
        """The projections of source and destination; one where the layer is not bipartite."""
        lins = (self.lin, self.lin) if self.lin is not None else (self.lin_src, self.lin_dst)
        return cast("tuple[Linear, Linear]", lins)

    def _unmet(self, edge_index: Any, edge_attr: Tensor | None) -> list[str]:
        """What keeps our operator from serving this call, so that PyG's forward must."""
        reasons = []
        if edge_attr is not None and self.lin_edge is not None:
            reasons.append("edge_attr: edge features need per-edge messages")
        if isinstance(edge_index, EdgeIndex) or is_sparse(edge_index):
            reasons.append(f"edge_index: {type(edge_index).__name__} is not sorted natively yet")
        if self.explain:
            reasons.append("explain: an explainer masks messages")
        if any(getattr(self, hooks) for hooks in _HOOKS):
            reasons.append("message-passing hooks are registered")
        if overridden := [name for name in _MESSAGE_PASSING if _overrides(type(self), name)]:
            reasons.append(f"{type(self).__name__} overrides {', '.join(overridden)}")
        if self.aggr not in ("add", "sum"):
            reasons.append(f"aggr={self.aggr!r}; expected 'add'")
        if self.flow != "source_to_target":
            reasons.append(f"flow={self.flow!r}; expected 'source_to_target'")
        return reasons

    def _check_x(self, x: Tensor | tuple[Tensor, Tensor | None]) -> None:
        tensors = (x, None) if isinstance(x, Tensor) else x
        if not isinstance(tensors, (tuple, list)) or len(tensors) != 2:
            raise TypeError(f"x: expected a tensor or a pair of them, got {type(x).__name__}")
        for k, (tensor, lin) in enumerate(zip(tensors, self._lins(), strict=True)):
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
                raise ValueError(
                    f"{name}: expected shape [N, {expected}], got {list(tensor.shape)}"
                )

    @staticmethod
    def _size(
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
