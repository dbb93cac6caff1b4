"""Slow, independent readers of edges, which give the expected content of a file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from gatsparse.data.edge_files.columns import is_header, recognize_columns

_NAME = r"""["']?[A-Za-z_:~\x80-\xff]|$"""
_UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
_UNPACK[".zst"] = lambda content: pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()


def expected_edges(suffix: str, content: bytes, options: dict) -> list[tuple[int, int]] | None:
    """Reads edges by a slow reader, NumPy or pyarrow; returns None if the file is invalid."""
    if suffix == ".npy":
        return _edges_of_npy(content)
    if suffix == ".parquet":
        return _edges_of_parquet(content)
    suffixes = Path("e" + suffix).suffixes
    if len(suffixes) > 1:
        try:
            content = _UNPACK[suffixes[1]](content)
        except Exception:  # whatever a library raises
            return None
    edges = _edges_of_text(content, options)
    if edges is not None and "base" in options and not _is_matrix(content):
        edges = [(src - 1, dst - 1) for src, dst in edges]
    return edges


def _edges_of_npy(content: bytes) -> list[tuple[int, int]] | None:
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.ndim != 2 or 2 not in array.shape or array.dtype.kind not in "iu":
        return None
    return [(int(a), int(b)) for a, b in (array.T if array.shape[0] == 2 else array)]


def _edges_of_parquet(content: bytes) -> list[tuple[int, int]] | None:
    file = parquet.ParquetFile(pa.BufferReader(content))
    names = file.schema_arrow.names
    integers = [i for i, f in enumerate(file.schema_arrow) if pa.types.is_integer(f.type)]
    chosen = [names[i] for i in recognize_columns(names, integers)]
    table = file.read(columns=chosen)
    src, dst = (table.column(name).to_pylist() for name in chosen)
    return list(zip(src, dst, strict=True))


def _is_matrix(content: bytes) -> bool:
    return content.removeprefix(b"\xef\xbb\xbf").lower().startswith(b"%%matrixmarket")


def _edges_of_text(content: bytes, options: dict) -> list[tuple[int, int]] | None:
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if any("\r" in line for line in lines):
        return None
    matrix = lines[0].lower().split() if _is_matrix(content) else None
    comments = [line for line in lines if re.match(r"[ \t]*(#|%|//)", line)]
    used = [line for line in lines if line.strip(" \t") and line not in comments]
    if not used:
        return None
    if matrix is not None:
        n, _, count = map(int, used[0].split())
        rows = [
            [int(word) for word in re.split(r"[ \t]+", line.strip(" \t"))[:2]] for line in used[1:]
        ]
        if len(rows) != count or not all(0 < i <= n for row in rows for i in row):
            return None
        edges = []
        shift = 0 if options.get("relabel") else 1
        for i, j in ((i - shift, j - shift) for i, j in rows):
            edges += [(i, j)] if matrix[4] == "general" or i == j else [(i, j), (j, i)]
        return edges
    first = lines.index(used[0])
    head = [line for line in lines[:first] if line in comments]
    for delimiter in [",", ";", "|", "\t", " "]:
        edges = _edges_by_delimiter(used, head, delimiter)
        if edges is not None:
            return edges
    return None


def _name(field: str) -> str:
    return field.strip(" \"'").encode("latin-1").decode(errors="replace")


def _fields(line: str, delimiter: str) -> list[str]:
    """Returns the fields of a line; quoted fields may contain delimiters."""
    if delimiter == " ":
        line = re.sub(r"[ \t]+", " ", line).strip(" ")
    fields, quoted, closed = [""], False, False
    for char in line:
        if char == '"' and (quoted or closed or not fields[-1].strip(" ")):
            quoted, closed = not quoted, quoted
        elif char == delimiter and not quoted:
            fields.append("")
            closed = False
        else:
            closed = False
            fields[-1] += char
    fields = [field.strip(" \t") for field in fields]
    return [re.sub(r"^'(-?[0-9]+)'$", r"\1", field) for field in fields]


def _edges_by_delimiter(used, comments, delimiter) -> list[tuple[int, int]] | None:
    def cut(line: str, width: int = 2) -> str:
        start = line.find("{")
        before = line[: max(start, 0)].rstrip(" \t,;|")
        return before if 0 < len(before) < start and width == 2 else line

    def number(field: str) -> int | None:
        if re.fullmatch(r"-?[0-9]+", field):
            return int(field)
        return int(field, 16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", field) else None

    names = _fields(used[0], delimiter)
    chosen, rows = (0, 1), used
    first = _fields(cut(used[0]), delimiter)
    width = 2 if len(first) == 2 else len(names)
    if len(first) < 2:
        return None
    if number(first[0]) is None or number(first[1]) is None:
        if not all(re.match(_NAME, name) for name in names):
            return None
        try:
            chosen, rows = recognize_columns(list(map(_name, names))), used[1:]
        except ValueError:  # no header with this delimiter
            return None
        width, named = len(names), True
    else:
        named = False
        for line in reversed(comments):
            start = r"^[ \t]*(#+|%+|//+)([ \t]*(columns?|fields?|format|header):)?"
            above = _fields(re.sub(start, "", line, flags=re.IGNORECASE), delimiter)
            named_above = any(above) and all(re.match(_NAME, name) for name in above)
            head = list(map(_name, above))
            if len(head) == width and named_above and is_header(head, delimiter == " "):
                chosen = recognize_columns(head)
                break
    edges = []
    for line in rows:
        line = line if named else cut(line, width)
        if line.count('"') % 2 > 0:
            return None
        fields = _fields(line, delimiter)
        if len(fields) != width:
            return None
        src, dst = (number(fields[column]) for column in chosen)
        if src is None or dst is None:
            return None
        edges.append((src, dst))
    return edges
