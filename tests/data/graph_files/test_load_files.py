"""Graphs in files of every format, with ids of every kind."""

import uuid
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatsparse.data import GraphFiles, load_files
from tests.data.graph_files.conftest import EDGES, NODES

SPLITS = ("train", "val", "test")


def same(data, other):
    keys = ("x", "y", "edge_index", "train_mask", "val_mask", "test_mask")
    return all(torch.equal(data[key], other[key]) for key in keys)


def test_table_of_nodes_and_table_of_edges(folder):
    data = load_files(GraphFiles(folder))
    assert data.x.tolist() == [[1, 0, 1], [2, 1, 0], [3, 0, 1], [4, 1, 0]]
    assert data.y.tolist() == [0, 1, 0, 1]
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert data.edge_index.dtype == torch.int32
    assert data.train_mask.tolist() == [True, False, False, True]
    assert [column.name for column in data.schema.columns] == ["age", "colour"]
    assert data.schema.classes == ["x", "y"]
    assert [data.node_ids[node] for node in range(4)] == list("abcd")
    assert data.notes == ["columns of the edges that are not used: weight"]


@pytest.mark.parametrize("suffix", ["csv.gz", "tsv", "csv.zst", "parquet"])
def test_formats(folder, suffix):
    expected = load_files(GraphFiles(folder))
    for name in ("nodes", "edges"):
        table = pyarrow.csv.read_csv(folder / f"{name}.csv")
        (folder / f"{name}.csv").unlink()
        path = folder / f"{name}.{suffix}"
        if suffix == "parquet":
            pyarrow.parquet.write_table(table, path)
            continue
        delimiter = "\t" if suffix == "tsv" else ","
        with pa.output_stream(path) as stream:  # compresses by the suffix
            options = pyarrow.csv.WriteOptions(delimiter=delimiter)
            pyarrow.csv.write_csv(table, stream, options)
    assert same(load_files(GraphFiles(folder)), expected)


def test_text_as_other_programs_write_it(folder):
    """Byte order mark, carriage returns, semicolons, quotes, comments, blank lines, no last line
    end.
    """
    expected = load_files(GraphFiles(folder))
    nodes = NODES.replace(",", ";").replace("red", '"red"').replace("\n", "\r\n")
    (folder / "nodes.csv").write_bytes(b"\xef\xbb\xbf" + nodes.encode())
    edges = "# exported\n# yesterday\n" + EDGES.replace("b,c", "\nb,c").replace(",", "|")
    (folder / "edges.csv").write_text(edges.rstrip("\n"))
    assert same(load_files(GraphFiles(folder)), expected)


def test_edges_of_several_files(folder):
    expected = load_files(GraphFiles(folder))
    (folder / "edges.csv").unlink()
    (folder / "edges").mkdir()
    (folder / "edges" / "part-2.csv").write_text("source,target\na,b\nb,c\n")
    (folder / "edges" / "part-10.tsv").write_text("source\ttarget\nc\td\n")
    assert same(load_files(GraphFiles(folder)), expected)
    parts = ["edges/part-2.csv", "edges/part-10.tsv"]
    assert same(load_files(GraphFiles(folder, edges=parts)), expected)


