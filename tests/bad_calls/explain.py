"""Explanations of models."""

from __future__ import annotations

from collections.abc import Iterator

import torch

import gatsparse
from gatsparse import explain
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    MODULES,
    NO_DATA,
    C,
    F,
    Function,
    but,
    node_data,
    without,
)

NO_NAMES: list[object] = [3, 1.5, "abc", b"abc", object(), ["a"], [], {}]


def functions() -> Iterator[Function]:
    data = node_data()
    second = torch.stack([torch.arange(60), torch.arange(60).roll(2)])
    data.edge_index = torch.cat([data.edge_index, second], dim=1)
    model = gatsparse.GAT(F, C, 2, 3).eval()
    yield Function(
        "explain",
        explain.explain,
        lambda: {"model": model, "data": data, "nodes": [3], "removals": 2},
        {
            "model": [*MODULES, torch.nn.Linear(F, 3), gatsparse.GAT(F, C, 2, 1)],
            "data": [*NO_DATA, without("x"), without("edge_index")],
            "node_ids": NO_NAMES,
            "class_names": NO_NAMES,
            "nodes": [3, 1.5, "x", [1.5], ["x"], [60], [-1], [[1]], [True], {}, object()],
            "removals": [*COUNTS, None],
            "task": but(CHOICES, None),
            "seed": [*COUNTS, None],
        },
        {"data": ("edge_index", "x")},
    )
    found = explain.explain(model, data, nodes=[], removals=2)
    row = dict.fromkeys(("epoch", "train_loss", "val_loss", "val_score", "test_score"), 1.0)
    for function in (explain.loss_figure, explain.score_figure):
        yield Function(
            function.__name__,
            function,
            lambda: {"curves": [row]},
            {"curves": [None, 3, "x", b"x", {}, object(), [3], [], [{}], [{"epoch": 1}]]},
        )
    yield Function(
        "entropy_figure",
        explain.entropy_figure,
        lambda: {"layer": found.layers[0]},
        {"layer": [None, 3, "x", [], {}, object(), found]},
    )
    for function in (explain.effects_figure, explain.removal_figure):
        yield Function(
            function.__name__,
            function,
            lambda: {"test": found.removal},
            {"test": [None, 3, "x", [], {}, object(), found]},
        )
    yield Function(
        "write_report",
        explain.write_report,
        lambda: {"explanation": found, "path": "/none/such"},
        {
            "explanation": [None, 3, "x", [], {}, object(), found.layers[0]],
            "path": [None, 3, 1.5, [], {}, object(), b"x"],
            "title": [None, 3, 1.5, [], {}, object(), b"x"],
            "curves": [
                3,
                "x",
                b"x",
                {},
                object(),
                [3],
                [{}],
                [{"epoch": 1}],
                [{**row, "epoch": "x"}],
            ],
            "config": [3, "x", b"x", [], object(), dict],
        },
    )
