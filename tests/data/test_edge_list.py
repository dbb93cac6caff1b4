from __future__ import annotations

import gzip
import io
import pickle
import re
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gatsparse.data import edge_list
from gatsparse.data.edge_list import EdgeListError, read_edge_list, read_graph

pa = pytest.importorskip("pyarrow")
csv = pytest.importorskip("pyarrow.csv")
parquet = pytest.importorskip("pyarrow.parquet")

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
DTYPES = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]
EDGES = np.array([[0, 5, 2, 3], [1, 4, 2, 0]])  # two rows, so that [4, 2] is not ambiguous


def fails(path: Path, message: str, read=read_edge_list, **options) -> None:
    """The error names the file first, then says :obj:`message`."""
    with pytest.raises(EdgeListError) as error:
        read(path, **options)
    assert str(error.value).startswith(f"{path}: {message}"), error.value


@st.composite
def edges(draw: st.DrawFn, high: int = INT64_MAX) -> np.ndarray:
    """int64 ``[2, E]``, most of it small."""
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


# npy


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


def test_npy_of_an_unknown_version(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, EDGES)
    content = path.read_bytes()
    path.write_bytes(content[:6] + b"\x04" + content[7:])
    fails(path, "expected an .npy file, got none (unknown version (4, 0))")


def test_npy_truncated_anywhere(tmp_path: Path):
    path = tmp_path / "edges.npy"
    np.save(path, EDGES)
    content = path.read_bytes()
    assert len(content) == 128 + 64
    for size in range(1, 128):
        path.write_bytes(content[:size])
        fails(path, "expected an .npy file, got none (")
    for size in range(128, 192):
        path.write_bytes(content[:size])
        fails(path, f"expected 192 bytes with int64 [2, 4], got {size}: truncated at byte {size}")


def test_npy_with_more_than_it_says(tmp_path: Path):
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
def test_npy_of_something_else(tmp_path: Path, array: np.ndarray, message: str):
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
    fails(path, "expected an .npy file, got none (")


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
def test_npy_beyond_any_graph(tmp_path: Path, dtype: str, value: int):
    array = EDGES.astype(dtype)
    array[1, 2] = value
    np.save(tmp_path / "edges.npy", array)
    byte = 128 + 6 * array.itemsize
    fails(
        tmp_path / "edges.npy",
        f"edge 2 (byte {byte}): destination: expected 0 .. {INT64_MAX}, got {value}",
    )


# Parquet


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


def test_parquet_with_a_name_twice(tmp_path: Path):
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
        fails(path, "footer: truncated or corrupt Parquet (")


def test_parquet_with_a_damaged_row_group(tmp_path: Path):
    path = write_parquet(tmp_path / "edges.parquet", write_page_checksum=True)
    column = parquet.read_metadata(path).row_group(2).column(1)
    content = bytearray(path.read_bytes())
    content[column.dictionary_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(content)
    fails(path, "row 60 or later, row group 2: truncated or corrupt Parquet (OSError: ")


def test_parquet_with_fewer_rows_than_it_says(tmp_path: Path):
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


# Text

SEPARATORS = {".csv": [","], ".tsv": ["\t"], ".txt": [" ", "\t", "  ", " \t "]}


@given(data=st.data(), suffix=st.sampled_from(list(SEPARATORS)), packed=st.booleans())
def test_text(tmp_path_factory, data, suffix: str, packed: bool):
    expected = data.draw(edges())
    separator = st.sampled_from(SEPARATORS[suffix])
    blanks = ["", "\n", "\n\n"]
    around = [""]
    if suffix == ".txt":
        blanks, around = ["", "\n", " \n", "\t\n"], ["", " ", "\t "]
    elif suffix == ".csv":
        around = ["", " "]
    pad, blank = st.sampled_from(around), st.sampled_from(blanks)
    lines = ["src" + data.draw(separator) + "dst\n"]
    for src, dst in expected.T:
        line = [data.draw(pad), str(src), data.draw(separator), str(dst), data.draw(pad), "\n"]
        lines += ["".join(line), data.draw(blank)]
    if expected.size > 0 and data.draw(st.booleans()):
        del lines[0]
    text = data.draw(st.sampled_from(["", "\ufeff"])) + data.draw(
        st.sampled_from(["", "# a comment\n", "\n", "# 1 2\n\n# 3,4\n"])
    )
    text += "".join(lines)
    if data.draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if data.draw(st.booleans()):
        text = text.rstrip("\r\n")
    content = text.encode()
    path = tmp_path_factory.mktemp("text") / f"edges{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert_read(path, expected, block_size=data.draw(block_sizes))


def test_spaces_after_the_last_line(tmp_path: Path):
    path = write(tmp_path / "edges.txt", "1  2\n" * 4 + "   ")
    for block_size in (1, 2, 100):  # with 1, they are a block of their own
        assert_read(path, np.array([[1] * 4, [2] * 4]), block_size=block_size)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".csv", 'id,"dst",name,"src"\n9,4,one two,3\nx,6,,5\n'),
        (".csv", ",src,dst\n0,3,4\n1,5,6\n"),
        (".tsv", "src\tname\tdst\n3\ta b\t4\n5\t\t6\n"),
        (".txt", "src name  dst\n3 a 4\n5  b\t6\n"),
    ],
)
def test_text_with_named_columns(tmp_path: Path, suffix: str, text: str):
    path = write(tmp_path / f"edges{suffix}", text)
    expected = np.array([[3, 5], [4, 6]])
    for block_size in (1, 100):
        assert_read(path, expected, columns=("src", "dst"), block_size=block_size)
        assert_read(path, expected[::-1], columns=("dst", "src"), block_size=block_size)


