"""Several graphs in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatsparse.data import GraphFileError, GraphFiles, load_files
from gatsparse.data.graph_set import separate_graphs

NODES = "id,graph,age,label\na,g2,1,7\nb,g1,2,7\nc,g2,3,7\nd,g1,4,7\n"
EDGES = "source,target,weight\na,c,5\nb,d,6\nc,a,7\n"
GRAPHS = "id,label,split\ng1,no,train\ng2,yes,val\ng3,no,test\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, nodes=NODES + "e,g3,5,7\n", edges=EDGES, graphs=GRAPHS)
    return tmp_path


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)


def load(folder: Path, schema: Any = None, **options: Any) -> Any:
    return load_files(GraphFiles(folder, **options), "graph_classification", schema)


def test_nodes_are_in_the_order_of_their_graphs(folder: Path):
    data = load(folder, edge_features=["weight"])
    assert [data.node_ids[node] for node in range(5)] == list("bdace")
    assert data.x.tolist() == [[2], [4], [1], [3], [5]]
    assert data.batch.tolist() == [0, 0, 1, 1, 2]
    assert data.edge_index.tolist() == [[2, 0, 3], [3, 1, 2]]
    assert data.y.tolist() == [0, 1, 0]
    assert (data.schema.classes, data.graph_ids[1]) == (["no", "yes"], "g2")
    assert data.val_mask.tolist() == [False, True, False]
    assert separate_graphs(data)[1].edge_attr.tolist() == [[5], [7]]


def test_names_of_columns_and_files(folder: Path):
    write(folder, nodes="name,molecule,age\n0,1,8\n1,0,9\n", edges="source,target\n0,0\n")
    (folder / "molecules.csv").write_text("molecule,kind\n1,x\n0,y\n")
    data = load(folder, node_id="name", graph="molecule", graphs="molecules.csv", label="kind")
    assert (data.y.tolist(), data.x.flatten().tolist()) == ([0, 1], [8, 9])
    assert data.get("train_mask") is None


def test_matrix_of_features_is_put_in_order(folder: Path):
    text = "id,graph\n" + "".join(f"{n},{g}\n" for n, g in zip("abcde", "21213", strict=True))
    write(folder, nodes=text, graphs=GRAPHS.replace("g", ""))
    np.save(folder / "x.npy", np.arange(5, dtype=np.float32)[:, None])
    assert load(folder).x.flatten().tolist() == [1, 3, 0, 2, 4]


def test_another_folder_needs_no_labels(folder: Path, tmp_path: Path):
    schema = load(folder).schema
    other = tmp_path / "other"
    other.mkdir()
    write(other, nodes=NODES, edges=EDGES, graphs="id\ng1\ng2\n")
    data = load(other, schema)
    assert data.batch.tolist() == [0, 0, 1, 1]
    assert data.y is None
    write(other, graphs="id,label\ng1,yes\ng2,yes\n")
    assert load(other, schema).y.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        (
            {"edges": EDGES + "a,b,1\n"},
            {},
            r"edges\.csv: line 5: expected two nodes of one graph, got 'a' of graph 'g2' and "
            "'b' of graph 'g1'",
        ),
        (
            {"nodes": NODES + "e,g4,5,7\n"},
            {},
            r"nodes\.csv: line 6: column 'graph': 'g4' is not a graph of .*graphs\.csv: add it",
        ),
        (
            {"nodes": NODES + "e,,5,7\n"},
            {},
            r"nodes\.csv: line 6: column 'graph': expected the id of a graph, got an empty cell",
        ),
        ({"nodes": NODES}, {}, r"graphs\.csv: line 4: expected graphs with nodes, got 'g3'"),
        ({"graphs": GRAPHS + "g1,no,val\n"}, {}, r"graphs\.csv: line 5: .* 'g1' again"),
        ({"graphs": "name,label\ng1,no\n"}, {}, r"graphs\.csv: expected a column id with the ids"),
        ({"graphs": "id\ng1\ng2\ng3\n"}, {}, r"dataset\.label: expected a column of labels"),
        (
            {"graphs": GRAPHS.replace("test", "val")},
            {},
            "expected test graphs in the split, got no",
        ),
        (
            {},
            {"graph": "molecule"},
            r"dataset\.graph: expected a column of .*nodes\.csv, got 'mole",
        ),
        ({}, {"graphs": "molecules.csv"}, r"molecules\.csv: no such file"),
        ({}, {"label": ["a", "b"]}, r"dataset\.label: expected one column with task graph_class"),
        ({}, {"draw": "random"}, r"dataset\.draw: expected None .* a column split into the table"),
        ({}, {"val_share": 0.1}, r"dataset\.val_share: expected 0\.2 with task graph_classific"),
        ({"nodes": "id,age\na,1\nb,2\n"}, {}, r"dataset\.graph: expected a column of the table"),
    ],
)
def test_contradictory_files_raise(folder: Path, texts: Any, options: Any, message: str):
    write(folder, **texts)
    with pytest.raises(GraphFileError, match=message):
        load(folder, **options)


def test_missing_table_of_graphs_raises(folder: Path):
    (folder / "graphs.csv").unlink()
    with pytest.raises(GraphFileError, match=r"expected a table of graphs such as graphs\.csv"):
        load(folder)


def test_column_of_graphs_needs_the_task(folder: Path):
    with pytest.raises(GraphFileError, match=r"dataset\.graph: .* set task: graph_classification"):
        load_files(GraphFiles(folder, graph="graph"))


def test_unknown_nodes_are_dropped_before_graphs_are_compared(folder: Path):
    write(folder, edges=EDGES + "a,unknown,1\n")
    assert load(folder, unknown_nodes="drop").dropped["unknown_nodes"] == 1
    assert torch.equal(load(folder, unknown_nodes="drop").edge_index[:, -1], torch.tensor([3, 2]))
