"""Tables as people and programs write them: each is read as it is meant, or is an error that names
the file, the line or row, the column, and the cure.
"""

import datetime
import re
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFileError, GraphFiles, load_files
from gatsparse.data.graph_files.texts import null_texts
from tests.data.graph_files.conftest import NODES
from tests.data.graph_files.test_guide import PAGE

COLUMNS = {
    "id": list("abcd"),
    "f": [1.0, 2.0, 3.0, 4.0],
    "label": list("xyxy"),
    "split": ["train", "val", "test", "train"],
}


def check(folder, message, task="classification", schema=None, **files):
    with pytest.raises(GraphFileError, match=re.compile(message, re.DOTALL)) as caught:
        load_files(GraphFiles(folder, **files), task, schema)
    assert "\n" not in str(caught.value)


def write_parquet(folder, **columns):
    (folder / "nodes.csv").unlink(missing_ok=True)
    table = pa.table({**COLUMNS, **columns})
    pyarrow.parquet.write_table(table, folder / "nodes.parquet")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\n", "\r", "nodes.csv: line 1: expected lines that end .* got a carriage return"),
        ("y,val\n", "y,val\r", "nodes.csv: line 3: expected one row per line, got .* a carriage"),
        ("age", "a" * 200_000, "nodes.csv: line 1: field larger than"),
        ("1,red", f'1,"{"r" * 200_000}\n"', "nodes.csv: line 2: expected one row per line"),
        ("c,3,red", 'c,3,"\u2028r\n"', "nodes.csv: line 4: expected one row per line"),
    ],
)
def test_line_ends_and_long_cells(folder, old, new, message):
    (folder / "nodes.csv").write_bytes(NODES.replace(old, new).encode())
    check(folder, message)


@pytest.mark.parametrize(
    "numbers",
    ["1,234 2,234 3,234 4,234", "0,5 1,5 2,5 3,5", "1% 2% 3% 4%", "1_234 2_234 3_234 4_234"],
)
def test_numbers_with_other_signs_are_not_silently_categories(folder, numbers):
    rows = [f'{name},"{number}",{label},{split}' for name, number, label, split in zip(
        COLUMNS["id"], numbers.split(), COLUMNS["label"], COLUMNS["split"], strict=True
    )]  # fmt: skip
    (folder / "nodes.csv").write_text("id,f,label,split\n" + "\n".join(rows) + "\n")
    check(folder, "line 2: column 'f': expected a number such as 1234.5, got .*decimal point")
    data = load_files(GraphFiles(folder, categorical=["f"]))
    assert data.x.tolist() == np.eye(4).tolist()


@pytest.mark.parametrize("missing", ["NA", "NaN", "nan", ""])
def test_missing_labels_of_a_column_of_numbers(folder, missing):
    nodes = NODES.replace(",x,", ",1.0,").replace(",y,val", ",0.0,val")
    (folder / "nodes.csv").write_text(nodes.replace(",y,train", f",{missing},"))
    data = load_files(GraphFiles(folder))
    assert data.y.tolist() == [1, 0, 1, -1]
    assert data.schema.classes == ["0", "1"]


@pytest.mark.parametrize(
    ("column", "classes", "y"),
    [
        (pa.array([1.0, 2.0, 1.0, None]), ["1", "2"], [0, 1, 0, -1]),
        (pa.array([1e17, 2.0, 2.0, np.nan]), ["2", "100000000000000000"], [1, 0, 0, -1]),
        (pa.array([3.0, 2.0, 1e20, None]), ["2", "3", f"1{20 * '0'}"], [1, 0, 2, -1]),
        (pa.array([True, False, None, True]), ["false", "true"], [1, 0, -1, 1]),
        (pa.array([[1], [0], [1], [0]]), ["0", "1"], [1, 0, 1, 0]),
        (pa.array([b"u", b"v", b"u", None]), ["u", "v"], [0, 1, 0, -1]),
        (pa.array(["u", "NA", "u", "NA"]), ["NA", "u"], [1, 0, 1, 0]),
        (
            pa.array([uuid.UUID(int=1).bytes, uuid.UUID(int=0).bytes] * 2, pa.uuid()),
            [str(uuid.UUID(int=0)), str(uuid.UUID(int=1))],
            [1, 0, 1, 0],
        ),
    ],
)
def test_labels_of_every_type(folder, column, classes, y):
    write_parquet(folder, label=column)
    data = load_files(GraphFiles(folder))
    assert data.schema.classes == classes
    assert data.y.tolist() == y


