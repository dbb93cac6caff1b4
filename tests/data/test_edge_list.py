"""Lists of edges and graphs, in all formats."""

from __future__ import annotations

import gzip
import io
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv, parquet
from rich.console import Console

from gatsparse.data.edge_list import EdgeListError, read_edge_list, read_graph
from tests.data.edge_files.edge_lists import (
    EDGES,
    INT32_MAX,
    INT64_MAX,
    assert_read,
    fails,
    write,
)

SUFFIXES = [".npy", ".parquet", ".csv", ".csv.gz", ".tsv", ".txt"]


def write_edges(folder: Path, suffix: str, array: np.ndarray) -> Path:
    path = folder / f"edges{suffix}"
    if suffix == ".npy":
        np.save(path, array)
    elif suffix == ".parquet":
        parquet.write_table(pa.table({"src": array[0], "dst": array[1]}), path)
    else:
        separator = {".csv": ",", ".tsv": "\t", ".txt": " "}[suffix.removesuffix(".gz")]
        lines = "".join(f"{src}{separator}{dst}\n" for src, dst in array.T).encode()
        path.write_bytes(gzip.compress(lines) if suffix.endswith(".gz") else lines)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_dtype(tmp_path: Path, suffix: str):
    path = write_edges(tmp_path, suffix, EDGES)
    for num_nodes, dtype in (
        (None, torch.int32),
        (6, torch.int32),
        (INT32_MAX, torch.int32),
        (INT32_MAX + 1, torch.int64),
        (INT64_MAX, torch.int64),
    ):
        edge_index = read_edge_list(str(path), num_nodes=num_nodes)
        assert edge_index.dtype == dtype
        assert edge_index.tolist() == EDGES.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("edge", [0, 2, 4])
