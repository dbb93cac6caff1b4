"""The dense N x N graph attention layer of many GAT tutorials, as a reference."""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.checks import (
    check_choice,
    check_instance,
    check_integer,
    check_number,
    check_share,
)
from gatsparse.index_checks import check_edge_index, check_range

#: Ways to compute the scores of all pairs; the results are the same.
Form = Literal["broadcast", "concat"]

_MASKED = -9e15


def dense_adjacency(
    edge_index: Tensor,
    num_nodes: int,
    *,
    add_self_loops: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    r"""Returns the adjacency matrix for :class:`GraphAttentionLayer`.

    Args:
        edge_index (Tensor): int64 ``[2, E]``.
        num_nodes (int): Number of nodes :math:`N`.
        add_self_loops (bool, optional): Whether the diagonal is 1.
        dtype (torch.dtype, optional): Dtype of the result.

    Returns:
        Tensor: ``[N, N]``; ``adj[i, j]`` is 1 if there is an edge :math:`j \to i`, else 0.

    Raises:
        TypeError: If an argument is of a wrong type or dtype.
        ValueError: If :obj:`edge_index` is not of shape ``[2, E]``, or :obj:`num_nodes` is below 0
            or so large that the matrix has more than :math:`2^{63}` bytes.
        IndexError: If an index is out of range.

    Example:
        >>> import torch
        >>> from gatsparse.nn import dense_adjacency
        >>> dense_adjacency(torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
        tensor([[1., 0., 0.],
                [1., 1., 0.],
                [0., 1., 1.]])
    """
    check_edge_index(edge_index)
    check_integer("num_nodes", num_nodes, least=0)
    check_instance("dtype", dtype, torch.dtype, "a torch.dtype")
    check_range("edge_index", edge_index.flatten(), num_nodes)
    adj = torch.zeros(num_nodes, num_nodes, dtype=dtype, device=edge_index.device)
    adj[edge_index[1], edge_index[0]] = 1
    return adj.fill_diagonal_(1) if add_self_loops else adj


class GraphAttentionLayer(torch.nn.Module):
    r"""One head of graph attention over all pairs of nodes, masked by an adjacency matrix.

    .. math::
        e_{ij} = \mathrm{LeakyReLU}(a^{\top} [W h_i \Vert W h_j]), \quad
        h'_i = \sum_j \mathrm{softmax}_j(e_{ij}) \, W h_j

    with :math:`e_{ij} = -9 \cdot 10^{15}` where ``adj[i, j] <= 0``. It takes
    :math:`O(N^2)` memory, and with ``form="concat"`` :math:`O(N^2 F')`.

    A node without any edge attends to **all** nodes equally, since the mask leaves its
    row constant; the sparse layers give it 0.

    Args:
        in_features (int): Size :math:`F` of each input sample.
        out_features (int): Size :math:`F'` of each output sample.
        dropout (float): Probability that an attention weight is dropped in training.
        alpha (float): Negative slope of the LeakyReLU.
        concat (bool, optional): Applies ELU to the output, for a layer whose heads are
            concatenated; it concatenates nothing itself.
        form (str, optional): ``"concat"`` builds the ``[N, N, 2F']`` tensor of all pairs,
            as in the formula; ``"broadcast"`` computes the same scores as
            ``[N, 1] + [1, N]``.
        bias (bool, optional): Adds a learnable bias before the ELU.

    Learnable parameters:
        W (Tensor): ``[F, F']``.
        a (Tensor): ``[2F', 1]``: first the part of the destination :math:`i`
            (PyG's ``att_dst``), then the part of the source :math:`j` (``att_src``).

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, equations 1 to 4.

    Example:
        >>> import torch
        >>> from gatsparse.nn import GraphAttentionLayer, dense_adjacency
        >>> layer = GraphAttentionLayer(16, 8, dropout=0.6, alpha=0.2)
        >>> adj = dense_adjacency(torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
        >>> layer(torch.randn(3, 16), adj).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        dropout: float,
        alpha: float,
        concat: bool = True,
        *,
        form: Form = "broadcast",
        bias: bool = False,
    ) -> None:
        super().__init__()
        check_integer("in_features", in_features)
        check_integer("out_features", out_features)
        check_share("dropout", dropout)
        check_number("alpha", alpha)
        check_choice("form", form, get_args(Form))
        self.in_features = in_features
        self.out_features = out_features
        self.dropout = dropout
        self.alpha = alpha
        self.concat = concat
        self.form: Form = form
        self.W = torch.nn.Parameter(torch.empty(in_features, out_features))
        self.a = torch.nn.Parameter(torch.empty(2 * out_features, 1))
        self.bias = torch.nn.Parameter(torch.empty(out_features)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialises weights by Xavier's uniform distribution with gain 1.414, a bias by 0."""
        torch.nn.init.xavier_uniform_(self.W, gain=1.414)
        torch.nn.init.xavier_uniform_(self.a, gain=1.414)
        if self.bias is not None:
            torch.nn.init.zeros_(self.bias)

    def forward(self, h: Tensor, adj: Tensor) -> Tensor:
        r"""Runs the layer.

        Args:
            h (Tensor): ``[N, F]``.
            adj (Tensor): ``[N, N]``; positive where node :math:`i` (row) attends to
                node :math:`j` (column).

        Returns:
            Tensor: ``[N, F']``.

        Raises:
            TypeError: If :obj:`h` or :obj:`adj` is not a tensor, or :obj:`h` is not a
                floating-point tensor.
            ValueError: If a tensor has another shape or is on another device.
        """
        for name, tensor in (("h", h), ("adj", adj)):
            check_instance(name, tensor, Tensor, "a tensor")
            if tensor.device != self.W.device:
                raise ValueError(
                    f"{name}: expected a tensor on {self.W.device}, got {tensor.device}"
                )
        if not h.is_floating_point():
            raise TypeError(f"h: expected a floating point tensor, got {h.dtype}")
        if h.dim() != 2 or h.size(1) != self.in_features:
            raise ValueError(f"h: expected shape [N, {self.in_features}], got {list(h.shape)}")
        if adj.shape != (h.size(0), h.size(0)):
            raise ValueError(f"adj: expected shape {[h.size(0)] * 2}, got {list(adj.shape)}")
        Wh = h @ self.W
        e = F.leaky_relu(self._pair_scores(Wh), self.alpha)
        attention = torch.where(adj > 0, e, torch.full_like(e, _MASKED)).softmax(dim=1)
        attention = F.dropout(attention, self.dropout, self.training)
        out = attention @ Wh
        if self.bias is not None:
            out = out + self.bias
        return F.elu(out) if self.concat else out

    def _pair_scores(self, Wh: Tensor) -> Tensor:
        N, C = Wh.shape
        if self.form == "broadcast":
            return Wh @ self.a[:C] + (Wh @ self.a[C:]).T
        # Materialised, as in the original layer; expand() alone would be a view.
        pairs = torch.cat([Wh[:, None, :].expand(N, N, C), Wh[None, :, :].expand(N, N, C)], dim=2)
        return (pairs @ self.a).squeeze(2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_features} -> {self.out_features})"
