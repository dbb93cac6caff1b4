"""Files of directed edges, read in blocks, however large."""

from __future__ import annotations

import gzip
import operator
import os
import re
import zlib
from bisect import bisect_right
from codecs import BOM_UTF8
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, Protocol, cast

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from gatsparse.graph import CSRGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from torch import Tensor

Duplicates = Literal["error", "keep"]

_ENDS = ("source", "destination")
_DELIMITERS = {".csv": b",", ".tsv": b"\t", ".txt": b" "}
_FORMATS = (".npy", ".parquet", *_DELIMITERS, *(f"{suffix}.gz" for suffix in _DELIMITERS))

_INT32_MAX = 2**31 - 1
_INT64_MAX = 2**63 - 1
_CHUNK = 2**22  # edges; so much memory goes back to the system when it is freed
_PARQUET_BUFFER = 2**20  # bytes; without one, pyarrow holds a column of a row group at once
_TEXT_BLOCK = 2**24  # bytes; larger blocks are slower
_EDGE_BYTES = 16  # of text, about
_LONGEST_LINE = 2**20  # bytes

_INTEGER = re.compile(rb"-?[0-9]+")
_NAME = re.compile(rb"""\s*["']?[A-Za-z_\x80-\xff]""")


class EdgeListError(ValueError):
    """A file of edges is truncated, or holds what is no edge of the graph."""


def read_edge_list(
    path: str | os.PathLike[str],
    *,
    num_nodes: int | None = None,
    columns: tuple[str, str] | None = None,
    block_size: int = 2**22,
    progress: bool = False,
) -> Tensor:
    r"""Reads a file of directed edges, one block after another.

    Every block is checked when it is read, and an error names the place in the file. Beside the
    result, a few blocks are in memory at a time. The suffix tells the format:

    * ``.npy``: integers ``[2, E]`` or ``[E, 2]``, of any width and order; ``[2, 2]`` is taken for
      ``[2, E]``. Pickled objects are refused.
    * ``.parquet``: two columns of integers without nulls.
    * ``.csv``, ``.tsv``, ``.txt``, or one of them and ``.gz``: an edge per line, two integers
      without quotes, separated by a comma, by a tab, or by spaces and tabs. Empty lines, lines at
      the top that start with ``#``, and one line of column names are skipped.

    Parquet and text need pyarrow: ``pip install "gatsparse[large]"``.

    Args:
        path (str or PathLike): The file.
        num_nodes (int, optional): Number of nodes :math:`N`, which no index may reach.
            (default: any index that int64 holds)
        columns (tuple, optional): The names of the columns of sources and destinations, in
            Parquet, or in text that starts with a line of names; others are ignored.
            (default: in Parquet the first two columns of integers; text must have just two)
        block_size (int, optional): About how many edges to read at a time, at the most.
        progress (bool, optional): If set, says what is read, and on a terminal how far it is.

    Returns:
        Tensor: :obj:`edge_index` ``[2, E]``, sources and destinations in the order of the file.
        It is int32 where :obj:`num_nodes` or, if not given, every index fits, else int64.

    Raises:
        EdgeListError: If the file is truncated or damaged, or something in it is no edge. It
            names the line (counted from 1), the row (from 0), or the edge (from 0) and its byte.
        OSError: If the file cannot be opened.
        TypeError, ValueError: If an argument is not as above.
        ImportError: If pyarrow is needed and missing.
    """
    return _read(path, num_nodes, columns, block_size, progress)[0]


