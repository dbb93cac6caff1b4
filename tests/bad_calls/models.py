"""Models, and functions of models."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch_geometric.nn
from torch_geometric.data import Data

import gatsparse
from gatsparse import nn, train
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    EDGES,
    FINITE,
    GOOD_MODEL,
    MODEL,
    MODULES,
    NO_DATA,
    SHARES,
    SIZES,
    C,
    F,
    Function,
    N,
    but,
    edge_indices,
    features,
    node_data,
    without,
)


def functions() -> Iterator[Function]:
    yield Function(
        "GAT",
        gatsparse.GAT,
        lambda: {**GOOD_MODEL, "num_layers": 2},
        {
            **{key: but(MODEL[key], None, -1) for key in GOOD_MODEL},
            "num_layers": SIZES,
            "heads": SIZES,
            "dropout": SHARES,
            "backend": CHOICES,
            "jk": ["", "nope", 3, 1.5, ["last"], b"last"],
        },
        {"hidden_channels": ("out_channels",), "in_channels": ("in_channels",)},
    )
    model = gatsparse.GAT(F, C, 2, 2).eval()
    yield Function(
        "GAT.forward",
        model,
        lambda: {"x": torch.randn(N, F), "edge_index": EDGES},
        {"x": [None, *features(N, F)[:-6], torch.randn(N, F + 1)], "edge_index": edge_indices()},
        {"x": ("edge_index",), "edge_index": ("x",)},
    )
    yield Function("PaperGAT", nn.PaperGAT, lambda: GOOD_MODEL, {**MODEL, "num_layers": SIZES})
    yield Function("DenseGAT", train.DenseGAT, lambda: GOOD_MODEL, {**MODEL, "form": CHOICES})
    yield Function("PaperExactGAT", nn.PaperExactGAT, lambda: GOOD_MODEL, MODEL)
    yield Function(
        "PaperExactConv",
        nn.PaperExactConv,
        lambda: {"in_channels": F, "out_channels": C},
        {key: MODEL[key] for key in MODEL if key not in ("hidden_channels", "out_heads")},
    )
    yield Function(
        "GraphAttentionLayer",
        nn.GraphAttentionLayer,
        lambda: {"in_features": F, "out_features": C, "dropout": 0.0, "alpha": 0.2},
        {
            "in_features": SIZES,
            "out_features": SIZES,
            "dropout": SHARES,
            "alpha": FINITE,
            "form": CHOICES,
        },
    )
    layer = nn.GraphAttentionLayer(F, C, 0.0, 0.2)
    yield Function(
        "GraphAttentionLayer.forward",
        layer,
        lambda: {"h": torch.randn(N, F), "adj": torch.ones(N, N)},
        {"h": [None, *features(N, F)], "adj": [None, *features(N, N)[:10]]},
        {"h": ("adj",), "adj": ("h",)},
    )
    for name, built in (("PaperGAT", nn.PaperGAT), ("PaperExactGAT", nn.PaperExactGAT)):
        yield Function(
            f"{name}.forward",
            built(**GOOD_MODEL).eval(),
            lambda: {"x": torch.randn(N, F), "edge_index": EDGES},
            {
                "x": [None, *features(N, F)[:-6], torch.randn(N, F + 1)],
                "edge_index": edge_indices(),
            },
            {"x": ("edge_index",), "edge_index": ("x",)},
        )
    yield Function(
        "dense_adjacency",
        nn.dense_adjacency,
        lambda: {"edge_index": EDGES, "num_nodes": N},
        {
            "edge_index": edge_indices(),
            "num_nodes": [*COUNTS, None, N - 1, 0, 2**40],
            "dtype": [None, "int64", 3, int, np.float32, object()],
        },
        {"num_nodes": ("edge_index",), "edge_index": ("num_nodes",)},
    )
    yield Function(
        "build_gat",
        train.build_gat,
        lambda: {"kind": "gatsparse", "in_channels": F, "out_channels": 2},
        {
            **MODEL,
            "kind": CHOICES,
            "num_layers": SIZES,
            "form": CHOICES,
            "variant": CHOICES,
            "edge_dim": but(SIZES, None),
        },
    )
    yield Function(
        "build_deep_gat",
        train.build_deep_gat,
        lambda: {"kind": "gatsparse", "in_channels": F, "out_channels": 2},
        {
            **{key: values for key, values in MODEL.items() if key != "out_heads"},
            "kind": [*CHOICES, "dense"],
            "num_layers": SIZES,
            "variant": CHOICES,
            "norm": CHOICES,
            "jk": but(CHOICES, None),
            "edge_dim": but(SIZES, None),
        },
    )
    pyg = torch_geometric.nn.GAT(F, C, 2, 2)
    yield Function(
        "accelerate",
        gatsparse.accelerate,
        lambda: {"model": pyg},
        {"model": MODULES, "backend": CHOICES},
    )
    yield Function("decelerate", gatsparse.decelerate, lambda: {"model": pyg}, {"model": MODULES})
    yield Function(
        "attention_weights",
        gatsparse.attention_weights,
        lambda: {"model": model, "data": node_data()},
        {
            "model": [*MODULES, torch.nn.Linear(F, F)],
            "data": [*NO_DATA, Data(), without("x"), without("edge_index")],
        },
        {"data": ("x", "edge_index")},
    )
    yield Function(
        "explain_backend",
        gatsparse.explain_backend,
        lambda: {"model": model, "x": torch.randn(N, F), "edge_index": EDGES},
        {"model": MODULES, "x": [None, *features(N, F)[:-6]], "edge_index": edge_indices()},
        {"x": ("edge_index",), "edge_index": ("x",)},
    )
