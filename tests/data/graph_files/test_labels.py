"""Labels of every task, and nodes without a label."""

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from gatsparse.config_types import ConfigError
from gatsparse.data import GraphFiles, load_files
from gatsparse.train import TrainConfig, load_task, task_of_seed

SPLIT = {"draw": "random", "train_share": 0.4, "val_share": 0.3}


def write_labels(folder, labels, columns="label"):
    """Writes a table of nodes with their labels."""
    (folder / "edges.csv").write_text("source,target\nn0,n1\n")
    rows = "".join(f"n{node},1,{label}\n" for node, label in enumerate(labels))
    (folder / "nodes.csv").write_text(f"id,f,{columns}\n{rows}")


@pytest.mark.parametrize("as_text", [False, True])
def test_minus_one_is_no_label_among_numbers(folder, as_text):
    for labels, expected in (([0, 1, -1, 1], [0, 1, -1, 1]), ([1, -1, 1, -1], [1, 0, 1, 0])):
        write_labels(folder, labels)
        if as_text:
            column = pa.array(map(str, labels))
            table = pa.table({"id": [f"n{node}" for node in range(4)], "f": [1] * 4, "y": column})
            (folder / "nodes.csv").unlink()
            pyarrow.parquet.write_table(table, folder / "nodes.parquet")
        assert load_files(GraphFiles(folder, **SPLIT)).y.tolist() == expected
        (folder / "nodes.parquet").unlink(missing_ok=True)


def test_minus_one_in_a_graph_for_predictions(folder):
    """It is a class if it was one in the training, however many classes the graph has."""
    for training, labels, expected in (
        ([0, 1, -1, 1], [1, -1, 1, -1], [1, -1, 1, -1]),
        ([0, 1, -1, 1], [-1] * 4, [-1] * 4),
        ([1, -1, 1, -1], [-1] * 4, [0] * 4),
        (list("xyxy"), [-1] * 4, [-1] * 4),
    ):
        write_labels(folder, training)
        schema = load_files(GraphFiles(folder, **SPLIT)).schema
        write_labels(folder, labels)
        assert load_files(GraphFiles(folder), schema=schema).y.tolist() == expected


def test_cells_of_several_labels(folder):
    """An empty cell is no label, a separator alone is a node with none of the labels."""
    write_labels(folder, ["x;y", "", ";", " y ; x", "y;"])
    files = GraphFiles(folder, label_separator=";", **SPLIT)
    data = load_files(files, "multi_label")
    assert data.y[[0, 2, 3, 4]].tolist() == [[1, 1], [0, 0], [1, 1], [0, 1]]
    assert data.y[1].isnan().all()
    assert not (data.train_mask | data.val_mask | data.test_mask)[1]
    assert data.notes[0] == (
        "nodes without labels, whose cell is empty (';' alone is a node with none of them): 1"
    )
    column = pa.array(["x;y", None, ";", "y;x", "y"])
    table = pa.table({"id": [f"n{node}" for node in range(5)], "f": [1] * 5, "label": column})
    (folder / "nodes.csv").unlink()
    pyarrow.parquet.write_table(table, folder / "nodes.parquet")
    assert torch.equal(load_files(files, "multi_label").y.nan_to_num(9), data.y.nan_to_num(9))


def test_equal_numbers_in_cells_of_several_labels(folder):
    """A separator may be a part of a number."""
    files = GraphFiles(folder, label_separator=";", **SPLIT)
    write_labels(folder, ["1.0;2", "2.0", "1", ";"])
    data = load_files(files, "multi_label")
    assert data.schema.classes == ["1", "2"]
    assert data.y.tolist() == [[1, 1], [0, 1], [1, 0], [0, 0]]
    write_labels(folder, ["2.00", "2.0", "1.0", ""])
    known = load_files(files, "multi_label", data.schema).y
    assert known[:3].tolist() == [[0, 1], [0, 1], [1, 0]]
    write_labels(folder, ["1.20", "2.1", "1.0", "2.0"])
    files = GraphFiles(folder, label_separator=".", **SPLIT)
    assert load_files(files, "multi_label").schema.classes == ["0", "1", "2", "20"]


def test_columns_of_labels(folder):
    """A node with an empty cell in one of them is unlabelled."""
    write_labels(folder, ["0,1", "1,", ",", "1,0", "0,0"], "l1,l2")
    data = load_files(GraphFiles(folder, label=["l1", "l2"], **SPLIT), "multi_label")
    assert data.y.isnan().sum(dim=1).tolist() == [0, 2, 2, 0, 0]
    assert data.schema.classes == ["l1", "l2"]
    assert (data.train_mask | data.val_mask | data.test_mask).nonzero().flatten().tolist() == [
        0,
        3,
        4,
    ]
    assert data.notes[0] == "nodes without labels, of which only some are missing: 1"


def test_unlabelled_nodes_of_a_split_are_refused(folder):
    write_labels(folder, ["x,train", "y;x,val", ",val", "x;y,test"], "label,split")
    config = TrainConfig(GraphFiles(folder, label_separator=";"), task="multi_label")
    with pytest.raises(ConfigError, match=r"val_mask, got 1 of 2 without one \(an empty cell"):
        task_of_seed(load_task(config), config, 0)
