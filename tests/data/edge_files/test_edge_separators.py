"""Common edge lists: separators, comments, quotes, compression."""

from __future__ import annotations

import bz2
import gzip
import lzma
from itertools import product
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from gatsparse.data.edge_list import read_graph
from tests.data.edge_files.edge_lists import (
    LISTS,
    TEXT,
    lines,
    reads,
    refuses,
    write,
)

PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, "zstd", asbytes=True),
}


@pytest.mark.parametrize("suffix", TEXT)
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", " ", "  ", ", ", " ; ", "\t\t", " | "])
def test_separators_with_every_suffix(tmp_path: Path, suffix: str, separator: str):
    if suffix == ".tsv" and separator == "\t\t":
        separator = "\t "  # a tab after a tab is an empty field
    for head in ("", f"src{separator}dst\n"):
        path = tmp_path / f"edges{suffix}"
        reads(write(path, head + lines(f"{{}}{separator}{{}}\n")))
    path = write(path, lines(f"{{}}{separator}{{}}{separator}0.5{separator}7\n"))
    reads(path)  # further columns are ignored
    refuses(write(path, path.read_text() + f"1{separator}2\n"), "line 5: expected 4 fields, got 2")


@pytest.mark.parametrize("comment", ["# a", "#", "#1,2", "% 3 4", "%%", "// 5 6", "  # b", "\t%"])
@pytest.mark.parametrize("separator", [",", " "])
def test_comments_anywhere(tmp_path: Path, comment: str, separator: str):
    pattern = f"{{}}{separator}{{}}\n"
    path = write(tmp_path / "edges.csv", comment + "\n" + lines(pattern + comment + "\n"))
    reads(path)
    path = write(tmp_path / "edges.txt", comment + "\r\n \r\n" + lines(pattern + comment + "\r\n"))
    reads(path)
    bad = write(tmp_path / "bad.csv", f"0{separator}1\n{comment}\n\n2{separator}x\n")
    refuses(bad, "line 4: destination: expected an integer, got 'x'")
    twice = write(tmp_path / "twice.csv", f"0{separator}1\n{comment}\n \n0{separator}1\n")
    refuses(
        twice, "line 4: expected every edge once, got 0 -> 1 again, first at line 1", read_graph
    )


def test_comments_before_a_column_of_text(tmp_path: Path):
    path = write(tmp_path / "edges.csv", "name,src,dst\na,0,1\n#b,7,7\nc,5,4\n//,9,9\n")
    reads(path, [[0, 5], [1, 4]])


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("separator", [",", ";", "|", "\t", " "])
def test_quoted_numbers(tmp_path: Path, quote: str, separator: str):
    pattern = f"{quote}{{}}{quote}{separator}{quote}{{}}{quote}\n"
    path = tmp_path / "edges.csv"
    reads(write(path, lines(pattern)))
    reads(
        write(path, lines("{}" + separator + "{}\n") + lines(pattern)), np.tile(LISTS, 2).tolist()
    )
    reads(write(path, f"{quote}dst{quote}{separator}src\n" + lines(pattern)), LISTS[::-1])
    refuses(write(path, lines(pattern) + f"{quote}1{separator}2\n"), "line 5: ")


def test_quoted_text_with_separators(tmp_path: Path):
    path = write(tmp_path / "e.csv", 'src,name,dst\n0,"a, ""b"" c",1\n5,,4\n2,"#",2\n3," x ",0\n')
    reads(path)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", " "])
def test_blanks_next_to_quotes(tmp_path: Path, delimiter: str):
    names = delimiter.join(["src", '"name"', "dst", "z"])
    pattern = delimiter.join(["{}", ' "a, b" ', ' "{}"', ' "d"']) + "\n"
    if delimiter == " ":
        pattern = pattern.replace("a, b", "ab")
    reads(write(tmp_path / "e.csv", f"{names}\n{lines(pattern)}"))
    reads(write(tmp_path / "e.csv", f' "1"{delimiter} "2" \n'), [[1], [2]])


def test_empty_fields_at_the_end(tmp_path: Path):
    reads(write(tmp_path / "e.tsv", '0\t1\t\n5\t4\t"a, b"\n2\t2\tc\n3\t0\t\n'))
    reads(write(tmp_path / "e.tsv", '0\t1\t"a"\t\n5\t4\t\t\n2\t2\tc\td\n3\t0\t\t\n'))


