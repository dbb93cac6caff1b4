"""Models by kind: with gatsparse's layers, PyG's layers or dense layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch import Tensor

from gatsparse import ops
from gatsparse.checks import check_choice, check_instance
from gatsparse.data.labels import node_labels
from gatsparse.nn import GAT, GATConv, PaperExactGAT, PaperGAT
from gatsparse.nn.dense import Form
from gatsparse.nn.layer_checks import check_model
from gatsparse.train.config import Kind, ModelConfig
from gatsparse.train.dense_gat import DenseGAT

if TYPE_CHECKING:
    from torch_geometric.data import Data


def build_model(config: ModelConfig, data: Data) -> torch.nn.Module:
    """Returns the GAT for the features and classes of :obj:`data`, in its dtype.

    Initial weights are drawn from torch's generator: seed it before.

    Args:
        config (ModelConfig): The kind, sizes and options of the model.
        data (torch_geometric.data.Data): Features :obj:`x` ``[N, F]`` and labels :obj:`y` ``[N]``.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`data` has no features ``[N, F]`` or no labelled node.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import ModelConfig, build_model
        >>> type(build_model(ModelConfig(), load("digits"))).__name__
        'PaperGAT'
    """
    check_instance("config", config, ModelConfig, "a ModelConfig")
    y = node_labels(data)
    x = data.x
    if not isinstance(x, Tensor) or x.dim() != 2:
        raise ValueError("data.x: expected features [N, F]")
    if not bool((y >= 0).any()):
        raise ValueError("data.y: expected a labelled node, got none")
    sizes = x.size(1), int(y.max()) + 1
    options = {
        "hidden_channels": config.hidden_channels,
        "heads": config.heads,
        "dropout": config.dropout,
        "negative_slope": config.negative_slope,
        "num_layers": config.num_layers,
    }
    if config.architecture == "deep":
        return build_deep_gat(config.kind, *sizes, **options).to(x.dtype)
    paper = {"out_heads": config.out_heads, "paper_exact": config.paper_exact}
    return build_gat(config.kind, *sizes, **options, **paper).to(x.dtype)


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
    """Builds the GAT of the paper with layers of a kind.

    Args:
        kind (str): ``"gatsparse"``, ``"scatter"`` (gatsparse's layer, scatter backend), ``"pyg"``
            or ``"dense"``.
        in_channels, out_channels, hidden_channels, heads, out_heads, dropout, negative_slope,
            num_layers: As in :class:`gatsparse.nn.PaperGAT`; dense models have two layers.
        form (str, optional): As in :class:`gatsparse.nn.GraphAttentionLayer`.
        paper_exact (bool, optional): Builds a :class:`gatsparse.nn.PaperExactGAT`; only for kind
            ``"gatsparse"``.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`kind` is unknown, a number is out of range, or the kind does not
            support :obj:`paper_exact` or :obj:`num_layers`.

    Example:
        >>> from gatsparse.train import build_gat
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
        raise ValueError(
            f"num_layers: expected 2 with kind 'dense' or paper_exact=True, got {num_layers}"
        )
    if paper_exact:
        if kind != "gatsparse":
            raise ValueError(f"paper_exact: expected False with kind {kind!r}, got True")
        return PaperExactGAT(*sizes, dropout, negative_slope)
    if kind == "dense":
        return DenseGAT(*sizes, dropout, negative_slope, form)
    parts = {
        "gatsparse": (GATConv, ops.dropout, ops.elu_dropout),
        "scatter": (partial(GATConv, backend="scatter"), F.dropout, _elu_dropout_of_torch),
        "pyg": (torch_geometric.nn.GATConv, F.dropout, _elu_dropout_of_torch),
    }
    return PaperGAT(*sizes, dropout, negative_slope, *parts[kind], num_layers=num_layers)


def build_deep_gat(
    kind: str,
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 8,
    heads: int = 8,
    num_layers: int = 3,
    dropout: float = 0.2,
    negative_slope: float = 0.2,
) -> torch.nn.Module:
    """Builds PyG's GAT model for more than two layers, with residual connections, a LayerNorm of
    each node and GELU, as in `"A critical look at the evaluation of GNNs under heterophily"
    <https://arxiv.org/abs/2302.11640>`_.

    Args:
        kind (str): ``"gatsparse"``, ``"scatter"`` (gatsparse's layers, scatter backend) or
            ``"pyg"``.
        in_channels, out_channels (int): Numbers of features and of classes.
        hidden_channels (int, optional): Size of each head of all layers but the last.
        heads (int, optional): Heads of every layer; the heads of the last layer are averaged.
        num_layers (int, optional): Number of layers.
        dropout (float, optional): Dropout probability of the inputs of all layers but the first,
            and of the attention.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`kind` is unknown, or a number is out of range.

    Example:
        >>> import torch
        >>> from gatsparse.train import build_deep_gat
        >>> model = build_deep_gat("gatsparse", 16, 4, num_layers=5)
        >>> model(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 4])
    """
    models = {
        "gatsparse": GAT,
        "scatter": partial(GAT, backend="scatter"),
        "pyg": torch_geometric.nn.GAT,
    }
    check_choice("kind", kind, models)
    check_model(
        in_channels, hidden_channels, out_channels, heads, 1, dropout, negative_slope, num_layers
    )
    return models[kind](
        in_channels,
        heads * hidden_channels,
        num_layers,
        out_channels,
        heads=heads,
        dropout=dropout,
        negative_slope=negative_slope,
        residual=True,
        act="gelu",
        norm="layer",
        norm_kwargs={"mode": "node"},
    )
