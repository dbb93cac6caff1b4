"""Exact inference layer by layer, within a budget of memory."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.progress import Progress
from torch import Tensor
from torch_geometric.nn.norm import BatchNorm, LayerNorm

from gatsparse import _native
from gatsparse.adjacency import adjacency
from gatsparse.data.features import RowFile, RowWriter, open_features
from gatsparse.files import write_atomically
from gatsparse.graph import CSR, CSRGraph
from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.ops.native import padded_heads

_native.LIBRARY.define(
    "row_block(Tensor[] csr, int first, int limit, int per_src, int per_dst, int per_edge, "
    "Tensor(a!) local) -> Tensor[]"
)

_SLACK = 40 * 10**6  # bytes for what does not grow with a block
_FILL = 0.85  # of the rest for blocks: the allocator does not use all that it holds
_SYNC_SECONDS = 5.0
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

    One layer after another is computed for all nodes, a block of destinations at a time: the
    features of their in-neighbours are gathered, and the layer runs on that bipartite graph. Blocks
    are as large as :obj:`max_memory` allows.

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
            layers and the result unless there is a :obj:`folder`, and blocks. Model, :obj:`x`
            and graph, which the caller holds already, do not count.
        folder (str or Path, optional): Where features between the layers are kept.
        progress (bool, optional): Show a progress bar.

    Returns:
        Tensor: ``[N, out_channels]``; with a :obj:`folder` the memory map of a file there.

    Raises:
        TypeError: If there is a layer that is not of gatsparse, or :obj:`x` is no dense tensor.
        ValueError: If the model is in training mode, mixes nodes apart from its layers of
            attention, or :obj:`max_memory` is too small; the message has the numbers.
        OSError: If a file cannot be read or written.
    """
    budget = parse_bytes(max_memory)
    _check_model(model)
    source = _features(x)
    num_nodes = source.shape[0]
    graph = adjacency(edge_index).graph((num_nodes, num_nodes))
    stage = _Memory() if folder is None else _Folder(Path(folder), model, source, graph)
    source = stage.input(source)
    with torch.no_grad(), Progress(transient=True) if progress else nullcontext() as bar:
        for layer in range(stage.layers_done, model.num_layers):  # pyright: ignore
            task = bar.add_task(f"layer {layer + 1}", total=num_nodes) if bar else None
            stage.begin(layer)
            resident = _resident(model, layer, source, stage.keeps)
            for block in _blocks(model, layer, source, graph, stage.rows_done, budget, resident):
                rows = _run(model, layer, source, block)
                stage.write(block.first, rows, num_nodes)
                if bar and task is not None:
                    bar.update(task, completed=block.first + len(rows))
            source = stage.finish(num_nodes)
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


class _Block(NamedTuple):
    """Destinations from ``first`` on, and the nodes whose features they need."""

    first: int
    graph: CSRGraph
    nodes: Tensor


class _Rows:
    """Features in memory."""

    def __init__(self, x: Tensor) -> None:
        self.x, self.shape, self.dtype = x, x.shape, x.dtype

    def gather(self, index: Tensor) -> Tensor:
        return self.x.index_select(0, index)


class _Memory:
    """Features between the layers, in memory."""

    layers_done = rows_done = 0
    keeps = True

    def input(self, source: _Rows | RowFile) -> _Rows | RowFile:
        return source

    def begin(self, layer: int) -> None:  # noqa: ARG002
        self._out: Tensor | None = None

    def write(self, first: int, rows: Tensor, num_nodes: int) -> None:
        if self._out is None:
            self._out = rows.new_empty(num_nodes, *rows.shape[1:])
        self._out[first : first + len(rows)] = rows

    def finish(self, num_nodes: int) -> _Rows:  # noqa: ARG002
        assert self._out is not None
        return _Rows(self._out)

    def result(self, rows: Any) -> Tensor:
        return rows.x


