"""Exact inference layer by layer, within a memory budget."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from gatsparse.adjacency import adjacency
from gatsparse.checks import check_instance
from gatsparse.extras import require_extra
from gatsparse.graph import CSRGraph
from gatsparse.inference.blocks import ON_DISK, destination_blocks, edge_rows, run_block
from gatsparse.inference.heads import bytes_of_graph, heads_at_once, passes, run_heads
from gatsparse.inference.model import check_model, model_device, model_dtype, output_channels
from gatsparse.inference.node_wise import check_node_wise
from gatsparse.inference.sources import Source, Stored, edge_source, node_source, on_device
from gatsparse.inference.stage import Folder, Memory

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.progress import Progress

_SLACK = 40 * 10**6  # bytes that do not depend on the graph
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def infer(
    model: torch.nn.Module,
    x: Tensor | str | Path,
    edge_index: Any,
    edge_attr: Tensor | str | Path | None = None,
    *,
    max_memory: int | str = "4GB",
    folder: str | Path | None = None,
    progress: bool = False,
) -> Tensor:
    r"""Exact full-neighbourhood inference for all nodes, layer by layer: computes
    ``model(x, edge_index, edge_attr=edge_attr)`` within a memory budget.

    Each layer is computed for all nodes, with as many of its heads at a time as
    :obj:`max_memory` allows. If the budget is too small for one head, or the layer has edge
    features, hooks or overridden methods, it runs on blocks of destinations with the features of
    their in-neighbours. The blocks are as large as the budget allows.

    If the model is on a GPU, the rows of :obj:`x` that a block needs are moved there, and its
    outputs back. This has not yet been run on a GPU.

    With a :obj:`folder` the features between the layers are stored in files. If a call is
    interrupted or killed, the same call with the same model, features and graph resumes from these
    files; after a finished call it returns immediately.

    Args:
        model (torch.nn.Module): A :class:`gatsparse.GAT` without :obj:`jk` or with
            ``jk="last"``, a :class:`gatsparse.nn.PaperGAT`, or PyG's model after
            :func:`gatsparse.accelerate`; in evaluation mode, on the CPU or on a GPU.
        x (Tensor, str or Path): Features ``[N, F]`` on the CPU, or an ``.npy`` file of them, of
            which only the rows that a block needs are read. Rows of another floating-point dtype
            than the model's are converted when they are read.
        edge_index (Tensor or CSRGraph): As in :class:`gatsparse.GATConv`.
        edge_attr (Tensor, str or Path, optional): Edge features ``[E, D]`` or ``[E]`` in the order
            of :obj:`edge_index`, in memory or as an ``.npy`` file, read and converted like
            :obj:`x`. Needed if the model has an ``edge_dim``, unless :obj:`edge_index` is a sparse
            matrix of edge features.
        max_memory (int or str, optional): Memory that the call may add to the process, in bytes or
            as ``"4GB"`` (:math:`10^9` bytes) or ``"4GiB"``: temporary tensors of a layer and,
            without a :obj:`folder`, the features between the layers and the result. The model,
            :obj:`x`, :obj:`edge_attr` and the CSR graph do not count. With a model on a GPU it is
            the memory that the call may use there; the features between the layers are in the
            memory of the host and do not count.
        folder (str or Path, optional): Folder for features between the layers.
        progress (bool, optional): Shows a progress bar, which needs rich:
            ``pip install 'gatsparse[data]'``.

    Returns:
        Tensor: ``[N, out_channels]`` of the model's dtype on the CPU; with a :obj:`folder` the
        memory map of a file in it.

    Raises:
        TypeError: If a layer is not from gatsparse, :obj:`x` or :obj:`edge_attr` is not a dense
            floating-point tensor or file, the model takes no edge features, or a bfloat16 model is
            used with a :obj:`folder`.
        ValueError: If the model is in training mode, one of its functions or hooks is random or
            mixes nodes outside of the attention layers (tested with random features), a shape
            is wrong, edge features are missing, or :obj:`max_memory` is too small;
            the message has the numbers.
        OSError: If a file cannot be read or written.

    Example:
        >>> import torch, gatsparse
        >>> model = gatsparse.nn.PaperGAT(16, 8, 4).eval()
        >>> x, edge_index = torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> logits = gatsparse.infer(model, x, edge_index, max_memory="1GB")
        >>> torch.equal(logits, model(x, edge_index))
        True
    """
    budget = parse_bytes(max_memory)
    shown = _bar() if progress else nullcontext()
    check_model(model)
    check_node_wise(model)
    dtype = model_dtype(model)
    source = node_source(x, dtype)
    num_nodes, width = source.shape[0], getattr(model.convs[0], "in_channels", -1)  # pyright: ignore
    if isinstance(width, int) and width not in (-1, source.shape[1]):
        raise ValueError(f"x: expected shape [N, {width}], got {list(source.shape)}")
    if folder is not None:
        check_instance("folder", folder, (str, Path), "a path")
    form = adjacency(edge_index)
    edges = edge_source(model, edge_attr, form, dtype)
    check_budget(model, source.shape, source.dtype, budget, on_disk=folder is not None)
    graph, device = form.graph((num_nodes, num_nodes)).to("cpu"), model_device(model)
    stage = Memory() if folder is None else Folder(Path(folder), model, source, graph, edges)
    keeps = stage.keeps and device.type == "cpu"
    source = stage.input(source)
    with torch.no_grad(), shown as bar:
        for layer in range(stage.layers_done, model.num_layers):  # pyright: ignore
            stage.begin(layer)
            read = on_device(source, device)
            resident = _resident(model, layer, source.shape, source.dtype, keeps)
            of_layer = edges if model.convs[layer].lin_edge is not None else None  # pyright: ignore
            some = 0
            if of_layer is None:
                of_graph = bytes_of_graph(graph, device)
                some = heads_at_once(model, layer, read, budget, resident + of_graph, keeps)
            if some > 0:
                visits = passes(model, layer, some)
                steps = run_heads(model, layer, read, graph, stage, some)
            else:
                visits = 1
                steps = _run_blocks(model, layer, read, graph, stage, budget, resident, of_layer)
            task = bar.add_task(f"layer {layer + 1}", total=visits * num_nodes) if bar else None
            for visited in steps:
                if bar and task is not None:
                    bar.update(task, advance=visited)
            source = stage.finish()
    return stage.result(source)


def _bar() -> AbstractContextManager[Progress]:
    require_extra("gatsparse.infer(progress=True)", "data", "rich")
    from rich.progress import Progress

    return Progress(transient=True)


def parse_bytes(size: int | str) -> int:
    """Number of bytes of a size such as ``"4GB"`` or ``"512MiB"``, or of a number.

    Raises:
        ValueError: If :obj:`size` is not a size, or not positive.

    Example:
        >>> from gatsparse.inference import parse_bytes
        >>> parse_bytes("4GB"), parse_bytes("1KiB")
        (4000000000, 1024)
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
    edges: Stored | None,
) -> Iterator[int]:
    start, keeps = stage.rows_done, stage.keeps and model_device(model).type == "cpu"
    rows_of = None
    if edges is not None:
        rows_of = edge_rows(model, layer, source, graph, budget, edges)
    for block in destination_blocks(
        model, layer, source, graph, start, budget, resident, keeps, edges
    ):
        rows = run_block(model, layer, source, block, rows_of)
        stage.write(block.first, rows, source.shape[0])
        yield len(rows)


