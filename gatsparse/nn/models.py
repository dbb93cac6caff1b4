"""PyG's GAT model with gatsparse's layers."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch_geometric.nn
from torch import Tensor
from torch.utils.data import BatchSampler, SequentialSampler
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader

from gatsparse.checks import check_choice, check_integer
from gatsparse.nn.accelerate import accelerate
from gatsparse.nn.layer_checks import check_layer
from gatsparse.ops.backend import Backend


class GAT(torch_geometric.nn.GAT):
    r"""A model of several layers of graph attention, a drop-in for
    :class:`torch_geometric.nn.GAT`.

    Its parameters, ``state_dict`` and results are those of PyG's model. It supports
    :meth:`inference`, ``trim_to_layer`` by the numbers of sampled nodes and edges, ``jk``, norms
    and activations like PyG's model. The model of the paper, with dropout on its inputs, is
    :class:`gatsparse.nn.PaperGAT`.

    Args:
        in_channels (int or tuple): Size of each input sample, or ``-1`` to derive it from the
            first input.
        hidden_channels (int): Size of each hidden sample, all heads together.
        num_layers (int): Number of layers.
        out_channels (int, optional): Size of each output sample.
            (default: :obj:`hidden_channels`)
        *args (optional): As in :class:`torch_geometric.nn.GAT`.
        backend (str, optional): As in :class:`gatsparse.GATConv`.
        **kwargs (optional): As in :class:`torch_geometric.nn.GAT`: ``v2``, ``dropout``, ``act``,
            ``norm``, ``jk``, and arguments of the layers, such as ``heads`` and ``edge_dim``.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range; as in PyG's model and
            :class:`gatsparse.GATConv`.

    Example:
        >>> import torch, gatsparse
        >>> model = gatsparse.GAT(16, 32, num_layers=3, out_channels=4, heads=8, v2=True)
        >>> edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> model(torch.randn(3, 16), edge_index).shape
        torch.Size([3, 4])
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        hidden_channels: int,
        num_layers: int,
        out_channels: int | None = None,
        *args: Any,
        backend: Backend = "auto",
        **kwargs: Any,
    ) -> None:
        _check_sizes(in_channels, hidden_channels, num_layers, out_channels, *args, **kwargs)
        super().__init__(
            in_channels,  # pyright: ignore[reportArgumentType]
            hidden_channels,
            num_layers,
            out_channels,
            *args,
            **kwargs,
        )
        accelerate(self, backend)

    def inference(self, loader: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Computes all layers for all nodes, one layer after another, as PyG's model does.

        Args:
            loader (NeighborLoader): Loader of PyG or :mod:`gatsparse.data` over all nodes in
                their order, with ``num_neighbors=[-1]``.
            *args, **kwargs (optional): As in PyG's model.

        Raises:
            TypeError: If :obj:`loader` is not a ``NeighborLoader``.
            ValueError: If the model is in training mode or combines its layers by ``jk``, if the
                loader skips or permutes nodes or samples several hops, or if the data has edge
                features, which PyG's method leaves out: see :func:`gatsparse.infer`.
        """
        _check_inference(self, loader)
        return super().inference(loader, *args, **kwargs)


def _check_sizes(
    in_channels: Any,
    hidden_channels: Any,
    num_layers: Any,
    out_channels: Any,
    dropout: Any = 0.0,
    *_args: Any,
    heads: Any = 1,
    negative_slope: Any = 0.2,
    jk: Any = None,
    **kwargs: Any,
) -> None:
    """Raises if PyG's model would accept an invalid argument, or fail without naming it."""
    check_integer("hidden_channels", hidden_channels)
    check_integer("num_layers", num_layers)
    if out_channels is not None:
        check_integer("out_channels", out_channels)
    layer = {key: kwargs[key] for key in ("edge_dim", "fill_value") if key in kwargs}
    check_layer(in_channels, hidden_channels, heads, negative_slope, dropout, **layer)
    if jk is not None:
        check_choice("jk", jk, ("last", "cat", "max", "lstm"))


def _check_inference(model: Any, loader: Any) -> None:
    """Raises if PyG's ``inference`` would fail or return wrong rows: see :class:`GAT`."""
    if model.training:
        raise ValueError("model: expected evaluation mode, got training mode: call model.eval()")
    if model.jk_mode not in (None, "last"):
        raise ValueError(
            f"model: expected jk None or 'last', got {model.jk_mode!r}: call the model on the "
            "whole graph instead"
        )
    if not isinstance(loader, NeighborLoader):
        raise TypeError(
            "loader: expected a NeighborLoader of PyG or gatsparse.data, got "
            f"{type(loader).__name__}"
        )
    data, dataset = cast(Any, loader.data), cast(Any, loader.dataset)
    if not isinstance(data, Data):
        raise TypeError(f"loader: expected a loader of Data, got one of {type(data).__name__}")
    hops = len(cast(Any, loader.node_sampler).num_neighbors)
    if hops != 1:
        raise ValueError(
            f"loader: expected num_neighbors=[-1], one hop for each layer, got {hops} hops"
        )
    num_nodes = data.num_nodes or 0
    nodes = getattr(getattr(loader, "input_data", None), "node", None)
    permuted = nodes is not None and not torch.equal(nodes, torch.arange(num_nodes))
    if len(dataset) != num_nodes or permuted:
        raise ValueError(
            f"loader: expected all {num_nodes} nodes in their order, got input_nodes: leave "
            "input_nodes out"
        )
    sampler = getattr(loader, "batch_sampler", None)
    in_order = sampler is None or (
        type(sampler) is BatchSampler
        and type(sampler.sampler) is SequentialSampler
        and not sampler.drop_last
    )
    if not in_order:
        raise ValueError(
            "loader: expected all nodes in their order, got shuffle, drop_last or a sampler: "
            "leave them out"
        )
    takes_edge_attr = any(getattr(conv, "lin_edge", None) is not None for conv in model.convs)
    if takes_edge_attr and data.get("edge_attr") is not None:
        raise ValueError(
            "loader: expected data without edge_attr, which PyG's inference ignores: call "
            "gatsparse.infer(model, x, edge_index, edge_attr)"
        )
