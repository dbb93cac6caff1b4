"""Edge lists as they are found: separators, comments, compression, Matrix Market, parts, ids."""

from __future__ import annotations

import bz2
import gzip
import lzma
from itertools import product
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.io import mmwrite

from gatsparse.data import EdgeListError, RelabeledEdges, RelabeledGraph
from gatsparse.data.edge_list import read_edge_list, read_graph

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

EDGES = [[0, 5, 2, 3], [1, 4, 2, 0]]
TEXT = [".csv", ".tsv", ".txt", ".edges", ".edgelist", ".el"]
PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def assert_read(path, expected=EDGES, **options) -> None:
    for block_size in (1, 2, 1000):
        assert read_edge_list(path, block_size=block_size, **options).tolist() == expected


def fails(path, message: str, read=read_edge_list, **options) -> None:
    for block_size in (1, 1000):
        with pytest.raises(EdgeListError) as error:
            read(path, block_size=block_size, **options)
        assert message in str(error.value)


def lines(pattern: str, ends=EDGES) -> str:
    return "".join(pattern.format(src, dst) for src, dst in zip(*ends, strict=True))


@pytest.mark.parametrize("suffix", TEXT)
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", " ", "  ", ", ", " ; ", "\t\t", " | "])
def test_separators_whatever_the_suffix(tmp_path: Path, suffix: str, separator: str):
    if suffix == ".tsv" and separator == "\t\t":
        separator = "\t "  # a tab after a tab is an empty field
    for head in ("", f"src{separator}dst\n"):
        path = tmp_path / f"edges{suffix}"
        assert_read(write(path, head + lines(f"{{}}{separator}{{}}\n")))
    path = write(path, lines(f"{{}}{separator}{{}}{separator}0.5{separator}7\n"))
    assert_read(path)  # further columns are ignored
    fails(write(path, path.read_text() + f"1{separator}2\n"), "line 5: expected 4 fields, got 2")


@pytest.mark.parametrize("comment", ["# a", "#", "#1,2", "% 3 4", "%%", "// 5 6", "  # b", "\t%"])
@pytest.mark.parametrize("separator", [",", " "])
def test_comments_anywhere(tmp_path: Path, comment: str, separator: str):
    pattern = f"{{}}{separator}{{}}\n"
    path = write(tmp_path / "edges.csv", comment + "\n" + lines(pattern + comment + "\n"))
    assert_read(path)
    path = write(tmp_path / "edges.txt", comment + "\r\n \r\n" + lines(pattern + comment + "\r\n"))
    assert_read(path)
    bad = write(tmp_path / "bad.csv", f"0{separator}1\n{comment}\n\n2{separator}x\n")
    fails(bad, "line 4: destination: expected an integer, got 'x'")
    twice = write(tmp_path / "twice.csv", f"0{separator}1\n{comment}\n \n0{separator}1\n")
    fails(twice, "line 4: expected every edge once, got 0 -> 1 again, which is line 1", read_graph)


def test_comments_before_a_column_of_text(tmp_path: Path):
    path = write(tmp_path / "edges.csv", "name,src,dst\na,0,1\n#b,7,7\nc,5,4\n//,9,9\n")
    assert_read(path, [[0, 5], [1, 4]])


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", " "])
def test_quoted_numbers(tmp_path: Path, quote: str, separator: str):
    pattern = f"{quote}{{}}{quote}{separator}{quote}{{}}{quote}\n"
    path = tmp_path / "edges.csv"
    assert_read(write(path, lines(pattern)))
    assert_read(
        write(path, lines("{}" + separator + "{}\n") + lines(pattern)), np.tile(EDGES, 2).tolist()
    )
    assert_read(write(path, f"{quote}dst{quote}{separator}src\n" + lines(pattern)), EDGES[::-1])
    fails(write(path, lines(pattern) + f"{quote}1{separator}2\n"), "line 5: ")


def test_quoted_text_with_separators(tmp_path: Path):
    path = write(tmp_path / "e.csv", 'src,name,dst\n0,"a, ""b"" c",1\n5,,4\n2,"#",2\n3," x ",0\n')
    assert_read(path)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", " "])
def test_blanks_beside_quotes(tmp_path: Path, delimiter: str):
    names = delimiter.join(["src", '"name"', "dst", "z"])
    pattern = delimiter.join(["{}", ' "a, b" ', ' "{}"', ' "d"']) + "\n"
    if delimiter == " ":
        pattern = pattern.replace("a, b", "ab")
    assert_read(write(tmp_path / "e.csv", f"{names}\n{lines(pattern)}"))
    assert_read(write(tmp_path / "e.csv", f' "1"{delimiter} "2" \n'), [[1], [2]])


