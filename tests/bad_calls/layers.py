"""Layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch

import gatsparse
from tests.bad_calls.values import (
    CHOICES,
    EDGES,
    FINITE,
    INF,
    NAN,
    SHARES,
    SIZES,
    C,
    F,
    Function,
    H,
    N,
    but,
    edge_indices,
    features,
)


def functions() -> Iterator[Function]:
    for name, layer in (("GATConv", gatsparse.GATConv), ("GATv2Conv", gatsparse.GATv2Conv)):
        pairs = but(SIZES, (3,), [3], -1)  # a lazy size, or one for sources and destinations
        yield Function(
            name,
            layer,
            lambda: {"in_channels": F, "out_channels": C},
            {
                "in_channels": pairs,
                "out_channels": SIZES,
                "heads": SIZES,
                "dropout": SHARES,
                "negative_slope": FINITE,
                "backend": CHOICES,
                "edge_dim": but(SIZES, None, -1),
                "fill_value": [NAN, INF, "nope", object(), [1.0], {}],
            },
        )
        called = layer(F, C, H)
        yield Function(
            f"{name}.forward",
            called,
            lambda: {"x": torch.randn(N, F), "edge_index": EDGES},
            {
                "x": [None, *features(N, F)[:-6], torch.randn(N, F + 1), torch.randn(N, 0)],
                "edge_index": edge_indices(),
                "size": ["size", 3, 1.5, (N,), (N, N, N), (N + 1, N), (N, N + 1), (0, 0), (-1, N)],
            },
            {"x": ("edge_index",), "edge_index": ("x",)},
        )
        edge_layer = layer(F, C, H, edge_dim=2, fill_value="add")
        rows = len(EDGES[0])
        yield Function(
            f"{name}.forward with edge_dim",
            edge_layer,
            lambda: {
                "x": torch.randn(N, F),
                "edge_index": EDGES,
                "edge_attr": torch.randn(len(EDGES[0]), 2),
            },
            {"edge_attr": features(rows, 2)},
            {"edge_attr": ("edge",)},
        )
