"""Operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from gatsparse import CSRGraph, ops
from tests.bad_calls.values import (
    CHOICES,
    EDGES,
    FINITE,
    NO_TENSORS,
    NOT_FLOATS,
    SEEDS,
    SHARES,
    C,
    F,
    Function,
    H,
    N,
    features,
    fits,
    graph,
    graphs,
)


def functions() -> Iterator[Function]:
    options = {
        "negative_slope": FINITE,
        "dropout": SHARES,
    }
    bias = features(H * C)
    edge, loop = features(len(EDGES[0]), H), features(N, H)
    for name in ("gat_attention", "gat_attention_weights"):
        extra = {"bias": bias, "backend": CHOICES} if name == "gat_attention" else {}

        def good() -> dict[str, Any]:
            x, att = torch.randn(N, H, C), torch.randn(1, H, C)
            return {"x": x, "att_src": att, "att_dst": att, "graph": graph(), "dropout": 0.5}

        names = ("x", "x_dst", "graph")
        aliases = dict.fromkeys(names, (*names, "att_src", "att_dst"))
        yield Function(
            name,
            getattr(ops, name),
            good,
            {
                "x": [None, *features(N, H, C)],
                "att_src": [None, *features(1, H, C)],
                "att_dst": features(1, H, C),
                "x_dst": features(N, H, C),
                "graph": graphs(),
                "seed": SEEDS,
                **options,
                **extra,
            },
            aliases,
        )
        yield Function(
            f"{name} with edges",
            getattr(ops, name),
            lambda good=good: {
                **good(),
                "edge": torch.randn(len(EDGES[0]), H),
                "loop": torch.randn(N, H),
                "add_self_loops": True,
            },
            {"edge": [None, *edge], "loop": [None, *loop]},
            {"edge": ("loop",)},
        )
    for name in ("gatv2_attention", "gatv2_attention_weights"):
        extra = {"bias": bias, "backend": CHOICES} if name == "gatv2_attention" else {}

        def good() -> dict[str, Any]:
            x, att = torch.randn(N, H, C), torch.randn(1, H, C)
            return {"x_src": x, "x_dst": x, "att": att, "graph": graph(), "dropout": 0.5}

        names = ("x_src", "x_dst", "att", "graph")
        yield Function(
            name,
            getattr(ops, name),
            good,
            {
                "x_src": [None, *features(N, H, C)],
                "x_dst": [None, *features(N, H, C)],
                "att": [None, *features(1, H, C)],
                "graph": graphs(),
                "seed": SEEDS,
                **options,
                **extra,
            },
            dict.fromkeys(names, names),
        )
    yield Function(
        "neighbor_sum",
        ops.neighbor_sum,
        lambda: {"x": torch.randn(N, F), "graph": graph()},
        {
            "x": [None, *features(N, F)[:-6], torch.randn(N + 1, F), torch.randn(N, 0)],
            "graph": [value for value in graphs() if not isinstance(value, CSRGraph)],
        },
    )
    for name in ("dropout", "elu_dropout"):
        x = [None, *NO_TENSORS, *(torch.ones(2, 3).to(dtype) for dtype in NOT_FLOATS)]
        if name == "elu_dropout":
            x.append(torch.ones(2, 3).to_sparse())
        yield Function(
            name,
            getattr(ops, name),
            lambda: {"x": torch.randn(N, F), "p": 0.5},
            {"x": x, "p": SHARES},
        )
    yield Function(
        "sparse_linear",
        ops.sparse_linear,
        lambda: {"x": torch.eye(N, F).to_sparse(), "weight": torch.randn(C, F)},
        {
            "x": [
                None,
                torch.randn(N, F),
                *features(N, F),
                torch.eye(N, F).to_sparse().double(),
            ],
            "weight": [None, *(f for f in features(C, F) if not fits(f))],
            "bias": features(C),
        },
        {"x": ("weight",), "weight": ("x",)},
    )
