from __future__ import annotations

import gzip
import os
import pickle
import shutil
import socket
import sys
import urllib.request
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.utils import to_undirected

from gatsparse.data import DatasetCorruptError, DatasetNotFoundError
from gatsparse.data import ogb as ours
from gatsparse.data.ogb import NAMES, evaluator, load_ogb
from gatsparse.train import build_model, load_task, parse_config, train

with pytest.MonkeyPatch.context() as patch:
    patch.setitem(sys.modules, "outdated", None)  # by it ogb asks PyPI for its latest version
    theirs = pytest.importorskip("ogb.nodeproppred")
pd = pytest.importorskip("pandas")

ARXIV, PRODUCTS, PAPERS = NAMES
NUM_NODES, NUM_FEATURES, NUM_EDGES = 18, 5, 40
SPLITS = {"train": [4, 0, 17, 9, 3], "valid": [5, 16], "test": [1, 8, 2]}
UNLABELLED = [6, 7, 10, 15]
CSV_FILES = ("edge", "node-feat", "node-label", "num-node-list", "num-edge-list")


@pytest.fixture(autouse=True)
def places(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The places of the other data sets, and no network."""
    monkeypatch.setattr("gatsparse.data.places.user_cache_path", lambda _: places["cache"])
    monkeypatch.setattr(socket, "getaddrinfo", _refuse)
    return places


def _refuse(*_: Any, **__: Any) -> Any:
    raise OSError("the network is down")


def write_csv(path: Path, table: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, header=False, index=False, na_rep="nan")


def arrays(name: str, seed: int = 0, dtype: Any = np.float32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    edges = rng.integers(0, NUM_NODES, (2, NUM_EDGES))
    edges[:, -1] = edges[:, 0]
    edges[:, -2] = 3  # a loop
    labels = rng.integers(0, 40, (NUM_NODES, 1))
    if name == PAPERS:
        labels = labels.astype(np.float32)
        labels[UNLABELLED] = np.nan
    return {
        "edge_index": edges,
        "node_feat": rng.standard_normal((NUM_NODES, NUM_FEATURES)).astype(dtype),
        "node_label": labels,
    }


def write(root: Path, name: str, content: dict[str, np.ndarray] | None = None) -> Path:
    """A small graph in OGB's format; returns its folder."""
    content = dict(content or arrays(name))
    place = root / name.replace("-", "_")
    raw = place / "raw"
    sizes = {"num_nodes_list": [[NUM_NODES]], "num_edges_list": [[NUM_EDGES]]}
    if name == PAPERS:
        raw.mkdir(parents=True)
        np.savez_compressed(raw / "node-label.npz", node_label=content.pop("node_label"))
        years = np.full((NUM_NODES, 1), 2020)
        sizes = {key: np.array(size[0]) for key, size in sizes.items()}
        np.savez_compressed(raw / "data.npz", node_year=years, **content, **sizes)
    else:
        write_csv(raw / "edge.csv.gz", content["edge_index"].T)
        write_csv(raw / "node-feat.csv.gz", content["node_feat"])
        write_csv(raw / "node-label.csv.gz", content["node_label"])
        write_csv(raw / "num-node-list.csv.gz", sizes["num_nodes_list"])
        write_csv(raw / "num-edge-list.csv.gz", sizes["num_edges_list"])
        write_csv(raw / "node_year.csv.gz", np.full((NUM_NODES, 1), 2020))
    for split, nodes in SPLITS.items():
        write_csv(place / "split" / _split(name) / f"{split}.csv.gz", nodes)
    return place


def _split(name: str) -> str:
    return "sales_ranking" if name == PRODUCTS else "time"


def _all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", NAMES)
def test_content(places, name: str):
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
def test_equals_ogb_which_cannot_load_it_twice(places, name: str):
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


def test_the_table_is_that_of_ogb():
    master = pd.read_csv(Path(theirs.__file__).with_name("master.csv"), index_col=0)
    for name, dataset in ours._DATASETS.items():
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
def test_runs_no_code(places, name: str):
    place = write(places["root"], name)
    for file in (
        "processed/data_processed",
        "processed/geometric_data_processed.pt",
        f"split/{_split(name)}/split_dict.pt",
    ):
        (place / file).parent.mkdir(exist_ok=True)
        (place / file).write_bytes(pickle.dumps(_Command()))
    load_ogb(name, places["root"])
    assert not Path("executed").exists()


def test_runs_no_code_of_an_array(places):
    content = {**arrays(PAPERS), "node_feat": np.array([[_Command()]])}
    write(places["root"], PAPERS, content)
    with pytest.raises(DatasetCorruptError, match=r"data\.npz.*allow_pickle"):
        load_ogb(PAPERS, places["root"])
    assert not Path("executed").exists()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_binary_features_keep_their_type(places, dtype: Any):
    write(places["root"], PAPERS, arrays(PAPERS, dtype=dtype))
    data = load_ogb(PAPERS, places["root"])
    assert data["x"].dtype == torch.from_numpy(np.empty(0, dtype)).dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_binary_labels_may_be_integers(places, dtype: Any):
    content = arrays(ARXIV)
    labels = content["node_label"].astype(dtype)
    write(places["root"], PAPERS, {**content, "node_label": labels})
    assert load_ogb(PAPERS, places["root"])["y"].tolist() == labels[:, 0].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_undirected(places, name: str):
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
def test_not_found_says_where_and_what(places, name: str):
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
def test_names(places, call):
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
def test_missing_package(places, missing: str, call, monkeypatch: pytest.MonkeyPatch):
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


# Damaged files


def _files(name: str) -> list[str]:
    if name == PAPERS:
        raw = ["raw/data.npz", "raw/node-label.npz"]
    else:
        raw = [f"raw/{file}.csv.gz" for file in CSV_FILES]
    return raw + [f"split/{_split(name)}/{split}.csv.gz" for split in SPLITS]


FILES = [(name, file) for name in (ARXIV, PAPERS) for file in _files(name)]


@pytest.mark.parametrize(("name", "file"), FILES)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9])
def test_truncated_file_is_named(places, name: str, file: str, kept: float):
    path = write(places["root"], name) / file
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetCorruptError) as caught:
        load_ogb(name, places["root"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("name", "file"), FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_rubbish_is_named(places, name: str, file: str, packed: bool):
    path = write(places["root"], name) / file
    page = b"<!DOCTYPE html>\n<html></html>\n"
    path.write_bytes(gzip.compress(page) if packed else page)
    with pytest.raises(DatasetCorruptError) as caught:
        load_ogb(name, places["root"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [NUM_NODES - 1, NUM_NODES + 1, 0, [[9], [9]], 1.5])
def test_wrong_number_of_nodes(places, size: Any):
    place = write(places["root"], ARXIV)
    write_csv(place / "raw" / "num-node-list.csv.gz", np.array(size, ndmin=2))
    with pytest.raises(DatasetCorruptError, match=r"num-node-list\.csv\.gz"):
        load_ogb(ARXIV, places["root"])


@pytest.mark.parametrize("size", [NUM_EDGES - 1, NUM_EDGES + 1])
def test_wrong_number_of_edges(places, size: int):
    place = write(places["root"], PRODUCTS)
    write_csv(place / "raw" / "num-edge-list.csv.gz", [size])
    message = rf"edge\.csv\.gz: .*\[2, {size}\], the size in num-edge-list\.csv\.gz, got .*, 40\]"
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(PRODUCTS, places["root"])


@pytest.mark.parametrize("key", ["node_feat", "node_label", "edge_index"])
@pytest.mark.parametrize("name", [ARXIV, PAPERS])
def test_file_of_another_size(places, name: str, key: str):
    content = arrays(name)
    content[key] = content[key][:, :-1] if key == "edge_index" else content[key][:-1]
    write(places["root"], name, content)
    file = {"node_feat": "node-feat", "node_label": "node-label", "edge_index": "edge"}[key]
    file = "data" if name == PAPERS and key != "node_label" else file
    with pytest.raises(DatasetCorruptError, match=rf"{file}\.(csv\.gz|npz): corrupt, .*the size"):
        load_ogb(name, places["root"])


@pytest.mark.parametrize("name", [ARXIV, PAPERS])
@pytest.mark.parametrize(
    ("key", "at", "value", "message"),
    [
        ("node_feat", (7, 2), np.nan, "finite"),
        ("node_feat", (17, 4), np.inf, "finite"),
        ("edge_index", (0, 0), NUM_NODES, "0 .. 17"),
        ("edge_index", (1, 39), -1, "0 .. 17"),
        ("node_label", (3, 0), -1, "whole numbers"),
        ("node_label", (3, 0), 0.5, "whole numbers"),
        ("node_label", (3, 0), np.inf, "whole numbers"),
        ("node_label", (3, 0), np.nan, "have a label"),
    ],
)
def test_impossible_content(places, name: str, key: str, at: Any, value: float, message: str):
    content = arrays(name)
    if key == "node_label":
        content[key] = content[key].astype(np.float64)
    content[key][at] = value
    write(places["root"], name, content)
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(name, places["root"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"edge_index": np.zeros((2, NUM_EDGES), dtype=np.float32)}, "int64"),
        ({"edge_index": np.zeros((NUM_EDGES, 2), dtype=np.int64)}, "int64"),
        ({"node_feat": np.zeros((NUM_NODES, 2), dtype=np.int64)}, "floats"),
        ({"node_feat": np.zeros(NUM_NODES, dtype=np.float32)}, "floats"),
        ({"node_label": np.zeros(NUM_NODES, dtype="U1")}, "numbers"),
    ],
)
def test_impossible_types(places, content: dict[str, np.ndarray], message: str):
    write(places["root"], PAPERS, {**arrays(PAPERS), **content})
    with pytest.raises(DatasetCorruptError, match=message):
        load_ogb(PAPERS, places["root"])


def test_missing_array_is_named(places):
    content = arrays(PAPERS)
    content["node_features"] = content.pop("node_feat")
    write(places["root"], PAPERS, content)
    with pytest.raises(DatasetCorruptError, match=r"data\.npz: .*node_feat"):
        load_ogb(PAPERS, places["root"])


@pytest.mark.parametrize(
    ("split", "nodes", "message"),
    [
        ("train", [0, NUM_NODES], "0 .. 17"),
        ("train", [-1], "0 .. 17"),
        ("train", [[0, 1]], "a column"),
        ("train", [0, 1, 0], "in no split yet"),
        ("valid", [5, 4], "in no split yet"),
        ("test", [16], "in no split yet"),
        ("test", [6], "have a label"),
        ("test", [0.5], "truncated or corrupt"),
    ],
)
def test_impossible_split(places, split: str, nodes: Any, message: str):
    place = write(places["root"], PAPERS)
    write_csv(place / "split" / "time" / f"{split}.csv.gz", nodes)
    with pytest.raises(DatasetCorruptError, match=rf"{split}\.csv\.gz.*{message}"):
        load_ogb(PAPERS, places["root"])


# Parsed copies in the cache directory


def _no_parsing(*_: Any) -> Any:
    raise AssertionError("the files were read")


@pytest.mark.parametrize("name", [ARXIV, PRODUCTS])
def test_parsed_arrays_are_kept(places, name: str, monkeypatch: pytest.MonkeyPatch):
    write(places["root"], name)
    before = _all_files(places["root"])
    first = load_ogb(name, places["root"])
    monkeypatch.setattr(ours, "_parse", _no_parsing)
    second = load_ogb(name, places["root"])
    assert sorted(second.keys()) == sorted(first.keys())
    for key in first.keys():  # noqa: SIM118 - a Data is no mapping
        assert torch.equal(first[key], second[key]), key
    assert _all_files(places["root"]) == before
    kept = _all_files(places["cache"])
    assert {path.suffix for path in kept} == {".npy"}
    assert {path.parent.parent for path in kept} == {places["cache"] / name.replace("-", "_")}


def test_binary_arrays_are_not_kept(places):
    write(places["root"], PAPERS)
    load_ogb(PAPERS, places["root"])
    assert not places["cache"].exists()


def test_changed_file_is_seen_and_its_copy_replaced(places):
    place = write(places["root"], ARXIV)
    load_ogb(ARXIV, places["root"])
    features = arrays(ARXIV, seed=1)["node_feat"]
    write_csv(place / "raw" / "node-feat.csv.gz", features)
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], torch.from_numpy(features))
    assert len(list((places["cache"] / "ogbn_arxiv").iterdir())) == 1


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9, None])
def test_damaged_copy_is_made_again(places, kept: float | None, monkeypatch: pytest.MonkeyPatch):
    write(places["root"], ARXIV)
    first = load_ogb(ARXIV, places["root"])
    (copy,) = places["cache"].glob("ogbn_arxiv/parsed-*/x.npy")
    if kept is None:
        copy.unlink()
    else:
        content = copy.read_bytes()
        copy.write_bytes(content[: int(kept * len(content))])
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], first["x"])
    monkeypatch.setattr(ours, "_parse", _no_parsing)
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], first["x"])


