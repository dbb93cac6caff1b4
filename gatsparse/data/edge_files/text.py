"""Edges in lines of text."""

from __future__ import annotations

from bisect import bisect_right
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from gatsparse.data.edge_files.layout import Layout, matrix_layout, read_layout
from gatsparse.data.edge_files.lines import (
    BLOCK,
    LONGEST_LINE,
    PACKED,
    PackedError,
    arrow_input,
    is_skipped,
    line_at,
    line_problem,
    open_text,
)
from gatsparse.data.edge_files.matrix_market import (
    BANNER,
    MatrixMarket,
    mirror,
    read_banner,
    read_size,
)
from gatsparse.data.edge_files.reader import Block, EdgeListError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from gatsparse.data.edge_files.columns import Columns

_EDGE_BYTES = 16  # of text, approximately
_COMMENTS, _LONGEST_COMMENT = 50, 2**12  # limits for comments with names of columns


class Text:
    """Lines of two or more fields, which pyarrow parses. Lines that it cannot parse are cleaned and
    parsed again; if that fails, the invalid line is located.

    Args:
        wide (bool): Whether ids may be arbitrary 64-bit integers, signed or unsigned.
    """

    def __init__(self, path: Path, columns: Columns | None, block_size: int, wide: bool) -> None:
        self.path = path
        self.base: int | None = None
        self.num_nodes: int | None = None
        self._wide = wide
        self._block_bytes = min(block_size * _EDGE_BYTES, BLOCK)
        self._clean = False  # whether a line was found that pyarrow cannot parse unchanged
        self._matrix: MatrixMarket | None = None
        self._marks: list[tuple[int, int]] = []  # first edge and offset of each block
        try:
            with open_text(path) as (_, file):
                self._layout, self._start = self._read_head(file, columns)
        except PackedError as error:
            raise EdgeListError(f"{path}: line 1 or later, {error}") from error

    def blocks(self) -> Generator[Block]:
        """Yields all edges of the file, in its order."""
        try:
            yield from self._blocks()
        except PackedError as error:
            offset = self._marks[-1][1] if self._marks else 0
            line = self._line_at(offset)
            raise EdgeListError(f"{self.path}: line {line} or later, {error}") from error

    def where(self, edge: int, end: int = 0) -> str:  # noqa: ARG002 - both in one line
        """Line of an edge."""
        mark = bisect_right(self._marks, edge, key=lambda mark: mark[0]) - 1
        first, offset = self._marks[mark]
        with open_text(self.path) as (_, file):
            lines = enumerate(file, line_at(offset, file))
            numbers = (
                number
                for number, line in lines
                if not is_skipped(line)
                for _ in range(self._copies(line))
            )
            return f"line {next(islice(numbers, edge - first, None))}"

    def _blocks(self) -> Generator[Block]:
        size = self.path.stat().st_size
        num_edges = num_lines = 0
        with open_text(self.path) as (raw, file), ThreadPoolExecutor(1) as pool:
            file.read(self._start)

            def read() -> tuple[bytes, float]:
                text = file.read(self._block_bytes)
                text += file.readline(LONGEST_LINE + 1)
                return text, raw.tell() / size

            offset = self._start
            text, done = read()
            while text:
                # A short block is the last one. Otherwise the next block is read in parallel.
                following = pool.submit(read) if len(text) >= self._block_bytes else None
                self._marks.append((num_edges, offset))
                table = self._parse(text, offset)
                num_lines += table.num_rows
                offset += len(text)
                for batch in table.to_batches():
                    src, dst = (column.to_numpy() for column in batch.columns)
                    if self._matrix is not None and self._matrix.symmetric:
                        src, dst = mirror((src, dst))
                    num_edges += len(src)
                    yield Block((src, dst), done)
                text, done = (b"", done) if following is None else following.result()
        if num_lines == 0 and self._layout.named and not self._layout.certain:
            raise EdgeListError(
                f"{self.path}: expected lines of two integers after the names of columns, got none"
            )
        if self._matrix is not None and num_lines != self._matrix.num_entries:
            raise EdgeListError(
                f"{self.path}: expected {self._matrix.num_entries} entries, as declared in the "
                f"size line, got {num_lines}"
            )

    def _read_head(self, file: BinaryIO, columns: Columns | None) -> tuple[Layout, int]:
        """Layout of the lines, and the offset of the first one that may be an edge."""
        number = offset = 0
        banner = None
        comments: deque[bytes] = deque(maxlen=_COMMENTS)
        while True:
            line = file.readline(LONGEST_LINE + 1)
            number += 1
            if not line:
                raise EdgeListError(f"{self.path}: expected lines of two integers, got none")
            stop = offset + len(line)
            if number == 1 and line.startswith(BOM_UTF8):
                offset, line = len(BOM_UTF8), line.removeprefix(BOM_UTF8)
            try:
                _check_line(line, first=number == 1)
                if number == 1 and line[: len(BANNER)].lower() == BANNER:
                    banner = read_banner(line)
                elif number == 1 and _name(self.path).suffix.lower() == ".mtx":
                    read_banner(line)  # raises
                elif is_skipped(line):
                    if len(line) <= _LONGEST_COMMENT:
                        comments.append(line)
                elif banner is not None:
                    self._matrix = read_size(line, *banner)
                    self._check_matrix(columns)
                    return matrix_layout(self._matrix.width), stop
                else:
                    tabs = _name(self.path).suffix.lower() == ".tsv"
                    layout = read_layout(line, comments, columns, tabs)
                    return layout, stop if layout.named else offset
            except ValueError as error:
                raise EdgeListError(f"{self.path}: line {number}: {error}") from error
            offset = stop

    def _check_matrix(self, columns: Columns | None) -> None:
        assert self._matrix is not None
        if columns is not None:
            raise ValueError(f"expected columns=None for a Matrix Market file, got {columns!r}")
        self.base, self.num_nodes = 1, self._matrix.num_nodes

    def _parse(self, text: bytes, offset: int) -> Any:
        """A pyarrow table of sources and destinations."""
        from pyarrow import ArrowInvalid, int64, uint64

        # pyarrow would split such a line or skip its beginning; a line that is too long was cut.
        returns = text.count(b"\r")
        divided = returns > 0 and returns != text.count(b"\r\n")
        last = text[text.rfind(b"\n") + 1 :]
        if divided or text.startswith(BOM_UTF8) or line_problem(last):
            raise self._fault(text, offset, "malformed line")
        if not self._clean and not self._layout.needs_cleaning(text):
            try:
                return self._table(text, int64(), self._layout.first_delimiter)
            except ArrowInvalid:
                self._clean = True
        cleaned = self._layout.clean(text)
        if self._layout.is_open(cleaned):  # pyarrow would skip to the next quote
            raise self._fault(text, offset, "expected closed quotes")
        try:
            return self._table(cleaned, int64(), self._layout.delimiter)
        except ArrowInvalid as error:
            if self._wide:
                try:
                    return self._table(cleaned, uint64(), self._layout.delimiter)
                except ArrowInvalid:
                    pass
            raise self._fault(text, offset, error) from error

    def _table(self, text: bytes, dtype: Any, delimiter: bytes) -> Any:
        from pyarrow import csv

        chosen = [str(column) for column in self._layout.chosen]
        quote = '"' if b'"' in text else False
        return csv.read_csv(
            arrow_input(text or b"\n"),  # pyarrow rejects empty input
            read_options=csv.ReadOptions(
                column_names=[str(column) for column in range(self._layout.width)],
                block_size=2 * LONGEST_LINE,
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter.decode(), quote_char=quote),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(chosen, dtype), include_columns=chosen, null_values=[]
            ),
        )

    def _fault(self, text: bytes, offset: int, reason: object) -> EdgeListError:
        """Returns an error that describes the first invalid line of a block."""
        first = self._line_at(offset)
        for number, line in enumerate(text.split(b"\n"), first):
            problem = self._layout.problem(line, self._wide)
            if problem:
                return EdgeListError(f"{self.path}: line {number}: {problem}")
        return EdgeListError(f"{self.path}: line {first} or later: {reason}")

    def _line_at(self, offset: int) -> int:
        with open_text(self.path) as (_, file):
            return line_at(offset, file)

    def _copies(self, line: bytes) -> int:
        """Number of edges of a line."""
        if self._matrix is None or not self._matrix.symmetric:
            return 1
        src, dst = self._layout.split(line)[:2]
        return 1 if int(src) == int(dst) else 2


def _check_line(line: bytes, first: bool) -> None:
    if first and line.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise ValueError("expected ASCII or UTF-8, got UTF-16: save the file as UTF-8")
    problem = line_problem(line)
    if problem:
        raise ValueError(problem)


def _name(path: Path) -> Path:
    """Path without the suffix of its compression."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path
