from __future__ import annotations

import shutil
import socket
import urllib.request
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gatsparse.data import DatasetNotFoundError
from gatsparse.data.ogb import NAMES, download, layout, load_ogb, parsed
from tests.data.ogb.files import (
    ARXIV,
    PAPERS,
    all_files,
    files_of,
    no_parsing,
    write,
)

# Downloads


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder from which archives are downloaded."""
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.setattr(layout, "URL", folder.as_uri())
    return folder


def pack(server: Path, name: str) -> Path:
    dataset = layout.DATASETS[name]
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
        monkeypatch.setattr(parsed, "read_raw", no_parsing)
    again = load_ogb(name)
    assert torch.equal(again["x"], data["x"])
    (place,) = places["cache"].iterdir()
    files = {str(path.relative_to(place)) for path in all_files(place)}
    assert {file for file in files if not file.startswith("parsed-")} == set(files_of(name))


def test_download_has_a_time_limit_and_drops_the_archive(
    server: Path, monkeypatch: pytest.MonkeyPatch
):
    def fetch(*args: Any) -> str:
        timeouts.append(socket.getdefaulttimeout())
        archives.append(Path(fetch_before(*args)))
        return str(archives[0])

    def parse(*args: Any) -> dict[str, np.ndarray]:
        assert not archives[0].exists()
        return parse_before(*args)

    timeouts: list[float | None] = []
    archives: list[Path] = []
    fetch_before, parse_before = download.download_archive, parsed.read_raw
    monkeypatch.setattr(download, "download_archive", fetch)
    monkeypatch.setattr(parsed, "read_raw", parse)
    pack(server, ARXIV)
    load_ogb(ARXIV)
    assert timeouts != [None]
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_partial_download_raises(places, server: Path, kept: float):
    archive = pack(server, ARXIV)
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetNotFoundError, match=r"arxiv\.zip: BadZipFile"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


def test_download_of_damaged_files_raises(places, server: Path):
    archive = pack(server, ARXIV)
    content = server.with_name("content")
    (content / "arxiv" / "raw" / "edge.csv.gz").write_bytes(b"<html>404</html>")
    shutil.make_archive(str(archive.with_suffix("")), "zip", content)
    with pytest.raises(DatasetNotFoundError, match=r"edge\.csv\.gz: truncated or corrupt"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


def test_download_larger_than_the_disk_raises(
    places, server: Path, monkeypatch: pytest.MonkeyPatch
):
    pack(server, ARXIV)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 5, 5))
    with pytest.raises(DatasetNotFoundError, match=r"expected .* GB free .*, got 0\.0 GB"):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []


class _Reply:
    """Reply of a download that is interrupted."""

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
def test_interrupted_download_leaves_nothing(
    places, server: Path, error: BaseException, expected: Any, monkeypatch: pytest.MonkeyPatch
):
    pack(server, ARXIV)
    monkeypatch.setattr(urllib.request, "urlopen", lambda _: _Reply(error))
    with pytest.raises(expected, match=str(error)):
        load_ogb(ARXIV)
    assert list(places["cache"].iterdir()) == []