def test_suffix_in_capitals(tmp_path: Path):
    assert_read(write(tmp_path / "EDGES.CSV", "1,2\n"), np.array([[1], [2]]))
    (tmp_path / "EDGES.TXT.GZ").write_bytes(gzip.compress(b"1 2\n"))
    assert_read(tmp_path / "EDGES.TXT.GZ", np.array([[1], [2]]))


#: What stands in a line of .csv, and what is said of it.
BAD_LINES = [
    ("1", "expected 2 fields, got 1 in '1'"),
    ("1,2,3", "expected 2 fields, got 3 in '1,2,3'"),
    ("1 2", "expected 2 fields, got 1 in '1 2'"),
    (". 1", "expected 2 fields, got 1 in '. 1'"),
    ("/ 1,2", "source: expected an integer, got '/ 1' in '/ 1,2'"),
    ("1,x", "destination: expected an integer, got 'x' in '1,x'"),
    (" 1 ,x ", "destination: expected an integer, got 'x' in ' 1 ,x '"),
    ("1.0,2", "source: expected an integer, got '1.0' in '1.0,2'"),
    (",2", "source: expected an integer, got '' in ',2'"),
    ("1,", "destination: expected an integer, got '' in '1,'"),
    ("1,NA", "destination: expected an integer, got 'NA' in '1,NA'"),
    ("1,+2", "destination: expected an integer, got '+2' in '1,+2'"),
    ('"1,2', "expected quotes that are closed, got '\"1,2'"),
    ('"1 x",2', "source: expected an integer, got '1 x' in '\"1 x\",2'"),
    ("'1,2", 'source: expected an integer, got "\'1" in "\'1,2"'),
    ("1,\x00", "destination: expected an integer, got '\\x00' in '1,\\x00'"),
    ("1,2\r3,4", "expected no carriage return inside a line, got '1,2\\r3,4'"),
    ("1,2\r", "expected no carriage return inside a line, got '1,2'"),
    (f"1,{2**63}", f"destination: expected 0 .. {INT64_MAX}, got '{2**63}'"),
    (f"{'9' * 5000},1", f"source: expected 0 .. {INT64_MAX}, got '{'9' * 99} ..."),
    (f"1,{-(2**63) - 1}", f"destination: expected 0 .. {INT64_MAX}, got '{-(2**63) - 1}'"),
    ("-1,2", "source: expected 0 .. 9 (num_nodes=10), got -1"),
    ("1,10", "destination: expected 0 .. 9 (num_nodes=10), got 10"),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("line", "message"), BAD_LINES)
def test_bad_line(tmp_path: Path, line: str, message: str, packed: bool):
    path = tmp_path / ("edges.csv.gz" if packed else "edges.csv")
    good = ["# two comments", "# 1,2", "src,dst", "1,2", "", *["3,4"] * 20]
    for number in (5, 9, len(good) + 1):
        lines = [*good[: number - 1], line, *good[number - 1 :]]
        for end in ("\n", "\r\n"):
            content = end.join([*lines, ""]).encode()
            if line.endswith("\r") and end == "\n":
                continue  # that is \r\n
            path.write_bytes(gzip.compress(content) if packed else content)
            for block_size in (1, 5, 1000):
                fails(path, f"line {number}: {message}", num_nodes=10, block_size=block_size)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1", "expected 2 fields, got 1 in '1'"),
        ("1 2 3", "expected 2 fields, got 3 in '1 2 3'"),
        ("1,2", "expected 2 fields, got 1 in '1,2'"),
        (" 1\t x ", "destination: expected an integer, got 'x' in ' 1\\t x '"),
        ("1 10", "destination: expected 0 .. 9 (num_nodes=10), got 10"),
        ("  1\t\t-3", "destination: expected 0 .. 9 (num_nodes=10), got -3"),
    ],
)
@pytest.mark.parametrize("good", ["3 4", "3\t4", " 3   4\t", " "])
def test_bad_line_among_spaces(tmp_path: Path, line: str, message: str, good: str):
    lines = ["# comment", "1 2", *[good] * 12, line, "5 6"]
    path = write(tmp_path / "edges.txt", "\n".join(lines))
    for block_size in (1, 5, 1000):
        fails(path, f"line 15: {message}", num_nodes=10, block_size=block_size)


