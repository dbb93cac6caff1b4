"""Damaged and contradictory files: each error names the file, the line or row, the column, and the
cure.
"""

import gzip
import re

import numpy as np
import pytest

from gatsparse.data import GraphFileError, GraphFiles, load_files
from tests.data.graph_files.conftest import EDGES, NODES


def check(folder, message, task="classification", **files):
    with pytest.raises(GraphFileError, match=re.compile(message, re.DOTALL)) as caught:
        load_files(GraphFiles(folder, **files), task)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "b,2",
            "b,",
            "nodes.csv: line 3: column 'age': expected a number, got an empty cell.*mean",
        ),
        ("d,4", "d,four", "line 5: column 'age': expected a number .* got 'four'.*categorical"),
        ("b,2", "b,inf", "line 3: column 'age': expected numbers that are finite"),
        ("b,2", "b,1e300", "line 3: column 'age': expected numbers that are finite"),
        ("c,3", "a,3", "line 4: column 'id': expected every id once, got 'a' .* first in line 2"),
        ("c,3", ",3", "line 4: column 'id': expected the id of a node, got an empty cell"),
        ("x,test", "x", "line 4: expected 5 columns, got 4"),
        ("x,test", "x,test,9", "line 4: expected 5 columns, got 6.*quote"),
        ("3,red", '3,"red', "nodes.csv: line 4: expected 5 columns, got 3.*: close the quote$"),
        ("3,red", "3,r,ed", "nodes.csv: line 4: expected 5 columns, got 6.*: quote a value that"),
        ("3,red", '3,"r\nd"', "line 4: expected one row per line, got a line break"),
        ("id,age", "id,id", "line 1: expected different names of columns, got 'id' twice"),
        ("id,age", ",age", r"line 1: expected a name for each column.*to_csv\(index=False\)"),
        ("val", "vall", "line 3: column 'split': expected train, val, test or nothing, got 'vall'"),
        ("val", "train", "nodes.csv: expected validation nodes in the split, got none.*draw"),
        ("label", "kind", "dataset.label: expected a column of labels, got none of label"),
        (",y,", ",x,", "column 'label': expected at least two classes, got 'x'"),
        (",red,x,", ",,x,", "line 2: column 'colour': expected one of 'blue', got an empty cell"),
    ],
)
def test_cells_of_nodes(folder, old, new, message):
    (folder / "nodes.csv").write_text(NODES.replace(old, new))
    check(folder, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "nodes.csv: expected a header and rows, got an empty file"),
        (b"id,age,label\n", "nodes.csv: expected at least one node, got none"),
        (NODES.encode("utf-16"), "nodes.csv: line 1: expected UTF-8.*convert"),
        (
            NODES.replace("red", "r\xe9d").encode("latin1"),
            "line 2: column 'colour': expected UTF-8",
        ),
        (NODES.replace("age", "born").replace(",1,", ",2020-01-01,").encode(), "'born'.*'2020-01"),
        (
            b"id,name,label\n"
            + b"".join(b"n%d,name%d,x\n" % (i, i) for i in range(1001))
            + b"m,,y\n",
            "column 'name': expected at most 1000 categories, got 1001.*dataset.ignore",
        ),
    ],
)
def test_tables_of_nodes(folder, content, message):
    (folder / "nodes.csv").write_bytes(content)
    check(folder, message)


def test_damage_far_from_the_beginning_is_found(folder):
    """The first block of rows has only numbers; the wrong cell is in the third."""
    rows = [f"n{i:07},{i % 97},{'xy'[i % 2]}" for i in range(2_400_000)]
    rows[2_300_000] = "n2300000,abc,x"
    (folder / "nodes.csv").write_text("id,age,label\n" + "\n".join(rows) + "\n")
    check(folder, "nodes.csv: line 2300002: column 'age': expected a number.*got 'abc'")


@pytest.mark.parametrize(
    ("content", "files", "message"),
    [
        (EDGES + "d,zz,1\n", {}, "line 5: column 'target': 'zz' is not a node of .*unknown_nodes"),
        (EDGES + "d,,1\n", {}, "line 5: column 'target': expected the id of a node, got an empty"),
        ("", {}, "edges.csv: expected a header and rows, got an empty file"),
        ("source,target\n", {}, "edges.csv: expected at least one edge, got none.*dataset.edges"),
        ("source,target\na,a\n", {"self_loops": "drop"}, "edges.csv: expected at least one edge"),
        ("foo,bar\na,b\n", {}, "edges.csv: cannot tell the columns of sources.*dataset.source"),
        (EDGES, {"source": "src", "target": "target"}, "dataset.source: .* got 'src'"),
        (EDGES, {"source": "source"}, "dataset.target: expected the name of a column, got null"),
        (EDGES + "a,b,9\n", {"duplicates": "error"}, "line 5: .* a -> b again, first at .*line 2"),
        (EDGES, {"edge_features": ["cost"]}, "dataset.edge_features: .* got 'cost'"),
        (
            EDGES.replace(",2", ",two"),
            {"edge_features": ["weight"]},
            "edges.csv: line 3: column 'weight': expected numbers for an edge feature, got .*two",
        ),
        (
            EDGES.replace(",2", ","),
            {"edge_features": ["weight"]},
            "line 3: column 'weight': expected a number, got an empty cell",
        ),
    ],
)
def test_edges(folder, content, files, message):
    (folder / "edges.csv").write_text(content)
    check(folder, message, **files)


