"""Options that every variant of graph attention takes in addition to its features, checked."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse.checks import check_number, check_share
from gatsparse.graph import CSRGraph
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.philox import draw_seed


class Options(NamedTuple):
    """Options for the computation of attention from scores.

    Args:
        add_self_loops (bool): Leaves out the edges ``i -> i`` of the graph and gives each
            node that is source and destination exactly one.
        negative_slope (float): Slope of the LeakyReLU for negative values.
        dropout (float): Probability that an attention weight is dropped.
        seed (Tensor, optional): int64 ``[]``, determines which weights are dropped. None without
            dropout.
    """

    add_self_loops: bool
    negative_slope: float
    dropout: float
    seed: Tensor | None

    @classmethod
    def checked(
        cls,
        add_self_loops: bool,
        negative_slope: float,
        dropout: float,
        seed: Tensor | None,
        device: torch.device,
    ) -> Options:
        """Returns the options of a call on a device, with a seed drawn there if needed.

        Raises:
            TypeError: If a number is of another type, or :obj:`seed` is not an int64 tensor.
            ValueError: If :obj:`negative_slope` is not finite, :obj:`dropout` is not in 0 .. 1,
                or :obj:`seed` is not of shape ``[]`` or is neither on this device nor on the CPU.
        """
        check_number("negative_slope", negative_slope)
        check_share("dropout", dropout)
        if dropout == 0.0:
            seed = None
        elif seed is None:
            seed = draw_seed(device)
        elif not isinstance(seed, Tensor) or seed.dtype != torch.int64:
            got = seed.dtype if isinstance(seed, Tensor) else type(seed).__name__
            raise TypeError(f"seed: expected an int64 tensor, got {got}")
        elif seed.dim() != 0:
            raise ValueError(f"seed: expected shape [], got {list(seed.shape)}")
        elif seed.device.type != "cpu" and seed.device != device:
            allowed = "cpu" if device.type == "cpu" else f"{device} or cpu"
            raise ValueError(
                f"seed: expected a tensor on {allowed} to match graph, got {seed.device}"
            )
        return cls(add_self_loops, negative_slope, dropout, seed)


def check_graph(graph: CSRGraph | EdgeList) -> None:
    """Raises TypeError if :obj:`graph` is not a CSR graph or an edge list."""
    if not isinstance(graph, (CSRGraph, EdgeList)):
        raise TypeError(f"graph: expected a CSRGraph, got {type(graph).__name__}")


def check_tensor(
    name: str, tensor: Tensor, graph: CSRGraph | EdgeList, shape: tuple[int | str, ...]
) -> None:
    """Raises TypeError if :obj:`tensor` is not a floating point tensor, ValueError if it is on
    another device than :obj:`graph` or not of :obj:`shape`, in which letters match any size >= 1.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
    if tensor.device != graph.device:
        raise ValueError(
            f"{name}: expected a tensor on {graph.device} to match graph, got {tensor.device}"
        )
    if tensor.shape == shape:
        return
    fits = tensor.dim() == len(shape)
    for size, expected in zip(tensor.shape, shape, strict=False):
        fits = fits and (size >= 1 if isinstance(expected, str) else size == expected)
    if not fits:
        letters = [size for size in shape if isinstance(size, str)]
        least = f" with {', '.join(letters)} >= 1" if letters else ""
        expected = ", ".join(map(str, shape))
        raise ValueError(f"{name}: expected shape [{expected}]{least}, got {list(tensor.shape)}")


def check_edge_features(
    edge: Tensor | None,
    loop: Tensor | None,
    graph: CSRGraph | EdgeList,
    add_self_loops: bool,
    row: tuple[int, ...],
) -> None:
    """Checks ``edge [E, *row]``, and ``loop [min(N_src, N_dst), *row]`` where loops are added.

    Raises:
        TypeError, ValueError: As in :func:`check_tensor`; ValueError if only one of them is given.
    """
    wanted = edge is not None and add_self_loops
    if (loop is not None) != wanted:
        expected = "a tensor with edge and add_self_loops" if wanted else "None"
        got = "a tensor" if loop is not None else "None"
        raise ValueError(f"loop: expected {expected}, got {got}")
    for name, tensor, rows in (("edge", edge, graph.num_edges), ("loop", loop, min(graph.size))):
        if tensor is not None:
            check_tensor(name, tensor, graph, (rows, *row))


def check_bias(
    bias: Tensor | None, graph: CSRGraph | EdgeList, heads: int, channels: int, concat: bool
) -> None:
    """Checks ``bias [H * C]``, or ``[C]`` for the mean over heads."""
    if bias is not None:
        check_tensor("bias", bias, graph, (heads * channels if concat else channels,))


def combine_heads(out: Tensor, bias: Tensor | None, concat: bool) -> Tensor:
    """``[N, H, C]`` to ``[N, H * C]``, or to the mean over heads ``[N, C]``, plus bias."""
    out = out.flatten(1) if concat else out.mean(dim=1)
    return out if bias is None else out + bias.to(out.dtype)
