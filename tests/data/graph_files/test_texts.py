"""Equal values are the same category, and the same class, in every file."""

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet
import pytest

from gatsparse.data import GraphFileError, GraphFiles, load_files
from gatsparse.data.graph_files.texts import canonical, is_number

#: Columns of the same values in the first three rows: cells of CSV, or a column of Parquet.
EQUAL = {
    "integers": [
        ["1", "2", "1", "3"],
        ["1.0", "2.0", "1.00", "NA"],
        ["1.0", "2.0", "1.0", "unknown"],
        ["1", "2", "1", "NA "],
        pa.array([1, 2, 1, 3]),
        pa.array([1, 2, 1, None], pa.float32()),
        pa.array([Decimal("1.0"), Decimal("2.0"), Decimal("1.0"), None]),
        pa.array(["1.0", "2.0", "1.0", "unknown"]),
        pa.array(["1", "2", "1", "NA"]),
    ],
    "fractions": [
        ["0.10", "2", ".1", "3"],
        pa.array([0.1, 2.0, 0.1, 1e17]),
        pa.array([0.1, 2.0, 0.1, None], pa.float32()),
        pa.array([0.1, 2.0, 0.1, 3.0], pa.float64()).dictionary_encode(),
    ],
    "large": [
        ["9007199254740993", "16777217", "9007199254740993", "1"],
        ["9007199254740993.0", "16777217", "9007199254740993.0", "x"],
        pa.array([9007199254740993, 16777217, 9007199254740993, 2**64 - 1], pa.uint64()),
    ],
    "booleans": [
        ["True", "False", "True", ""],
        ["TRUE", "false", "TRUE", "maybe"],
        pa.array([True, False, True, None]),
        pa.array(["True", "False", "True", "Maybe"]),
    ],
    "zeros in front": [["01", "1", "01", "2"], pa.array(["01", "1", "01", "x"])],
    "text": [["v 1.0", "1.10", "v 1.0", "1.1"], pa.array(["v 1.0", "1.10", "v 1.0", "1.1"])],
}


def write(folder, name, column):
    """Writes a table of four nodes with a column of some values."""
    for file in folder.glob("nodes.*"):
        file.unlink()
    split = ["train", "val", "test", ""]
    if isinstance(column, list):
        rows = zip("abcd", column, split, strict=True)
        text = "".join(f"{node},{value},1,{part}\n" for node, value, part in rows)
        (folder / "nodes.csv").write_text(f"id,{name},f,split\n{text}")
    else:
        table = pa.table({"id": list("abcd"), name: column, "f": [1] * 4, "split": split})
        pyarrow.parquet.write_table(table, folder / "nodes.parquet")


@pytest.mark.parametrize("values", EQUAL)
def test_categories_of_the_training(folder, values):
    files = GraphFiles(folder, features=["kind"], categorical=["kind"], missing="zero")
    for column in EQUAL[values]:
        write(folder, "kind", column)
        learned = load_files(files, "link_prediction")
        assert learned.x[:3].sum(dim=1).tolist() == [1, 1, 1]
        assert learned.x[0].tolist() == learned.x[2].tolist() != learned.x[1].tolist()
        for other in EQUAL[values]:
            write(folder, "kind", other)
            found = load_files(files, "link_prediction", learned.schema)
            assert found.x[:3].tolist() == learned.x[:3].tolist(), (column, other)


@pytest.mark.parametrize("values", sorted(EQUAL.keys() - {"fractions"}))  # which are no classes
def test_classes_of_the_training(folder, values):
    """Labels that the training does not know are errors."""
    for column in EQUAL[values]:
        write(folder, "label", column)
        learned = load_files(GraphFiles(folder))
        assert learned.y[0] == learned.y[2] != learned.y[1]
        for other in EQUAL[values]:
            if isinstance(other, list):
                write(folder, "label", [*other[:3], ""])
            else:
                write(folder, "label", pa.array([*other[:3].to_pylist(), None], other.type))
            found = load_files(GraphFiles(folder), schema=learned.schema)
            assert found.y.tolist() == [*learned.y[:3].tolist(), -1], (column, other)


def test_numbers_are_written_in_one_way():
    texts = {
        "-0": "0", "-0.0": "0", "+7": "7", "-7.": "-7", " 2 ": "2", "1e20": "1" + 20 * "0",
        "9" * 200 + ".0": "9" * 200, "1e400": "1e400", "1_0": "1_0", "007.5": "007.5",
        "2.5E-07": "2.5e-07", "nan": "nan", "0x1": "0x1",
    }  # fmt: skip
    assert {text: canonical(text) for text in texts} == texts


