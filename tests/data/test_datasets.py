from __future__ import annotations

import pickle
import shutil
import socket
from pathlib import Path

import pytest
import torch
from torch_geometric.datasets import Planetoid

from gatsparse.data import NAMES, DatasetCorruptError, DatasetNotFoundError, find, load
from gatsparse.data.planetoid import raw_files


def _refuse(_: Planetoid) -> None:
    raise OSError("the network is down")


def _arrive_in_part(dataset: Planetoid) -> None:
    Path(dataset.raw_dir, "ind.cora.x").write_bytes(b"half a file")
    raise TimeoutError("timed out")


def _arrive_as_error_page(dataset: Planetoid) -> None:
    for file in raw_files("Cora"):
        Path(dataset.raw_dir, file).write_text("<html>404</html>")


def _all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_places_are_searched_in_order(places, planetoid, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Planetoid, "download", _refuse)
    for seed, folder in enumerate(places.values()):
        planetoid(folder / "Cora" / "raw", seed=seed)
    features = [load("cora", root=folder)["x"] for folder in places.values()]
    for folder, x in zip(places.values(), features, strict=True):
        found = find("cora", places["root"])
        assert found is not None
        assert found.resolve() == folder / "Cora" / "raw"
        assert torch.equal(load("cora", places["root"])["x"], x)
        shutil.rmtree(folder / "Cora")
    assert find("cora", places["root"]) is None
    with pytest.raises(DatasetNotFoundError):
        load("cora", places["root"])


def test_loading_writes_nothing(places, planetoid, tmp_path: Path):
    planetoid(places["root"] / "Cora" / "raw")
    before = _all_files(tmp_path)
    load("cora", places["root"])
    assert _all_files(tmp_path) == before
    assert not places["cache"].exists()


def test_names_are_case_insensitive(places, planetoid):
    planetoid(places["data"] / "Cora" / "raw")
    assert torch.equal(load("Cora")["x"], load("cora")["x"])


@pytest.mark.parametrize("call", [load, find])
def test_unknown_name_raises(call):
    with pytest.raises(ValueError, match=r"name: expected one of cora, .*digits, got 'karate'"):
        call("karate")


def test_digits_have_no_files():
    with pytest.raises(ValueError, match=r"name: .* got 'digits'"):
        find("digits")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "digits"])
def test_error_of_missing_files_names_folders_and_files(
    places, name: str, monkeypatch: pytest.MonkeyPatch
):
    for dataset in ("Planetoid", "HeterophilousGraphDataset"):
        monkeypatch.setattr(f"torch_geometric.datasets.{dataset}.download", _refuse)
    with pytest.raises(FileNotFoundError) as caught:
        load(name, places["root"])
    assert isinstance(caught.value, DatasetNotFoundError)
    message = str(caught.value)
    for place in places.values():
        assert str(place) in message
    for text in (name, "raw: no such folder", "the network is down", "Put ", "https://"):
        assert text in message


def test_incomplete_folder_is_skipped_and_named(places, planetoid, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Planetoid, "download", _refuse)
    planetoid(places["root"] / "Cora" / "raw")["graph"].unlink()
    with pytest.raises(DatasetNotFoundError, match=r"root.Cora.raw: lacks ind\.cora\.graph"):
        load("cora", places["root"])
    planetoid(places["shared"] / "Cora" / "raw")
    assert load("cora", places["root"]).num_nodes == 520


def test_corrupt_file_is_not_skipped(places, planetoid):
    planetoid(places["data"] / "Cora" / "raw")
    path = planetoid(places["root"] / "Cora" / "raw")["ty"]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DatasetCorruptError) as caught:
        load("cora", places["root"])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("download", [_refuse, _arrive_in_part, _arrive_as_error_page])
def test_failed_download_leaves_nothing(places, download, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Planetoid, "download", download)
    with pytest.raises(DatasetNotFoundError):
        load("cora")
    assert list(places["cache"].iterdir()) == []


def test_download_with_impossible_content_raises(
    places, planetoid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    graph = planetoid(tmp_path / "server")["graph"]
    neighbours = pickle.loads(graph.read_bytes())
    graph.write_bytes(pickle.dumps({**neighbours, 0: [7]}))

    def download(dataset: Planetoid) -> None:
        shutil.copytree(tmp_path / "server", dataset.raw_dir, dirs_exist_ok=True)

    monkeypatch.setattr(Planetoid, "download", download)
    with pytest.raises(DatasetNotFoundError, match=r"ind\.cora\.graph: corrupt"):
        load("cora")
    assert list(places["cache"].iterdir()) == []


def test_download_is_kept_in_the_cache(
    places, planetoid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    planetoid(tmp_path / "server")
    timeouts: list[float | None] = []

    def download(dataset: Planetoid) -> None:
        timeouts.append(socket.getdefaulttimeout())
        shutil.copytree(tmp_path / "server", dataset.raw_dir, dirs_exist_ok=True)

    monkeypatch.setattr(Planetoid, "download", download)
    data = load("cora")
    monkeypatch.setattr(Planetoid, "download", _refuse)
    assert torch.equal(load("cora")["x"], data["x"])
    assert [path.name for path in _all_files(places["cache"])] == sorted(raw_files("Cora"))
    assert timeouts != [None]
    assert socket.getdefaulttimeout() is None


def test_unwritable_cache_raises(places, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Planetoid, "download", _refuse)
    places["cache"].write_text("a file in place of the folder")
    with pytest.raises(DatasetNotFoundError, match="FileExistsError"):
        load("cora")
