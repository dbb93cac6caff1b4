"""Training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch_geometric.data import Data

import gatsparse
from gatsparse import train
from gatsparse.data import join_graphs
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    FINITE,
    INF,
    MODEL,
    MODULES,
    NAMES_OF_PATHS,
    NAN,
    NO_CONFIGS,
    NO_DATA,
    NO_PATHS,
    NOT_NUMBERS,
    SHARES,
    SIZES,
    C,
    F,
    Function,
    but,
    graph_data,
    node_data,
    without,
)


def functions() -> Iterator[Function]:
    errors = (train.ConfigError,)
    yield Function(
        "compile_step",
        gatsparse.compile_step,
        lambda: {"step": lambda: torch.zeros(()), "warmup": 3},
        {"step": [None, 3, "step", torch.zeros(())], "warmup": SIZES},
    )
    yield Function(
        "ModelConfig",
        train.ModelConfig,
        dict,
        {
            **{key: MODEL[key] for key in MODEL if key not in ("in_channels", "out_channels")},
            "kind": CHOICES,
            "num_layers": SIZES,
            "architecture": CHOICES,
            "variant": CHOICES,
            "residual": but(CHOICES, None),
            "norm": but(CHOICES, None),
            "jk": but(CHOICES, None),
            "add_self_loops": CHOICES,
        },
        errors=errors,
    )
    rates = [*NOT_NUMBERS, None, -0.1, NAN, INF, -INF]
    yield Function(
        "OptimConfig",
        train.OptimConfig,
        dict,
        {"lr": [0, *rates], "weight_decay": rates},
        errors=errors,
    )
    yield Function(
        "SamplingConfig",
        train.SamplingConfig,
        dict,
        {
            "batch_size": SIZES,
            "num_neighbors": [None, 3, "15", [1.5], ["2"], [-2], [NAN], [None], object()],
            "max_memory": ["", "nope", "-1GB", "0", None, NAN, [], {}],
        },
        errors=errors,
    )
    shares = [*NOT_NUMBERS, None, 0, 1, -0.1, 1.1, NAN, INF]
    yield Function(
        "LinkConfig",
        train.LinkConfig,
        dict,
        {
            "channels": SIZES,
            "val_share": shares,
            "test_share": shares,
            "num_negatives": but(SIZES, None),
        },
        errors=errors,
    )
    yield Function(
        "GraphConfig",
        train.GraphConfig,
        dict,
        {
            "channels": SIZES,
            "pooling": CHOICES,
            "draw": CHOICES,
            "train_share": shares,
            "val_share": shares,
        },
        errors=errors,
    )
    yield Function(
        "SyntheticConfig",
        train.SyntheticConfig,
        dict,
        {
            "num_nodes": SIZES,
            "num_edges": [*COUNTS, None],
            "num_classes": SIZES,
            "num_features": SIZES,
            "homophily": SHARES,
            "signal": FINITE,
            "seed": [*COUNTS, None],
        },
        errors=errors,
    )
    yield Function(
        "TrainConfig",
        train.TrainConfig,
        lambda: {"dataset": "digits"},
        {
            "dataset": ["", "nope", 3, [], object()],
            "mode": CHOICES,
            "split": ["", "nope", None, -1, 1.5, NAN, [], object()],
            "dtype": CHOICES,
            "model": NO_CONFIGS,
            "optim": NO_CONFIGS,
            "sampling": NO_CONFIGS,
            "synthetic": NO_CONFIGS,
            "link": NO_CONFIGS,
            "task": CHOICES,
            "metric": but(CHOICES, None),
            "class_weights": ["", "nope", 3, ["1"], [0.0], [-1.0], [NAN], [INF], object()],
            "epochs": SIZES,
            "patience": SIZES,
            "stopping": ["", "nope", None, 3, 1.5, [], ["nope"], [3], object()],
            "seeds": ["3", None, 0, -1, 1.5, NAN, [], [-1], [1.5], ["0"], [0, 0], object()],
            "device": [
                *("", "gpu", "cuda:", "cuda:-1", "cuda:01", "cuda:\u0663", "cpu:0", "mps"),
                *(None, 0, [], object()),
            ],
            "cuda_graph": CHOICES,
            "threads": SIZES,
            "processes": but(SIZES, None),
            "checkpoint_seconds": [*NOT_NUMBERS, None, -1, NAN],
            "max_memory": ["", "nope", "-1GB", "0", NAN, [], {}],
            "progress": CHOICES,
            "log": [*but(CHOICES, None), ["csv", "csv"], ["nope"]],
        },
        errors=errors,
    )
    yield Function(
        "EarlyStopping",
        train.EarlyStopping,
        lambda: {"rule": "val_score", "patience": 2, "epochs": 5},
        {"rule": CHOICES, "patience": SIZES, "epochs": SIZES},
    )
    model, config = gatsparse.GAT(F, C, 2, 3), train.TrainConfig("digits", epochs=1)
    yield Function(
        "build_model",
        train.build_model,
        lambda: {"config": train.ModelConfig(), "data": node_data()},
        {
            "config": NO_CONFIGS,
            "data": [*NO_DATA, Data(), without("x"), without("y")],
            "task": CHOICES,
        },
        {"data": ("x", "y")},
        errors,
    )
    yield Function(
        "GraphClassifier",
        train.GraphClassifier,
        lambda: {"encoder": model, "channels": C, "out_channels": 2},
        {"encoder": MODULES, "channels": SIZES, "out_channels": SIZES, "pooling": CHOICES},
    )
    yield Function(
        "build_graph_classifier",
        train.build_graph_classifier,
        lambda: {
            "model": train.ModelConfig(),
            "graph": train.GraphConfig(),
            "sizes": train.ModelSizes(F, 2, None),
        },
        {
            "model": [*NO_CONFIGS, train.ModelConfig(kind="dense")],
            "graph": NO_CONFIGS,
            "sizes": NO_CONFIGS,
        },
        {"model": ("config", "model.kind")},
        errors,
    )
    yield Function(
        "split_graphs",
        train.split_graphs,
        lambda: {"data": join_graphs([graph_data()] * 20), "seed": 0},
        {
            "data": [*NO_DATA, Data(), node_data(), join_graphs([graph_data()] * 2)],
            "seed": [*COUNTS, None],
            "config": but(NO_CONFIGS, None),
        },
        {"data": ("batch", "graph.train_share")},
        errors,
    )
    yield Function(
        "split_links",
        train.split_links,
        lambda: {"data": node_data(), "seed": 0},
        {
            "data": [*NO_DATA, Data(), without("edge_index")],
            "seed": [*COUNTS, None],
            "val_share": [*SHARES, 1.0],
            "test_share": [*SHARES, 1.0],
            "num_negatives": SIZES,
        },
        {"data": ("edge_index",)},
        errors,
    )
    yield Function(
        "build_model_of_sizes",
        train.build_model_of_sizes,
        lambda: {"config": train.ModelConfig(), "sizes": train.ModelSizes(F, C, None)},
        {
            "config": NO_CONFIGS,
            "sizes": [*NO_CONFIGS, (F, C, None)],
            "dtype": [None, "float32", 3, float, object()],
        },
        errors=errors,
    )
    yield Function(
        "model_sizes",
        train.model_sizes,
        lambda: {"data": node_data()},
        {"data": [*NO_DATA, Data(), without("x"), without("y")], "task": CHOICES},
        {"data": ("x", "y")},
        errors,
    )
    yield Function(
        "build_optimizer",
        train.build_optimizer,
        lambda: {"config": train.OptimConfig(), "model": model},
        {"config": NO_CONFIGS, "model": MODULES},
        errors=errors,
    )
    yield Function(
        "fit",
        train.fit,
        lambda: {"model": model, "data": node_data(), "config": config},
        {
            "model": MODULES,
            "data": [
                *NO_DATA,
                Data(),
                *map(without, ("x", "y", "edge_index", "train_mask", "val_mask")),
            ],
            "config": NO_CONFIGS,
            "on_epoch": [3, "print", [], object()],
        },
        {"data": ("x", "y", "edge_index", "train_mask", "val_mask", "test_mask")},
        errors,
    )
    for name in ("load_task", "train"):
        yield Function(name, getattr(train, name), dict, {"config": NO_CONFIGS}, errors=errors)
    no_output = ["", "json", 3, [], object()]
    yield Function(
        "TextOutput", train.TextOutput, dict, {"progress": CHOICES, "console": no_output}
    )
    yield Function("JsonOutput", train.JsonOutput, dict, {"file": no_output})
    yield Function(
        "model_graph",
        train.model_graph,
        lambda: {"kind": "gatsparse", "data": node_data()},
        {"kind": CHOICES, "data": [*NO_DATA, without("edge_index")]},
        {"data": ("edge_index",)},
        errors,
    )
    yield Function(
        "parse_config",
        train.parse_config,
        lambda: {"path": "/none/such"},
        {"path": NO_PATHS},
        {"path": NAMES_OF_PATHS},
        (OSError, *errors),
    )
    yield Function(
        "task_of_seed",
        train.task_of_seed,
        lambda: {"data": node_data(), "config": config, "seed": 0},
        {"data": NO_DATA, "config": NO_CONFIGS, "seed": [*COUNTS, None]},
        errors=errors,
    )