@pytest.mark.parametrize("values", ["True,False", "TRUE,false"])
def test_booleans_are_the_same_classes_in_every_format(folder, values):
    yes, no = values.split(",")
    (folder / "nodes.csv").write_text(NODES.replace(",x,", f",{yes},").replace(",y,", f",{no},"))
    data = load_files(GraphFiles(folder))
    write_parquet(folder, label=[True, False, True, False])
    assert load_files(GraphFiles(folder)).schema.classes == data.schema.classes


def test_categories_of_numbers_are_the_same_in_every_format(folder):
    """pandas writes a column of integers with decimals if a cell is missing."""
    (folder / "nodes.csv").write_text(NODES.replace("a,1", "a,").replace(",3,", ",2,"))
    files = GraphFiles(folder, features=["age"], categorical=["age"], missing="zero")
    data = load_files(files)
    assert data.schema.columns[0].categories == ["2", "4"]
    assert data.notes[0] == "nodes without a known category in column age: 1"
    (folder / "nodes.csv").write_text(NODES.replace("a,1", "a,").replace(",3,", ",2.0,"))
    assert load_files(files, schema=data.schema).x.tolist() == data.x.tolist()
    write_parquet(folder, age=[np.nan, 2.0, 2.0, 4.0])
    assert load_files(files, schema=data.schema).x.tolist() == data.x.tolist()


@pytest.mark.parametrize(
    ("columns", "files", "message"),
    [
        ({"label": [[1, 0]] * 4}, {}, "column 'label': expected one class .* got vectors of 2"),
        ({"id": [[1]] * 4}, {}, "column 'id': expected ids as text or integers, got vectors"),
        ({"split": [0, 1, 2, 0]}, {}, "row 0: column 'split': expected train.*got '0'"),
        ({"f": [b"\xff"] * 4}, {}, "column 'f': expected UTF-8"),
        ({"t": [[1]] * 4}, {"draw": "time", "time": "t"}, "column 't': expected times"),
        ({"t": [1.0, np.nan, 2, 3]}, {"draw": "time", "time": "t"}, "row 1: column 't'.*'nan'"),
        ({"f": [1e200, -1e200, 1, 2]}, {"standardize": True}, "row 0: column 'f'.*finite"),
    ],
)
def test_columns_of_other_types(folder, columns, files, message):
    write_parquet(folder, **columns)
    check(folder, f"nodes.parquet: {message}", **files)


@pytest.mark.parametrize("name", ["nan", "inf"])
def test_words_that_python_reads_as_numbers_are_categories(folder, name):
    (folder / "nodes.csv").write_text(NODES.replace("d,4,blue", f"d,4,{name}"))
    assert load_files(GraphFiles(folder)).schema.columns[1].categories == sorted(
        ["blue", "red", name]
    )


@pytest.mark.parametrize("name", ["NA", "nan", "null"])
def test_names_of_missing_values_are_noted(folder, name):
    cells = "counts as a name, not as missing: if it means missing, leave these cells empty"
    nodes = NODES.replace("d,4,blue,y", f"d,4,{name},{name}")
    (folder / "nodes.csv").write_text(nodes)
    data = load_files(GraphFiles(folder))
    expected = [f"column {column}: {name!r} {cells}" for column in ("label", "colour")]
    assert data.notes[:-1] == expected
    assert load_files(GraphFiles(folder), schema=data.schema).notes == data.notes[-1:]
    (folder / "nodes.csv").write_text(nodes.replace(f",{name},train", f",x;{name},train"))
    notes = load_files(GraphFiles(folder, label_separator=";"), "multi_label").notes
    assert notes[:-1] == expected


def test_the_word_among_numbers_is_named(folder):
    nodes = NODES.replace("a,1", "a,nan").replace("d,4", "d,four")
    (folder / "nodes.csv").write_text(nodes)
    check(folder, "line 5: column 'age': expected a number as in other cells, got 'four'")


