"""Storage of features between the layers of exact inference: memory, or a folder from which an
interrupted call continues.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatsparse.data.features import RowFile, RowWriter, open_features
from gatsparse.files import write_atomically
from gatsparse.graph import CSRGraph
from gatsparse.inference.fingerprint import fingerprint
from gatsparse.inference.sources import Rows, Stored

_SYNC_SECONDS = 5.0


class Memory:
    """Features between the layers, in memory."""

    layers_done = rows_done = 0
    keeps = True

    def begin(self, layer: int) -> None:  # noqa: ARG002
        """Starts or resumes a layer."""
        self._out: Tensor | None = None
        self.parts: list[tuple[int, Stored]] = []  # numbers of heads, and their outputs

    def input(self, source: Stored) -> Stored:
        """Input of the first unfinished layer."""
        return source

    def write_part(self, heads: int, out: Tensor) -> None:
        """Stores the output of the next :obj:`heads` heads for all nodes."""
        self.parts.append((heads, Rows(out)))

    def write(self, first: int, rows: Tensor, num_nodes: int) -> None:
        """Stores rows of the layer's output, starting at row :obj:`first`."""
        if self._out is None:
            self._out = rows.new_empty(num_nodes, *rows.shape[1:])
        self._out[first : first + len(rows)] = rows

    def finish(self) -> Rows:
        """Finishes the layer; returns its output."""
        assert self._out is not None
        self.parts = []
        return Rows(self._out)

    def result(self, rows: Any) -> Tensor:
        """The output of the last layer as a tensor."""
        return rows.x


class Folder:
    """Features between the layers, one file each, and the progress in ``state.json``."""

    keeps = False

    def __init__(
        self,
        path: Path,
        model: torch.nn.Module,
        source: Stored,
        graph: CSRGraph,
        edges: Stored | None = None,
    ) -> None:
        if source.dtype == torch.bfloat16:
            raise TypeError(
                "x: expected another dtype with a folder, as .npy files do not support bfloat16, "
                "got torch.bfloat16"
            )
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fingerprint = fingerprint(model, source, graph, edges)
        self._num_layers = int(model.num_layers)  # pyright: ignore[reportArgumentType]
        self.layers_done = self.rows_done = 0
        self._heads_done: list[int] = []  # the end of each finished group of heads
        self._shape: tuple[int, ...] = ()
        self._dtype = torch.float32
        self._writer: RowWriter | None = None
        try:
            state = json.loads((path / "state.json").read_text())
            if state["fingerprint"] == self._fingerprint:
                self.layers_done, self.rows_done = state["layers"], state["rows"]
                self._heads_done = state["heads"]
                self._shape, self._dtype = tuple(state["shape"]), getattr(torch, state["dtype"])
        except (OSError, ValueError, KeyError):
            pass  # nothing to resume
        if self.layers_done == self.rows_done == 0 and not self._heads_done:
            # New files must never be mistaken for files of an earlier call.
            (path / "state.json").unlink(missing_ok=True)
        self._tidy()

    def begin(self, layer: int) -> None:
        """Starts or resumes a layer."""
        self._writer, self._synced = None, time.monotonic()
        if self.rows_done > 0:
            self._writer = RowWriter(self._file(layer), self._shape, self._dtype, resume=True)

    def input(self, source: Stored) -> Stored:
        """Input of the first unfinished layer."""
        return source if self.layers_done == 0 else RowFile(self._file(self.layers_done - 1))

    @property
    def parts(self) -> list[tuple[int, Stored]]:
        """Number of heads and output of each finished group of heads."""
        begin_end = zip([0, *self._heads_done], self._heads_done, strict=False)
        return [(end - begin, RowFile(self._part(end))) for begin, end in begin_end]

    def write_part(self, heads: int, out: Tensor) -> None:
        """Stores the output of the next :obj:`heads` heads for all nodes."""
        done = heads + (self._heads_done[-1] if self._heads_done else 0)
        path = self._part(done)
        try:
            writer = RowWriter(path, tuple(out.shape), out.dtype)
            writer.write(0, out)
            writer.sync()
            writer.close()
        except BaseException:  # what is half written would only fill a full disk
            path.unlink(missing_ok=True)
            raise
        self._heads_done.append(done)
        self._save()

    def write(self, first: int, rows: Tensor, num_nodes: int) -> None:
        """Stores rows of the layer's output, starting at row :obj:`first`."""
        if self._writer is None:
            self._shape, self._dtype = (num_nodes, *rows.shape[1:]), rows.dtype
            self._writer = RowWriter(self._file(self.layers_done), self._shape, self._dtype)
        self._writer.write(first, rows)
        self.rows_done = first + len(rows)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._save()

    def finish(self) -> RowFile:
        """Finishes the layer; returns its output."""
        assert self._writer is not None
        self._writer.sync()
        self._writer.close()
        done = self.layers_done
        self.layers_done, self.rows_done, self._heads_done, self._writer = done + 1, 0, [], None
        self._save()
        self._tidy()
        return RowFile(self._file(done))

    def result(self, rows: Any) -> Tensor:  # noqa: ARG002
        """The output of the last layer as a tensor."""
        return open_features(self._file(self._num_layers - 1))

    def _tidy(self) -> None:
        """Removes the files that are no longer needed."""
        done = self.layers_done
        needed = {self._file(done - 1), *map(self._part, self._heads_done)}
        if self.rows_done > 0:
            needed.add(self._file(done))
        for path in set(self.path.glob("layer-*.npy")) - needed:
            path.unlink()

    def _file(self, layer: int) -> Path:
        return self.path / f"layer-{layer + 1}.npy"

    def _part(self, last: int) -> Path:
        return self.path / f"layer-{self.layers_done + 1}-heads-{last}.npy"

    def _save(self) -> None:
        if self._writer is not None:
            self._writer.sync()
        state = {
            "fingerprint": self._fingerprint,
            "layers": self.layers_done,
            "heads": self._heads_done,
            "rows": self.rows_done,
            "shape": self._shape,
            "dtype": str(self._dtype).removeprefix("torch."),
        }
        write_atomically(
            self.path / "state.json", lambda file: file.write(json.dumps(state).encode())
        )
        self._synced = time.monotonic()
