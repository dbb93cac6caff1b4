"""Summaries of columns, read block by block."""

from __future__ import annotations

import math

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


def test_many_values_are_not_kept(tmp_path):
    path = tmp_path / "nodes.csv"
    path.write_text("id,a\n" + "".join(f"n{i},{i}\n" for i in range(5000)))
    found = summarize_columns(open_table(path))
    assert all(summary.many and len(summary.values) <= 1002 for summary in found.values())
    assert found["a"].std == pytest.approx(math.sqrt((5000**2 - 1) / 12))
