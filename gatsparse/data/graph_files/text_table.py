"""Tables in text: CSV and other separators, one row per line, compressed or not."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from gatsparse.data.edge_files.lines import BLOCK, LONGEST_LINE, PackedError, arrow_input, open_text
from gatsparse.data.graph_files.table import GraphFileError, Kind, Rows, Wanted, to_numbers

_THREADED = 2**20  # bytes from which pyarrow uses threads
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ("\t", ",", ";", "|")
_BLANK = re.compile(rb"^\r?\n", re.MULTILINE)
_INTEGER = re.compile(r"[+-]?[0-9]+")


class _Head(NamedTuple):
    names: list[str]
    delimiter: str
    start: int  # byte of the first row
    line: int  # its line, from 1
    has_names: bool


class TextTable:
    """Rows of a text file with a header, or of integers without one.

    Lines that begin with ``#`` above the header are comments. Without a header the columns are
    named ``"0"``, ``"1"``, ...

    Args:
        path (Path): The file.
        header (bool, optional): Whether the first line has the names of the columns; False is a
            list of texts, one per line. (default: unless its fields are integers)

    Raises:
        GraphFileError: If the file is empty, or two columns have the same name.
        OSError: If the file cannot be opened.
    """

    def __init__(self, path: Path, header: bool | None = None) -> None:
        self.path = path
        with self._unpacked() as file:
            self._head = _read_head(path, file, header)
        self.has_header = self._head.has_names
        self._types = self._infer()
        self.columns: dict[str, Kind] = {
            name: _kind(self._types[name]) for name in self._head.names
        }

    def blocks(self, wanted: Mapping[str, Wanted]) -> Iterator[Rows]:
        """Yields the rows of some columns, see :meth:`Table.blocks`."""
        types = {name: self._type(name, kind) for name, kind in wanted.items()}
        line = self._head.line
        for text in self._texts():
            table = self._parse(text, types, line)
            line += text.count(b"\n")
            rows = {}
            for name, kind in wanted.items():
                column = table.column(name).combine_chunks()
                rows[name] = to_numbers(column) if kind == "number" else column
            yield rows

    def place(self, row: int) -> str:
        """Line of a row."""
        with self._unpacked() as file:
            file.read(self._head.start)
            numbers = (
                number for number, line in enumerate(file, self._head.line) if line.strip(b"\r\n")
            )
            return f"line {next(islice(numbers, row, None))}"

    def _texts(self) -> Iterator[bytes]:
        """Yields blocks of complete lines."""
        with self._unpacked() as file:
            file.read(self._head.start)
            while text := file.read(BLOCK):
                text += file.readline(LONGEST_LINE)
                if not text.endswith(b"\n") and file.read(1):
                    raise GraphFileError(
                        f"{self.path}: expected lines of at most {LONGEST_LINE} bytes"
                    )
                yield text

    @contextmanager
    def _unpacked(self) -> Iterator[Any]:
        """Opens the text of the file."""
        try:
            with open_text(self.path) as (_, file):
                yield file
        except PackedError as error:
            raise GraphFileError(f"{self.path}: {error}") from error

    def _infer(self) -> dict[str, Any]:
        """Types of the columns in the first block of lines."""
        import pyarrow as pa

        text = next(self._texts(), b"")
        if not text.strip():
            return dict.fromkeys(self._head.names, pa.null())
        schema = self._parse(text, None, self._head.line).schema
        return {field.name: field.type for field in schema}

    def _type(self, name: str, kind: Wanted) -> Any:
        import pyarrow as pa

        inferred = self._types[name]
        if kind == "text":
            return pa.string()
        return inferred if pa.types.is_boolean(inferred) else pa.float64()

    def _parse(self, text: bytes, types: Mapping[str, Any] | None, line: int) -> Any:
        from pyarrow import ArrowInvalid

        try:
            table = self._table(text, types, threads=len(text) > _THREADED)
        except ArrowInvalid:
            try:  # again, because only a single thread tells the row
                table = self._table(text, types, threads=False)
            except ArrowInvalid as error:
                raise self._fault(text, line, str(error)) from error
        lines = text.count(b"\n") + (not text.endswith(b"\n")) - len(_BLANK.findall(text))
        if table.num_rows != lines:
            raise self._broken_line(text, line)
        return table

    def _table(self, text: bytes, types: Mapping[str, Any] | None, *, threads: bool) -> Any:
        from pyarrow.csv import ConvertOptions, ParseOptions, ReadOptions, read_csv

        return read_csv(
            arrow_input(text),
            ReadOptions(
                use_threads=threads, column_names=self._head.names, block_size=len(text) + 1
            ),
            ParseOptions(delimiter=self._head.delimiter),
            ConvertOptions(
                column_types=types, include_columns=None if types is None else list(types)
            ),
        )

    def _fault(self, text: bytes, line: int, message: str) -> GraphFileError:
        """Error that names the line and the column of a message of pyarrow."""
        row = re.search(r"Row #(\d+): ", message)
        column = re.search(r"column #(\d+)", message)
        where = f"{self.path}"
        if row is not None:
            where += f": line {_line_of_row(text, int(row[1]) - 1, line)}"
        if column is None:
            _, _, what = message.partition(row[0] if row else "CSV parse error: ")
            what = what.replace("Expected", "expected", 1).partition("\n")[0]
            cure = f"quote a value that contains {self._head.delimiter!r}"
            if what.count('"') % 2 == 1:
                cure = "close the quote"
            return GraphFileError(f"{where}: {what}: {cure}")
        name = self._head.names[int(column[1])]
        value = message.rpartition("invalid value ")[2]
        if "UTF8" in message:
            return GraphFileError(f"{where}: column {name!r}: expected UTF-8: convert the file")
        return GraphFileError(
            f"{where}: column {name!r}: expected a number, as in its first lines, got {value}: "
            "leave the cell empty if the number is missing, or read the column as text "
            "(dataset.categorical or dataset.ignore)"
        )

    def _broken_line(self, text: bytes, line: int) -> GraphFileError:
        """Error that names the first line with a cell that goes on in the next line."""
        rows = csv.reader(f"{row}\n" for row in text.decode("utf-8", "replace").split("\n"))
        before = at = 0
        with suppress(csv.Error):  # a cell that is too long, or a carriage return in a line
            for _ in rows:
                at = before
                if rows.line_num > before + 1:
                    break
                before = at = rows.line_num
        return GraphFileError(
            f"{self.path}: line {line + at}: expected one row per line, got a line break inside a "
            "cell or a carriage return inside a line: is a quote not closed?"
        )


def _read_head(path: Path, file: Any, header: bool | None) -> _Head:
    start, number = 0, 0
    while True:
        line = file.readline(LONGEST_LINE + 1)
        number += 1
        if not line:
            expected = "one id per line" if header is False else "a header and rows"
            raise GraphFileError(f"{path}: expected {expected}, got an empty file")
        if len(line) > LONGEST_LINE:
            raise GraphFileError(f"{path}: line {number}: longer than {LONGEST_LINE} bytes")
        content = line.removeprefix(_BOM) if number == 1 else line
        if content.strip() and not content.startswith(b"#"):
            break
        start += len(line)
    if b"\r" in content.rstrip(b"\r\n"):
        raise GraphFileError(
            f"{path}: line {number}: expected lines that end in \\n or \\r\\n, got a carriage "
            "return inside a line: convert the line ends"
        )
    try:
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise GraphFileError(
            f"{path}: line {number}: expected UTF-8, got {content[:40]!r}: convert the file"
        ) from error
    delimiter = "," if header is False else _delimiter(path, text)
    try:
        names = next(csv.reader([text], delimiter=delimiter))
    except csv.Error as error:
        raise GraphFileError(f"{path}: line {number}: {error}") from error
    if header is None:
        header = not all(_INTEGER.fullmatch(name.strip()) for name in names)
    if not header:
        first = start + (len(line) - len(content))
        numbered = [str(column) for column in range(len(names))]
        return _Head(numbered, delimiter, first, number, has_names=False)
    names = [name.strip() for name in names]
    for position, name in enumerate(names):
        if name == "":
            raise GraphFileError(
                f"{path}: line {number}: expected a name for each column, got none for column "
                f"{position + 1} (pandas writes its index so: use to_csv(index=False))"
            )
        if name in names[:position]:
            raise GraphFileError(
                f"{path}: line {number}: expected different names of columns, got {name!r} twice"
            )
    return _Head(names, delimiter, start + len(line), number + 1, has_names=True)


def _delimiter(path: Path, text: str) -> str:
    if ".tsv" in [suffix.lower() for suffix in path.suffixes]:
        return "\t"
    counts = {delimiter: text.count(delimiter) for delimiter in _DELIMITERS}
    best = max(counts, key=counts.__getitem__)
    if counts[best] > 0:
        return best
    return " " if " " in text else ","


def _kind(dtype: Any) -> Kind:
    from pyarrow import types

    if types.is_integer(dtype) or types.is_floating(dtype) or types.is_boolean(dtype):
        return "number"
    if types.is_null(dtype):
        return "number"
    if types.is_temporal(dtype):
        return "time"
    return "text"


def _line_of_row(text: bytes, row: int, line: int) -> int:
    numbers = (
        number for number, content in enumerate(text.split(b"\n"), line) if content.strip(b"\r")
    )
    return next(islice(numbers, row, None))
