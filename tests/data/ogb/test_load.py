from __future__ import annotations

import os
import pickle
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.utils import to_undirected

from gatsparse.data import DatasetCorruptError, DatasetNotFoundError
from gatsparse.data.ogb import NAMES, evaluator, layout, load_ogb
from tests.data.ogb.files import (
    ARXIV,
    NUM_EDGES,
    NUM_NODES,
    PAPERS,
    PRODUCTS,
    SPLITS,
    arrays,
    pd,
    split_folder,
    theirs,
    write,
)
from tests.data.ogb.offline import refuse


@pytest.mark.parametrize("name", NAMES)
def test_arrays_equal_the_files(places, name: str):
    write(places["root"], name)
    content = arrays(name)
    data = load_ogb(name, places["root"])
    assert data["x"].dtype == torch.float32
    assert data["x"].is_contiguous()
    assert torch.equal(data["x"], torch.from_numpy(content["node_feat"]))
    labels = content["node_label"][:, 0].tolist()
    expected = [-1 if label != label else int(label) for label in labels]
    assert (data["y"].dtype, data["y"].tolist()) == (torch.int64, expected)
    assert (expected.count(-1) > 0) == (name == PAPERS)
    edge_index, edges = data["edge_index"], torch.from_numpy(content["edge_index"])
    assert edge_index.dtype == torch.int64
    if name == PRODUCTS:
        assert torch.equal(edge_index[:, 0::2], edges)
        assert torch.equal(edge_index[:, 1::2], edges.flip(0))
    else:
        assert torch.equal(edge_index, edges)
        assert not data.is_undirected()
    for key, split in zip(("train_mask", "val_mask", "test_mask"), SPLITS.values(), strict=True):
        assert (data[key].dtype, list(data[key].shape)) == (torch.bool, [NUM_NODES])
        assert data[key].nonzero()[:, 0].tolist() == sorted(split)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_equals_ogb_and_ogb_fails_at_the_second_load(places, name: str):
    place = write(places["root"], name)
    (place / "RELEASE_v1.txt").touch()  # without it OGB asks whether to replace the data set
    (place / "processed").mkdir()
    dataset = theirs.NodePropPredDataset(name, str(places["root"]))
    graph, labels = dataset[0]
    data = load_ogb(name, places["root"])
    assert torch.equal(data["x"], torch.from_numpy(graph["node_feat"]))
    assert torch.equal(data["edge_index"], torch.from_numpy(graph["edge_index"]))
    assert torch.equal(data["y"], torch.from_numpy(np.nan_to_num(labels[:, 0], nan=-1)).long())
    split = dataset.get_idx_split()
    masks = {"train": data.train_mask, "valid": data.val_mask, "test": data.test_mask}
    for key, mask in masks.items():
        assert mask.nonzero()[:, 0].tolist() == sorted(split[key])
    with pytest.raises(pickle.UnpicklingError, match="weights_only"):
        theirs.NodePropPredDataset(name, str(places["root"]))


def test_layout_equals_the_table_of_ogb():
    master = pd.read_csv(Path(theirs.__file__).with_name("master.csv"), index_col=0)
    for name, dataset in layout.DATASETS.items():
        row = master[name]
        assert dataset.url == row["url"]
        assert dataset.archive == row["download_name"]
        assert dataset.split == row["split"]
        assert str(dataset.inverse) == row["add_inverse_edge"]
        assert str(dataset.binary) == row["binary"]


class _Command:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", NAMES)
def test_pickles_are_not_loaded(places, name: str):
    place = write(places["root"], name)
    for file in (
        "processed/data_processed",
        "processed/geometric_data_processed.pt",
        f"split/{split_folder(name)}/split_dict.pt",
    ):
        (place / file).parent.mkdir(exist_ok=True)
        (place / file).write_bytes(pickle.dumps(_Command()))
    load_ogb(name, places["root"])
    assert not Path("executed").exists()