class _Folder:
    """Features between the layers, one file each, and how far they go."""

    keeps = False

    def __init__(
        self, path: Path, model: torch.nn.Module, source: _Rows | RowFile, graph: CSRGraph
    ) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self._source = path, source
        self._fingerprint = _fingerprint(model, source, graph)
        self._num_layers = int(model.num_layers)  # pyright: ignore[reportArgumentType]
        self.layers_done = self.rows_done = 0
        self._writer: RowWriter | None = None
        try:
            state = json.loads((path / "state.json").read_text())
            if state["fingerprint"] == self._fingerprint:
                self.layers_done, self.rows_done = state["layers"], state["rows"]
                self._shape, self._dtype = tuple(state["shape"]), getattr(torch, state["dtype"])
        except (OSError, ValueError, KeyError):
            pass  # nothing was begun

    def _file(self, layer: int) -> Path:
        return self.path / f"layer-{layer + 1}.npy"

    def begin(self, layer: int) -> None:
        if layer > self.layers_done:
            self.layers_done, self.rows_done = layer, 0
        self._writer, self._synced = None, time.monotonic()
        if self.rows_done > 0:
            self._writer = RowWriter(self._file(layer), self._shape, self._dtype, resume=True)

    def input(self, source: _Rows | RowFile) -> _Rows | RowFile:
        return source if self.layers_done == 0 else RowFile(self._file(self.layers_done - 1))

    def write(self, first: int, rows: Tensor, num_nodes: int) -> None:
        if self._writer is None:
            self._shape, self._dtype = (num_nodes, *rows.shape[1:]), rows.dtype
            self._writer = RowWriter(self._file(self.layers_done), self._shape, self._dtype)
        self._writer.write(first, rows)
        self.rows_done = first + len(rows)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._save()

    def finish(self, num_nodes: int) -> RowFile:  # noqa: ARG002
        assert self._writer is not None
        self._writer.sync()
        self._writer.close()
        file = self._file(self.layers_done)
        self.layers_done, self.rows_done, self._writer = self.layers_done + 1, 0, None
        self._save()
        if self.layers_done >= 2:  # its input is read no more
            self._file(self.layers_done - 2).unlink(missing_ok=True)
        return RowFile(file)

    def result(self, rows: Any) -> Tensor:  # noqa: ARG002
        return open_features(self._file(self._num_layers - 1))

    def _save(self) -> None:
        if self._writer is not None:
            self._writer.sync()
        state = {
            "fingerprint": self._fingerprint,
            "layers": self.layers_done,
            "rows": self.rows_done,
            "shape": self._shape,
            "dtype": str(self._dtype).removeprefix("torch."),
        }
        write_atomically(
            self.path / "state.json", lambda file: file.write(json.dumps(state).encode())
        )
        self._synced = time.monotonic()


def _cost(model: Any, layer: int, source: _Rows | RowFile) -> tuple[int, int, int]:
    """Bytes of a block per source, per destination and per edge."""
    conv = model.convs[layer]
    size = source.dtype.itemsize
    width, terms = size * conv.heads * conv.out_channels, 4 * padded_heads(conv.heads)
    features = size * source.shape[1]
    # Of a source: number, features, projection, its terms of the scores and their exponentials. Of
    # a destination: projection, the product with att_dst, output, activation and norm.
    return 8 + features + width + 3 * terms, 16 + 5 * width + 6 * terms, 8


def _resident(model: Any, layer: int, source: _Rows | RowFile, keeps: bool) -> int:
    """Bytes that a layer needs beside its blocks: numbers of nodes, and in memory what comes in
    and what comes out.
    """
    num_nodes, conv = source.shape[0], model.convs[layer]
    resident = 4 * num_nodes + _SLACK
    if keeps:
        out = conv.out_channels * (conv.heads if conv.concat else 1)
        widths = out + (source.shape[1] if layer > 0 else 0)
        resident += num_nodes * widths * source.dtype.itemsize
    return resident


