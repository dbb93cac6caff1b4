"""Edges in lines of text, and the positions of errors."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv

from gatsparse.data.edge_list import EdgeListError, read_edge_list
from tests.data.edge_files.edge_lists import (
    INT64_MAX,
    assert_read,
    block_sizes,
    edges,
    fails,
    write,
)

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


#: Bad lines of a .csv file, and their error messages.
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
    ('"1,2', "expected closed quotes, got '\"1,2'"),
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
def test_bad_line_is_named(tmp_path: Path, line: str, message: str, packed: bool):
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
def test_bad_line_among_spaces_is_named(tmp_path: Path, line: str, message: str, good: str):
    lines = ["# comment", "1 2", *[good] * 12, line, "5 6"]
    path = write(tmp_path / "edges.txt", "\n".join(lines))
    for block_size in (1, 5, 1000):
        fails(path, f"line 15: {message}", num_nodes=10, block_size=block_size)


@given(data=st.data(), packed=st.booleans())
def test_any_bad_line_is_named(tmp_path_factory, data, packed: bool):
    """The line may be anywhere among empty lines and blocks."""
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
        (".csv", "src:dst\n1:2\n", None, "line 1: expected two columns whose names identify"),
        (".csv", "1,b\n1,2\n", None, "line 1: destination: expected an integer, got 'b'"),
        (".csv", "0.5,b\n1,2\n", None, "line 1: source: expected an integer, got '0.5'"),
        (".csv", "a,b\nc,d\n", None, "line 2: source: expected an integer, got 'c'"),
        (".csv", "\x00\x01\xff", None, "line 1: expected 2 fields, got 1 in '\\x00\\x01\\xc3"),
        (".tsv", "1:2\n", None, "line 1: expected 2 fields, got 1 in '1:2'"),
        (".csv", "#\na,b,c\n1,2,3\n", None, "line 2: expected two columns whose names identify"),
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
def test_bad_first_lines_raise(tmp_path: Path, suffix: str, text: str, columns, message: str):
    fails(write(tmp_path / f"edges{suffix}", text), message, columns=columns)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_too_long_line_raises(tmp_path: Path, number: int, ended: bool):
    """The long field may be in an ignored column."""
    lines = ["src,dst,name", "1,2,a", "3,4,b", ""]
    lines[number] = "5,6," + "x" * 2**23
    text = "\n".join(lines if ended else lines[: number + 1])
    path = write(tmp_path / "edges.csv", text)
    for block_size in (1, 2**20):
        message = f"line {number + 1}: expected a line of at most 1048576 bytes, got '5,6,xxx"
        fails(path, message, columns=("src", "dst"), block_size=block_size)
    path = write(tmp_path / "other.csv", "#" * 2**21)
    fails(path, "line 1: expected a line of at most 1048576 bytes, got '###")


def test_error_of_pyarrow_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_, **__):
        raise pa.ArrowInvalid("strange")

    monkeypatch.setattr(csv, "read_csv", refuse)
    fails(write(tmp_path / "edges.csv", "#\n1,2\n"), "line 2 or later: strange")


def test_reading_stops_at_the_first_bad_block(tmp_path: Path):
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


def test_file_that_is_no_gzip_raises(tmp_path: Path):
    path = write(tmp_path / "edges.csv.gz", "1,2\n")
    fails(path, "line 1 or later, byte 2 or before: truncated or corrupt gzip (Not a gzipped file")
