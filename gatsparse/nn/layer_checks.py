"""Checks of the arguments of layers and models, most of which PyG does not validate."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gatsparse.checks import check_choice, check_integer, check_number, check_share
from gatsparse.nn.edge_features import REDUCTIONS


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
