"""Edges in Parquet files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from gatsparse.data.edge_list import EdgeListError, read_edge_list
from tests.data.edge_files.edge_lists import (
    DTYPES,
    INT64_MAX,
    assert_read,
    block_sizes,
    edges,
    fails,
)


@given(
    data=st.data(),
    dtype=st.sampled_from(DTYPES),
    row_group_size=st.integers(1, 40),
    swapped=st.booleans(),
)
def test_parquet(tmp_path_factory, data, dtype: str, row_group_size: int, swapped: bool):
    expected = data.draw(edges(high=min(np.iinfo(dtype).max, INT64_MAX)))
    src, dst = (pa.array(end.astype(dtype)) for end in expected)
    label = pa.array([0.5] * len(src))
    columns = {"x": label, "dst": dst, "src": src} if swapped else {"x": label, "a": src, "b": dst}
    path = tmp_path_factory.mktemp("parquet") / "edges.parquet"
    parquet.write_table(pa.table(columns), path, row_group_size=row_group_size)
    options = {"columns": ("src", "dst")} if swapped else {}
    assert_read(path, expected, block_size=data.draw(block_sizes), **options)


def write_parquet(path: Path, rows: int = 100, **options) -> Path:
    table = pa.table({"src": pa.array(range(rows)), "dst": pa.array(range(rows))})
    parquet.write_table(table, path, **{"row_group_size": 30, **options})
    return path


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        ({"a": [1]}, None, "expected two columns of integers, got 'a' (int64)"),
        ({"a": [1], "b": [0.5]}, None, "expected two columns of integers, got 'a' (int64), 'b' (d"),
        ({}, None, "expected two columns of integers, got none"),
        ({"a": [1], "b": ["2"]}, ("a", "b"), "column 'b': expected integers, got string"),
        ({"a": [True], "b": [2]}, ("a", "b"), "column 'a': expected integers, got bool"),
        ({"a": [1], "b": [2]}, ("a", "c"), "expected one column 'c', got 0 among 'a', 'b'"),
    ],
)
def test_parquet_columns(tmp_path: Path, columns, names, message: str):
    parquet.write_table(pa.table(columns), tmp_path / "edges.parquet")
    fails(tmp_path / "edges.parquet", message, columns=names)


def test_parquet_with_duplicate_names_raises(tmp_path: Path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    parquet.write_table(table, tmp_path / "edges.parquet")
    fails(tmp_path / "edges.parquet", "expected one column 'a', got 2 among 'a', 'a'")


@pytest.mark.parametrize("block_size", [1, 7, 100])
@pytest.mark.parametrize("row", [0, 29, 30, 75])
def test_parquet_with_a_bad_row(tmp_path: Path, row: int, block_size: int):
    path = tmp_path / "edges.parquet"
    values = list(range(100))
    for value, message in (
        (None, "column 'dst': expected an integer, got null"),
        (-1, "destination: expected 0 .. 99 (num_nodes=100), got -1"),
        (100, "destination: expected 0 .. 99 (num_nodes=100), got 100"),
    ):
        bad = [*values[:row], value, *values[row + 1 :]]
        parquet.write_table(pa.table({"src": values, "dst": bad}), path, row_group_size=30)
        fails(path, f"row {row}: {message}", num_nodes=100, block_size=block_size)


def test_parquet_beyond_int64(tmp_path: Path):
    table = pa.table({"a": pa.array([1, 2**63], pa.uint64()), "b": [1, 2]})
    parquet.write_table(table, tmp_path / "edges.parquet")
    fails(
        tmp_path / "edges.parquet",
        f"row 1: source: expected 0 .. {INT64_MAX}, got {2**63}",
    )


def test_parquet_truncated_anywhere(tmp_path: Path):
    path = write_parquet(tmp_path / "edges.parquet")
    content = path.read_bytes()
    for size in range(1, len(content), 13):
        path.write_bytes(content[:size])
        fails(
            path, "footer: truncated or corrupt Parquet (" if size > 3 else "truncated or corrupt"
        )
        path.write_bytes(content[size:])
        fails(path, "truncated or corrupt Parquet: no b'PAR1' at byte 0")


def test_parquet_with_a_damaged_row_group(tmp_path: Path):
    path = write_parquet(tmp_path / "edges.parquet", write_page_checksum=True)
    column = parquet.read_metadata(path).row_group(2).column(1)
    content = bytearray(path.read_bytes())
    content[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    fails(path, "row 60 or later, row group 2: truncated or corrupt Parquet (OSError: ")


def test_parquet_with_missing_rows_raises(tmp_path: Path):
    path = write_parquet(tmp_path / "edges.parquet", row_group_size=100)
    content, rows = path.read_bytes(), b"\x16%c\x01\x19"  # of the footer: 2 * rows, then a list
    assert content.count(rows % 200) == 1
    path.write_bytes(content.replace(rows % 200, rows % 202))
    fails(path, "corrupt Parquet, expected 101 rows, got 100")


def test_parquet_with_any_byte_changed(tmp_path: Path):
    path = write_parquet(tmp_path / "edges.parquet", compression="none")
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        with suppress(EdgeListError):
            assert read_edge_list(path).shape == (2, 100)
