"""PyG's GATv2Conv, computed without the per-edge message tensor."""

from __future__ import annotations

from typing import Any

import torch_geometric.nn
from torch import Tensor

from gatsparse.graph import CSRGraph, as_graph
from gatsparse.nn.attention_conv import (
    AttentionConv,
    check_x,
    edge_features,
    options,
    sizes,
    unmet,
)
from gatsparse.ops import gatv2_attention, gatv2_attention_weights


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
    virtual: see :class:`gatsparse.GATConv`, also for what runs PyG's own forward.

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
        backend (str, optional): As of :class:`gatsparse.GATConv`.
        **kwargs (optional): As of :class:`torch_geometric.nn.GATv2Conv`: ``edge_dim``,
            ``fill_value``, ``bias``, ``share_weights``, ``residual`` and those of
            ``MessagePassing``.

    Raises:
        ValueError: If :obj:`heads` or :obj:`out_channels` is below 1, :obj:`dropout` is
            not in 0 .. 1, or there is no such :obj:`backend`.
    """

    # PyG's inspector reads these types from the source of the class:
    # propagate_type: (x: PairTensor, alpha: Tensor)
    # edge_updater_type: (x: PairTensor, edge_attr: OptTensor)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        x: Tensor | tuple[Tensor, Tensor],
        edge_index: Any,
        edge_attr: Tensor | None = None,
        return_attention_weights: bool | None = None,
    ) -> Any:
        r"""Runs the layer.

        Args:
            x (Tensor or tuple): ``[N, F]``, or ``([N_src, F_src], [N_dst, F_dst])``.
            edge_index (Tensor or CSRGraph): ``[2, E]`` of integers, or a structure built
                once; also what PyG's layer takes.
            edge_attr (Tensor, optional): ``[E, D]`` or ``[E]``, edge features.
            return_attention_weights (bool, optional): Whether to return the attention.

        Returns:
            Tensor or tuple: ``[N_dst, H * C]``, or ``[N_dst, C]`` without :obj:`concat`;
            with the attention ``(out, (edge_index [2, E'], alpha [E', H]))``, as PyG.

        Raises:
            TypeError: If :obj:`x` or :obj:`edge_index` is of a wrong type or dtype.
            ValueError: If shapes contradict each other, there are edge features but no
                ``edge_dim``, or the named backend cannot serve.
            IndexError: If an index of :obj:`edge_index` names no node.
        """
        if unmet(self, torch_geometric.nn.GATv2Conv, edge_index, self.backend):
            if isinstance(edge_index, CSRGraph):
                edge_index = edge_index.edge_index()
            return super().forward(  # pyright: ignore[reportCallIssue]
                x,  # pyright: ignore[reportArgumentType]
                edge_index,
                edge_attr,
                return_attention_weights,  # pyright: ignore[reportArgumentType]
            )

        check_x(x, (self.lin_l, self.lin_r))
        if not isinstance(x, Tensor) and x[1] is None:
            raise ValueError("x[1]: expected features of the destinations, got None")
        x_src, x_dst = self._project(x)
        graph = as_graph(edge_index, sizes(x_src, x_dst, edge_index, None))
        inputs: dict[str, Any] = {
            "x_src": x_src,
            "x_dst": x_dst,
            "att": self.att,
            "graph": graph,
            **options(self),
        }
        if edge_attr is not None:
            if self.lin_edge is None:
                raise ValueError("edge_attr: expected None, as edge_dim is None, got a tensor")
            edge, loop = edge_features(self, edge_index, edge_attr, graph)
            inputs["edge"] = self._heads(self.lin_edge(edge))
            inputs["loop"] = None if loop is None else self._heads(self.lin_edge(loop))

        bias = None if self.res is not None else self.bias
        out = gatv2_attention(**inputs, bias=bias, concat=self.concat, backend=self.backend)
        if self.res is not None:
            out = out + self.res(x if isinstance(x, Tensor) else x[1])
            out = out if self.bias is None else out + self.bias
        if return_attention_weights:
            return out, gatv2_attention_weights(**inputs)
        return out

    def _project(self, x: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """``x_src [N_src, H, C]`` and ``x_dst [N_dst, H, C]``; one tensor where both are."""
        if isinstance(x, Tensor) and self.share_weights:
            x_src = self._heads(self.lin_l(x))
            return x_src, x_src
        x_src, x_dst = (x, x) if isinstance(x, Tensor) else x
        return self._heads(self.lin_l(x_src)), self._heads(self.lin_r(x_dst))

    def _heads(self, projected: Tensor) -> Tensor:
        return projected.view(-1, self.heads, self.out_channels)