def test_empty_fields_at_the_end(tmp_path: Path):
    assert_read(write(tmp_path / "e.txt", '0\t1\t\n5\t4\t"a, b"\n2\t2\tc\n3\t0\t\n'))
    assert_read(write(tmp_path / "e.txt", '0\t1\t"a"\t\n5\t4\t\t\n2\t2\tc\td\n3\t0\t\t\n'))


def test_lines_never_end_within_quotes(tmp_path: Path):
    """Otherwise the lines up to the next quote would be lost."""
    text = 'src,dst,name\n0,1,"a\n5,4,b\n2,2,"c"\n3,0,d\n'
    fails(write(tmp_path / "e.csv", text), "line 2: expected quotes that are closed")


def test_attributes_of_networkx(tmp_path: Path):
    graph = nx.DiGraph()
    for position, (src, dst) in enumerate(zip(*EDGES, strict=True)):
        attributes = {"weight": position, "name": "a {b} # c"} if position % 2 else {}
        graph.add_edge(src, dst, **attributes)
    expected = list(map(list, zip(*graph.edges, strict=True)))
    for delimiter, suffix, data in product((" ", ",", "\t"), TEXT, (True, False)):
        path = tmp_path / f"edges{suffix}"
        nx.write_edgelist(graph, path, delimiter=delimiter, data=data)
        assert_read(path, expected)


def test_lists_of_neighbors_are_refused(tmp_path: Path):
    """networkx's ``adjlist``: as edges, most of it would be lost."""
    path = tmp_path / "edges.txt"
    nx.write_adjlist(nx.DiGraph([(0, 1), (0, 2), (1, 2), (3, 0)]), path)
    fails(path, "expected ")


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("suffix", [*TEXT, ".mtx"])
def test_compressed_text(tmp_path: Path, suffix: str, packing: str):
    text = "# comment\n" + lines("{}\t{}\n")
    if suffix == ".mtx":
        ones = [[node + 1 for node in end] for end in EDGES]
        text = "%%MatrixMarket matrix coordinate pattern general\n6 6 4\n" + lines("{} {}\n", ones)
    path = tmp_path / f"edges{suffix}{packing}"
    path.write_bytes(PACK[packing](text.encode()))
    assert_read(path)
    half = len(text) // 2
    path.write_bytes(PACK[packing](text[:half].encode()) + PACK[packing](text[half:].encode()))
    assert_read(path)  # of two streams
    path = path.rename(tmp_path / path.name.upper())
    assert_read(path)


@pytest.mark.parametrize("packing", PACK)
def test_damaged_compression(tmp_path: Path, packing: str):
    content = PACK[packing](
        lines("{} {}\n", np.random.default_rng(0).integers(0, 9, (2, 500))).encode()
    )
    path = tmp_path / f"edges.txt{packing}"
    for size in range(1, len(content), 41):
        path.write_bytes(content[:size])
        fails(path, "or before: truncated or corrupt ")
        path.write_bytes(content + content[:size])
        fails(path, "or before: truncated or corrupt ")
    path.write_bytes(content + b"junk")
    fails(path, "or before: truncated or corrupt ")


# Matrix Market


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


MATRIX = (
    "%%MatrixMarket matrix coordinate real symmetric\n% c\n\n3 3 3\n1 1 0.5\n%\n2 1 0\n3 2 1e9\n"
)


