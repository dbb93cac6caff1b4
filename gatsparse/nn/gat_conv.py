"""PyG's GATConv, computed without the per-edge message tensor."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.graph import CSRGraph
from gatsparse.nn.attention_conv import AttentionConv, Features, is_changed, project
from gatsparse.ops import gat_attention, gat_attention_weights
from gatsparse.ops.gat import fused
from gatsparse.ops.gat.inputs import Inputs
from gatsparse.ops.options import Options


class GATConv(AttentionConv, torch_geometric.nn.GATConv):
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
    ``[E, H, C]`` is built, and self-loops are virtual: the graph is sorted once per
    :obj:`edge_index` tensor, and every layer and step uses the result.

    Edge features enter the score as ``[E, H]`` numbers. Message-passing hooks, explainers and an
    overridden ``message`` need the messages themselves, so PyG's own forward pass runs.

    Args:
        in_channels (int or tuple): Size of each input sample, ``-1`` to derive it from
            the first input, or a pair for source and destination nodes.
        out_channels (int): Size :math:`C` of each head's output.
        heads (int, optional): Number of heads :math:`H`.
        concat (bool, optional): If False, heads are averaged instead of concatenated.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.
        dropout (float, optional): Probability that an attention weight is dropped in
            training.
        add_self_loops (bool, optional): Whether each node attends to itself, once.
        backend (str, optional): ``"fused"``, ``"scatter"`` or ``"dense"``, which compute
            the same numbers, or ``"auto"``, the best that can handle the call. An
            explicitly requested backend raises if it cannot handle the call.
        **kwargs (optional): As in :class:`torch_geometric.nn.GATConv`: ``edge_dim``,
            ``fill_value``, ``bias``, ``residual`` and those of ``MessagePassing``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`heads` or :obj:`out_channels` is below 1, :obj:`dropout` is
            not in 0 .. 1, or :obj:`backend` is unknown.

    Example:
        >>> import torch, gatsparse
        >>> conv = gatsparse.GATConv(16, 8, heads=4, dropout=0.6)
        >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> conv(torch.randn(3, 16), edge_index).shape
        torch.Size([3, 32])
        >>> conv
        GATConv(16, 8, heads=4, backend='auto')
    """

    # PyG's inspector reads these types from the source of the class:
    # propagate_type: (x: OptPairTensor, alpha: Tensor)
    # edge_updater_type: (alpha: OptPairTensor, edge_attr: OptTensor)

    _pyg = torch_geometric.nn.GATConv
    _attention = staticmethod(gat_attention)
    _attention_weights = staticmethod(gat_attention_weights)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None = None,
        size: tuple[int | None, int | None] | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        r"""Runs the layer.

        Args:
            x (Tensor or tuple): ``[N, F]``, or ``([N_src, F_src], [N_dst, F_dst] or None)``, each
                dense, ``sparse_csr``, ``sparse_csc`` or ``sparse_coo``; or a dense batch of them on
                one graph, ``[*, N, F]``.
            edge_index (Tensor or CSRGraph): ``[2, E]`` of integers; an ``EdgeIndex``; a
                ``torch.sparse`` matrix or ``SparseTensor`` ``[N_dst, N_src]``; or a CSR graph
                built once. With ``flow="target_to_source"``, messages go from its second row to
                its first; :obj:`x` still holds the senders, then the receivers.
            edge_attr (Tensor, optional): ``[E, D]``, ``[E]`` or ``[*, E, D]``, edge features;
                without an ``edge_dim`` they are not used, as in PyG.
            size (tuple, optional): ``(N_src, N_dst)``; checked against :obj:`x`.
            return_attention_weights (bool, optional): Whether to return the attention.

        Returns:
            Tensor or tuple: ``[*, N_dst, H * C]``, or ``[*, N_dst, C]`` without :obj:`concat`;
            with the attention ``(out, (edge_index [2, E'], alpha [*, E', H]))``, or, as in PyG,
            ``(out, (matrix, alpha))`` for a ``torch.sparse`` matrix and ``(out, matrix)`` for a
            ``SparseTensor``.

        Raises:
            TypeError: If :obj:`x` or :obj:`edge_index` has the wrong type or dtype.
            ValueError: If shapes contradict each other, or the requested backend cannot handle the
                call.
            IndexError: If an index of :obj:`edge_index` is out of range.
        """
        return self._attend(x, edge_index, edge_attr, return_attention_weights, size=size)

    @property
    def _score_dtype(self) -> torch.dtype:
        return self.att_src.dtype

    def _operands(self, x_src: Tensor, x_dst: Tensor | None) -> dict[str, Any]:
        return {
            "x": x_src,
            "att_src": self.att_src,
            "att_dst": None if x_dst is None else self.att_dst,
            "x_dst": None if x_dst is x_src else x_dst,
        }

    def _attend_fused(
        self, x_src: Tensor, x_dst: Tensor, graph: CSRGraph, options: Options
    ) -> Tensor:
        other = None if x_dst is x_src else x_dst
        inputs = Inputs(x_src, self.att_src, self.att_dst, other, None, None)
        return fused.gat_attention(inputs, self.bias, self.concat, graph, options)

    def _project(self, x: Features) -> tuple[Tensor, Tensor | None]:
        """``x_src [N_src, H, C]`` and ``x_dst [N_dst, H, C]``; one tensor if they are the same."""

        def heads(projected: Tensor) -> Tensor:
            return projected.view(-1, self.heads, self.out_channels)

        if self.lin is not None and isinstance(x, Tensor):
            x_src = heads(project(self.lin, x))
            return x_src, x_src
        x_src, x_dst = (x, x) if isinstance(x, Tensor) else x
        lin_src, lin_dst = self._lins()
        src = heads(project(lin_src, x_src))
        return src, None if x_dst is None else heads(project(lin_dst, x_dst))

    def _takes_edge_features(self) -> bool:
        return self.lin_edge is not None  # without it they are ignored, as in PyG

    def _edge_operand(self, edge_attr: Tensor) -> Tensor:
        """Terms ``[E, H]`` of ``edge_attr [E, D]`` in the scores."""
        lin = cast(Linear, self.lin_edge)
        att = cast(Tensor, self.att_edge)
        if type(lin) is not Linear or lin.bias is not None or is_changed(lin):
            return (lin(edge_attr).view(-1, self.heads, self.out_channels) * att).sum(-1)
        # <a, W e> = <W^T a, e>: no tensor of shape [E, H, C]. Scores are at least float32.
        dtype = torch.promote_types(edge_attr.dtype, torch.float32)
        weight = lin.weight.to(dtype).view(self.heads, self.out_channels, -1)
        return edge_attr.to(dtype) @ (weight * att[0, :, :, None]).sum(1).t()

    def _lins(self) -> tuple[Linear, Linear]:
        """The projections of source and destination; the same one if not bipartite."""
        lins = (self.lin, self.lin) if self.lin is not None else (self.lin_src, self.lin_dst)
        return cast("tuple[Linear, Linear]", lins)
