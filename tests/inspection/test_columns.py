"""Summaries of columns, read block by block."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.parquet
import pytest

from gatsparse.data.graph_files.files import open_table
from gatsparse.inspection.columns import ColumnSummary, summarize_columns


@pytest.fixture
def summaries(tmp_path) -> dict[str, ColumnSummary]:
    path = tmp_path / "nodes.csv"
    path.write_text("id,a,b,c,day\nx,1,,red,2024-01-01\ny,3,0.5,,\nz,,0.5,red,2024-02-01\n")
    return summarize_columns(open_table(path))


def test_numbers(summaries):
    a = summaries["a"]
    assert (a.kind, a.count, a.missing, a.low, a.high, a.nonzero) == ("number", 3, 1, 1, 3, 2)
    assert (a.mean, a.std, a.whole, a.values) == (2, 1, True, {1, 3})
    assert not summaries["b"].whole


def test_texts_and_times(summaries):
    assert (summaries["c"].missing, summaries["c"].values) == (1, {"red"})
    assert (summaries["day"].kind, summaries["day"].missing) == ("time", 1)
    assert summaries["id"].num_distinct == 3


@pytest.mark.parametrize(
    ("first", "missing", "values"),
    [("red", 1, {"red", "1.0", "1", "NA"}), ("2", 3, {"2", "1"}), ("NA", 4, {"1"})],
)
def test_a_word_decides_for_the_blocks_without_one(tmp_path, monkeypatch, first, missing, values):
    """As load_files, which reads the whole column."""
    monkeypatch.setattr("gatsparse.data.graph_files.parquet_table._ROWS", 1)
    column = pa.table({"c": [first, "1.0", "NA", "", "1", "NA"]})
    pyarrow.parquet.write_table(column, tmp_path / "nodes.parquet")
    found = summarize_columns(open_table(tmp_path / "nodes.parquet"))["c"]
    assert (found.count, found.missing, found.values) == (6, missing, values)


def test_many_values_are_not_kept(tmp_path):
    path = tmp_path / "nodes.csv"
    path.write_text("id,a\n" + "".join(f"n{i},{i}\n" for i in range(5000)))
    found = summarize_columns(open_table(path))
    assert all(summary.many and len(summary.values) <= 1002 for summary in found.values())
    assert found["a"].std == pytest.approx(math.sqrt((5000**2 - 1) / 12))