def test_which_texts_are_numbers():
    texts = ["1", "-.5e3 ", "007", "1_000", "nan", "inf", "0x1", "true", "", "\u00a05"]
    assert [text for text in texts if is_number(text)] == texts[:3]


@pytest.mark.parametrize("missing", ["error", "zero"])
def test_booleans_are_not_zeros_and_ones(folder, missing):
    """Without an error, no node would have a category."""
    files = GraphFiles(folder, features=["kind"], categorical=["kind"], missing=missing)
    columns = ["true", "false", "true", "true"], ["0", "1", "1", "1"]
    for learned, other in (columns, columns[::-1]):
        write(folder, "kind", learned)
        schema = load_files(files, "link_prediction").schema
        write(folder, "kind", other)
        with pytest.raises(GraphFileError, match=r"nodes.csv: line .: column 'kind': expected '"):
            load_files(files, "link_prediction", schema)


def test_texts_of_equal_numbers_are_different_categories(folder):
    """Versions such as 1.1 and 1.10 in a column of text."""
    files = GraphFiles(folder, features=["kind"], categorical=["kind"], missing="zero")
    write(folder, "kind", ["1.1", "1.10", "2.0", "beta"])
    schema = load_files(files, "link_prediction").schema
    assert schema.columns[0].categories == ["1.1", "1.10", "2.0", "beta"]
    write(folder, "kind", ["1.10", "2", "1.100", "2.1"])
    x = load_files(files, "link_prediction", schema).x
    assert x.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    write(folder, "kind", ["1.0", "1.00", "2.0", "beta"])
    schema = load_files(files, "link_prediction").schema
    write(folder, "kind", ["1.00", "2", "1", "1.000"])  # 1 may be either
    x = load_files(files, "link_prediction", schema).x
    assert x.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("column", [["3.10", "3.9"] * 2, ["3.10", "3.9", "3.9", "other"]])
def test_unknown_versions_are_no_known_ones(folder, column):
    """Also in a column without words."""
    for name, task, keys in (
        ("kind", "link_prediction", {"features": ["kind"], "categorical": ["kind"]}),
        ("label", "classification", {}),
    ):
        files = GraphFiles(folder, **keys)
        write(folder, name, pa.array(["3.1", "3.9", "unknown", "3.9"]))
        schema = load_files(files, task).schema
        write(folder, name, pa.array(column))
        with pytest.raises(GraphFileError, match=r"row 0: column .* got '3\.10'"):
            load_files(files, task, schema)


def test_versions_that_become_one_number_are_noted(folder):
    note = "are the same number: write text such as 'v3.10' if they are different names"
    versions = ["3.1", "3.9", "3.10", "3.9"]
    write(folder, "kind", versions)
    files = GraphFiles(folder, features=["kind"], categorical=["kind"])
    data = load_files(files, "link_prediction")
    assert data.schema.columns[0].categories == ["3.1", "3.9"]
    assert data.notes[0] == f"column kind: '3.1' and '3.10' {note}"
    write(folder, "label", pa.array(versions))
    assert load_files(GraphFiles(folder)).notes[0] == f"column label: '3.1' and '3.10' {note}"
    write(folder, "label", ["3.1;3.9", "3.9", "3.10", "3.9"])
    notes = load_files(GraphFiles(folder, label_separator=";"), "multi_label").notes
    assert notes[0] == f"column label: '3.1' and '3.10' {note}"


@pytest.mark.parametrize("column", [["1", "2.0", "1.0", "2"], [".5", "0.7", ".5", "0.7"]])
def test_whole_numbers_and_single_spellings_get_no_note(folder, column):
    write(folder, "kind", column)
    files = GraphFiles(folder, features=["kind"], categorical=["kind"])
    assert not any("same number" in note for note in load_files(files, "link_prediction").notes)


def test_names_that_look_like_missing_numbers(folder):
    """NA is a country among words, and a missing number among numbers, unless it was a country."""
    files = GraphFiles(folder, features=["kind"], categorical=["kind"], missing="zero")
    write(folder, "kind", ["NA", "1", "NA", "DE"])
    schema = load_files(files, "link_prediction").schema
    assert schema.columns[0].categories == ["1", "DE", "NA"]
    write(folder, "kind", ["NA", "1", "NA", "2"])
    x = load_files(files, "link_prediction", schema).x
    assert x.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert load_files(files, "link_prediction").schema.columns[0].categories == ["1", "2"]