def read_graph(
    path: str | os.PathLike[str],
    *,
    num_nodes: int | None = None,
    columns: tuple[str, str] | None = None,
    duplicates: Duplicates = "error",
    block_size: int = 2**22,
    progress: bool = False,
) -> CSRGraph:
    r"""Reads a file of directed edges, as :func:`read_edge_list` does, and sorts them.

    Args:
        path, columns, block_size, progress: As of :func:`read_edge_list`.
        num_nodes (int, optional): Number of nodes. (default: one more than the largest index)
        duplicates (str, optional): ``"error"`` to refuse a file that holds an edge twice, or
            ``"keep"`` to take every copy for an edge of its own.

    Raises:
        EdgeListError: As of :func:`read_edge_list`, or if an edge stands in the file twice and
            :obj:`duplicates` is ``"error"``. It names both places.
        OSError, TypeError, ValueError, ImportError: As of :func:`read_edge_list`.
    """
    if duplicates not in ("error", "keep"):
        raise ValueError(f"duplicates: expected 'error' or 'keep', got {duplicates!r}")
    edge_index, reader = _read(path, num_nodes, columns, block_size, progress)
    graph = CSRGraph.from_edge_index(edge_index, num_nodes)
    del edge_index  # the search needs memory, too
    pair = graph.find_duplicate() if duplicates == "error" else None
    if pair is not None:
        first, second = pair
        src, dst = _edge(graph, second)
        raise EdgeListError(
            f"{reader.path}: {reader.where(second)}: expected every edge once, got {src} -> {dst} "
            f"again, which is {reader.where(first)} already (duplicates='keep' takes both)"
        )
    return graph


def _read(
    path: str | os.PathLike[str],
    num_nodes: int | None,
    columns: tuple[str, str] | None,
    block_size: int,
    progress: bool,
) -> tuple[Tensor, _Reader]:
    if num_nodes is not None:
        num_nodes = _check_integer("num_nodes", num_nodes, least=0)
    if columns is not None:
        _check_columns(columns)
    reader = _open(Path(path), columns, _check_integer("block_size", block_size, least=1))
    edges = _Edges()
    with _progress(reader.path, progress) as show, closing(reader.blocks()) as stream:
        for ends, done in stream:
            edges.append(ends, _check_range(ends, edges.count, num_nodes, reader))
            show(done, edges.count)
    dtype = _dtype(edges.highest if num_nodes is None else num_nodes)
    return torch.from_numpy(edges.join(dtype)), reader


def _dtype(highest: int) -> type[np.integer]:
    return np.int32 if highest <= _INT32_MAX else np.int64


class _Edges:
    """Edges in chunks, of which each is int32 as long as all edges up to it fit.

    Attributes:
        count (int): Number of edges.
        highest (int): The largest index, or -1.
    """

    def __init__(self) -> None:
        self.count, self.highest = 0, -1
        self._chunks: list[np.ndarray] = [np.empty((2, 0), np.int32)]
        self._room = 0  # in the last one

    def append(self, ends: _Ends, highest: int) -> None:
        """Takes a copy of edges, of which the largest index is known."""
        self.highest = max(self.highest, highest)
        dtype = _dtype(self.highest)
        start, stop = 0, len(ends[0])
        while start < stop:
            if self._room == 0 or self._chunks[-1].dtype != dtype:
                self._close()
                self._chunks.append(np.empty((2, _CHUNK), dtype))
                self._room = _CHUNK
            length = min(stop - start, self._room)
            used = _CHUNK - self._room
            for row, values in zip(self._chunks[-1], ends, strict=True):
                row[used : used + length] = values[start : start + length]
            start += length
            self._room -= length
        self.count += stop

    def join(self, dtype: type[np.integer]) -> np.ndarray:
        """All edges, ``[2, count]``. Each chunk is released as soon as it is copied."""
        self._close()
        joined, stop = np.empty((2, self.count), dtype), self.count
        while self._chunks:
            chunk = self._chunks.pop()
            start = stop - chunk.shape[1]
            joined[:, start:stop] = chunk
            stop = start
        return joined

    def _close(self) -> None:
        chunk = self._chunks[-1]
        self._chunks[-1] = chunk[:, : chunk.shape[1] - self._room]
        self._room = 0


def _check_range(ends: _Ends, first: int, num_nodes: int | None, reader: _Reader) -> int:
    """The largest index of a block, or -1.

    Raises:
        EdgeListError: If an index is negative or belongs to no node.
    """
    bound = _INT64_MAX + 1 if num_nodes is None else num_nodes
    highest, faults = -1, []
    for end, values in enumerate(ends):
        if len(values) > 0:
            low, high = int(values.min()), int(values.max())
            highest = max(highest, high)
            if low < 0 or high >= bound:
                faults.append((int(((values < 0) | (values >= bound)).argmax()), end))
    if faults:
        position, end = min(faults)
        nodes = "" if num_nodes is None else f" (num_nodes={num_nodes})"
        raise EdgeListError(
            f"{reader.path}: {reader.where(first + position, end)}: {_ENDS[end]}: "
            f"expected 0 .. {bound - 1}{nodes}, got {ends[end][position]}"
        )
    return highest