@pytest.mark.parametrize("cell", ["1_000", "0x10", "?", '"1,000.5"', "\u00a05", "1e"])
def test_text_among_numbers(folder, cell):
    (folder / "nodes.csv").write_text(NODES.replace("c,3", f"c,{cell}"))
    check(folder, "line 4: column 'age': expected a number")


def test_the_guide_lists_words_of_missing_cells():
    text = PAGE.read_text()
    assert [word for word in null_texts() if f"`{word}`" not in text] == []


@pytest.mark.parametrize("cell", ["NA", "-nan", "#N/A"])
@pytest.mark.parametrize("files", [{}, {"categorical": ["age"], "features": ["age"]}])
def test_missing_cells_are_shown(folder, cell, files):
    (folder / "nodes.csv").write_text(NODES.replace("c,3", f"c,{cell}"))
    check(folder, f"line 4: column 'age': .*, got '{re.escape(cell)}', which counts as", **files)


def test_missing_number_of_an_array_is_shown(folder):
    write_parquet(folder, f=[1.0, np.nan, 2.0, 3.0])
    check(folder, "row 1: column 'f': expected a number, got 'nan', which counts as missing")


def test_lists_in_a_column_of_categories(folder):
    write_parquet(folder, f=list("uvuv"))
    schema = load_files(GraphFiles(folder)).schema
    write_parquet(folder, f=[[1, 2]] * 4)
    check(folder, "column 'f': expected one value in each row, got 2", schema=schema)
    write_parquet(folder, label=[[1, 0]] * 4)
    check(folder, "'label': expected text with label_separator", "multi_label", label_separator="|")


def test_columns_of_the_same_name(folder):
    (folder / "nodes.csv").unlink()
    table = pa.Table.from_arrays([pa.array(list("abcd"))] * 2, ["f", "f"])
    pyarrow.parquet.write_table(table, folder / "nodes.parquet")
    check(folder, "nodes.parquet: expected different names of columns, got 'f' twice")
    for key in ("features", "edge_features", "ignore"):
        with pytest.raises(ConfigError, match=f"dataset.{key}: expected different columns"):
            GraphFiles(folder, **{key: ["f", "f"]})
    with pytest.raises(ConfigError, match=r"dataset\.target: expected another column"):
        GraphFiles(folder, source="a", target="a")


def test_constant_columns_stay_small(folder):
    """The mean of equal numbers may differ from them in the last digit."""
    rows = "".join(f"n{i},0.1,{'xy'[i % 2]}\n" for i in range(30))
    (folder / "nodes.csv").write_text("id,f,label\n" + rows)
    (folder / "edges.csv").write_text("source,target\nn1,n2\n")
    schema = load_files(GraphFiles(folder, standardize=True)).schema
    assert schema.columns[0].std == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_of_every_dtype(folder, order):
    (folder / "nodes.csv").unlink()
    np.savez(
        folder / "nodes.npz",
        x=np.arange(8, dtype=f"{order}f8").reshape(4, 2),
        half=np.arange(4, dtype=f"{order}f2"),
        long=np.arange(4, dtype=np.longdouble),
        y=np.array([[0], [1], [0], [-1]], f"{order}i4"),
        month=np.array([3, 0, 1, 2], "M8[M]"),
    )
    (folder / "edges.csv").unlink()
    np.save(folder / "edges.npy", np.array([[0, 1], [1, 3]], f"{order}i8"))
    files = GraphFiles(folder, draw="time", time="month", train_share=0.4, val_share=0.3)
    data = load_files(files)
    assert data.x[3].tolist() == [6, 7, 3, 3]
    assert data.y.tolist() == [0, 1, 0, -1]
    assert data.test_mask.tolist() == [True, False, False, False]
    assert data.edge_index.tolist() == [[0, 1], [1, 3]]


def test_arrays_without_rows(folder):
    (folder / "nodes.csv").unlink()
    np.savez(folder / "nodes.npz", x=np.zeros((0, 2)), y=np.zeros(0))
    check(folder, "nodes.npz: expected at least one node, got none")