@given(data=st.data(), packed=st.booleans())
def test_the_line_is_the_right_one(tmp_path_factory, data, packed: bool):
    """Wherever empty lines, blocks and the line stand."""
    good = st.sampled_from(["0,0", "", "11,22", "333333,4444444"])
    before, after = (data.draw(st.lists(good, max_size=30)) for _ in range(2))
    bad, message = data.draw(st.sampled_from([("1,-1", "destination: "), ("1", "expected 2 ")]))
    content = "\n".join([*before, bad, *after]).encode()
    path = tmp_path_factory.mktemp("line") / ("edges.csv.gz" if packed else "edges.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    block_size = data.draw(st.integers(1, 8))
    fails(path, f"line {len(before) + 1}: {message}", block_size=block_size)


@pytest.mark.parametrize(
    ("suffix", "text", "columns", "message"),
    [
        (".csv", "\n\n", None, "expected lines of two integers, got none"),
        (".csv", "# a\n#b", None, "expected lines of two integers, got none"),
        (".csv", "# a\r1,2\n", None, "line 1: expected no carriage return inside a line, got '# a"),
        (".csv", "\n1:2\n3:4\n", None, "line 2: expected 2 fields, got 1 in '1:2'"),
        (".csv", "src:dst\n1:2\n", None, "line 1: expected two columns whose names tell"),
        (".csv", "1,b\n1,2\n", None, "line 1: destination: expected an integer, got 'b'"),
        (".csv", "0.5,b\n1,2\n", None, "line 1: source: expected an integer, got '0.5'"),
        (".csv", "a,b\nc,d\n", None, "line 2: source: expected an integer, got 'c'"),
        (".csv", "\x00\x01\xff", None, "line 1: expected 2 fields, got 1 in '\\x00\\x01\\xc3"),
        (".tsv", "1:2\n", None, "line 1: expected 2 fields, got 1 in '1:2'"),
        (".csv", "#\na,b,c\n1,2,3\n", None, "line 2: expected two columns whose names tell"),
        (
            ".csv",
            "a,b,c\n1,2,3\n",
            ("a", "d"),
            "line 1: expected one column 'd', got 0 among 'a', 'b', ",
        ),
        (
            ".csv",
            "a,b,a\n1,2,3\n",
            ("a", "b"),
            "line 1: expected one column 'a', got 2 among 'a', 'b', ",
        ),
        (".csv", "1,2\n3,4\n", ("a", "b"), "line 1: expected one column 'a', got 0 among '1', '2'"),
        (".csv", "a,b,c\n1,2,\n1,2\n", ("a", "b"), "line 3: expected 3 fields, got 2 in '1,2'"),
        (".csv", "a,b,c\n1,2,x\n1,x,3\n", ("b", "a"), "line 3: source: expected an integer, got"),
    ],
)
def test_bad_head(tmp_path: Path, suffix: str, text: str, columns, message: str):
    fails(write(tmp_path / f"edges{suffix}", text), message, columns=columns)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_endless_line(tmp_path: Path, number: int, ended: bool):
    """Also in a column that is ignored."""
    lines = ["src,dst,name", "1,2,a", "3,4,b", ""]
    lines[number] = "5,6," + "x" * 2**23
    text = "\n".join(lines if ended else lines[: number + 1])
    path = write(tmp_path / "edges.csv", text)
    for block_size in (1, 2**20):
        message = f"line {number + 1}: expected a line of at most 1048576 bytes, got '5,6,xxx"
        fails(path, message, columns=("src", "dst"), block_size=block_size)
    path = write(tmp_path / "other.csv", "#" * 2**21)
    fails(path, "line 1: expected a line of at most 1048576 bytes, got '###")


def test_what_only_pyarrow_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_, **__):
        raise pa.ArrowInvalid("strange")

    monkeypatch.setattr(csv, "read_csv", refuse)
    fails(write(tmp_path / "edges.csv", "#\n1,2\n"), "line 2 or later: strange")


def test_stops_at_the_first_bad_block(tmp_path: Path):
    path = write(tmp_path / "edges.csv", "1,-2\n" * 1000 + "x\n")
    fails(path, "line 1: destination: ", block_size=10)


def packed_lines() -> bytes:
    rng = np.random.default_rng(0)
    lines = "".join(f"{src},{dst}\n" for src, dst in rng.integers(0, 10**6, (300, 2)))
    return gzip.compress(lines.encode())