def _check_integer(name: str, value: int, least: int) -> int:
    try:
        value = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from error
    if not least <= value <= _INT64_MAX:
        raise ValueError(f"{name}: expected {least} .. 2**63 - 1, got {value}")
    return value


def _check_columns(columns: tuple[str, str]) -> None:
    if not isinstance(columns, (tuple, list)) or not all(isinstance(c, str) for c in columns):
        raise TypeError(f"columns: expected two names, got {columns!r}")
    if len(columns) != 2 or columns[0] == columns[1]:
        raise ValueError(f"columns: expected two different names, got {columns!r}")


def _find_columns(path: Path, columns: tuple[str, str], names: list[str]) -> tuple[int, int]:
    for name in columns:
        if names.count(name) != 1:
            raise EdgeListError(
                f"{path}: expected one column {name!r}, got {names.count(name)} among "
                f"{_shortened(', '.join(map(repr, names)))}"
            )
    return names.index(columns[0]), names.index(columns[1])


def _edge(graph: CSRGraph, position: int) -> tuple[int, int]:
    """Source and destination of the edge at a position of the input."""
    entry = int((graph.perm == position).nonzero())
    dst = int(torch.searchsorted(graph.rowptr, entry, right=True)) - 1
    return int(graph.col[entry]), dst


@contextmanager
def _progress(path: Path, wanted: bool) -> Iterator[Callable[[float, int], None]]:
    """A bar, and what sets it: the fraction of the file that was read, and its edges."""
    console = Console(highlight=False)
    if wanted:
        size = path.stat().st_size / 1e6
        console.print(f"reading edges: {path} ({size:,.1f} MB)", soft_wrap=True, markup=False)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[num_edges]:,} edges"),
        console=console,
        transient=True,
        disable=not (wanted and console.is_terminal),
    ) as bar:
        task = bar.add_task(path.name, total=1.0, num_edges=0)
        yield lambda done, num_edges: bar.update(task, completed=done, num_edges=num_edges)


_Ends = tuple[np.ndarray, np.ndarray]


class _Block(NamedTuple):
    """Some edges, and the fraction of the file that ends with them."""

    ends: _Ends
    done: float


class _Reader(Protocol):
    path: Path

    def blocks(self) -> Generator[_Block]:
        """All edges of the file."""
        ...

    def where(self, edge: int, end: int = 0) -> str:
        """The place in the file of one end of an edge that was read before."""
        ...


def _open(path: Path, columns: tuple[str, str] | None, block_size: int) -> _Reader:
    name = path.name.lower()
    suffix = next((suffix for suffix in _FORMATS if name.endswith(suffix)), None)
    if suffix is None:
        raise EdgeListError(f"{path}: expected a name that ends in one of {', '.join(_FORMATS)}")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise EdgeListError(f"{path}: the file is empty")
    if suffix == ".npy":
        if columns is not None:
            raise ValueError(f"columns: expected None, as {path} has no names, got {columns!r}")
        return _Npy(path, block_size)
    try:
        import pyarrow  # noqa: F401 - not needed for .npy
    except ImportError as error:
        raise ImportError(
            f"{path}: reading it needs pyarrow, which is not installed: "
            'pip install "gatsparse[large]" or pip install pyarrow'
        ) from error
    if suffix == ".parquet":
        return _Parquet(path, columns, block_size)
    return _Text(path, columns, block_size, _DELIMITERS[suffix.removesuffix(".gz")])


