"""The GAT of the paper, of two or more layers, on sparse or on dense layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch import Tensor

from gatsparse.checks import check_choice
from gatsparse.nn.dense import Form, GraphAttentionLayer
from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.layer_checks import check_model
from gatsparse.nn.paper_exact import PaperExactGAT
from gatsparse.nn.sampled_block import sampled_block
from gatsparse.ops import dropout as dropout_op
from gatsparse.ops import elu_dropout

#: What a GAT is built of: our layer, our scatter backend, PyG's layer, dense layers.
Kind = Literal["gatsparse", "scatter", "pyg", "dense"]


class PaperGAT(torch.nn.Module):
    r"""Layers of graph attention, for node classification: two in the paper.

    Dropout, :obj:`heads` concatenated heads, ELU, and so on; dropout, :obj:`out_heads` averaged
    heads. The layers are called :obj:`conv1`, :obj:`conv2`, ...

    Args:
        in_channels (int): Size of each input sample.
        hidden_channels (int): Size of each head of the first layer.
        out_channels (int): Number of classes.
        heads (int, optional): Heads of the first layer.
        out_heads (int, optional): Heads of the second layer.
        dropout (float, optional): On the inputs of both layers and on their attention.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.
        conv (callable, optional): Class of the layers; PyG's works, too.
        dropout_fn (callable, optional): ``dropout_fn(x, p, training)``, on the input.
        elu_dropout_fn (callable, optional): ``elu_dropout_fn(x, p, training)``, between the layers.
        num_layers (int, optional): Number of layers.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size or :obj:`num_layers` is below 1, :obj:`dropout` is not in 0 .. 1, or
            :obj:`negative_slope` is not finite.

    Source: Velickovic et al., "Graph Attention Networks", ICLR 2018, section 3.3.

    Example:
        >>> import torch
        >>> from gatsparse.nn import PaperGAT
        >>> model = PaperGAT(in_channels=16, hidden_channels=8, out_channels=7)
        >>> model(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 7])
        >>> [conv.heads for conv in model.convs]
        [8, 1]
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
        conv: Callable[..., torch.nn.Module] = GATConv,
        dropout_fn: Callable[[Tensor, float, bool], Tensor] = dropout_op,
        elu_dropout_fn: Callable[[Tensor, float, bool], Tensor] = elu_dropout,
        num_layers: int = 2,
    ) -> None:
        super().__init__()
        sizes = (in_channels, hidden_channels, out_channels, heads, out_heads)
        check_model(*sizes, dropout, negative_slope, num_layers)
        options: dict[str, Any] = {"dropout": dropout, "negative_slope": negative_slope}
        self.num_layers = num_layers
        self.dropout = dropout
        self.dropout_fn = dropout_fn
        self.elu_dropout_fn = elu_dropout_fn
        for layer in range(1, num_layers):
            self.add_module(f"conv{layer}", conv(in_channels, hidden_channels, heads, **options))
            in_channels = heads * hidden_channels
        last = conv(in_channels, out_channels, out_heads, concat=False, **options)
        self.add_module(f"conv{num_layers}", last)

    @property
    def convs(self) -> list[Any]:
        """The layers in order."""
        return [self._modules[f"conv{layer}"] for layer in range(1, self.num_layers + 1)]

    def forward(
        self,
        x: Tensor,
        edge_index: Any,
        num_sampled_nodes_per_hop: list[int] | None = None,
        num_sampled_edges_per_hop: list[int] | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Logits of features.

        Args:
            x (Tensor): ``[N, in_channels]``, dense, ``sparse_csr``, ``sparse_csc`` or
                ``sparse_coo``.
            edge_index (Tensor or CSRGraph): As of :class:`gatsparse.GATConv`.
            num_sampled_nodes_per_hop (list of int, optional): Of a batch of
                :class:`gatsparse.data.NeighborLoader`, its :obj:`num_sampled_nodes`: each layer
                then computes what the layers after it need.
            num_sampled_edges_per_hop (list of int, optional): As PyG's models take it; not needed.

        Returns:
            Tensor: ``[N, out_channels]``; of a sampled batch those of its seeds.
        """
        x = self.dropout_fn(x, self.dropout, self.training)
        for layer, conv in enumerate(self.convs):
            if layer > 0:
                x = self.elu_dropout_fn(x, self.dropout, self.training)
            if num_sampled_nodes_per_hop is None:
                x = conv(x, edge_index)
            else:
                block = sampled_block(layer, self.num_layers, edge_index, num_sampled_nodes_per_hop)
                x = conv((x, x[: block.num_dst]), block)
        return x

    @torch.no_grad()
    def inference_per_layer(self, layer: int, x: Any, edge_index: Any, batch_size: int) -> Tensor:
        """Computes one layer with its dropout and activation, as PyG's models do.

        Args:
            layer (int): Its number, from 0.
            x (Tensor or tuple): Features of its sources, or of sources and destinations.
            edge_index (Tensor or CSRGraph): As of :class:`gatsparse.GATConv`.
            batch_size (int): How many rows are asked for, the first ones.
        """
        if layer == 0:
            dropped = [
                self.dropout_fn(features, self.dropout, self.training)
                for features in (x if isinstance(x, tuple) else (x,))
            ]
            x = tuple(dropped) if isinstance(x, tuple) else dropped[0]
        x = self.convs[layer](x, edge_index)[:batch_size]
        last = layer == self.num_layers - 1
        return x if last else self.elu_dropout_fn(x, self.dropout, self.training)


class DenseGAT(torch.nn.Module):
    r"""The same model on dense layers: one :class:`GraphAttentionLayer` per head.

    Args:
        in_channels, hidden_channels, out_channels, heads, out_heads, dropout, negative_slope:
            As in :class:`PaperGAT`.
        form (str, optional): As in :class:`GraphAttentionLayer`.

    With the weights of a :class:`PaperGAT` (:meth:`load_gat_state`) it computes the same
    function of a graph without duplicate edges.

    Example:
        >>> import torch
        >>> from gatsparse.nn import DenseGAT, PaperGAT, dense_adjacency
        >>> sparse, dense = PaperGAT(16, 8, 7).eval(), DenseGAT(16, 8, 7).eval()
        >>> dense.load_gat_state(sparse.state_dict())
        >>> x, edge_index = torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> adj = dense_adjacency(edge_index, num_nodes=3)
        >>> torch.allclose(sparse(x, edge_index), dense(x, adj), atol=1e-5)
        True
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
        form: Form = "broadcast",
    ) -> None:
        super().__init__()
        sizes = (in_channels, hidden_channels, out_channels, heads, out_heads)
        check_model(*sizes, dropout, negative_slope)

        def layers(count: int, inputs: int, outputs: int, concat: bool) -> torch.nn.ModuleList:
            return torch.nn.ModuleList(
                GraphAttentionLayer(
                    inputs, outputs, dropout, negative_slope, concat, form=form, bias=True
                )
                for _ in range(count)
            )

        self.dropout = dropout
        self.hidden = layers(heads, in_channels, hidden_channels, concat=True)
        self.out = layers(out_heads, heads * hidden_channels, out_channels, concat=False)

    def forward(self, x: Tensor, adj: Tensor) -> Tensor:
        """Logits ``[N, out_channels]`` of features :obj:`x` and adjacency ``[N, N]``."""
        x = F.dropout(x, self.dropout, self.training)
        x = torch.cat([layer(x, adj) for layer in self.hidden], dim=1)
        x = F.dropout(x, self.dropout, self.training)
        return torch.stack([layer(x, adj) for layer in self.out]).mean(dim=0)

    @torch.no_grad()
    def load_gat_state(self, state_dict: dict[str, Tensor]) -> None:
        """Takes the weights of a :class:`PaperGAT` of the same sizes.

        Raises:
            KeyError: If :obj:`state_dict` is not that of a :class:`PaperGAT`.
            RuntimeError: If its sizes differ.
        """
        for conv, layers in (("conv1", self.hidden), ("conv2", self.out)):
            heads = len(layers)
            weight = state_dict[f"{conv}.lin.weight"].chunk(heads, dim=0)
            bias = state_dict[f"{conv}.bias"]
            # Concatenated heads have a part of the bias each; averaged ones share it.
            biases = bias.chunk(heads) if conv == "conv1" else (bias,) * heads
            for h, layer in enumerate(layers):
                assert isinstance(layer, GraphAttentionLayer)
                assert layer.bias is not None
                att_src, att_dst = (
                    state_dict[f"{conv}.{name}"][0, h] for name in ("att_src", "att_dst")
                )
                layer.W.copy_(weight[h].T)
                layer.a.copy_(torch.cat([att_dst, att_src])[:, None])
                layer.bias.copy_(biases[h])


