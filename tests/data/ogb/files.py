"""Small data sets in OGB's format."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatsparse.data.ogb import NAMES

with pytest.MonkeyPatch.context() as patch:
    patch.setitem(sys.modules, "outdated", None)  # ogb uses it to query PyPI for its latest version
    theirs = pytest.importorskip("ogb.nodeproppred")
pd = pytest.importorskip("pandas")

ARXIV, PRODUCTS, PAPERS = NAMES
NUM_NODES, NUM_FEATURES, NUM_EDGES = 18, 5, 40
SPLITS = {"train": [4, 0, 17, 9, 3], "valid": [5, 16], "test": [1, 8, 2]}
UNLABELLED = [6, 7, 10, 15]
CSV_FILES = ("edge", "node-feat", "node-label", "num-node-list", "num-edge-list")


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
    """Writes a small graph in OGB's format; returns its folder."""
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
        write_csv(place / "split" / split_folder(name) / f"{split}.csv.gz", nodes)
    return place


def split_folder(name: str) -> str:
    return "sales_ranking" if name == PRODUCTS else "time"


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


# Damaged files


def files_of(name: str) -> list[str]:
    if name == PAPERS:
        raw = ["raw/data.npz", "raw/node-label.npz"]
    else:
        raw = [f"raw/{file}.csv.gz" for file in CSV_FILES]
    return raw + [f"split/{split_folder(name)}/{split}.csv.gz" for split in SPLITS]


FILES = [(name, file) for name in (ARXIV, PAPERS) for file in files_of(name)]


# Parsed copies in the cache directory


def no_parsing(*_: Any) -> Any:
    raise AssertionError("the files were read")
