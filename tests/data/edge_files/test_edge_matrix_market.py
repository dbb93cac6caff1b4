"""Edges in Matrix Market files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.io import mmwrite

from gatsparse.data.edge_list import read_edge_list, read_graph
from tests.data.edge_files.edge_lists import (
    MATRIX,
    TEXT,
    reads,
    refuses,
    write,
)


@given(
    symmetry=st.sampled_from(["general", "symmetric", "skew-symmetric", "hermitian"]),
    field=st.sampled_from(["pattern", "real", "integer", "complex"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_matrix_market_as_scipy_reads_it(tmp_path_factory, field: str, symmetry: str, seed: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    values = rng.integers(1, 3, (n, n)) * (rng.random((n, n)) < 0.4)
    if symmetry != "general":
        values = values + values.T
    if symmetry == "skew-symmetric":
        values = np.triu(values, 1) - np.triu(values, 1).T
    kind = {"pattern": int, "real": float, "integer": int, "complex": complex}[field]
    matrix = sparse.coo_array(values.astype(kind))
    path = tmp_path_factory.mktemp("mtx") / "edges.mtx"
    with path.open("wb") as file:
        mmwrite(file, matrix, comment=" two\n lines", field=field, symmetry=symmetry)
    edges = read_edge_list(path, block_size=int(rng.integers(1, 5)))
    found = sorted(zip(*edges.tolist(), strict=True))
    assert found == sorted(zip(*(end.tolist() for end in values.nonzero()), strict=True))
    graph = read_graph(path)
    assert graph.size == (n, n)  # also without an edge at the last node


def test_matrix_market_is_known_by_its_first_line(tmp_path: Path):
    expected = [[0, 1, 0, 2, 1], [0, 0, 1, 1, 2]]
    for suffix in (".mtx", *TEXT):
        reads(write(tmp_path / f"e{suffix}", MATRIX), expected)
        reads(write(tmp_path / f"e{suffix}", MATRIX.replace("%%Matrix", "%%MATRIX")), expected)
    reads(write(tmp_path / "e.mtx", MATRIX.replace("\n", "\r\n")), expected, base=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("%%MatrixMarket", "% Matrix", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("coordinate", "array", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("real", "quaternion", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("3 3 3\n", "3 3\n", "line 4: expected numbers of rows, columns and entries, got '3 3'"),
        ("3 3 3\n", "3 4 3\n", "line 4: expected a square matrix, got 3 rows and 4 columns"),
        ("3 3 3\n", "3 3 4\n", "expected 4 entries, as declared in the size line, got 3"),
        ("3 3 3\n", "3 3 2\n", "expected 2 entries, as declared in the size line, got 3"),
        ("3 3 3\n", "2 2 3\n", "line 8: source: expected 1 .. 2 (num_nodes=2)"),
        ("2 1 0\n", "2 0 0\n", "line 7: destination: expected 1 .. 3 (num_nodes=3)"),
        ("2 1 0\n", "2 1\n", "line 7: expected 3 fields, got 2"),
        ("2 1 0\n", "2 x 1\n", "line 7: destination: expected an integer, got 'x'"),
    ],
)
def test_damaged_matrix_market(tmp_path: Path, old: str, new: str, message: str):
    assert old in MATRIX
    refuses(write(tmp_path / "e.mtx", MATRIX.replace(old, new, 1)), message)


def test_places_in_a_symmetric_matrix(tmp_path: Path):
    path = write(tmp_path / "e.mtx", MATRIX.replace("3 3 3", "3 3 4") + "2 3 1\n")
    refuses(path, "line 9: expected every edge once, got 2 -> 3 again, first at line 8", read_graph)


def test_matrix_market_starts_at_one(tmp_path: Path):
    path = write(tmp_path / "e.mtx", MATRIX)
    with pytest.raises(
        ValueError, match=r"^base: expected 1 or None, as ids of .* start at 1, got 0"
    ):
        read_edge_list(path, base=0)
    refuses(path, "expected columns=None for a Matrix Market file", columns=("a", "b"))
