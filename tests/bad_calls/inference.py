"""Inference."""

from __future__ import annotations

from collections.abc import Iterator

import torch

import gatsparse
from gatsparse import inference
from tests.bad_calls.values import (
    EDGES,
    INF,
    MODULES,
    NAMES_OF_PATHS,
    NAN,
    C,
    F,
    Function,
    N,
    but,
    edge_indices,
    features,
)


def functions() -> Iterator[Function]:
    model = gatsparse.GAT(F, C, 2, 2).eval()
    of_two_devices = gatsparse.GAT(F, C, 2, 2).eval()
    of_two_devices.convs[1].to("meta")
    budgets: list[object] = [
        "",
        "nope",
        "4 apples",
        "-1GB",
        "0",
        0,
        -1,
        1.5j,
        None,
        NAN,
        INF,
        [],
        {},
    ]
    yield Function(
        "infer",
        gatsparse.infer,
        lambda: {"model": model, "x": torch.randn(N, F), "edge_index": EDGES},
        {
            "model": [
                *(*MODULES, torch.nn.Linear(F, F), gatsparse.GAT(F, C, 2, 2).train()),
                *(of_two_devices, gatsparse.GAT(F, C, 2, 2).eval().to("meta")),
            ],
            "x": [None, *but(features(N, F)[:-6], "x"), torch.randn(N, F + 1)],
            "edge_index": edge_indices(),
            "max_memory": [*budgets, 1, "1KB"],
            "folder": [3, 1.5, [], {}, object(), "\0"],
        },
        {"x": ("edge_index",), "edge_index": ("x",), "folder": NAMES_OF_PATHS},
        (OSError,),
    )
    edge_model = gatsparse.GAT(F, C, 2, 2, edge_dim=2).eval()
    yield Function(
        "infer with edge_dim",
        gatsparse.infer,
        lambda: {
            "model": edge_model,
            "x": torch.randn(N, F),
            "edge_index": EDGES,
            "edge_attr": torch.randn(len(EDGES[0]), 2),
        },
        {"edge_attr": [None, *features(len(EDGES[0]), 2)]},
        {"edge_attr": ("'x'",)},
        (OSError,),
    )
    yield Function(
        "parse_bytes",
        inference.parse_bytes,
        lambda: {"size": "4GB"},
        {"size": budgets},
        {"size": ("max_memory",)},
    )