def test_arrays(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    masks = {
        f"{name}_mask": np.arange(5) % 3 == i for i, name in enumerate(("train", "val", "test"))
    }
    edge_index = np.array([[0, 1, 4], [1, 2, 0]])
    np.savez(tmp_path / "nodes.npz", x=x, y=np.array([0, 1, -1, 0, 1]), **masks)
    np.savez(tmp_path / "edges.npz", edge_index=edge_index)
    data = load_files(GraphFiles(tmp_path))
    assert torch.equal(data.x, torch.from_numpy(x))
    assert data.y.tolist() == [0, 1, -1, 0, 1]
    assert torch.equal(data.val_mask, torch.from_numpy(masks["val_mask"]))
    assert torch.equal(data.edge_index.long(), torch.from_numpy(edge_index))


def test_matrix_of_features_stays_on_disk(folder):
    np.save(folder / "x.npy", np.arange(8, dtype=np.float32).reshape(4, 2))
    (folder / "nodes.csv").unlink()
    np.save(folder / "y.npy", np.array([0, 1, 0, 1]))
    (folder / "edges.csv").write_text("0 1\n1 2\n2 3\n")
    data = load_files(GraphFiles(folder, draw="random", train_share=0.5, val_share=0.25))
    assert data.x.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    with (folder / "x.npy").open("r+b") as file:  # the map sees the file
        file.seek(-8, 2)
        file.write(np.array([60, 70], np.float32).tobytes())
    assert data.x[3].tolist() == [60, 70]


def test_sparse_matrix_of_features(folder):
    matrix = scipy.sparse.random(4, 50, density=0.2, random_state=0, dtype=np.float32)
    scipy.sparse.save_npz(folder / "x.npz", matrix)
    data = load_files(GraphFiles(folder, features="x.npz"))
    assert data.x.layout == torch.sparse_csr
    assert torch.equal(data.x.to_dense(), torch.from_numpy(matrix.toarray()))


KINDS = {
    "text": [f"päper/{i}" for i in range(4)],
    "integers with gaps": [7, 2**62, 0, 10**12],
    "negative": [-5, 3, -7, 0],
    "uuid": [str(uuid.UUID(int=i * 10**30)) for i in range(4)],
    "leading zeros": ["7", "07", "007", "70"],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids(folder, kind, suffix):
    ids = KINDS[kind]
    nodes = pyarrow.csv.read_csv(folder / "nodes.csv").set_column(0, "id", pa.array(ids))
    edges = pa.table({"source": ids[:3], "target": ids[1:]})
    for name, table in (("nodes", nodes), ("edges", edges)):
        (folder / f"{name}.csv").unlink()
        if suffix == "csv":
            pyarrow.csv.write_csv(table, folder / f"{name}.csv")
        else:
            pyarrow.parquet.write_table(table, folder / f"{name}.parquet")
    data = load_files(GraphFiles(folder))
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert [str(data.node_ids[node]) for node in range(4)] == [str(name) for name in ids]


def test_ids_as_integers_in_one_file_and_text_in_the_other(folder):
    (folder / "nodes.csv").write_text("id,f,label,split\n7,1,x,train\n07,2,y,val\n8,3,x,test\n")
    (folder / "edges.csv").unlink()
    table = pa.table({"source": [7, 8], "target": [8, 7]})
    pyarrow.parquet.write_table(table, folder / "edges.parquet")
    assert load_files(GraphFiles(folder)).edge_index.tolist() == [[0, 2], [2, 0]]


def test_uuids_of_parquet(folder):
    ids = [uuid.UUID(int=i * 10**30) for i in range(4)]
    column = pa.array([value.bytes for value in ids], pa.uuid())
    nodes = pyarrow.csv.read_csv(folder / "nodes.csv").set_column(0, "id", column)
    (folder / "nodes.csv").unlink()
    pyarrow.parquet.write_table(nodes, folder / "nodes.parquet")
    rows = [f"{a},{b}" for a, b in pairwise(ids)]
    (folder / "edges.csv").write_text("source,target\n" + "\n".join(rows) + "\n")
    data = load_files(GraphFiles(folder))
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert data.node_ids[1] == str(ids[1])


def test_links_are_dropped_and_counted(folder):
    (folder / "edges.csv").write_text(EDGES + "d,zz,1\nyy,a,1\nb,b,1\na,b,2\n")
    files = GraphFiles(folder, unknown_nodes="drop", self_loops="drop", duplicates="drop")
    data = load_files(files)
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert data.dropped == {"unknown_nodes": 2, "self_loops": 1, "duplicates": 1}


def test_edge_features_follow_their_edges(folder):
    (folder / "edges.csv").write_text(EDGES.replace("b,c", "zz,a,7\nb,c"))
    files = GraphFiles(folder, unknown_nodes="drop", edge_features=["weight"])
    assert load_files(files).edge_attr.tolist() == [[1], [2], [3]]


def test_missing_numbers_and_standardized_columns(folder):
    (folder / "nodes.csv").write_text(NODES.replace("b,2", "b,"))
    mean = load_files(GraphFiles(folder, missing="mean")).x[:, 0]
    assert mean.tolist() == pytest.approx([1, 8 / 3, 3, 4])
    zero = load_files(GraphFiles(folder, missing="zero")).x[:, 0]
    assert zero.tolist() == [1, 0, 3, 4]
    scaled = load_files(GraphFiles(folder, missing="mean", standardize=True)).x[:, 0]
    known = scaled[[0, 2, 3]]
    assert float(known.mean()) == pytest.approx(0, abs=1e-6)
    assert float(known.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert float(scaled[1]) == pytest.approx(0, abs=1e-6)


def test_numbers_as_categories(folder):
    data = load_files(GraphFiles(folder, categorical=["age"], features=["age"]))
    assert torch.equal(data.x, torch.eye(4))


def test_targets_of_a_regression(folder):
    data = load_files(GraphFiles(folder, label="age"), "regression")
    assert data.y.tolist() == [1, 2, 3, 4]


def test_links_need_no_labels(folder):
    """A column of labels is neither read nor a feature."""
    data = load_files(GraphFiles(folder), "link_prediction")
    assert "y" not in data
    assert "train_mask" not in data
    (folder / "nodes.csv").write_text("id,age\na,1\nb,2\nc,3\nd,4\n")
    other = load_files(GraphFiles(folder), "link_prediction")
    assert torch.equal(data.x[:, :1], other.x)
    assert torch.equal(data.edge_index, other.edge_index)


def test_classes_are_in_numeric_order_if_they_are_numbers(folder):
    rows = "".join(f"n{i},{i},{i % 12},train\n" for i in range(24))
    (folder / "nodes.csv").write_text("id,f,label,split\n" + rows + "v,1,3,val\nt,1,3,test\n")
    (folder / "edges.csv").write_text("source,target\nn1,n2\n")
    assert load_files(GraphFiles(folder)).schema.classes == [str(i) for i in range(12)]


def test_drawn_splits(folder):
    rows = "".join(f"n{i},{i},{'xy'[i % 4 == 0]},{1000 - i}\n" for i in range(200))
    (folder / "nodes.csv").write_text("id,f,label,year\n" + rows)
    (folder / "edges.csv").write_text("source,target\nn1,n2\n")
    data = load_files(GraphFiles(folder))  # stratified
    for mask, share in ((data.train_mask, 0.6), (data.val_mask, 0.2), (data.test_mask, 0.2)):
        assert int(mask.sum()) == share * 200
        assert int(data.y[mask].sum()) == share * 50
    assert (data.train_mask.int() + data.val_mask.int() + data.test_mask.int() == 1).all()
    other = load_files(GraphFiles(folder, split_seed=1))
    assert not torch.equal(other.train_mask, data.train_mask)
    by_time = load_files(GraphFiles(folder, draw="time", time="year"))
    assert by_time.test_mask.nonzero().flatten().tolist() == list(range(40))
    assert by_time.x.size(1) == 1  # the time is no feature


def test_split_of_files(folder):
    for name, content in {"train": "a\nd\n", "val": "b\n", "test": "c\n"}.items():
        (folder / f"{name}.txt").write_text(content)
    files = GraphFiles(folder, train="train.txt", val="val.txt", test="test.txt", ignore=["split"])
    assert same(load_files(files), load_files(GraphFiles(folder)))


def test_schema_of_another_graph(folder):
    """A graph for predictions has the columns of the training in any order, and needs no labels."""
    schema = load_files(GraphFiles(folder)).schema
    (folder / "nodes.csv").write_text("colour,new,id,age\nblue,1,e,5\nred,1,f,6\n")
    (folder / "edges.csv").write_text("source,target\ne,f\n")
    data = load_files(GraphFiles(folder), schema=schema)
    assert data.x.tolist() == [[5, 1, 0], [6, 0, 1]]
    assert "y" not in data
    (folder / "nodes.csv").write_text("id,age\ne,5\n")
    with pytest.raises(ValueError, match="expected the column 'colour', a feature of the training"):
        load_files(GraphFiles(folder), schema=schema)
    (folder / "nodes.csv").write_text("id,age,colour\ne,5,green\nf,5,red\n")
    with pytest.raises(ValueError, match=r"line 2: column 'colour': expected .* got 'green'"):
        load_files(GraphFiles(folder), schema=schema)
    zero = load_files(GraphFiles(folder, missing="zero"), schema=schema)
    assert zero.x.tolist() == [[5, 0, 0], [5, 0, 1]]
    (folder / "nodes.csv").write_text("id,age,colour\ne,old,red\nf,young,red\n")
    with pytest.raises(ValueError, match="column 'age': expected a number as in the training"):
        load_files(GraphFiles(folder), schema=schema)


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=("Cs",)),
    min_size=1,
    max_size=6,
).filter(lambda text: text == text.strip() and not text.startswith("#"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_ids_and_edges(tmp_path_factory, data):
    """Any texts as ids, also with quotes and separators, and any edges, through CSV and Parquet."""
    folder = tmp_path_factory.mktemp("any")
    ids = data.draw(st.lists(TEXT, min_size=3, max_size=8, unique=True))
    nodes = st.integers(0, len(ids) - 1)
    ends = data.draw(st.lists(st.tuples(nodes, nodes), min_size=1, max_size=20))
    numbers = data.draw(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=len(ids), max_size=len(ids))
    )
    table = pa.table(
        {"id": ids, "f": numbers, "label": ["x", "y"] * 4 if len(ids) == 8 else
         [f"c{i % 2}" for i in range(len(ids))],
         "split": ["train", "val", "test"] + [""] * (len(ids) - 3)}
    )  # fmt: skip
    edges = pa.table({"source": [ids[a] for a, _ in ends], "target": [ids[b] for _, b in ends]})
    pyarrow.csv.write_csv(table, folder / "nodes.csv")
    pyarrow.parquet.write_table(edges, folder / "edges.parquet")
    found = load_files(GraphFiles(folder))
    assert [found.node_ids[node] for node in range(len(ids))] == ids
    assert list(zip(*found.edge_index.tolist(), strict=True)) == ends
    assert found.x.flatten().tolist() == pytest.approx(numbers, rel=1e-6)
