from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatsparse.data.ogb import load_ogb, parsed
from tests.data.ogb.files import (
    ARXIV,
    NUM_NODES,
    PAPERS,
    PRODUCTS,
    all_files,
    arrays,
    no_parsing,
    write,
    write_csv,
)


@pytest.mark.parametrize("name", [ARXIV, PRODUCTS])
def test_parsed_csv_files_are_cached(places, name: str, monkeypatch: pytest.MonkeyPatch):
    write(places["root"], name)
    before = all_files(places["root"])
    first = load_ogb(name, places["root"])
    monkeypatch.setattr(parsed, "read_raw", no_parsing)
    second = load_ogb(name, places["root"])
    assert sorted(second.keys()) == sorted(first.keys())
    for key in first.keys():  # noqa: SIM118 - a Data is no mapping
        assert torch.equal(first[key], second[key]), key
    assert all_files(places["root"]) == before
    kept = all_files(places["cache"])
    assert {path.suffix for path in kept} == {".npy"}
    assert {path.parent.parent for path in kept} == {places["cache"] / name.replace("-", "_")}


def test_binary_files_are_not_cached(places):
    write(places["root"], PAPERS)
    load_ogb(PAPERS, places["root"])
    assert not places["cache"].exists()


def test_changed_file_replaces_its_copy(places):
    place = write(places["root"], ARXIV)
    load_ogb(ARXIV, places["root"])
    features = arrays(ARXIV, seed=1)["node_feat"]
    write_csv(place / "raw" / "node-feat.csv.gz", features)
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], torch.from_numpy(features))
    assert len(list((places["cache"] / "ogbn_arxiv").iterdir())) == 1


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9, None])
def test_damaged_copy_is_replaced(places, kept: float | None, monkeypatch: pytest.MonkeyPatch):
    write(places["root"], ARXIV)
    first = load_ogb(ARXIV, places["root"])
    (copy,) = places["cache"].glob("ogbn_arxiv/parsed-*/x.npy")
    if kept is None:
        copy.unlink()
    else:
        content = copy.read_bytes()
        copy.write_bytes(content[: int(kept * len(content))])
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], first["x"])
    monkeypatch.setattr(parsed, "read_raw", no_parsing)
    assert torch.equal(load_ogb(ARXIV, places["root"])["x"], first["x"])


def test_unwritable_cache_is_ignored(places):
    write(places["root"], ARXIV)
    places["cache"].write_text("a file in place of the folder")
    assert load_ogb(ARXIV, places["root"]).num_nodes == NUM_NODES
    assert places["cache"].is_file()


def test_full_disk_leaves_no_partial_copy(places, monkeypatch: pytest.MonkeyPatch):
    def save(file: Path, *_: Any, **__: Any) -> None:
        file.write_bytes(b"a part")
        raise OSError("no space left on device")

    write(places["root"], ARXIV)
    monkeypatch.setattr(np, "save", save)
    assert load_ogb(ARXIV, places["root"]).num_nodes == NUM_NODES
    assert all_files(places["cache"]) == []