def _elu_dropout_of_torch(x: Tensor, p: float, training: bool) -> Tensor:
    return F.dropout(F.elu(x), p, training)


def build_gat(
    kind: Kind,
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 8,
    heads: int = 8,
    out_heads: int = 1,
    dropout: float = 0.6,
    negative_slope: float = 0.2,
    form: Form = "broadcast",
    paper_exact: bool = False,
    num_layers: int = 2,
) -> torch.nn.Module:
    """The GAT of the paper on layers of a kind.

    Args:
        kind (str): ``"gatsparse"``, ``"scatter"`` (our layer, scatter backend), ``"pyg"``
            or ``"dense"``.
        in_channels, out_channels, hidden_channels, heads, out_heads, dropout, negative_slope,
            num_layers: As in :class:`PaperGAT`; dense layers are two.
        form (str, optional): As in :class:`GraphAttentionLayer`.
        paper_exact (bool, optional): A :class:`PaperExactGAT`, of kind ``"gatsparse"`` only.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense.

    Raises:
        ValueError: If :obj:`kind` is unknown, or it does not support :obj:`paper_exact` or
            :obj:`num_layers`.

    Example:
        >>> from gatsparse.nn import build_gat
        >>> type(build_gat("gatsparse", 16, 7)).__name__
        'PaperGAT'
        >>> type(build_gat("dense", 16, 7, form="concat")).__name__
        'DenseGAT'
    """
    sizes = (in_channels, hidden_channels, out_channels, heads, out_heads)
    check_choice("kind", kind, ("gatsparse", "scatter", "pyg", "dense"))
    check_choice("form", form, get_args(Form))
    check_model(*sizes, dropout, negative_slope, num_layers)
    if num_layers != 2 and (paper_exact or kind == "dense"):
        raise ValueError(f"num_layers: expected 2 of dense and of exact layers, got {num_layers}")
    if paper_exact:
        if kind != "gatsparse":
            raise ValueError(f"paper_exact: expected False with kind {kind!r}, got True")
        return PaperExactGAT(*sizes, dropout, negative_slope)
    if kind == "dense":
        return DenseGAT(*sizes, dropout, negative_slope, form)
    parts = {
        "gatsparse": (GATConv, dropout_op, elu_dropout),
        "scatter": (partial(GATConv, backend="scatter"), F.dropout, _elu_dropout_of_torch),
        "pyg": (torch_geometric.nn.GATConv, F.dropout, _elu_dropout_of_torch),
    }
    return PaperGAT(*sizes, dropout, negative_slope, *parts[kind], num_layers=num_layers)