def test_gzip_truncated_anywhere(tmp_path: Path):
    path, content = tmp_path / "edges.csv.gz", packed_lines()
    for size in range(1, len(content), 29):
        path.write_bytes(content[:size])
        for block_size in (10, 1000):
            with pytest.raises(EdgeListError, match="truncated or corrupt gzip") as error:
                read_edge_list(path, block_size=block_size)
            place = re.match(rf"{re.escape(str(path))}: line (\d+) or later, ", str(error.value))
            assert place is not None
            assert f"byte {size} or before: " in str(error.value)
            if block_size == 1000:
                assert place[1] == "1"
            elif size > 1500:
                assert 1 < int(place[1]) < 300


def test_gzip_with_a_changed_byte(tmp_path: Path):
    path, content = tmp_path / "edges.csv.gz", packed_lines()
    for position in (0, 2, 30, 1000, len(content) - 6, len(content) - 1):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        with pytest.raises(EdgeListError) as error:
            read_edge_list(path)
        assert str(error.value).startswith(f"{path}: line ")


def test_gzip_that_is_none(tmp_path: Path):
    path = write(tmp_path / "edges.csv.gz", "1,2\n")
    fails(path, "line 1 or later, byte 2 or before: truncated or corrupt gzip (Not a gzipped file")


# All formats

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
def test_widens_when_it_must(tmp_path: Path, suffix: str, edge: int):
    for value, dtype in ((INT32_MAX, torch.int32), (INT32_MAX + 1, torch.int64)):
        array = np.repeat(EDGES, 10, axis=1)
        array[1, 10 * edge - 1] = value
        edge_index = read_edge_list(write_edges(tmp_path, suffix, array), block_size=3)
        assert edge_index.dtype == dtype
        assert edge_index.tolist() == array.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_file(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    path.write_bytes(b"")
    fails(path, "the file is empty")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_file(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        read_edge_list(path)
    path.mkdir()
    fails(path, "expected files of edges, got an empty folder")
    with pytest.raises(IsADirectoryError, match=re.escape(str(path))):
        read_edge_list([path])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_junk(tmp_path: Path, suffix: str):
    path = tmp_path / f"edges{suffix}"
    for seed in range(20):
        path.write_bytes(np.random.default_rng(seed).bytes(1000))
        with pytest.raises(EdgeListError) as error:
            read_edge_list(path)
        assert str(error.value).startswith(f"{path}: ")


def test_unknown_format(tmp_path: Path):
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
        ({"columns": ("a", "b")}, ValueError, "columns: expected None, as .* has no names, got"),
        ({"columns": ("a", "a")}, ValueError, "columns: expected two different names, got"),
        ({"columns": ("a",)}, ValueError, "columns: expected two different names, got"),
        ({"columns": "ab"}, TypeError, "columns: expected two names, got 'ab'"),
        ({"columns": (0, 1)}, TypeError, r"columns: expected two names, got \(0, 1\)"),
    ],
)
@pytest.mark.parametrize("read", [read_edge_list, read_graph])
def test_bad_arguments(tmp_path: Path, read, options, error, message: str):
    path = write_edges(tmp_path, ".npy", EDGES)
    with pytest.raises(error, match=f"^{message}"):
        read(path, **options)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_read(write_edges(tmp_path, ".npy", EDGES), EDGES)
    for suffix in SUFFIXES[1:]:
        path = tmp_path / f"edges{suffix}"
        path.write_bytes(b"1,2\n")
        with pytest.raises(ImportError, match=r'needs pyarrow.*pip install "gatsparse\[large\]"'):
            read_edge_list(path)


def resident(key: str) -> int:
    """Bytes, of this process."""
    return int(Path("/proc/self/status").read_text().split(key)[1].split()[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak can be reset on Linux alone")
@pytest.mark.parametrize(
    ("suffix", "size"), [(".npy", 2**24), (".csv", 2**22), (".parquet", 2**23)]
)
def test_memory_is_bounded(tmp_path: Path, suffix: str, size: int):
    """The result, a chunk and a few blocks: not the file, nor the edges twice, nor int64."""
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

        monkeypatch.setattr(edge_list, "Console", console)
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
            f"{second}: expected every edge once, got 5 -> 4 again, which is {first} already "
            "(duplicates='keep' takes both)",
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
                f"which is line {lines.index(line) + 2} already",
                read=read_graph,
                block_size=block_size,
            )
            return
    assert read_graph(path, block_size=block_size).num_edges == len(lines) - lines.count(None)


def test_bad_duplicates(tmp_path: Path):
    path = write_edges(tmp_path, ".npy", EDGES)
    with pytest.raises(ValueError, match=r"^duplicates: expected 'error' or 'keep', got 'sum'"):
        read_graph(path, duplicates="sum")  # pyright: ignore[reportArgumentType]