def test_pickled_array_raises(places):
    content = {**arrays(PAPERS), "node_feat": np.array([[_Command()]])}
    write(places["root"], PAPERS, content)
    with pytest.raises(DatasetCorruptError, match=r"data\.npz.*allow_pickle"):
        load_ogb(PAPERS, places["root"])
    assert not Path("executed").exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_binary_features_keep_their_dtype(places, dtype: Any):
    write(places["root"], PAPERS, arrays(PAPERS, dtype=dtype))
    data = load_ogb(PAPERS, places["root"])
    assert data["x"].dtype == torch.from_numpy(np.empty(0, dtype)).dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_binary_labels_of_integers_are_accepted(places, dtype: Any):
    content = arrays(ARXIV)
    labels = content["node_label"].astype(dtype)
    write(places["root"], PAPERS, {**content, "node_label": labels})
    assert load_ogb(PAPERS, places["root"])["y"].tolist() == labels[:, 0].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_undirected_adds_reverse_edges(places, name: str):
    write(places["root"], name)
    directed = load_ogb(name, places["root"])
    data = load_ogb(name, places["root"], undirected=True)
    assert data.is_undirected()
    assert data.is_coalesced()
    assert torch.equal(data["edge_index"], to_undirected(directed["edge_index"]))
    assert data["edge_index"].unique(dim=1).size(1) == data.num_edges < 2 * NUM_EDGES


def test_places_are_searched_in_order(places):
    for seed, (place, root) in enumerate(places.items()):
        write(root, ARXIV, arrays(ARXIV, seed))
        assert load_ogb(ARXIV, root).num_nodes == NUM_NODES, place
    for seed, root in enumerate(places.values()):
        x = load_ogb(ARXIV, places["root"])["x"]
        assert torch.equal(x, torch.from_numpy(arrays(ARXIV, seed)["node_feat"]))
        (root / "ogbn_arxiv" / "split" / "time" / "valid.csv.gz").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"lacks split/time/valid\.csv\.gz"):
        load_ogb(ARXIV, places["root"])


@pytest.mark.parametrize("name", NAMES)
def test_not_found_names_every_folder_and_file(places, name: str):
    with pytest.raises(FileNotFoundError) as caught:
        load_ogb(name, places["root"])
    assert isinstance(caught.value, DatasetNotFoundError)
    message = str(caught.value)
    for place in places.values():
        assert str(place / name.replace("-", "_")) in message
    for text in (repr(name), "no such folder", "the network is down", "Put raw/", "http://"):
        assert text in message
    assert list(places["cache"].iterdir()) == []


@pytest.mark.parametrize("call", [load_ogb, evaluator])
def test_names_are_case_insensitive(places, call):
    write(places["data"], PAPERS)
    assert call("OGBN-Papers100m") is not None
    with pytest.raises(ValueError, match=r"name: expected one of ogbn-arxiv, .*, got 'ogbn-mag'"):
        call("ogbn-mag")


@pytest.mark.parametrize(
    ("missing", "call"),
    [
        ("ogb", lambda: load_ogb(ARXIV)),
        ("ogb", lambda: evaluator(ARXIV)),
        ("pandas", lambda: load_ogb(PRODUCTS)),
    ],
)
def test_missing_package_raises(places, missing: str, call, monkeypatch: pytest.MonkeyPatch):
    write(places["data"], PRODUCTS)
    for module in (missing, "ogb.utils.url", "ogb.nodeproppred"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {missing}, .*pip install 'gatsparse\[ogb\]'"):
        call()


def test_files_are_read_without_ogb(places, monkeypatch: pytest.MonkeyPatch):
    write(places["data"], PRODUCTS)
    for module in ("ogb", "ogb.utils.url", "ogb.nodeproppred"):
        monkeypatch.setitem(sys.modules, module, None)
    assert load_ogb(PRODUCTS).num_nodes == NUM_NODES


# The real data set, where it is


def test_real_data_set_has_the_published_sizes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    try:
        data = load_ogb(ARXIV)
    except DatasetNotFoundError:
        pytest.skip("ogbn-arxiv is not on this machine")
    assert (data.num_nodes, data.num_features, data.num_edges) == (169343, 128, 1166243)
    assert int(data["y"].max()) + 1 == 40
    sizes = [int(data[key].sum()) for key in ("train_mask", "val_mask", "test_mask")]
    assert sizes == [90941, 29799, 48603]
