"""The GAT of the paper with dense layers, as a reference for trainings."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gatsparse.nn.dense import Form, GraphAttentionLayer
from gatsparse.nn.layer_checks import check_model


class DenseGAT(torch.nn.Module):
    r"""The GAT of the paper, each head a :class:`gatsparse.nn.GraphAttentionLayer`.

    Args:
        in_channels, hidden_channels, out_channels, heads, out_heads, dropout, negative_slope:
            As in :class:`gatsparse.nn.PaperGAT`.
        form (str, optional): As in :class:`gatsparse.nn.GraphAttentionLayer`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is below 1, :obj:`dropout` is not in 0 .. 1, :obj:`negative_slope` is
            not finite, or :obj:`form` is unknown.

    With the weights of a :class:`gatsparse.nn.PaperGAT` (:meth:`load_gat_state`) it computes the
    same function of a graph without duplicate edges.

    Example:
        >>> import torch
        >>> from gatsparse.nn import PaperGAT, dense_adjacency
        >>> from gatsparse.train import DenseGAT
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
        """Returns logits ``[N, out_channels]`` for features :obj:`x` and adjacency ``[N, N]``."""
        x = F.dropout(x, self.dropout, self.training)
        x = torch.cat([layer(x, adj) for layer in self.hidden], dim=1)
        x = F.dropout(x, self.dropout, self.training)
        return torch.stack([layer(x, adj) for layer in self.out]).mean(dim=0)

    @torch.no_grad()
    def load_gat_state(self, state_dict: dict[str, Tensor]) -> None:
        """Loads the weights of a :class:`gatsparse.nn.PaperGAT` of the same sizes.

        Raises:
            KeyError: If :obj:`state_dict` is not from a :class:`gatsparse.nn.PaperGAT`.
            RuntimeError: If its sizes differ.
        """
        self._check_state(state_dict)
        for conv, layers in (("conv1", self.hidden), ("conv2", self.out)):
            heads = len(layers)
            weight = state_dict[f"{conv}.lin.weight"].chunk(heads, dim=0)
            bias = state_dict[f"{conv}.bias"]
            # Each concatenated head has a part of the bias; averaged heads share it.
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

    def _check_state(self, state_dict: dict[str, Tensor]) -> None:
        for conv, layers in (("conv1", self.hidden), ("conv2", self.out)):
            heads, (first, *_) = len(layers), layers
            assert isinstance(first, GraphAttentionLayer)
            inputs, outputs = first.W.shape
            shapes = {
                "lin.weight": (heads * outputs, inputs),
                "att_src": (1, heads, outputs),
                "att_dst": (1, heads, outputs),
                "bias": (heads * outputs if conv == "conv1" else outputs,),
            }
            for name, shape in shapes.items():
                given = state_dict[f"{conv}.{name}"].shape
                if given != shape:
                    raise RuntimeError(
                        f"state_dict: expected {conv}.{name} of shape {list(shape)}, got "
                        f"{list(given)}"
                    )
