"""Checks of the arguments of layers and models, most of which PyG does not validate."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch_geometric.nn import Linear

from gatsparse.checks import check_choice, check_integer, check_number, check_share
from gatsparse.nn.edge_features import REDUCTIONS
from gatsparse.nn.projection import LAYOUTS, Features


def check_layer(
    in_channels: Any,
    out_channels: Any,
    heads: Any,
    negative_slope: Any,
    dropout: Any,
    edge_dim: Any = None,
    fill_value: Any = "mean",
    *_args: Any,
    **_kwargs: Any,
) -> None:
    """Checks the arguments of a layer, such as :class:`gatsparse.GATConv`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
    """
    check_channels("in_channels", in_channels)
    check_integer("out_channels", out_channels)
    check_integer("heads", heads)
    check_number("negative_slope", negative_slope)
    check_share("dropout", dropout)
    if edge_dim is not None:
        check_channels("edge_dim", edge_dim)
    if isinstance(fill_value, str):
        check_choice("fill_value", fill_value, REDUCTIONS)
    elif fill_value is not None and not isinstance(fill_value, Tensor):
        check_number("fill_value", fill_value)


def check_channels(name: str, size: Any) -> None:
    """Checks a size of input samples: an integer, ``-1`` to derive it from the first input, or a
    pair of these for sources and destinations.

    Raises:
        TypeError: If it is neither.
        ValueError: If it is out of range.
    """
    pair = isinstance(size, (tuple, list))
    if pair and len(size) != 2:
        raise TypeError(f"{name}: expected an integer or a pair of them, got {size!r}")
    for each in size if pair else (size,):
        check_integer(name, each, least=-1)
        if each == 0:
            raise ValueError(f"{name}: expected >= 1, or -1 to derive it, got 0")


def check_model(
    in_channels: Any,
    hidden_channels: Any,
    out_channels: Any,
    heads: Any,
    out_heads: Any,
    dropout: Any,
    negative_slope: Any,
    num_layers: Any = 2,
) -> None:
    """Checks the arguments of a model, such as :class:`gatsparse.nn.PaperGAT`.

    Raises:
        TypeError, ValueError: As in :func:`check_layer`.
    """
    for name, size in (
        ("in_channels", in_channels),
        ("hidden_channels", hidden_channels),
        ("out_channels", out_channels),
        ("heads", heads),
        ("out_heads", out_heads),
        ("num_layers", num_layers),
    ):
        check_integer(name, size)
    check_share("dropout", dropout)
    check_number("negative_slope", negative_slope)


def check_features(x: Features, lins: tuple[Linear, Linear]) -> None:
    """Raises TypeError or ValueError if the projections cannot take :obj:`x`."""
    tensors = (x, None) if isinstance(x, Tensor) else x
    if not isinstance(tensors, (tuple, list)) or len(tensors) != 2:
        raise TypeError(f"x: expected a tensor or a pair of them, got {type(x).__name__}")
    for k, (tensor, lin) in enumerate(zip(tensors, lins, strict=True)):
        if tensor is None and k == 1:
            continue
        name = "x" if isinstance(x, Tensor) else f"x[{k}]"
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
        weight = getattr(lin, "weight", None)
        if isinstance(weight, Tensor) and weight.device != tensor.device:
            raise ValueError(f"{name}: expected a tensor on {weight.device}, got {tensor.device}")
        if tensor.layout not in LAYOUTS or (tensor.is_sparse and tensor.dense_dim() > 0):
            raise TypeError(
                f"{name}: expected a dense, sparse_csr, sparse_csc or sparse_coo matrix, "
                f"got {tensor.layout}"
            )
        width = getattr(lin, "in_channels", -1)  # missing in a user's replacement of it
        if tensor.dim() < 2 or (width != -1 and width != tensor.size(-1)):
            expected = "F" if width == -1 else width
            raise ValueError(f"{name}: expected shape [N, {expected}], got {list(tensor.shape)}")