def test_cache_that_cannot_be_written(places):
    write(places["root"], ARXIV)
    places["cache"].write_text("a file stands where the folder should")
    assert load_ogb(ARXIV, places["root"]).num_nodes == NUM_NODES
    assert places["cache"].is_file()


def test_disk_that_is_full(places, monkeypatch: pytest.MonkeyPatch):
    def save(file: Path, *_: Any, **__: Any) -> None:
        file.write_bytes(b"a part")
        raise OSError("no space left on device")

    write(places["root"], ARXIV)
    monkeypatch.setattr(np, "save", save)
    assert load_ogb(ARXIV, places["root"]).num_nodes == NUM_NODES
    assert _all_files(places["cache"]) == []


# Downloads


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which archives are downloaded."""
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setattr(ours, "_URL", folder.as_uri())
    return folder


def pack(server: Path, name: str) -> Path:
    dataset = ours._DATASETS[name]
    content = server.with_name("content")
    write(content, name).rename(content / dataset.archive)
    archive = shutil.make_archive(
        str(server / dataset.archive), "zip", content, base_dir=dataset.archive
    )
    return Path(archive)


@pytest.mark.parametrize("name", NAMES)
def test_download_is_kept_in_the_cache(
    places, server: Path, name: str, monkeypatch: pytest.MonkeyPatch, caplog
):
    archive = pack(server, name)
    data = load_ogb(name, places["root"])
    assert f"downloading 0.0 GB from {archive.as_uri()} into" in caplog.text
    archive.unlink()
    if name != PAPERS:
        monkeypatch.setattr(ours, "_parse", _no_parsing)
    again = load_ogb(name)
    assert torch.equal(again["x"], data["x"])
    (place,) = places["cache"].iterdir()
    files = {str(path.relative_to(place)) for path in _all_files(place)}
    assert {file for file in files if not file.startswith("parsed-")} == set(_files(name))


def test_download_has_a_time_limit_and_drops_the_archive(
    server: Path, monkeypatch: pytest.MonkeyPatch
):
    def fetch(*args: Any) -> str:
        timeouts.append(socket.getdefaulttimeout())
        archives.append(Path(fetched(*args)))
        return str(archives[0])

    def parse(*args: Any) -> dict[str, np.ndarray]:
        assert not archives[0].exists()
        return parsed(*args)

    timeouts: list[float | None] = []
    archives: list[Path] = []
    fetched, parsed = ours._fetch, ours._parse
    monkeypatch.setattr(ours, "_fetch", fetch)
    monkeypatch.setattr(ours, "_parse", parse)
    pack(server, ARXIV)
    load_ogb(ARXIV)
    assert timeouts != [None]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_download_of_a_part(places, server: Path, kept: float):
    archive = pack(server, ARXIV)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetNotFoundError, match=r"arxiv\.zip: BadZipFile"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


def test_download_of_damaged_files(places, server: Path):
    archive = pack(server, ARXIV)
    content = server.with_name("content")
    (content / "arxiv" / "raw" / "edge.csv.gz").write_bytes(b"<html>404</html>")
    shutil.make_archive(str(archive.with_suffix("")), "zip", content)
    with pytest.raises(DatasetNotFoundError, match=r"edge\.csv\.gz: truncated or corrupt"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


def test_download_that_does_not_fit(places, server: Path, monkeypatch: pytest.MonkeyPatch):
    pack(server, ARXIV)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(DatasetNotFoundError, match=r"expected .* GB free .*, got 0\.0 GB"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


class _Reply:
    """Of an interrupted download."""

    def __init__(self, error: BaseException):
        self.error = error

    def info(self) -> dict[str, str]:
        return {"Content-Length": "1000"}

    def read(self, _: int) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError("reset by peer"), DatasetNotFoundError),
        (KeyboardInterrupt("Ctrl-C"), KeyboardInterrupt),
    ],
)
def test_interrupted_download(
    places, server: Path, error: BaseException, expected: Any, monkeypatch: pytest.MonkeyPatch
):
    pack(server, ARXIV)
    monkeypatch.setattr(urllib.request, "urlopen", lambda _: _Reply(error))
    with pytest.raises(expected, match=str(error)):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


# The evaluator


@pytest.mark.parametrize("name", NAMES)
def test_accuracy(name: str):
    accuracy = evaluator(name)
    y_true = torch.tensor([2, 0, -1, 1, 1, 0])
    labels = torch.tensor([2, 1, 2, 1, 0, 0])
    logits = torch.nn.functional.one_hot(labels, 3).float().requires_grad_()
    expected = 3 / 5
    for y_pred in (labels, labels[:, None], logits, logits.bfloat16()):
        for y in (y_true, y_true[:, None]):
            result = accuracy(y_pred, y)
            assert (type(result), result) == (float, expected)
    assert accuracy(y_true, y_true) == 1.0


def test_accuracy_equals_a_mean():
    logits, y = torch.randn(1000, 40), torch.randint(40, (1000,))
    expected = (logits.argmax(dim=1) == y).double().mean().item()
    assert evaluator(ARXIV)(logits, y) == expected


@pytest.mark.parametrize(
    ("y_pred", "y_true", "message"),
    [
        (torch.zeros(3), torch.zeros(3).long(), r"y_pred: expected int64 .*floats \[N, C\], got"),
        (torch.zeros(3, 1), torch.zeros(3).long(), r"y_pred: .* got torch.float32 \[3, 1\]"),
        (torch.zeros(3, 2).long(), torch.zeros(3).long(), r"y_pred: .* got torch.int64 \[3, 2\]"),
        (torch.zeros(3).long(), torch.zeros(3), r"y_true: expected int64 \[N\] or \[N, 1\], got"),
        (torch.zeros(3).long(), torch.zeros(4).long(), "y_pred: expected 4 nodes, .* got 3"),
        (torch.zeros(3).long(), torch.full((3,), -1), "y_true: expected a node with a label"),
    ],
)
def test_wrong_input_of_the_evaluator(y_pred: Any, y_true: Any, message: str):
    with pytest.raises(ValueError, match=message):
        evaluator(ARXIV)(y_pred, y_true)


# The real data set, where it is


def test_real_sizes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(socket, "getaddrinfo", _refuse)
    try:
        data = load_ogb(ARXIV)
    except DatasetNotFoundError:
        pytest.skip("ogbn-arxiv is not on this machine")
    assert (data.num_nodes, data.num_features, data.num_edges) == (169343, 128, 1166243)
    assert int(data["y"].max()) + 1 == 40
    sizes = [int(data[key].sum()) for key in ("train_mask", "val_mask", "test_mask")]
    assert sizes == [90941, 29799, 48603]


RECIPES = sorted((Path(__file__).parents[2] / "configs" / "ogb").glob("*.yaml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_recipes(places, recipe: Path, mode: str, tmp_path: Path):
    """Each trains on a small data set of the same files, to the accuracy that OGB finds."""
    overrides = ["--root", str(places["root"]), "--run_dir", str(tmp_path), "--mode", mode]
    overrides += ["--epochs", "2", "--sampling.max_memory", "100MB", "--threads", "1"]
    config = parse_config(recipe, overrides)
    write(places["root"], config.dataset)
    task = load_task(config)
    expected = load_ogb(config.dataset, places["root"], undirected=config.undirected)
    assert task["edge_index"].equal(expected["edge_index"])
    (result,) = train(config)
    model = build_model(config.model, task).eval()
    model.load_state_dict(result.state_dict)
    found = model(task["x"], task["edge_index"]).argmax(dim=1)
    test = task["test_mask"]
    assert result.epochs == 2
    assert result.test_acc == pytest.approx(evaluator(config.dataset)(task["y"][test], found[test]))