def test_dates_as_labels_are_text(folder):
    write_parquet(folder, label=[datetime.date(2020, 1, 1 + i % 2) for i in range(4)])
    assert load_files(GraphFiles(folder)).schema.classes == ["2020-01-01", "2020-01-02"]


def test_ids_with_spaces_in_files_of_a_split(folder):
    """A space separates columns of a table, but not the ids of a list."""
    names = ["new york", "san jose", "la", "st ives"]
    rows = "".join(f"{name},{i},{'xy'[i % 2]}\n" for i, name in enumerate(names))
    (folder / "nodes.csv").write_text("id,f,label\n" + rows)
    (folder / "edges.csv").write_text("source,target\nnew york,la\n")
    for name, content in {
        "train": "new york\nla\n",
        "val": "san jose\n",
        "test": "st ives\n",
    }.items():
        (folder / f"{name}.txt").write_text(content)
    files = GraphFiles(folder, train="train.txt", val="val.txt", test="test.txt")
    data = load_files(files)
    assert data.train_mask.tolist() == [True, False, True, False]
    (folder / "val.txt").write_text("san jose,st ives\n")
    check(
        folder, "val.txt: expected one id per line, got 2 columns.*quote", train="train.txt",
        val="val.txt", test="test.txt",
    )  # fmt: skip


def test_edges_without_a_header_are_named(folder):
    """pandas writes the header 0,1 of an array, which is not different from an edge."""
    (folder / "nodes.csv").write_text("f,label,split\n1,x,train\n2,y,val\n3,x,test\n")
    (folder / "edges.csv").write_text("0,1\n1,2\n")
    data = load_files(GraphFiles(folder))
    assert data.edge_index.tolist() == [[0, 1], [1, 2]]
    assert data.notes == ["files without a header, whose first line is an edge: edges.csv"]


def test_features_with_usual_names_of_labels_and_ids(folder):
    """Columns of the training do not become labels or ids of a graph that has none."""
    (folder / "nodes.csv").write_text(
        "id,node,y,label,split\na,1,5,x,train\nb,1,6,y,val\nc,1,7,x,test\nd,1,8,y,train\n"
    )
    learned = load_files(GraphFiles(folder))
    cure = "list it under dataset.ignore if it is none"
    assert learned.notes[:2] == [
        f"column node is a feature, but has the usual name of ids: {cure}",
        f"column y is a feature, but has the usual name of labels: {cure}",
    ]
    schema = learned.schema
    chosen = load_files(GraphFiles(folder, features=["node", "y"]))
    assert chosen.notes == learned.notes[2:]
    (folder / "nodes.csv").write_text("node,y\n1,5\n1,6\n")
    (folder / "edges.csv").write_text("source,target\n0,1\n")
    data = load_files(GraphFiles(folder), schema=schema)
    assert data.x.tolist() == [[1, 5], [1, 6]]
    assert "y" not in data
    assert data.node_ids[1] == 1


def test_a_file_of_labels_may_be_missing_for_predictions(folder):
    (folder / "nodes.csv").write_text("id,f\na,1\nb,2\nc,3\nd,4\n")
    np.save(folder / "kind.npy", np.array([0, 1, 0, 1]))
    files = GraphFiles(folder, label="kind.npy", draw="random", train_share=0.4, val_share=0.3)
    schema = load_files(files).schema
    (folder / "kind.npy").unlink()
    assert "y" not in load_files(files, schema=schema)
    check(folder, "kind.npy: no such file", label="kind.npy")


def test_an_edge_is_no_header(folder):
    """Ids such as n1 and n2 are also names of columns that have an order."""
    (folder / "nodes.csv").write_text("id,f,label,split\nn1,1,x,train\nn2,2,y,val\nn3,3,x,test\n")
    (folder / "edges.csv").write_text("n1,n2\nn2,n3\n")
    check(folder, "edges.csv: expected a header, got the nodes 'n1', 'n2': add a header")
    data = load_files(GraphFiles(folder, source="n1", target="n2"))
    assert data.edge_index.tolist() == [[1], [2]]


def test_the_label_is_no_feature(folder):
    check(folder, "dataset.features: .* without the label, got 'label'", features=["age", "label"])
    data = load_files(GraphFiles(folder, features=["age", "label"]), "link_prediction")
    assert data.x.size(1) == 3