class _Npy:
    """An array ``[2, E]`` or ``[E, 2]``, mapped anew for each block, so that the pages of those
    before it need not stay.
    """

    def __init__(self, path: Path, block_size: int) -> None:
        self.path = path
        self._block_size = block_size
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                if version == (1, 0):
                    header = np.lib.format.read_array_header_1_0(file)
                elif version in ((2, 0), (3, 0)):  # alike but for the names of fields
                    header = np.lib.format.read_array_header_2_0(file)
                else:
                    raise ValueError(f"unknown version {version}")
            except Exception as error:  # a damaged header can raise anything
                raise EdgeListError(f"{path}: no .npy file, or damaged ({error})") from error
            self._offset, size = file.tell(), os.fstat(file.fileno()).st_size
        shape, self._by_column, self._dtype = header
        if self._dtype.kind not in "iu":
            raise EdgeListError(f"{path}: expected integers, got dtype {self._dtype}")
        if len(shape) != 2 or 2 not in shape:
            raise EdgeListError(f"{path}: expected shape [2, E] or [E, 2], got {list(shape)}")
        expected = self._offset + shape[0] * shape[1] * self._dtype.itemsize
        if size != expected:
            what = f"truncated at byte {size}" if size < expected else "more data follow"
            raise EdgeListError(
                f"{path}: expected {expected} bytes with {self._dtype} {list(shape)}, "
                f"got {size}: {what}"
            )
        self._shape = shape
        self._by_end = shape[0] == 2
        self._num_edges = shape[1] if self._by_end else shape[0]

    def blocks(self) -> Generator[_Block]:
        order = "F" if self._by_column else "C"
        for start in range(0, self._num_edges, self._block_size):
            stop = min(start + self._block_size, self._num_edges)
            array = np.memmap(self.path, self._dtype, "r", self._offset, self._shape, order)
            ends = (array if self._by_end else array.T)[:, start:stop]
            yield _Block((ends[0], ends[1]), stop / self._num_edges)

    def where(self, edge: int, end: int = 0) -> str:
        adjacent = self._by_end == self._by_column  # the two ends of an edge
        item = 2 * edge + end if adjacent else end * self._num_edges + edge
        return f"edge {edge} (byte {self._offset + item * self._dtype.itemsize})"