def test_matrix_market_is_known_by_its_first_line(tmp_path: Path):
    expected = [[0, 1, 0, 2, 1], [0, 0, 1, 1, 2]]
    for suffix in (".mtx", *TEXT):
        assert_read(write(tmp_path / f"e{suffix}", MATRIX), expected)
        assert_read(
            write(tmp_path / f"e{suffix}", MATRIX.replace("%%Matrix", "%%MATRIX")), expected
        )
    assert_read(write(tmp_path / "e.mtx", MATRIX.replace("\n", "\r\n")), expected, base=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("%%MatrixMarket", "% Matrix", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("coordinate", "array", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("real", "quaternion", "line 1: expected '%%MatrixMarket matrix coordinate'"),
        ("3 3 3\n", "3 3\n", "line 4: expected numbers of rows, columns and entries, got '3 3'"),
        ("3 3 3\n", "3 4 3\n", "line 4: expected a square matrix, got 3 rows and 4 columns"),
        ("3 3 3\n", "3 3 4\n", "expected 4 entries, as the line of sizes says, got 3"),
        ("3 3 3\n", "3 3 2\n", "expected 2 entries, as the line of sizes says, got 3"),
        ("3 3 3\n", "2 2 3\n", "line 8: source: expected 1 .. 2 (num_nodes=2)"),
        ("2 1 0\n", "2 0 0\n", "line 7: destination: expected 1 .. 3 (num_nodes=3)"),
        ("2 1 0\n", "2 1\n", "line 7: expected 3 fields, got 2"),
        ("2 1 0\n", "2 x 1\n", "line 7: destination: expected an integer, got 'x'"),
    ],
)
def test_damaged_matrix_market(tmp_path: Path, old: str, new: str, message: str):
    assert old in MATRIX
    fails(write(tmp_path / "e.mtx", MATRIX.replace(old, new, 1)), message)


def test_places_in_a_symmetric_matrix(tmp_path: Path):
    path = write(tmp_path / "e.mtx", MATRIX.replace("3 3 3", "3 3 4") + "2 3 1\n")
    fails(path, "line 9: expected every edge once, got 2 -> 3 again, which is line 8", read_graph)


def test_matrix_market_starts_at_one(tmp_path: Path):
    path = write(tmp_path / "e.mtx", MATRIX)
    with pytest.raises(
        ValueError, match=r"^base: expected 1 or None, as ids of .* start at 1, got 0"
    ):
        read_edge_list(path, base=0)
    fails(path, "expected columns=None for a Matrix Market file", columns=("a", "b"))


# Ids


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet", ".pq"])
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.int8, np.uint16])
def test_ids_from_one(tmp_path: Path, suffix: str, dtype):
    path = write_table(tmp_path / f"e{suffix}", np.array(EDGES, dtype) + dtype(1))
    assert_read(path, base=1)
    assert read_graph(path, base=1).size == (6, 6)
    assert read_graph(path, base=1, num_nodes=8).size == (8, 8)
    fails(path, "expected 1 .. 5 (num_nodes=5) (ids start at 1), got 6", base=1, num_nodes=5)
    fails(
        path, "expected 0 .. 5 (num_nodes=6), got 6 (if ids start at 1, pass base=1)", num_nodes=6
    )
    path = write_table(tmp_path / f"e{suffix}", np.array(EDGES, dtype))
    fails(path, "source: expected 1 .. ", base=1)
    path = write_table(tmp_path / f"e{suffix}", np.array([[2**31], [1]]))
    assert read_edge_list(path, base=1).dtype == torch.int32


def write_table(path: Path, ends: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, ends)
    elif path.suffix in (".parquet", ".pq"):
        parquet.write_table(pa.table({"src": ends[0], "dst": ends[1]}), path)
    else:
        pd.DataFrame(ends.T, columns=["src", "dst"]).to_csv(path, index=False)
    return path


@st.composite
def sparse_ids(draw) -> np.ndarray:
    dtype = draw(st.sampled_from([np.int64, np.uint64, np.int32, np.uint8]))
    bounds = np.iinfo(dtype)
    pool = st.integers(int(bounds.min), int(bounds.max))
    known = draw(st.lists(pool, min_size=1, max_size=6))
    pairs = draw(st.lists(st.tuples(*[st.sampled_from(known)] * 2), max_size=20))
    return np.array(pairs, dtype).reshape(-1, 2).T


@given(
    suffix=st.sampled_from([".csv", ".npy", ".parquet"]),
    ends=sparse_ids(),
    block_size=st.integers(1, 30),
)
def test_any_ids_are_relabeled(tmp_path_factory, suffix: str, ends: np.ndarray, block_size: int):
    if suffix == ".npy" and ends.shape == (2, 2):
        ends = ends[:, :1]
    path = write_table(tmp_path_factory.mktemp("ids") / f"e{suffix}", ends)
    found = read_edge_list(path, relabel=True, block_size=block_size)
    assert isinstance(found, RelabeledEdges)
    edge_index, node_ids = found
    assert node_ids.tolist() == sorted(set(ends.ravel().tolist()))
    ids = node_ids.numpy()
    assert ids[edge_index.numpy()].tolist() == ends.tolist()
    assert edge_index.dtype == torch.int32
    assert node_ids.dtype == (torch.uint64 if ids.max(initial=0) > 2**63 - 1 else torch.int64)
    graph = read_graph(path, relabel=True, duplicates="keep", block_size=block_size)
    assert isinstance(graph, RelabeledGraph)
    assert graph.node_ids.tolist() == node_ids.tolist()
    assert graph.graph.size == (len(node_ids), len(node_ids))
    assert graph.graph.edge_index().tolist() == edge_index.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet"])
def test_sparse_ids_are_refused_by_graphs(tmp_path: Path, suffix: str):
    """Otherwise nodes that are not in the file would take memory, or all of it."""
    for largest in (12345, 10**9, 76561198000000000, 2**63 - 1):
        path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, largest, 3]]))
        message = f"the largest node id is {largest}, but there are only 3 edges: pass relabel=True"
        fails(path, message, read_graph)
        fails(
            path, {".csv": "line 3: ", ".npy": "edge 1 ", ".parquet": "row 1: "}[suffix], read_graph
        )
        graph, node_ids = read_graph(path, relabel=True)
        assert node_ids.tolist() == [0, 1, 3, 7, largest]
        assert graph.edge_index().tolist() == [[0, 3, 2], [1, 4, 2]]
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, -12345, 3]]))
    fails(path, "got -12345 (relabel=True numbers any ids)", read_graph)
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, 2**64 - 1, 3]], np.uint64))
    fails(path, str(2**64 - 1), read_graph)
    fails(path, "(relabel=True numbers any ids)", read_graph)
    path = write_table(tmp_path / f"e{suffix}", np.array([[0, 7, 3], [1, 12345, 3]]))
    assert read_graph(path, num_nodes=12346).size == (12346, 12346)
    fails(path, "is 12345, but there are only 3 edges", read_graph, base=0)