@pytest.mark.parametrize(
    ("task", "files", "message"),
    [
        (
            "regression",
            {},
            "line 2: column 'label': expected numbers for task regression.* 'x'",
        ),
        ("multi_label", {}, "column 'label': expected numbers for task multi_label.*separator"),
        ("multi_label", {"label": "age"}, "line 3: column 'age': expected 0 or 1 .* got 2"),
        ("classification", {"label": ["age", "colour"]}, "dataset.label: expected one column"),
        ("classification", {"label": "lable"}, "got 'lable' .did you mean 'label'"),
        ("regression", {"label": "age", "draw": "stratified"}, "dataset.draw: expected random"),
        ("classification", {"draw": "time", "time": "colour"}, "line 2: column 'colour': .*dates"),
        ("classification", {"ignore": ["size"]}, "dataset.ignore: .* got 'size'"),
        ("classification", {"features": ["size"]}, "dataset.features: .* got 'size'"),
        ("classification", {"draw": "random", "val_share": 0.01}, "dataset.draw: .*validation"),
    ],
)
def test_roles_that_do_not_fit(folder, task, files, message):
    check(folder, message, task, **files)


def test_missing_and_ambiguous_files(folder, tmp_path):
    check(tmp_path / "nowhere", "dataset.path: expected the folder .*no such folder")
    (folder / "nodes.tsv").write_text("id\n")
    check(folder, "expected one file named nodes, got nodes.csv, nodes.tsv: set dataset.nodes")
    (folder / "nodes.tsv").unlink()
    check(folder, "nodes.xlsx: no such file", nodes="nodes.xlsx")
    (folder / "nodes.xlsx").write_bytes(b"PK")
    check(folder, "nodes.xlsx: expected a table with a name that ends in .csv", nodes="nodes.xlsx")
    (folder / "edges.csv").unlink()
    check(folder, "expected a table of edges such as edges.csv .* got nodes.csv.*dataset.edges")


def test_truncated_files(folder):
    (folder / "edges.csv").unlink()
    (folder / "edges.csv.gz").write_bytes(gzip.compress(EDGES.encode() * 500)[:-20])
    check(folder, "edges.csv.gz: byte .* truncated or corrupt gzip")
    (folder / "edges.csv.gz").unlink()
    (folder / "edges.parquet").write_bytes(b"PAR1aaaaaaaaaa")
    check(folder, "edges.parquet: footer: truncated or corrupt Parquet")
    (folder / "edges.parquet").write_bytes(b"PAR2aaaaaaaaaa")
    check(folder, "edges.parquet: truncated or corrupt Parquet: no b'PAR1' at byte 0")
    (folder / "edges.parquet").unlink()
    np.save(folder / "edges.npy", np.zeros((2, 100), np.int64))
    content = (folder / "edges.npy").read_bytes()
    (folder / "edges.npy").write_bytes(content[:-8])
    check(folder, "edges.npy: truncated or damaged NumPy file")


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((3, 2)), "x.npy: expected 4 rows, one for each row of .*nodes.csv, got 3"),
        (np.array([[1.0], [2], [np.nan], [3]]), "x.npy: row 2: expected finite numbers"),
        (np.ones(4), r"x.npy: expected features \[N, F\], got \[4\]"),
        (np.array([["a"]] * 4), "x.npy: expected an array of float16"),
    ],
)
def test_matrices_of_features(folder, x, message):
    np.save(folder / "x.npy", x)
    check(folder, message, features="x.npy")


def test_arrays_of_objects_are_not_unpickled(folder):
    (folder / "nodes.csv").unlink()
    np.savez(folder / "nodes.npz", x=np.array([{}], object))
    check(folder, "nodes.npz: array 'x': .*Python objects")


@pytest.mark.parametrize(
    ("val", "message"),
    [("q\n", "val.txt: line 1: expected the id of a node, got 'q'"),
     ("c\na\n", "val.txt: line 2: expected nodes of one split only, got 'a'.*train.txt")],
)  # fmt: skip
def test_files_of_a_split(folder, val, message):
    for name, content in {"train": "a\n", "val": val, "test": "d\n"}.items():
        (folder / f"{name}.txt").write_text(content)
    check(folder, message, train="train.txt", val="val.txt", test="test.txt", ignore=["split"])


@pytest.mark.parametrize("name", ["nodes.csv", "x.npy"])
def test_folders_with_names_of_files(folder, name):
    (folder / "nodes.csv").unlink()
    (folder / name).mkdir()
    check(folder, f"{name}: expected a file, got a folder: rename or remove it")


def test_empty_part_of_a_split(folder):
    for name in ("train", "val", "test"):
        (folder / f"{name}.txt").write_text("")
    message = "train.txt: expected one id per line, got an empty file"
    check(folder, message, train="train.txt", val="val.txt", test="test.txt")


def test_all_columns_are_ignored(folder):
    message = r"got none besides age.*list fewer columns in dataset\.ignore, or set"
    check(folder, message, ignore=["age", "colour"])
