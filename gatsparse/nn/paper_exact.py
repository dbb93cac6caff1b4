"""The GAT of the paper exactly as its authors' code computes it."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.adjacency import adjacency
from gatsparse.checks import check_instance, check_integer, check_number, check_share
from gatsparse.nn.layer_checks import check_model
from gatsparse.nn.operand_graph import operand_graph
from gatsparse.ops import dropout as dropout_op
from gatsparse.ops import gat_attention, sparse_linear
from gatsparse.tracing import is_traced

# The kernel is fast for multiples of this number of channels: forward and backward on Cora, with 8
# heads of 8 channels and their scores, take 4.0 ms padded to 16, 6.4 ms with 10, and 7.1 ms with 12
# channels. With the scores as edge features and unpadded rows they take 4.2 ms, and 5.7 instead of
# 2.6 ms at C = 3.
_VECTOR = 8


class PaperExactConv(torch.nn.Module):
    r"""The graph attentional operator with every detail of the authors' code.

    .. math::
        z^h &= \Theta^h \, \mathrm{dropout}^h(x), \quad
        \alpha^h_{ij} = \mathrm{softmax}_j \left( \mathrm{LeakyReLU} \left(
        \langle a^h_{src}, z^h_j \rangle + b^h_{src} + \langle a^h_{dst}, z^h_i \rangle
        + b^h_{dst} \right) \right) \\
        x'^h_i &= \sum_{j \in \mathcal{N}(i) \cup \{ i \}} \mathrm{dropout}(\alpha^h_{ij}) \,
        \mathrm{dropout}(z^h_j) + b^h

    In training, dropout differs from :class:`gatsparse.GATConv`: each head draws its own dropout
    of the input, and the features that are summed are dropped once more after the scores have been
    computed from them. Both terms of the score have a bias. Averaged heads have one bias each, so
    that each of them counts in the L2 penalty of the optimiser.

    Args:
        in_channels (int): Size :math:`F` of each input sample.
        out_channels (int): Size :math:`C` of each head's output.
        heads (int, optional): Number of heads :math:`H`.
        concat (bool, optional): If False, heads are averaged instead of concatenated.
        dropout (float, optional): Dropout probability of inputs, projected features and attention
            weights in training.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.

    Learnable parameters:
        lin.weight (Tensor): ``[H * C, F]``, :math:`\Theta`.
        att_src, att_dst (Tensor): ``[1, H, C]``.
        bias_src, bias_dst (Tensor): ``[1, H]``, biases of the score.
        bias (Tensor): ``[H * C]``, bias of the output.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is below 1, :obj:`dropout` is not in 0 .. 1, or
            :obj:`negative_slope` is not finite.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, and the code published
    with it, https://github.com/PetarV-/GAT, ``sp_attn_head`` in ``utils/layers.py``.

    Example:
        >>> import torch
        >>> from gatsparse.nn import PaperExactConv
        >>> conv = PaperExactConv(16, 8, heads=4, dropout=0.6)
        >>> conv(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        dropout: float = 0.0,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        for name, size in (
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("heads", heads),
        ):
            check_integer(name, size)
        check_share("dropout", dropout)
        check_number("negative_slope", negative_slope)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.heads = heads
        self.concat = concat
        self.dropout = dropout
        self.negative_slope = negative_slope
        self.lin = torch.nn.Linear(in_channels, heads * out_channels, bias=False)
        self.att_src = torch.nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = torch.nn.Parameter(torch.empty(1, heads, out_channels))
        self.bias_src = torch.nn.Parameter(torch.empty(1, heads))
        self.bias_dst = torch.nn.Parameter(torch.empty(1, heads))
        self.bias = torch.nn.Parameter(torch.empty(heads * out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialises each head by Glorot's uniform distribution, and biases by 0."""
        _glorot(self.lin.weight, self.in_channels, self.out_channels)
        for att in (self.att_src, self.att_dst):
            _glorot(att, self.out_channels, 1)
        for bias in (self.bias_src, self.bias_dst, self.bias):
            torch.nn.init.zeros_(bias)

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        r"""Runs the layer.

        Args:
            x (Tensor): ``[N, F]``, dense, ``sparse_csr``, ``sparse_csc`` or ``sparse_coo``.
            edge_index (Tensor or CSRGraph): As in :class:`gatsparse.GATConv`. Each node
                attends to itself once, whether the graph has self-loops or not.

        Returns:
            Tensor: ``[N, H * C]``, or ``[N, C]`` without :obj:`concat`.

        Raises:
            TypeError: If :obj:`x` or :obj:`edge_index` is of a wrong type or dtype.
            ValueError: If :obj:`x` is of another shape or on another device.
            IndexError: If an index of :obj:`edge_index` is out of range.
        """
        check_instance("x", x, Tensor, "a tensor")
        if not x.is_floating_point():
            raise TypeError(f"x: expected a floating point tensor, got {x.dtype}")
        if x.dim() != 2 or x.size(1) != self.in_channels:
            raise ValueError(f"x: expected shape [N, {self.in_channels}], got {list(x.shape)}")
        H, C = self.heads, self.out_channels
        if x.device != self.lin.weight.device:
            raise ValueError(f"x: expected a tensor on {self.lin.weight.device}, got {x.device}")
        graph = operand_graph(adjacency(edge_index), (x.size(0), x.size(0)), x, self.lin.weight)
        z = self._projected(x)
        # The kernel computes the scores from the features that it sums. Here the scores depend on
        # the features before the second dropout, so they are extra channels, removed afterwards.
        channels = [
            dropout_op(z, self.dropout, self.training),
            (z * self.att_src).sum(-1, keepdim=True) + self.bias_src[..., None],
            (z * self.att_dst).sum(-1, keepdim=True) + self.bias_dst[..., None],
            z.new_zeros(*z.shape[:2], -(C + 2) % _VECTOR),
        ]
        operand = torch.cat(channels, dim=-1)
        out = gat_attention(
            operand,
            _one_hot(operand, C),
            _one_hot(operand, C + 1),
            graph,  # pyright: ignore[reportArgumentType]
            concat=self.concat,
            add_self_loops=True,
            negative_slope=self.negative_slope,
            dropout=self.dropout if self.training else 0.0,
        )
        if self.concat:
            return out.view(-1, H, operand.size(-1))[..., :C].flatten(1) + self.bias
        return out[:, :C] + self.bias.view(H, C).mean(0)

    def _projected(self, x: Tensor) -> Tensor:
        """Projected features ``[N, H, C]``, with a separate dropout of the input for each head."""
        if not self.training or self.dropout == 0.0:
            return _project(x, self.lin.weight).view(-1, self.heads, self.out_channels)
        weights = self.lin.weight.view(self.heads, self.out_channels, -1)
        return torch.stack([_project(dropout_op(x, self.dropout), w) for w in weights], dim=1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, heads={self.heads})"


class PaperExactGAT(torch.nn.Module):
    r"""The two-layer GAT of the paper with every detail of its authors' code.

    :obj:`heads` concatenated heads, ELU, :obj:`out_heads` averaged heads; see
    :class:`PaperExactConv` for the differences from :class:`PaperGAT`.

    Args:
        in_channels (int): Size of each input sample.
        hidden_channels (int): Size of each head of the first layer.
        out_channels (int): Number of classes.
        heads (int, optional): Heads of the first layer.
        out_heads (int, optional): Heads of the second layer.
        dropout (float, optional): Dropout probability of inputs, projected features and attention
            in both layers.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is below 1, :obj:`dropout` is not in 0 .. 1, or
            :obj:`negative_slope` is not finite.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, and the code published
    with it, https://github.com/PetarV-/GAT, ``models/sp_gat.py``.

    Example:
        >>> import torch
        >>> from gatsparse.nn import PaperExactGAT
        >>> model = PaperExactGAT(in_channels=16, hidden_channels=8, out_channels=7)
        >>> model(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 7])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        heads: int = 8,
        out_heads: int = 1,
        dropout: float = 0.6,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        check_model(
            in_channels, hidden_channels, out_channels, heads, out_heads, dropout, negative_slope
        )
        options: dict[str, Any] = {"dropout": dropout, "negative_slope": negative_slope}
        self.conv1 = PaperExactConv(in_channels, hidden_channels, heads, **options)
        self.conv2 = PaperExactConv(
            heads * hidden_channels, out_channels, out_heads, concat=False, **options
        )

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        """Returns logits ``[N, out_channels]`` for features :obj:`x` ``[N, in_channels]``, dense,
        ``sparse_csr``, ``sparse_csc`` or ``sparse_coo``.
        """
        return self.conv2(F.elu(self.conv1(x, edge_index)), edge_index)


def _project(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight.T`` of dense or sparse features."""
    if x.layout == torch.strided:
        return F.linear(x, weight)
    return F.linear(x.to_dense(), weight) if is_traced(x) else sparse_linear(x, weight)


def _one_hot(operand: Tensor, channel: int) -> Tensor:
    """Weights ``[1, H, C']`` that select a channel of ``operand [N, H, C']`` as the score."""
    weights = operand.new_zeros(1, *operand.shape[1:])
    weights[..., channel] = 1.0
    return weights


def _glorot(weight: Tensor, fan_in: int, fan_out: int) -> None:
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    torch.nn.init.uniform_(weight, -bound, bound)