def test_duplicates_are_named_by_their_ids(tmp_path: Path):
    path = write(tmp_path / "e.txt", "7000000000 -5\n3 4\n7000000000 -5\n")
    fails(
        path,
        "line 3: expected every edge once, got 7000000000 -> -5 again",
        read_graph,
        relabel=True,
    )
    path = write(tmp_path / "e.txt", "7 5\n3 4\n7 5\n")
    fails(path, "line 3: expected every edge once, got 7 -> 5 again", read_graph, base=1)


def test_ids_of_both_signs_beyond_int64(tmp_path: Path):
    path = write(tmp_path / "e.txt", f"1 {2**64 - 1}\n-1 2\n")
    with pytest.raises(EdgeListError, match="expected ids that fit int64 or uint64"):
        read_edge_list(path, relabel=True, block_size=1)
    fails(write(path, f"1 {2**64}\n"), f"expected 0 .. {2**64 - 1}, got '{2**64}'", relabel=True)


def test_more_nodes_than_memory(tmp_path: Path):
    path = write(tmp_path / "e.txt", "0 1\n")
    with pytest.raises(
        MemoryError, match="a graph of 10000000000000000 nodes and 1 edges does not"
    ):
        read_graph(path, num_nodes=10**16)


# Files


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
        assert_read(path, expected)
        assert read_graph(path).edge_index().tolist() == expected
    assert_read(paths[::-1], [end[::-1] for end in expected])
    fails(folder, f"{paths[1]}: row 0: source: expected 0 .. 4", num_nodes=5)
    fails(
        [*paths, paths[0]],
        f"{paths[0]}: line 2: expected every edge once, got 0 -> 1 again",
        read_graph,
    )
    other = write(tmp_path / "z.txt", "#\n5 4\n")
    message = (
        f"{other}: line 2: expected every edge once, got 5 -> 4 again, which is {paths[1]}: row 0"
    )
    fails([*paths, other], message, read_graph)


def test_folders_of_something_else(tmp_path: Path):
    fails(tmp_path, "expected files of edges, got an empty folder")
    fails([], "path: expected at least one file, got an empty list")
    write(tmp_path / "a.csv", "0,1\n")
    notes = write(tmp_path / "notes.md", "text")
    fails(tmp_path, f"{notes}: expected a name that ends in one of ")
    notes.unlink()
    empty = write(tmp_path / "b.csv", "")
    fails(tmp_path, f"{empty}: the file is empty")
    empty.unlink()
    (tmp_path / "year=2020").mkdir()
    fails(tmp_path, "expected files, got the folder 'year=2020' (pass a list of files)")


def test_parts_that_start_at_different_ids(tmp_path: Path):
    paths = [write(tmp_path / "a.mtx", MATRIX), write(tmp_path / "b.txt", "1 2\n")]
    fails(paths, "ids start at 0 in some files and at 1 in others; pass base=1")
    assert_read(paths, [[0, 1, 0, 2, 1, 0], [0, 0, 1, 1, 2, 1]], base=1)


def test_frames_of_pandas_in_npy(tmp_path: Path):
    frame = pd.read_csv(write(tmp_path / "e.csv", "src,dst\n" + lines("{},{}\n")))
    array = frame.to_numpy()
    assert array.flags.f_contiguous
    np.save(tmp_path / "e.npy", array)
    assert_read(tmp_path / "e.npy")
    np.save(tmp_path / "e.npy", array.T)
    assert_read(tmp_path / "e.npy")


def test_home_folder_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "e.csv", lines("{},{}\n"))
    assert_read("~/e.csv")
    assert_read(["~/e.csv"])
    assert_read(Path("~"))
    with pytest.raises(FileNotFoundError, match=r"~nobody-there/e\.csv"):
        read_edge_list("~nobody-there/e.csv")


def test_text_of_16_bits(tmp_path: Path):
    path = tmp_path / "e.csv"
    path.write_text(lines("{},{}\n"), encoding="utf-16")
    fails(path, "line 1: expected ASCII or UTF-8, got UTF-16: save the file as UTF-8")


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
def test_bad_arguments(path, options, error, message: str, read):
    with pytest.raises(error, match=f"^{message}"):
        read(path, **options)
