"""Exact inference layer by layer, within a budget of memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor

from gatsparse.adjacency import adjacency
from gatsparse.data.features import RowFile
from gatsparse.graph import CSRGraph
from gatsparse.inference.blocks import ON_DISK, destination_blocks, run_block
from gatsparse.inference.heads import heads_at_once, passes, run_heads
from gatsparse.inference.model import check_model, output_channels
from gatsparse.inference.stage import Folder, Memory, Rows, Source

_SLACK = 40 * 10**6  # bytes for what does not grow with the graph
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def infer(
    model: torch.nn.Module,
    x: Tensor | str | Path,
    edge_index: Any,
    *,
    max_memory: int | str = "4GB",
    folder: str | Path | None = None,
    progress: bool = False,
) -> Tensor:
    r"""What a model gives for every node, exactly, with all in-edges of each.

    One layer after another is computed for all nodes, with as many of its heads at a time as
    :obj:`max_memory` allows. Where it does not allow one, or a layer does more than its class and
    its parameters say, the layer runs on blocks of destinations, as large as may be, and the
    features of their in-neighbours.

    With a :obj:`folder` all features between the layers are files there. A call that was
    interrupted, by a kill too, goes on where its files end when it is made again with the same
    model, features and graph; one that was finished returns at once.

    Args:
        model (torch.nn.Module): A :class:`gatsparse.GAT` without :obj:`jk` or with
            ``jk="last"``, a :class:`gatsparse.nn.PaperGAT`, or PyG's model after
            :func:`gatsparse.accelerate`; in evaluation mode, on the CPU.
        x (Tensor, str or Path): Features ``[N, F]``, or an ``.npy`` file of them, of which only
            the rows that a block needs are read.
        edge_index (Tensor or CSRGraph): As of :class:`gatsparse.GATConv`.
        max_memory (int or str, optional): What the call may add to the memory of the process, in
            bytes or such as ``"4GB"`` (:math:`10^9` bytes) or ``"4GiB"``: features between the
            layers and the result unless there is a :obj:`folder`, and what a layer computes with.
            Model, :obj:`x` and graph, whose structure is built first if it is not there, do not
            count.
        folder (str or Path, optional): Where features between the layers are kept.
        progress (bool, optional): Show a progress bar.

    Returns:
        Tensor: ``[N, out_channels]``; with a :obj:`folder` the memory map of a file there.

    Raises:
        TypeError: If there is a layer that is not of gatsparse, or :obj:`x` is no dense tensor, or
            with a :obj:`folder` of bfloat16.
        ValueError: If the model is in training mode, mixes nodes apart from its layers of
            attention, :obj:`edge_index` has edge features, or :obj:`max_memory` is too small; the
            message has the numbers.
        OSError: If a file cannot be read or written.
    """
    budget = parse_bytes(max_memory)
    check_model(model)
    source = _features(x)
    num_nodes = source.shape[0]
    form = adjacency(edge_index)
    if form.values is not None and any(conv.lin_edge is not None for conv in model.convs):  # pyright: ignore
        raise ValueError("edge_index: expected no edge features, got those of its values")
    check_budget(model, source.shape, source.dtype, budget, on_disk=folder is not None)
    graph = form.graph((num_nodes, num_nodes))
    stage = Memory() if folder is None else Folder(Path(folder), model, source, graph)
    source = stage.input(source)
    with torch.no_grad(), Progress(transient=True) if progress else nullcontext() as bar:
        for layer in range(stage.layers_done, model.num_layers):  # pyright: ignore
            stage.begin(layer)
            resident = _resident(model, layer, source.shape, source.dtype, stage.keeps)
            some = heads_at_once(model, layer, source, budget, resident, stage.keeps)
            if some > 0:
                visits = passes(model, layer, some)
                steps = run_heads(model, layer, source, graph, stage, some)
            else:
                visits = 1
                steps = _run_blocks(model, layer, source, graph, stage, budget, resident)
            task = bar.add_task(f"layer {layer + 1}", total=visits * num_nodes) if bar else None
            for visited in steps:
                if bar and task is not None:
                    bar.update(task, advance=visited)
            source = stage.finish()
    return stage.result(source)


def parse_bytes(size: int | str) -> int:
    """The number of bytes of ``"4GB"``, ``"512MiB"`` or a number.

    Raises:
        ValueError: If it is none, or not positive.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(size))
    unit = match[2].upper() if match else None
    if match is None or unit not in _UNITS or float(match[1]) <= 0:
        raise ValueError(f"max_memory: expected bytes > 0, such as 4GB or 512MiB, got {size!r}")
    return int(float(match[1]) * _UNITS[unit])


def _run_blocks(
    model: Any,
    layer: int,
    source: Source,
    graph: CSRGraph,
    stage: Memory | Folder,
    budget: int,
    resident: int,
) -> Iterator[int]:
    start = stage.rows_done
    for block in destination_blocks(
        model, layer, source, graph, start, budget, resident, stage.keeps
    ):
        rows = run_block(model, layer, source, block)
        stage.write(block.first, rows, source.shape[0])
        yield len(rows)


def check_budget(
    model: Any, shape: torch.Size, dtype: torch.dtype, max_memory: int | str, *, on_disk: bool
) -> None:
    """Raises if a budget of :func:`infer` does not even hold what it keeps of a model's layers.

    Args:
        model (torch.nn.Module): As of :func:`infer`.
        shape (torch.Size): ``[N, F]``, of the features.
        dtype (torch.dtype): Of the features.
        max_memory (int or str): As of :func:`infer`.
        on_disk (bool): Whether features between the layers are kept in a folder.

    Raises:
        ValueError: If it does not; the message has the numbers.
    """
    budget = parse_bytes(max_memory)
    for layer in range(model.num_layers):
        needed = _resident(model, layer, shape, dtype, not on_disk)
        if needed > budget:
            raise ValueError(
                f"max_memory: layer {layer + 1} needs {needed:,} bytes beside what it computes "
                f"with, got {budget:,}" + ("" if on_disk else ON_DISK)
            )


def _resident(model: Any, layer: int, shape: torch.Size, dtype: torch.dtype, keeps: bool) -> int:
    """Bytes that a layer needs however it is cut: in memory, what comes in and what comes out."""
    if not keeps:
        return _SLACK
    comes_in = output_channels(model, layer - 1) if layer > 0 else 0
    return _SLACK + shape[0] * (comes_in + output_channels(model, layer)) * dtype.itemsize


def _features(x: Tensor | str | Path) -> Source:
    if not isinstance(x, Tensor):
        source = RowFile(x)
    elif x.layout != torch.strided or x.device.type != "cpu":
        raise TypeError(f"x: expected a dense tensor on the CPU, got {x.layout} on {x.device}")
    else:
        source = Rows(x)
    if len(source.shape) != 2 or source.shape[0] == 0:
        raise ValueError(f"x: expected shape [N, F] with N >= 1, got {list(source.shape)}")
    return source
