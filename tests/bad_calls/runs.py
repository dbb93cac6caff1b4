"""Inspection of graphs, and models of finished runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from torch_geometric.data import Data

import gatsparse
from gatsparse import predict, train
from gatsparse.inspection import inspect_graph
from tests.bad_calls.values import (
    COUNTS,
    NAMES_OF_PATHS,
    NAN,
    NO_CONFIGS,
    NO_DATA,
    NO_PATHS,
    SIZES,
    C,
    F,
    Function,
    but,
    node_data,
    without,
)


def functions() -> Iterator[Function]:
    errors = (train.ConfigError,)
    yield Function(
        "inspect_graph",
        inspect_graph,
        lambda: {"dataset": "digits"},
        {"dataset": ["", "nope", *but(NO_CONFIGS, "cora")]},
        errors=errors,
    )
    loaders = ("load_run", predict.load_run), ("load_model", gatsparse.load_model)
    for name, load in loaders:
        yield Function(
            name,
            load,
            lambda: {"path": "/none/such"},
            {"path": NO_PATHS, "seed": ["0", b"0", 1.5, NAN, [], object()]},
            {"path": NAMES_OF_PATHS},
            errors,
        )
    run, data = _run(), node_data()
    incomplete = [Data(), without("x"), without("edge_index")]
    yield Function(
        "load_data",
        predict.load_data,
        lambda: {"run": run, "data": data},
        {"run": NO_CONFIGS, "data": ["", "nope", *incomplete, *but(NO_DATA, None, "cora")]},
        {"data": ("dataset", "x", "edge_index")},
        errors,
    )
    yield Function(
        "predict",
        predict.predict,
        lambda: {"run": run, "data": data},
        {
            "run": NO_CONFIGS,
            "data": [*NO_DATA, *incomplete],
            "max_memory": ["", "nope", "-1GB", "0", NAN, [], {}],
            "folder": [3, 1.5, [], {}, object()],
            "threads": but(SIZES, None),
        },
        errors=errors,
    )
    yield Function(
        "predict_links",
        predict.predict_links,
        lambda: {"predictions": _embeddings(), "pairs": _pairs()},
        {"predictions": NO_CONFIGS, "pairs": [None, 3, 1.5, [], {}, object(), b"x", "/none.xls"]},
        errors=errors,
    )
    yield Function(
        "explain_run",
        predict.explain_run,
        lambda: {"run": run, "data": data, "path": "/none/such"},
        {
            "run": NO_CONFIGS,
            "data": [*NO_DATA, *incomplete],
            "path": [None, 3, 1.5, [], {}, object(), b"x"],
            "nodes": [None, 3, 1.5, "7", b"7", {}, [1.5], [None], ["nope"], [60], [-1]],
            "removals": [*COUNTS, None],
        },
        {"nodes": ("node",)},
        errors,
    )


def _pairs() -> str:
    path = Path(tempfile.mkdtemp(), "pairs.csv")
    path.write_text("source,target\n0,1\n")
    return str(path)


def _embeddings() -> predict.Predictions:
    run = _run()
    links = replace(run.config, task="link_prediction")
    data = node_data()
    return predict.Predictions(replace(run, config=links), data, data.x)


def _run() -> predict.FinishedRun:
    """Returns a run of an untrained model for :func:`node_data`."""
    kept = train.RuleResult(1, 1, val_loss=1.0, val_score=0.0, test_score=0.0)
    return predict.FinishedRun(
        path=Path("/none/such"),
        config=train.TrainConfig("digits", normalize_features=False),
        seed=0,
        seeds=[0],
        result=train.FitResult({"val_score": kept}, [], 0.0, {}),
        sizes=train.ModelSizes(F, 3, None),
        schema=None,
        feature_shift=None,
        model=gatsparse.GAT(F, C, 2, 3).eval(),
    )