def test_lines_never_end_within_quotes(tmp_path: Path):
    """Otherwise the lines up to the next quote would be lost."""
    text = 'src,dst,name\n0,1,"a\n5,4,b\n2,2,"c"\n3,0,d\n'
    refuses(write(tmp_path / "e.csv", text), "line 2: expected closed quotes")


@pytest.mark.parametrize(
    "line", ['1,2,"a,nan', '1,2,b, c"', '1,2,"a""', '1,2,a"b', '1,2,"a, b",7,"']
)
def test_unclosed_quotes_raise(tmp_path: Path, line: str):
    """The quotes may be the last ones of a block or not."""
    text = f'0,1,x\n5,4,"y, z"\n{line}\n'
    for more in ("", '3,0,"a"\n', '3,0,"\n'):
        refuses(write(tmp_path / "e.csv", text + more), "line 3: expected closed quotes")


@pytest.mark.parametrize("line", [" {}", ",{}", "{}", "{'w': 3}", "0 {}"])
def test_lines_of_attributes_only_raise(tmp_path: Path, line: str):
    refuses(write(tmp_path / "e.txt", f"{line}\n0 1\n"), "line 1: ")
    refuses(write(tmp_path / "e.txt", f"0 1 {{}}\n{line}\n0 1\n"), "line 2: ")


def test_mark_of_utf8_in_later_lines(tmp_path: Path):
    """Joined files have a mark in later lines; pyarrow skips the mark at the start of its text."""
    reads(write(tmp_path / "e.csv", "\ufeff0,1\n5,4\n"), [[0, 5], [1, 4]])
    refuses(write(tmp_path / "e.csv", "\ufeff0,1\n\ufeff5,4\n"), "line 2: source: expected an int")
    refuses(write(tmp_path / "e.csv", "\ufeff\ufeff0,1\n5,4\n"), "line 1: source: expected an int")


def test_attributes_of_networkx(tmp_path: Path):
    graph = nx.DiGraph()
    for position, (src, dst) in enumerate(zip(*LISTS, strict=True)):
        attributes = {"weight": position, "name": "a {b} # c"} if position % 2 else {}
        graph.add_edge(src, dst, **attributes)
    expected = list(map(list, zip(*graph.edges, strict=True)))
    for delimiter, suffix, data in product((" ", ",", "\t"), TEXT, (True, False)):
        path = tmp_path / f"edges{suffix}"
        nx.write_edgelist(graph, path, delimiter=delimiter, data=data)
        reads(path, expected)


def test_lists_of_neighbors_raise(tmp_path: Path):
    """Most of networkx's ``adjlist`` would be lost if it were read as edges."""
    path = tmp_path / "edges.txt"
    nx.write_adjlist(nx.DiGraph([(0, 1), (0, 2), (1, 2), (3, 0)]), path)
    refuses(path, "expected ")


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("suffix", [*TEXT, ".mtx"])
def test_compressed_text(tmp_path: Path, suffix: str, packing: str):
    text = "# comment\n" + lines("{}\t{}\n")
    if suffix == ".mtx":
        ones = [[node + 1 for node in end] for end in LISTS]
        text = "%%MatrixMarket matrix coordinate pattern general\n6 6 4\n" + lines("{} {}\n", ones)
    path = tmp_path / f"edges{suffix}{packing}"
    path.write_bytes(PACK[packing](text.encode()))
    reads(path)
    half = len(text) // 2
    path.write_bytes(PACK[packing](text[:half].encode()) + PACK[packing](text[half:].encode()))
    reads(path)  # of two streams
    path = path.rename(tmp_path / path.name.upper())
    reads(path)


@pytest.mark.parametrize("packing", PACK)
def test_damaged_compression(tmp_path: Path, packing: str):
    content = PACK[packing](
        lines("{} {}\n", np.random.default_rng(0).integers(0, 9, (2, 500))).encode()
    )
    path = tmp_path / f"edges.txt{packing}"
    for size in range(1, len(content), 41):
        path.write_bytes(content[:size])
        refuses(path, "or before: truncated or corrupt ")
        path.write_bytes(content + content[:size])
        refuses(path, "or before: truncated or corrupt ")
    path.write_bytes(content + b"junk")
    refuses(path, "or before: truncated or corrupt ")