class _Parquet:
    """Two columns of integers, row group by row group."""

    def __init__(self, path: Path, columns: tuple[str, str] | None, block_size: int) -> None:
        from pyarrow import types

        self.path = path
        self._block_size = block_size
        with self._reading("footer"), self._file() as file:
            fields = list(file.schema_arrow)
            self._num_rows = file.metadata.num_rows
            self._num_groups = file.num_row_groups
        integers = [field.name for field in fields if types.is_integer(field.type)]
        if columns is None:
            if len(integers) < 2:
                got = ", ".join(f"{field.name!r} ({field.type})" for field in fields)
                raise EdgeListError(
                    f"{path}: expected two columns of integers, got {_shortened(got) or 'none'}"
                )
            columns = (integers[0], integers[1])
        for index in _find_columns(path, columns, [field.name for field in fields]):
            if not types.is_integer(fields[index].type):
                raise EdgeListError(
                    f"{path}: column {fields[index].name!r}: expected integers, "
                    f"got {fields[index].type}"
                )
        self._columns = columns

    def blocks(self) -> Generator[_Block]:
        row = 0
        with self._file() as file:
            for group in range(self._num_groups):
                batches = file.iter_batches(
                    self._block_size, row_groups=[group], columns=list(self._columns)
                )
                while True:
                    with self._reading(f"row {row} or later, row group {group}"):
                        batch = next(batches, None)
                    if batch is None:
                        break
                    src, dst = (self._values(batch, name, row) for name in self._columns)
                    row += batch.num_rows
                    yield _Block((src, dst), row / self._num_rows)
        if row != self._num_rows:
            raise EdgeListError(
                f"{self.path}: corrupt Parquet, expected {self._num_rows} rows, got {row}"
            )

    def where(self, edge: int, end: int = 0) -> str:  # noqa: ARG002 - both in one row
        return f"row {edge}"

    def _file(self) -> Any:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(
            self.path,
            buffer_size=_PARQUET_BUFFER,
            pre_buffer=False,
            page_checksum_verification=True,
        )

    def _values(self, batch: Any, name: str, row: int) -> np.ndarray:
        column = batch.column(name)
        if column.null_count > 0:
            row += int(column.is_null().to_numpy(zero_copy_only=False).argmax())
            raise EdgeListError(
                f"{self.path}: row {row}: column {name!r}: expected an integer, got null"
            )
        return column.to_numpy()

    @contextmanager
    def _reading(self, place: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a damaged file can raise anything
            raise EdgeListError(
                f"{self.path}: {place}: truncated or corrupt Parquet "
                f"({type(error).__name__}: {error})"
            ) from error


class _Text:
    """Lines of two integers; pyarrow parses them, and where it cannot, the line is searched for."""

    def __init__(
        self, path: Path, columns: tuple[str, str] | None, block_size: int, delimiter: bytes
    ) -> None:
        self.path = path
        self._columns = columns
        self._block_bytes = min(block_size * _EDGE_BYTES, _TEXT_BLOCK)
        self._delimiter = delimiter
        self._spaces = delimiter == b" "  # any number of spaces and tabs
        self._padded = False  # whether there are more than one somewhere
        self._width, self._chosen = 2, (0, 1)
        self._marks: list[tuple[int, int]] = []  # of each block, its first edge and its offset

    def blocks(self) -> Generator[_Block]:
        size = self.path.stat().st_size
        num_edges = 0
        with self._open() as (raw, file), ThreadPoolExecutor(1) as pool:

            def read() -> tuple[int, bytes, float]:
                offset = file.tell()
                text = file.read(self._block_bytes)
                text += file.readline(_LONGEST_LINE + 1)
                return offset, text, raw.tell() / size

            with self._inflating(raw):
                self._read_head(file)
            following = pool.submit(read)
            while True:
                with self._inflating(raw):
                    offset, text, done = following.result()
                if not text:
                    break
                following = pool.submit(read)  # while this block is parsed
                self._marks.append((num_edges, offset))
                table = self._parse(text, offset)
                num_edges += table.num_rows
                for batch in table.to_batches():
                    src, dst = (column.to_numpy() for column in batch.columns)
                    yield _Block((src, dst), done)

    def where(self, edge: int, end: int = 0) -> str:  # noqa: ARG002 - both in one line
        mark = bisect_right(self._marks, edge, key=lambda mark: mark[0]) - 1
        first, offset = self._marks[mark]
        with self._open() as (_, file):
            lines = enumerate(file, _line_at(offset, file))
            numbers = (number for number, line in lines if not self._is_blank(line))
            return f"line {next(islice(numbers, edge - first, None))}"

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """The file as it is, and its text."""
        with self.path.open("rb") as raw:
            if self.path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=raw) as file:
                    yield raw, cast("BinaryIO", file)
            else:
                yield raw, raw

    @contextmanager
    def _inflating(self, raw: BinaryIO) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            with self._open() as (_, file):
                line = _line_at(self._marks[-1][1], file) if self._marks else 1
            raise EdgeListError(
                f"{self.path}: line {line} or later, byte {raw.tell()} or before: "
                f"truncated or corrupt gzip ({error})"
            ) from error

    def _read_head(self, file: BinaryIO) -> None:
        """Learns what the lines look like, and goes to the first one that may be an edge."""
        number, offset, line = self._first_line(file)
        fields = self._split(line)
        if self._spaces and b"\t" in line:
            self._delimiter = b"\t"
        if self._columns is not None:
            names = [field.strip(b" \"'").decode(errors="replace") for field in fields]
            self._chosen = _find_columns(self.path, self._columns, names)
            self._width = len(fields)
        elif not all(_NAME.match(field) for field in fields):
            file.seek(offset)
        elif len(fields) != 2:
            raise EdgeListError(
                f"{self.path}: line {number}: expected 2 columns, got {len(fields)} in "
                f"{_excerpt(line)} (columns= can name two of several)"
            )

    def _first_line(self, file: BinaryIO) -> tuple[int, int, bytes]:
        """Number, offset and text of the first line that is neither empty nor a comment."""
        number = 0
        while True:
            offset = file.tell()
            line = file.readline(_LONGEST_LINE + 1)
            number += 1
            if not line:
                raise EdgeListError(f"{self.path}: expected lines of two integers, got none")
            if number == 1 and line.startswith(BOM_UTF8):
                offset, line = len(BOM_UTF8), line.removeprefix(BOM_UTF8)
            problem = _line_problem(line)
            if problem:
                raise EdgeListError(f"{self.path}: line {number}: {problem}")
            if line.strip() and not line.startswith(b"#"):
                return number, offset, line

    def _parse(self, text: bytes, offset: int) -> Any:
        """A pyarrow table of sources and destinations, int64."""
        from pyarrow import ArrowInvalid

        # A line that pyarrow would divide, or that is too long and was cut off.
        returns = text.count(b"\r")
        divided = returns > 0 and returns != text.count(b"\r\n")
        if divided or _line_problem(text[text.rfind(b"\n") + 1 :]):
            raise self._fault(text, offset, "malformed line")
        try:
            return self._table(text)
        except ArrowInvalid as error:
            if self._spaces and not self._padded:
                self._padded, self._delimiter = True, b" "
                return self._parse(text, offset)
            raise self._fault(text, offset, error) from error

    def _table(self, text: bytes) -> Any:
        from pyarrow import BufferReader, csv, int64

        chosen = [str(column) for column in self._chosen]
        return csv.read_csv(
            BufferReader(_single_spaces(text) if self._padded else text),
            read_options=csv.ReadOptions(
                column_names=[str(column) for column in range(self._width)],
                block_size=2 * _LONGEST_LINE,
            ),
            parse_options=csv.ParseOptions(delimiter=self._delimiter.decode(), quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, int64()), include_columns=chosen, null_values=[]
            ),
        )

    def _fault(self, text: bytes, offset: int, reason: object) -> EdgeListError:
        """What is wrong with the first line of a block that cannot be parsed."""
        with self._open() as (_, file):
            first = _line_at(offset, file)
        for number, line in enumerate(text.split(b"\n"), first):
            problem = self._problem(line)
            if problem:
                return EdgeListError(f"{self.path}: line {number}: {problem}")
        return EdgeListError(f"{self.path}: line {first} or later: {reason}")

    def _problem(self, line: bytes) -> str:
        """Why a line cannot be an edge; empty if it can, or if it is to be skipped."""
        if _line_problem(line) or self._is_blank(line):
            return _line_problem(line)
        fields = self._split(line)
        if len(fields) != self._width:
            return f"expected {self._width} fields, got {len(fields)} in {_excerpt(line)}"
        for end, column in zip(_ENDS, self._chosen, strict=True):
            field = fields[column].strip(b" \t")
            if not _INTEGER.fullmatch(field):
                return f"{end}: expected an integer, got {_excerpt(field)} in {_excerpt(line)}"
            digits = field.lstrip(b"-0")
            if len(digits) > 19 or int(digits or b"0") > _INT64_MAX:
                return f"{end}: expected 0 .. {_INT64_MAX}, got {_excerpt(field)}"
        return ""

    def _is_blank(self, line: bytes) -> bool:
        return not line.strip(b" \t\r\n" if self._spaces else b"\r\n")

    def _split(self, line: bytes) -> list[bytes]:
        if self._spaces:
            return re.split(rb"[ \t]+", line.strip(b" \t\r\n"))
        return line.rstrip(b"\r\n").split(self._delimiter)


def _line_at(offset: int, file: BinaryIO) -> int:
    """The number of the line that starts at an offset, to which it reads on."""
    number = 1
    while text := file.read(min(offset, _TEXT_BLOCK)):
        number += text.count(b"\n")
        offset -= len(text)
    return number


def _line_problem(line: bytes) -> str:
    if len(line) > _LONGEST_LINE:
        return f"expected a line of at most {_LONGEST_LINE} bytes, got {_excerpt(line)}"
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        return f"expected no carriage return inside a line, got {_excerpt(line)}"
    return ""


def _single_spaces(text: bytes) -> bytes:
    """The same lines, with one space between fields and none around them."""
    text = text.replace(b"\t", b" ").replace(b"\r\n", b"\n")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    text = text.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
    return text or b"\n"  # pyarrow refuses what is empty


def _excerpt(text: bytes) -> str:
    return _shortened(repr(text.rstrip(b"\r\n")[:100])[1:])


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]} ..."
