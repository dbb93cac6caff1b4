"""The GAT of the paper, with any number of layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.layer_checks import check_model
from gatsparse.nn.sampled_block import sampled_block
from gatsparse.ops import dropout as dropout_op
from gatsparse.ops import elu_dropout


class PaperGAT(torch.nn.Module):
    r"""The GAT of the paper for node classification, which has two layers.

    Every layer but the last consists of dropout, :obj:`heads` concatenated heads and ELU; the last
    of dropout and :obj:`out_heads` averaged heads. The layers are named :obj:`conv1`,
    :obj:`conv2`, ...

    Args:
        in_channels (int): Size of each input sample.
        hidden_channels (int): Size of each head of all layers but the last.
        out_channels (int): Number of classes.
        heads (int, optional): Heads of all layers but the last.
        out_heads (int, optional): Heads of the last layer.
        dropout (float, optional): Dropout probability of the inputs and the attention of all
            layers.
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
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Returns the logits of the nodes.

        Args:
            x (Tensor): ``[N, in_channels]``, dense, ``sparse_csr``, ``sparse_csc`` or
                ``sparse_coo``.
            edge_index (Tensor or CSRGraph): As in :class:`gatsparse.GATConv`.
            num_sampled_nodes_per_hop (list of int, optional): :obj:`num_sampled_nodes` of a batch
                of :class:`gatsparse.data.NeighborLoader`: each layer then computes only the nodes
                that later layers need.
            num_sampled_edges_per_hop (list of int, optional): Ignored; an argument of PyG's models.
            edge_attr (Tensor, optional): ``[E, D]`` or ``[E]``, edge features for layers with an
                ``edge_dim``.

        Returns:
            Tensor: ``[N, out_channels]``; for a sampled batch, the logits of its seeds.
        """
        x = self.dropout_fn(x, self.dropout, self.training)
        for layer, conv in enumerate(self.convs):
            if layer > 0:
                x = self.elu_dropout_fn(x, self.dropout, self.training)
            if num_sampled_nodes_per_hop is None:
                x = conv(x, edge_index, **_options(edge_attr))
            else:
                block = sampled_block(layer, self.num_layers, edge_index, num_sampled_nodes_per_hop)
                features = None if edge_attr is None else edge_attr[: block.num_edges]
                x = conv((x, x[: block.num_dst]), block, **_options(features))
        return x

    @torch.no_grad()
    def inference_per_layer(self, layer: int, x: Any, edge_index: Any, batch_size: int) -> Tensor:
        """Computes one layer with its dropout and activation, as PyG's models do.

        Args:
            layer (int): Number of the layer, from 0.
            x (Tensor or tuple): Features of its sources, or of sources and destinations.
            edge_index (Tensor or CSRGraph): As in :class:`gatsparse.GATConv`.
            batch_size (int): Number of rows to return, the first ones.
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


def _options(edge_attr: Tensor | None) -> dict[str, Tensor]:
    """Arguments of a layer in addition to the graph, which :obj:`conv` need not take."""
    return {} if edge_attr is None else {"edge_attr": edge_attr}
