"""Files of edges for tests, and checks of the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import strategies as st
from pyarrow import parquet

from gatsparse.data.edge_list import EdgeListError, read_edge_list

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
DTYPES = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]
EDGES = np.array([[0, 5, 2, 3], [1, 4, 2, 0]])  # two rows, so that [4, 2] is not ambiguous


def fails(path: Path, message: str, read=read_edge_list, **options) -> None:
    """Checks that the error begins with the file and :obj:`message`."""
    with pytest.raises(EdgeListError) as error:
        read(path, **options)
    assert str(error.value).startswith(f"{path}: {message}"), error.value


@st.composite
def edges(draw: st.DrawFn, high: int = INT64_MAX) -> np.ndarray:
    """Draws int64 ``[2, E]``, with mostly small numbers."""
    node = st.one_of(st.integers(0, min(high, 9)), st.integers(0, high))
    pairs = draw(st.lists(st.tuples(node, node), max_size=30))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


block_sizes = st.integers(1, 40)


def assert_read(path: Path, expected: np.ndarray, **options) -> None:
    edge_index = read_edge_list(path, **options)
    fits = expected.max(initial=0) <= INT32_MAX
    assert edge_index.dtype == (torch.int32 if fits else torch.int64)
    assert edge_index.is_contiguous()
    assert np.array_equal(edge_index.numpy(), expected)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


LISTS = EDGES.tolist()
TEXT = [".csv", ".tsv", ".txt", ".edges", ".edgelist", ".el"]
MATRIX = (
    "%%MatrixMarket matrix coordinate real symmetric\n% c\n\n3 3 3\n1 1 0.5\n%\n2 1 0\n3 2 1e9\n"
)


def reads(path, expected=LISTS, **options) -> None:
    """Checks the edges for several sizes of blocks."""
    for block_size in (1, 2, 1000):
        assert read_edge_list(path, block_size=block_size, **options).tolist() == expected


def refuses(path, message: str, read=read_edge_list, **options) -> None:
    """Checks that the error contains :obj:`message` for several sizes of blocks."""
    for block_size in (1, 1000):
        with pytest.raises(EdgeListError) as error:
            read(path, block_size=block_size, **options)
        assert message in str(error.value)


def lines(pattern: str, ends=LISTS) -> str:
    """Returns lines of edges, formatted by a pattern with two fields."""
    return "".join(pattern.format(src, dst) for src, dst in zip(*ends, strict=True))


def write_table(path: Path, ends: np.ndarray) -> Path:
    """Writes a table of edges with the columns ``src`` and ``dst``, or an array."""
    if path.suffix == ".npy":
        np.save(path, ends)
    elif path.suffix in (".parquet", ".pq"):
        parquet.write_table(pa.table({"src": ends[0], "dst": ends[1]}), path)
    else:
        pd.DataFrame(ends.T, columns=["src", "dst"]).to_csv(path, index=False)
    return path
