"""Inspection of columns that no model can use."""

import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from gatsparse.data import GraphFileError, GraphFiles
from gatsparse.data.graph_files.files import open_table
from gatsparse.inspection import inspect_graph
from gatsparse.inspection.columns import summarize_columns


def summary(folder, column):
    pyarrow.parquet.write_table(pa.table({"c": column}), folder / "t.parquet")
    return summarize_columns(open_table(folder / "t.parquet"))["c"]


def test_numbers_whose_squares_overflow(tmp_path):
    assert not summary(tmp_path, [1e300, 1e300, -1.0]).std <= 1e300
    assert not np.isfinite(summary(tmp_path, [np.inf, -np.inf]).mean)


def test_uuids_are_counted_as_text(tmp_path):
    ids = pa.array([uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes], pa.uuid())
    found = summary(tmp_path, ids)
    assert (found.kind, found.missing, found.num_distinct) == ("text", 1, 2)


def test_text_that_is_not_utf8_names_its_column(tmp_path):
    with pytest.raises(GraphFileError, match="column 'c': expected UTF-8"):
        summary(tmp_path, [b"\xff"])


@pytest.mark.parametrize("name", ["age", "label"])
def test_text_among_different_numbers_is_an_error(tmp_path, name):
    """A column of numbers with a bad cell is neither ignored nor classes."""
    numbers = "".join(f"{k},{k}.5\n" for k in range(40)).replace("30,30.5", "30,1_000")
    (tmp_path / "nodes.csv").write_text(f"id,{name}\n{numbers}")
    if name == "label":
        np.save(tmp_path / "x.npy", np.ones((40, 2)))
    (tmp_path / "edges.csv").write_text("source,target\n0,1\n")
    with pytest.raises(GraphFileError, match=rf"line 32: column '{name}': expected .* '1_000'"):
        inspect_graph(GraphFiles(tmp_path))