def _blocks(
    model: Any,
    layer: int,
    source: _Rows | RowFile,
    graph: CSRGraph,
    first: int,
    budget: int,
    resident: int,
) -> Iterator[_Block]:
    cost = _cost(model, layer, source)
    limit = int(_FILL * (budget - resident))
    local = torch.full((graph.num_src,), -1, dtype=torch.int32)
    while first < graph.num_dst:
        ptr, col, nodes = torch.ops.gatsparse.row_block(list(graph.csr), first, limit, *cost, local)
        num_dst = ptr.numel() - 1
        needed = cost[0] * nodes.numel() + cost[1] * num_dst + cost[2] * col.numel()
        if needed > limit:
            total = resident + math.ceil(needed / _FILL)
            raise ValueError(
                f"max_memory: layer {layer + 1} needs {total:,} bytes for node {first} and its "
                f"{col.numel():,} in-edges, of which {resident:,} beside them, got {budget:,}; "
                "with a folder, features between the layers stay on disk"
            )
        perm = torch.arange(col.numel(), dtype=torch.int32)
        yield _Block(first, CSRGraph(CSR(ptr, col, perm), nodes.numel()), nodes)
        first += num_dst


def _run(model: Any, layer: int, source: _Rows | RowFile, block: _Block) -> Tensor:
    num_dst = block.graph.num_dst
    x = source.gather(block.nodes)
    return model.inference_per_layer(layer, (x, x[:num_dst]), block.graph, num_dst)


def _features(x: Tensor | str | Path) -> _Rows | RowFile:
    if not isinstance(x, Tensor):
        source = RowFile(x)
    elif x.layout != torch.strided or x.device.type != "cpu":
        raise TypeError(f"x: expected a dense tensor on the CPU, got {x.layout} on {x.device}")
    else:
        source = _Rows(x)
    if len(source.shape) != 2 or source.shape[0] == 0:
        raise ValueError(f"x: expected shape [N, F] with N >= 1, got {list(source.shape)}")
    return source


def _check_model(model: Any) -> None:
    if not (hasattr(model, "inference_per_layer") and hasattr(model, "convs")):
        raise TypeError(
            f"model: expected gatsparse.GAT, PaperGAT or PyG's, got {type(model).__name__}"
        )
    if model.training:
        raise ValueError("model: expected evaluation mode, got training mode: call model.eval()")
    if getattr(model, "jk_mode", None) not in (None, "last"):
        raise ValueError(f"model: expected jk None or 'last', got {model.jk_mode!r}")
    for conv in model.convs:
        if not isinstance(conv, AttentionConv):
            raise TypeError(
                f"model: expected layers of gatsparse, got {type(conv).__name__}: "
                "see gatsparse.accelerate"
            )
        if conv.flow != "source_to_target":  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError(f"model: expected flow 'source_to_target', got {conv}")
    for norm in getattr(model, "norms", None) or []:
        by_node = isinstance(norm, (BatchNorm, torch.nn.Identity)) or (
            isinstance(norm, LayerNorm) and norm.mode == "node"
        )
        if not by_node:
            raise ValueError(
                "model: expected norms that take each node by itself (BatchNorm, LayerNorm with "
                f"mode='node'), got {norm}"
            )


def _fingerprint(model: torch.nn.Module, source: _Rows | RowFile, graph: CSRGraph) -> str:
    """What the result depends on."""
    digest = blake2b(digest_size=16)
    for key, value in model.state_dict().items():
        digest.update(key.encode())
        digest.update(_bytes(value))
    digest.update(repr(model).encode())
    for tensor in (graph.rowptr, graph.col):
        digest.update(_bytes(tensor))
    if isinstance(source, RowFile):
        state = source.path.stat()
        digest.update(f"{source.path.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
    else:
        digest.update(f"{source.dtype} {list(source.shape)}".encode())
        digest.update(_bytes(source.x))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data
