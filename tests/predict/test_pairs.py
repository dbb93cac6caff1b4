"""Pairs of nodes in a table, whose columns may have the names of the training or usual ones."""

import pyarrow as pa
import pytest

from gatsparse.data import GraphFileError, GraphFiles, NodeIds
from gatsparse.predict.links import _trained_ends
from gatsparse.predict.pairs import read_pairs

IDS = NodeIds(pa.array(["n1", "n2", "n3"]))


def pairs(tmp_path, text, trained=("buyer", "item")):
    (tmp_path / "pairs.csv").write_text(text)
    return read_pairs(tmp_path / "pairs.csv", IDS, trained).tolist()


@pytest.mark.parametrize("header", ["buyer,item,price", "source,target,price", "from,to,price"])
def test_names_of_columns(tmp_path, header):
    assert pairs(tmp_path, f"{header}\nn1,n3,7\nn2,n2,8\n") == [[0, 1], [2, 1]]


def test_columns_of_the_training_come_first(tmp_path):
    text = "source,target,buyer,item\nn1,n1,n2,n3\n"
    assert pairs(tmp_path, text) == [[1], [2]]
    assert pairs(tmp_path, text.replace("buyer", "b"), trained=(None, None)) == [[0], [0]]


def test_columns_that_the_training_recognized(tmp_path):
    (tmp_path / "edges.csv").write_text("user,item\nn1,n2\n")
    trained = _trained_ends(GraphFiles(tmp_path))
    assert pairs(tmp_path, "user,item\nn1,n3\n", trained) == [[0], [2]]
    (tmp_path / "edges.csv").unlink()
    assert _trained_ends(GraphFiles(tmp_path)) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nn1,n2\n", "columns 'source' and 'target', or 'buyer' and 'item' .*'a', 'b': rename"),
        ("source,target\n", "pairs.csv: expected at least one pair of nodes, got none"),
        ("foo,bar\nn1,n2\n", "columns 'source' and 'target', or 'buyer' and 'item' as .*'foo'"),
        ("n1,n2\nn2,n3\n", "expected a header, got the nodes 'n1', 'n2'"),
        ("source,target\nn1,n2\nn1,n4\n", "line 3: column 'target': 'n4' is not .*remove the pair"),
        ("source,target\nn1,\n", "line 2: column 'target': expected the id of a node"),
    ],
)
def test_pairs_that_are_refused(tmp_path, text, message):
    with pytest.raises(GraphFileError, match=message):
        pairs(tmp_path, text)