def check_budget(
    model: Any, shape: torch.Size, dtype: torch.dtype, max_memory: int | str, *, on_disk: bool
) -> None:
    """Raises if a memory budget of :func:`gatsparse.infer` is too small for a model.

    Args:
        model (torch.nn.Module): As in :func:`gatsparse.infer`.
        shape (torch.Size): Shape ``[N, F]`` of the features.
        dtype (torch.dtype): The dtype of the model.
        max_memory (int or str): As in :func:`gatsparse.infer`.
        on_disk (bool): Whether features between the layers are kept in a folder.

    Raises:
        ValueError: If the budget is too small; the message has the numbers.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.inference import check_budget
        >>> model = gatsparse.nn.PaperGAT(16, 8, 4)
        >>> check_budget(model, torch.Size([1000, 16]), torch.float32, "1GB", on_disk=False)
    """
    budget, keeps = parse_bytes(max_memory), not on_disk and model_device(model).type == "cpu"
    for layer in range(model.num_layers):
        needed = _resident(model, layer, shape, dtype, keeps)
        if needed > budget:
            raise ValueError(
                f"max_memory: layer {layer + 1} needs {needed:,} bytes in addition to temporary "
                f"tensors, got {budget:,}" + (ON_DISK if keeps else "")
            )


def _resident(model: Any, layer: int, shape: torch.Size, dtype: torch.dtype, keeps: bool) -> int:
    """Bytes that a layer needs however it is split: its input and output if they count."""
    if not keeps:
        return _SLACK
    comes_in = output_channels(model, layer - 1) if layer > 0 else 0
    return _SLACK + shape[0] * (comes_in + output_channels(model, layer)) * dtype.itemsize
