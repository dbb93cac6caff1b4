"""A layer of exact inference on all nodes, some heads at a time: heads are independent.

The projections of all nodes for these heads fit into the budget, and so does their attention over
the whole graph. Residual, bias, activation and norm are computed row by row when all heads are
done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.inference.blocks import GPU_ROW_BYTES
from gatsparse.inference.model import (
    apply_steps,
    is_plain,
    model_device,
    output_channels,
    steps_after,
    steps_before,
)
from gatsparse.inference.sources import Source, on_device
from gatsparse.inference.stage import Folder, Memory
from gatsparse.nn.projection import project
from gatsparse.ops.fused import padded_heads
from gatsparse.ops.kernel_support import KERNEL_DTYPES, kernel_itemsize

_ROWS_BYTES = 4 * 10**6  # of the features that are read at a time


def heads_at_once(
    model: Any, layer: int, source: Source, budget: int, resident: int, keeps: bool
) -> int:
    """Number of heads of a layer that the budget allows at a time; 0 if it is too small for one, or
    if the layer or the model has hooks or overridden methods.

    Args:
        resident (int): Bytes of the budget that are already used.
        keeps (bool): Whether the outputs of finished heads count towards the budget.
    """
    conv = model.convs[layer]
    if source.dtype not in KERNEL_DTYPES or not is_plain(model) or not conv.splits_by_head():
        return 0
    num_nodes, heads, C = source.shape[0], conv.heads, conv.out_channels
    size = kernel_itemsize(source.dtype)
    # Numbers that the operator does not pad: they are fastest, and give the same for each head.
    sizes = [n for n in range(heads, 0, -1) if n in (heads, padded_heads(n))]
    for some in sizes:
        out = some * C if conv.concat else C
        projections = conv.num_projections * some * C
        # Projection, output, and the operator's values of a node: its terms of the scores as a
        # source and as a destination, and two exponentials of each.
        terms = 6 * max(4, size) * padded_heads(some)
        per_node = size * (projections + out) + terms
        done = size * out * (passes(model, layer, some) - 2) if keeps else 0
        if resident + num_nodes * (per_node + done) <= budget:
            return some
    return 0


def bytes_of_graph(graph: CSRGraph, device: torch.device) -> int:
    """Bytes that :func:`run_heads` needs for the graph of a model on a GPU; none on the CPU."""
    if device.type == "cpu":
        return 0
    return sum(tensor.nbytes for tensor in graph.csr) + GPU_ROW_BYTES * graph.num_dst


def run_heads(
    model: Any, layer: int, source: Source, graph: CSRGraph, stage: Memory | Folder, some: int
) -> Iterator[int]:
    """Runs a layer, :obj:`some` heads at a time, and writes its output to :obj:`stage`; yields the
    numbers of visited nodes.
    """
    conv, num_nodes, device = model.convs[layer], source.shape[0], model_device(model)
    graph = graph.to(device)
    widest = max(source.shape[1], conv.heads * conv.out_channels, output_channels(model, layer))
    step = max(1, _ROWS_BYTES // (source.dtype.itemsize * widest))
    ranges = [(k, min(k + step, num_nodes)) for k in range(0, num_nodes, step)]
    before, after = steps_before(model, layer), steps_after(model, layer)
    while (done := sum(heads for heads, _ in stage.parts)) < conv.heads:
        heads = min(some, conv.heads - done)
        blocks = (apply_steps(before, source.read(*rows)) for rows in ranges)
        # Not held in a variable, which would last until the next heads are computed.
        stage.write_part(heads, conv.of_heads(done, done + heads).attend_all(blocks, graph).cpu())
        yield num_nodes
    for first, last in ranges:
        if last > stage.rows_done:
            parts = [(n, on_device(part, device).read(first, last)) for n, part in stage.parts]
            rows = _joined(conv, parts)
            x = None
            if conv.res is not None:
                x = apply_steps(before, source.read(first, last))
            rows = apply_steps(after, _finished(conv, rows, x))
            stage.write(first, rows.cpu(), num_nodes)
        yield last - first


def passes(model: Any, layer: int, some: int) -> int:
    """Number of times that :func:`run_heads` visits each node."""
    return -(-model.convs[layer].heads // some) + 1


def _joined(conv: Any, parts: list[tuple[int, Tensor]]) -> Tensor:
    """Concatenates or averages the outputs of groups of heads."""
    if len(parts) == 1:
        return parts[0][1]
    if conv.concat:
        return torch.cat([part for _, part in parts], dim=1)
    return torch.stack([part * (n / conv.heads) for n, part in parts]).sum(dim=0)


def _finished(conv: Any, out: Tensor, x: Tensor | None) -> Tensor:
    """Adds the residual and the bias of a layer to the output of its heads."""
    if x is not None:
        out = out + project(conv.res, x)
    return out if conv.bias is None else out + conv.bias
