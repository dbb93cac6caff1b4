"""Edges in .npy files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatsparse.data.edge_list import read_edge_list
from tests.data.edge_files.edge_lists import (
    DTYPES,
    EDGES,
    INT64_MAX,
    assert_read,
    block_sizes,
    edges,
    fails,
)


@given(data=st.data(), dtype=st.sampled_from(DTYPES), swapped=st.booleans())
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path_factory, data, dtype: str, swapped: bool, pairs: bool, order):
    expected = data.draw(edges(high=min(np.iinfo(dtype).max, INT64_MAX)))
    if pairs and expected.shape[1] == 2:  # read as [2, E]
        expected = expected[:, :1]
    written = np.dtype(dtype).newbyteorder("S" if swapped else "=")
    path = tmp_path_factory.mktemp("npy") / "edges.npy"
    np.save(path, np.asarray(expected.T if pairs else expected, dtype=written, order=order))
    assert_read(path, expected, block_size=data.draw(block_sizes))


def test_npy_of_two_edges_is_read_by_rows(tmp_path: Path):
    np.save(tmp_path / "edges.npy", np.array([[0, 1], [2, 3]]))
    assert read_edge_list(tmp_path / "edges.npy").tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy_versions(tmp_path: Path, version):
    path = tmp_path / "edges.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, EDGES, version=version)
    assert_read(path, EDGES)


def test_npy_of_an_unknown_version_raises(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, EDGES)
    content = path.read_bytes()
    path.write_bytes(content[:6] + b"\x04" + content[7:])
    fails(path, "expected a valid .npy header, got an invalid one (unknown version (4, 0))")


def test_truncated_npy_raises(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, EDGES)
    content = path.read_bytes()
    assert len(content) == 128 + 64
    for size in range(1, 128):
        path.write_bytes(content[:size])
        fails(path, "expected a valid .npy header, got an invalid one (")
    for size in range(128, 192):
        path.write_bytes(content[:size])
        fails(path, f"expected 192 bytes with int64 [2, 4], got {size}: truncated at byte {size}")


def test_npy_with_trailing_bytes_raises(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, EDGES)
    path.write_bytes(path.read_bytes() + b"\0")
    fails(path, "expected 192 bytes with int64 [2, 4], got 193: more data")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (EDGES.astype(np.float32), "expected integers, got dtype float32"),
        (EDGES > 1, "expected integers, got dtype bool"),
        (EDGES.astype(str), "expected integers, got dtype <U21"),
        (np.zeros(3, dtype=[("a", "i4"), ("b", "i4")]), "expected integers, got dtype [('a'"),
        (EDGES[0], "expected shape [2, E] or [E, 2], got [4]"),
        (np.zeros((3, 4), dtype=int), "expected shape [2, E] or [E, 2], got [3, 4]"),
        (np.zeros((2, 2, 2), dtype=int), "expected shape [2, E] or [E, 2], got [2, 2, 2]"),
        (np.zeros((), dtype=int), "expected shape [2, E] or [E, 2], got []"),
    ],
)
def test_npy_of_other_arrays_raises(tmp_path: Path, array: np.ndarray, message: str):
    np.save(tmp_path / "edges.npy", array)
    fails(tmp_path / "edges.npy", message)


class _Command:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def test_npy_runs_no_code(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, np.array([[_Command()] * 2] * 2), allow_pickle=True)
    fails(path, "expected integers, got dtype object")
    path.write_bytes(pickle.dumps(_Command()))
    fails(path, "expected a valid .npy header, got an invalid one (")


@pytest.mark.parametrize("block_size", [1, 3, 100])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("pairs", [False, True])
def test_npy_out_of_range(tmp_path: Path, pairs: bool, order, block_size: int):
    path = tmp_path / "edges.npy"
    for edge in range(4):
        for end, name in enumerate(["source", "destination"]):
            array = EDGES.astype(np.int16)
            array[end, edge] = 6
            array[:, edge + 1 :] = -1  # of several, the first one is named
            np.save(path, np.asarray(array.T if pairs else array, order=order))
            byte = path.read_bytes().index(b"\6\0", 128)
            fails(
                path,
                f"edge {edge} (byte {byte}): {name}: expected 0 .. 5 (num_nodes=6), got 6",
                num_nodes=6,
                block_size=block_size,
            )


@pytest.mark.parametrize(
    ("dtype", "value"), [("i1", -1), ("i8", -(2**63)), ("u8", 2**63), ("u8", 2**64 - 1)]
)
def test_npy_beyond_int64_raises(tmp_path: Path, dtype: str, value: int):
    array = EDGES.astype(dtype)
    array[1, 2] = value
    np.save(tmp_path / "edges.npy", array)
    byte = 128 + 6 * array.itemsize
    fails(
        tmp_path / "edges.npy",
        f"edge 2 (byte {byte}): destination: expected 0 .. {INT64_MAX}, got {value}",
    )