def test_large_indices_widen_to_int64(tmp_path: Path, suffix: str, edge: int):
    for value, dtype in ((INT32_MAX, torch.int32), (INT32_MAX + 1, torch.int64)):
        array = np.repeat(EDGES, 10, axis=1)
        array[1, 10 * edge - 1] = value
        edge_index = read_edge_list(write_edges(tmp_path, suffix, array), block_size=3)
        assert edge_index.dtype == dtype
        assert edge_index.tolist() == array.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_file_raises(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    path.write_bytes(b"")
    fails(path, "the file is empty")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_file_raises(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        read_edge_list(path)
    path.mkdir()
    fails(path, "expected files of edges, got an empty folder")
    with pytest.raises(IsADirectoryError, match=re.escape(str(path))):
        read_edge_list([path])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_random_bytes_raise(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    for seed in range(20):
        path.write_bytes(np.random.default_rng(seed).bytes(1000))
        with pytest.raises(EdgeListError) as error:
            read_edge_list(path)
        assert str(error.value).startswith(f"{path}: ")


def test_unknown_format_raises(tmp_path: Path):
    path = write(tmp_path / "edges.npy.gz", "1,2\n")
    fails(path, "expected a name that ends in one of .npy, .parquet, .pq, .csv, .tsv, .txt, ")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_nodes": -1}, ValueError, r"num_nodes: expected 0 \.\. 2\*\*63 - 1, got -1"),
        ({"num_nodes": 2**63}, ValueError, "num_nodes: expected"),
        ({"num_nodes": 1.5}, TypeError, "num_nodes: expected an integer, got 1.5"),
        ({"block_size": 0}, ValueError, r"block_size: expected 1 \.\. 2\*\*63 - 1, got 0"),
        ({"block_size": None}, TypeError, "block_size: expected an integer, got None"),
        (
            {"columns": ("a", "b")},
            ValueError,
            "columns: expected None, as .* has no column names, got",
        ),
        ({"columns": ("a", "a")}, ValueError, "columns: expected two different columns, got"),
        ({"columns": ("a",)}, ValueError, "columns: expected two different columns, got"),
        ({"columns": "ab"}, TypeError, "columns: expected two names or two positions, got 'ab'"),
        ({"columns": ("a", 1)}, TypeError, r"columns: expected two names or two positions, got \("),
        ({"columns": (True, False)}, TypeError, "columns: expected two names or two positions"),
        ({"columns": (0, -1)}, ValueError, "columns: expected positions from 0, got"),
    ],
)
@pytest.mark.parametrize("read", [read_edge_list, read_graph])
def test_bad_arguments_raise(tmp_path: Path, read, options, error, message: str):
    path = write_edges(tmp_path, ".npy", EDGES)
    with pytest.raises(error, match=f"^{message}"):
        read(path, **options)


def test_missing_pyarrow_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_read(write_edges(tmp_path, ".npy", EDGES), EDGES)
    for suffix in SUFFIXES[1:]:
        path = tmp_path / f"edges{suffix}"
        path.write_bytes(b"1,2\n")
        with pytest.raises(ImportError, match=r"needs pyarrow, .*pip install 'gatsparse\[large\]'"):
            read_edge_list(path)


def resident(key: str) -> int:
    """Returns bytes of this process."""
    return int(Path("/proc/self/status").read_text().split(key)[1].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be reset on Linux alone")
@pytest.mark.parametrize(
    ("suffix", "size"), [(".npy", 2**24), (".csv", 2**22), (".parquet", 2**23)]
)
def test_memory_is_bounded(tmp_path: Path, suffix: str, size: int):
    """Memory is that of the result, a chunk and a few blocks, but not of the file or of int64."""
    array = np.random.default_rng(0).integers(0, 10**6, (2, size))
    path = tmp_path / f"edges{suffix}"
    if suffix == ".npy":
        np.save(path, array)
    elif suffix == ".csv":
        csv.write_csv(pa.table({"src": array[0], "dst": array[1]}), path)
    else:
        table = pa.table({"src": array[0], "dst": array[1]})
        parquet.write_table(table, path, use_dictionary=False, row_group_size=size)
        del table
    del array
    pa.default_memory_pool().release_unused()
    threads = pa.cpu_count()
    pa.set_cpu_count(1)
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
        before = resident("VmRSS:")
        edge_index = read_edge_list(path, block_size=2**16)
        peak = resident("VmHWM:") - before
    finally:
        pa.set_cpu_count(threads)
    assert edge_index.nbytes == 8 * size
    assert peak < edge_index.nbytes + 2**26


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_progress(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch):
    path = write_edges(tmp_path, suffix, np.repeat(EDGES, 300, axis=1))
    path = path.rename(tmp_path / f"[red]{path.name}")  # no markup

    def shown(terminal: bool, **options) -> str:
        out = io.StringIO()

        def console(**arguments):
            return Console(file=out, force_terminal=terminal, width=200, **arguments)

        monkeypatch.setattr("gatsparse.data.edge_files.progress.Console", console)
        read_edge_list(path, block_size=100, **options)
        return out.getvalue()

    assert shown(terminal=True) == ""
    line = f"reading edges: {path} (0.0 MB)\n"
    assert shown(terminal=False, progress=True) == line
    on_terminal = shown(terminal=True, progress=True)
    assert on_terminal.startswith(line)
    assert f"[red]edges{suffix}" in on_terminal.removeprefix(line)
    assert "100%" in on_terminal
    assert "1,200 edges" in on_terminal


# Graphs


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_graph(tmp_path: Path, suffix: str):
    path = write_edges(tmp_path, suffix, EDGES)
    graph = read_graph(path, num_nodes=8)
    assert (graph.size, graph.num_edges) == ((8, 8), 4)
    assert graph.edge_index().tolist() == EDGES.tolist()
    assert read_graph(path).size == (6, 6)
    fails(path, "", read=read_graph, num_nodes=5)


#: The places of the second and the sixth of EDGES with edge 1 once more.
PLACES = {
    ".npy": ("edge 5 (byte 168)", "edge 1 (byte 136)"),
    ".parquet": ("row 5", "row 1"),
    **dict.fromkeys((".csv", ".csv.gz", ".tsv", ".txt"), ("line 6", "line 2")),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_duplicates(tmp_path: Path, suffix: str):
    array = np.concatenate([EDGES, [[4], [5]], EDGES[:, 1:2], EDGES], axis=1)
    path = write_edges(tmp_path, suffix, array)
    second, first = PLACES[suffix]
    for block_size in (1, 100):
        fails(
            path,
            f"{second}: expected every edge once, got 5 -> 4 again, first at {first} "
            "(duplicates='keep' keeps both)",
            read=read_graph,
            block_size=block_size,
        )
    graph = read_graph(path, duplicates="keep")
    assert graph.edge_index().tolist() == array.tolist()


@given(data=st.data())
def test_lines_of_duplicates(tmp_path_factory, data):
    node = st.integers(0, 4)
    lines = data.draw(st.lists(st.one_of(st.none(), st.tuples(node, node)), max_size=12))
    lines = [(0, 4), *lines]
    text = "\n".join("" if line is None else f"{line[0]} {line[1]}" for line in lines)
    path = write(tmp_path_factory.mktemp("twice") / "edges.txt", f"# first\n{text}\n")
    block_size = data.draw(st.integers(1, 3))
    for number, line in enumerate(lines):
        if line is not None and line in lines[:number]:
            src, dst = line
            fails(
                path,
                f"line {number + 2}: expected every edge once, got {src} -> {dst} again, "
                f"first at line {lines.index(line) + 2} ",
                read=read_graph,
                block_size=block_size,
            )
            return
    assert read_graph(path, block_size=block_size).num_edges == len(lines) - lines.count(None)


def test_bad_duplicates_option_raises(tmp_path: Path):
    path = write_edges(tmp_path, ".npy", EDGES)
    with pytest.raises(ValueError, match=r"^duplicates: expected 'error' or 'keep', got 'sum'"):
        read_graph(path, duplicates="sum")  # pyright: ignore[reportArgumentType]
