"""Graphs in files and statistics of graphs."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow
import torch

from gatsparse import data
from gatsparse.train import ConfigError
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    EDGES,
    INF,
    NAN,
    NO_CONFIGS,
    NO_TENSORS,
    NOT_NUMBERS,
    SIZES,
    Function,
    N,
    but,
    edge_indices,
)

NO_TEXTS: list[object] = [3, 1.5, b"x", {}, object(), torch.zeros(2)]
NO_LISTS: list[object] = [None, "x", [3], [None], ("x",), *NO_TEXTS]
NO_SHARES: list[object] = [*NOT_NUMBERS, None, 0, 1, -0.1, 1.1, NAN, INF]


def functions() -> Iterator[Function]:
    columns = ("node_id", "source", "target", "label_separator", "split", "train", "val", "test")
    yield Function(
        "GraphFiles",
        data.GraphFiles,
        lambda: {"path": "shop"},
        {
            "path": [None, "", [], *NO_TEXTS],
            **dict.fromkeys(("nodes", *columns), NO_TEXTS),
            **{key: [[3], ("x",), *NO_TEXTS] for key in ("edges", "label", "features")},
            **dict.fromkeys(("ignore", "categorical", "edge_features"), NO_LISTS),
            **dict.fromkeys(("missing", "unknown_nodes", "self_loops", "duplicates"), CHOICES),
            "standardize": [None, 0, "true", [], object()],
            "draw": but(CHOICES, None),
            "time": ["date", *NO_TEXTS],
            "train_share": NO_SHARES,
            "val_share": NO_SHARES,
            "split_seed": [*COUNTS, None],
        },
        errors=(ConfigError,),
    )
    yield Function(
        "load_files",
        data.load_files,
        lambda: {"files": data.GraphFiles("/none/such")},
        {
            "files": NO_CONFIGS,
            "task": CHOICES,
            "schema": [3, "x", [], {}, object()],
        },
    )
    no_arrays: list[object] = [3, "ab", ["a"], {}, object(), torch.zeros(2)]
    yield Function(
        "NodeIds",
        data.NodeIds,
        lambda: {"values": pyarrow.array(["a", "b"])},
        {"values": no_arrays, "num_nodes": [*COUNTS, None]},
    )
    yield Function(
        "NodeIds.find",
        data.NodeIds(num_nodes=3).find,
        lambda: {"ids": pyarrow.array(["1", "7"])},
        {"ids": [None, *no_arrays, pyarrow.array([1.0]), pyarrow.array([True])]},
    )
    yield Function(
        "graph_statistics",
        data.graph_statistics,
        lambda: {"edge_index": EDGES, "num_nodes": N},
        {"edge_index": edge_indices(), "num_nodes": [*SIZES, N - 1]},
        {"num_nodes": ("edge_index",)},
    )
    yield Function(
        "edge_homophily",
        data.edge_homophily,
        lambda: {"edge_index": EDGES, "y": torch.arange(N)},
        {
            "edge_index": edge_indices(),
            "y": [*NO_TENSORS, None, torch.zeros(N), torch.zeros(N, 1, dtype=torch.int64)],
        },
    )
