from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

NUM_CLASSES = 3
NUM_FEATURES = 8


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An empty root, data/, ../shared/data and cache directory."""
    work = tmp_path / "project" / "work"
    work.mkdir(parents=True)
    cache = tmp_path / "cache"
    monkeypatch.chdir(work)
    monkeypatch.setattr("gatsparse.data.places.user_cache_path", lambda _: cache)
    return {
        "root": tmp_path / "root",
        "data": work / "data",
        "shared": tmp_path / "project" / "shared" / "data",
        "cache": cache,
    }


def write_planetoid(raw_dir: Path, name: str = "Cora", seed: int = 0) -> dict[str, Path]:
    """Writes a small graph in Planetoid's format; in CiteSeer, one node has no features."""
    rng = np.random.default_rng(seed)
    num_train, num_known, num_test = 6, 510, 10
    test_index = num_known + np.arange(num_test)
    if name == "CiteSeer":
        test_index[5:] += 1
    num_nodes = int(test_index[-1]) + 1

    def features(rows: int) -> sparse.csr_matrix:
        return sparse.csr_matrix(rng.integers(0, 2, (rows, NUM_FEATURES)).astype(np.float32))

    def labels(rows: int) -> np.ndarray:
        return np.eye(NUM_CLASSES, dtype=np.int32)[rng.integers(0, NUM_CLASSES, rows)]

    allx, ally = features(num_known), labels(num_known)
    graph = {i: [(i - 1) % num_nodes, (i + 1) % num_nodes] for i in range(num_nodes)}
    parts = {
        "x": allx[:num_train],
        "tx": features(num_test),
        "allx": allx,
        "y": ally[:num_train],
        "ty": labels(num_test),
        "ally": ally,
        "graph": graph,
    }
    raw_dir.mkdir(parents=True)
    paths = {part: raw_dir / f"ind.{name.lower()}.{part}" for part in (*parts, "test.index")}
    for part, content in parts.items():
        paths[part].write_bytes(pickle.dumps(content))
    shuffled = rng.permutation(test_index)
    paths["test.index"].write_text("".join(f"{node}\n" for node in shuffled))
    return paths


@pytest.fixture
def planetoid() -> Callable[..., dict[str, Path]]:
    return write_planetoid
