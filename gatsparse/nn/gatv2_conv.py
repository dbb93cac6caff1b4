"""PyG's GATv2Conv, computed without the per-edge message tensor."""

from __future__ import annotations

from typing import Any

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.graph import CSRGraph
from gatsparse.nn.attention_conv import AttentionConv, Features, project
from gatsparse.ops import gatv2_attention, gatv2_attention_weights
from gatsparse.ops.gatv2 import fused
from gatsparse.ops.gatv2.inputs import Inputs
from gatsparse.ops.options import Options


class GATv2Conv(AttentionConv, torch_geometric.nn.GATv2Conv):
    r"""The GATv2 operator of `"How Attentive are Graph Attention Networks?"
    <https://arxiv.org/abs/2105.14491>`_, a drop-in for
    :class:`torch_geometric.nn.GATv2Conv`.

    .. math::
        x'_i = \Vert_{h=1}^{H} \sum_{j \in \mathcal{N}(i) \cup \{ i \}}
        \alpha^h_{ij} \, \Theta^h_l x_j, \quad
        \alpha^h_{ij} = \mathrm{softmax}_j \left( \langle a^h, \mathrm{LeakyReLU} \left(
        \Theta^h_l x_j + \Theta^h_r x_i + \Theta^h_e e_{ij} \right) \rangle \right)

    Parameters, ``state_dict`` and results are those of PyG's layer. Without edge features no
    tensor of shape ``[E, H, C]`` is built; with them, only their projection. Self-loops are
    virtual: see :class:`gatsparse.GATConv`, also for the cases that run PyG's own forward pass.

    Args:
        in_channels (int or tuple): Size of each input sample, ``-1`` to derive it from
            the first input, or a pair for source and destination nodes.
        out_channels (int): Size :math:`C` of each head's output.
        heads (int, optional): Number of heads :math:`H`.
        concat (bool, optional): If False, heads are averaged instead of concatenated.
        negative_slope (float, optional): Slope of the LeakyReLU for negative values.
        dropout (float, optional): Probability that an attention weight is dropped in
            training.
        add_self_loops (bool, optional): Whether each node attends to itself, once.
        backend (str, optional): As in :class:`gatsparse.GATConv`.
        **kwargs (optional): As in :class:`torch_geometric.nn.GATv2Conv`: ``edge_dim``,
            ``fill_value``, ``bias``, ``share_weights``, ``residual`` and those of
            ``MessagePassing``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`heads` or :obj:`out_channels` is below 1, :obj:`dropout` is
            not in 0 .. 1, or :obj:`backend` is unknown.

    Example:
        >>> import torch, gatsparse
        >>> conv = gatsparse.GATv2Conv(16, 8, heads=4, edge_dim=2)
        >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> conv(torch.randn(3, 16), edge_index, edge_attr=torch.randn(3, 2)).shape
        torch.Size([3, 32])
    """

    # PyG's inspector reads these types from the source of the class:
    # propagate_type: (x: PairTensor, alpha: Tensor)
    # edge_updater_type: (x: PairTensor, edge_attr: OptTensor)

    _pyg = torch_geometric.nn.GATv2Conv
    _attention = staticmethod(gatv2_attention)
    _attention_weights = staticmethod(gatv2_attention_weights)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        r"""Runs the layer.

        Args:
            x (Tensor or tuple): ``[N, F]``, or ``([N_src, F_src], [N_dst, F_dst])``, each dense
                or ``sparse_csr``; or a dense batch of them on one graph, ``[*, N, F]``.
            edge_index (Tensor or CSRGraph): ``[2, E]`` of integers; an ``EdgeIndex``; a
                ``torch.sparse`` matrix or ``SparseTensor`` ``[N_dst, N_src]``; or a CSR graph
                built once. With ``flow="target_to_source"``, messages go from its second row to
                its first; :obj:`x` still holds the senders, then the receivers.
            edge_attr (Tensor, optional): ``[E, D]``, ``[E]`` or ``[*, E, D]``, edge features.
            return_attention_weights (bool, optional): Whether to return the attention.

        Returns:
            Tensor or tuple: ``[*, N_dst, H * C]``, or ``[*, N_dst, C]`` without :obj:`concat`;
            with the attention ``(out, (edge_index [2, E'], alpha [*, E', H]))``, or, as in PyG,
            ``(out, (matrix, alpha))`` for a ``torch.sparse`` matrix and ``(out, matrix)`` for a
            ``SparseTensor``.

        Raises:
            TypeError: If :obj:`x` or :obj:`edge_index` has the wrong type or dtype.
            ValueError: If shapes contradict each other, there are edge features but no
                ``edge_dim``, or the requested backend cannot handle the call.
            IndexError: If an index of :obj:`edge_index` is out of range.
        """
        return self._attend(x, edge_index, edge_attr, return_attention_weights)

    @property
    def _score_dtype(self) -> torch.dtype:
        return self.att.dtype

    def _operands(self, x_src: Tensor, x_dst: Tensor) -> dict[str, Any]:
        return {"x_src": x_src, "x_dst": x_dst, "att": self.att}

    def _attend_fused(
        self, x_src: Tensor, x_dst: Tensor, graph: CSRGraph, options: Options
    ) -> Tensor:
        inputs = Inputs(x_src, x_dst, self.att, None, None)
        return fused.gatv2_attention(inputs, self.bias, self.concat, graph, options)

    def _project(self, x: Features) -> tuple[Tensor, Tensor]:
        """``x_src [N_src, H, C]`` and ``x_dst [N_dst, H, C]``; one tensor if they are the same."""
        if isinstance(x, Tensor) and self.share_weights:
            x_src = self._heads(project(self.lin_l, x))
            return x_src, x_src
        x_src, x_dst = (x, x) if isinstance(x, Tensor) else x
        if x_dst is None:
            raise ValueError("x[1]: expected features of the destinations, got None")
        return self._heads(project(self.lin_l, x_src)), self._heads(project(self.lin_r, x_dst))

    def _takes_edge_features(self) -> bool:
        if self.lin_edge is None:
            raise ValueError("edge_attr: expected None, as edge_dim is None, got a tensor")
        return True

    def _edge_operand(self, edge_attr: Tensor) -> Tensor:
        """Terms ``[E, H, C]`` of ``edge_attr [E, D]`` before the LeakyReLU."""
        return self._heads(project(self.lin_edge, edge_attr))  # pyright: ignore

    def _lins(self) -> tuple[Linear, Linear]:
        """The projections of source and destination."""
        return self.lin_l, self.lin_r

    def _heads(self, projected: Tensor) -> Tensor:
        return projected.view(-1, self.heads, self.out_channels)
