"""Folders and lists of files, and paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatsparse.data.edge_list import read_edge_list, read_graph
from tests.data.edge_files.edge_lists import (
    MATRIX,
    lines,
    reads,
    refuses,
    write,
    write_table,
)


def test_parts(tmp_path: Path):
    folder = tmp_path / "edges"
    folder.mkdir()
    paths = [
        write(folder / "part-1.csv", "src,dst\n0,1\n"),
        write_table(folder / "part-2.pq", np.array([[5], [4]])),
        write(folder / "part-9.txt", "# nothing\n2 2\n"),
        write(folder / "part-10.csv", "dst,src\n0,3\n"),
        write(folder / "part-00011", "1 1\n"),
    ]
    for name in (".part-0.crc", "_SUCCESS", ".hidden", "_metadata"):
        write(folder / name, "")
    expected = [[0, 5, 2, 3, 1], [1, 4, 2, 0, 1]]
    for path in (folder, str(folder), paths, tuple(map(str, paths))):
        reads(path, expected)
        assert read_graph(path).edge_index().tolist() == expected
    reads(paths[::-1], [end[::-1] for end in expected])
    refuses(folder, f"{paths[1]}: row 0: source: expected 0 .. 4", num_nodes=5)
    refuses(
        [*paths, paths[0]],
        f"{paths[0]}: line 2: expected every edge once, got 0 -> 1 again",
        read_graph,
    )
    other = write(tmp_path / "z.txt", "#\n5 4\n")
    message = (
        f"{other}: line 2: expected every edge once, got 5 -> 4 again, first at {paths[1]}: row 0"
    )
    refuses([*paths, other], message, read_graph)


def test_folders_without_edge_files_raise(tmp_path: Path):
    refuses(tmp_path, "expected files of edges, got an empty folder")
    refuses([], "path: expected at least one file, got an empty list")
    write(tmp_path / "a.csv", "0,1\n")
    notes = write(tmp_path / "notes.md", "text")
    refuses(tmp_path, f"{notes}: expected a name that ends in one of ")
    notes.unlink()
    empty = write(tmp_path / "b.csv", "")
    refuses(tmp_path, f"{empty}: the file is empty")
    empty.unlink()
    (tmp_path / "year=2020").mkdir()
    refuses(tmp_path, "expected files, got the folder 'year=2020' (pass a list of files)")


def test_parts_that_start_at_different_ids(tmp_path: Path):
    paths = [write(tmp_path / "a.mtx", MATRIX), write(tmp_path / "b.txt", "1 2\n")]
    refuses(paths, "ids start at 0 in some files and at 1 in others; pass base=1")
    reads(paths, [[0, 1, 0, 2, 1, 0], [0, 0, 1, 1, 2, 1]], base=1)


def test_frames_of_pandas_in_npy(tmp_path: Path):
    frame = pd.read_csv(write(tmp_path / "e.csv", "src,dst\n" + lines("{},{}\n")))
    array = frame.to_numpy()
    assert array.flags.f_contiguous
    np.save(tmp_path / "e.npy", array)
    reads(tmp_path / "e.npy")
    np.save(tmp_path / "e.npy", array.T)
    reads(tmp_path / "e.npy")


def test_home_folder_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "e.csv", lines("{},{}\n"))
    reads("~/e.csv")
    reads(["~/e.csv"])
    reads(Path("~"))
    with pytest.raises(FileNotFoundError, match=r"~nobody-there/e\.csv"):
        read_edge_list("~nobody-there/e.csv")


def test_text_of_16_bits(tmp_path: Path):
    path = tmp_path / "e.csv"
    path.write_text(lines("{},{}\n"), encoding="utf-16")
    refuses(path, "line 1: expected ASCII or UTF-8, got UTF-16: save the file as UTF-8")


@pytest.mark.parametrize(
    ("path", "options", "error", "message"),
    [
        (3, {}, TypeError, "path: expected a file, a folder or a list of files, got 3"),
        (None, {}, TypeError, "path: expected a file, a folder or a list of files, got None"),
        (b"e.csv", {}, TypeError, "path: expected a file, a folder or a list of files, got b"),
        ([3], {}, TypeError, "path: expected a file, a folder or a list of files, got 3"),
        ("e.csv", {"base": 2}, ValueError, r"base: expected 0 \.\. 1, got 2"),
        ("e.csv", {"base": "1"}, TypeError, "base: expected an integer, got '1'"),
        ("e.csv", {"relabel": 1}, TypeError, "relabel: expected True or False, got 1"),
        ("e.csv", {"relabel": True, "base": 1}, ValueError, "base: expected None with relabel="),
        ("e.csv", {"relabel": True, "num_nodes": 1}, ValueError, "num_nodes: expected None with"),
    ],
)
@pytest.mark.parametrize("read", [read_edge_list, read_graph])
def test_bad_arguments_raise(path, options, error, message: str, read):
    with pytest.raises(error, match=f"^{message}"):
        read(path, **options)
