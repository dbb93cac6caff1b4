"""Data sets, files and mini-batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from gatsparse import data
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    FINITE,
    HUGE,
    NAMES_OF_PATHS,
    NAN,
    NO_DATA,
    NO_DTYPES,
    NO_PATHS,
    SHARES,
    SIZES,
    Function,
    but,
    graph,
    graph_data,
    node_data,
    without,
)


def functions() -> Iterator[Function]:
    names: list[object] = ["", "nope", None, 3, 1.5, ["cora"], b"cora", object(), "cora ", "\0"]
    for name in ("load", "find", "load_ogb", "ogb_evaluator"):
        yield Function(
            name,
            getattr(data, name),
            lambda: {"name": "digits"},
            {"name": names},
            errors=(data.DatasetNotFoundError,),
        )
    yield Function(
        "open_features",
        data.open_features,
        dict,
        {"path": NO_PATHS},
        {"path": NAMES_OF_PATHS},
        (OSError,),
    )
    reading = {
        "path": NO_PATHS,
        "num_nodes": COUNTS,
        "columns": [
            "src",
            3,
            ("src",),
            ("a", "b", "c"),
            (-1, 2),
            (1, 1),
            ("a", 1),
            ("a", "a"),
            [],
            object(),
        ],
        "base": [2, -1, 1.5, "1", [], NAN, object()],
        "block_size": SIZES,
    }
    for name in ("read_edge_list", "read_graph"):
        extra = {"duplicates": CHOICES} if name == "read_graph" else {}
        yield Function(
            name,
            getattr(data, name),
            lambda: {"path": "/none/such"},
            {**reading, **extra},
            {"path": NAMES_OF_PATHS},
            (OSError, data.EdgeListError),
        )
    yield Function(
        "random_split",
        data.random_split,
        lambda: {"data": node_data(), "seed": 0, "num_train_per_class": 5, "num_val_per_class": 5},
        {
            "data": [*NO_DATA, Data(), without("y")],
            "seed": [*COUNTS[:-6], None, 2**64, 1.5, NAN],
            "num_train_per_class": [*SIZES, 16, 20],
            "num_val_per_class": [*COUNTS, None, 15, 20],
        },
        {"data": ("y",), "num_train_per_class": ("y",), "num_val_per_class": ("y",)},
    )
    no_graphs = [None, 3, object(), [], [3], "graph", [Data()], [graph_data(), Data()]]
    yield Function(
        "join_graphs",
        data.join_graphs,
        lambda: {key: [graph_data()] for key in ("graphs", "val_graphs", "test_graphs")},
        {key: but(no_graphs, []) for key in ("graphs", "val_graphs", "test_graphs")},
    )
    sizes = {"num_nodes": SIZES, "num_edges": [*COUNTS, None], "seed": [*COUNTS, None]}
    yield Function(
        "rmat",
        data.rmat,
        lambda: {"num_nodes": 8, "num_edges": 20},
        {
            **sizes,
            "probabilities": [
                None,
                3,
                "0.25",
                (),
                (0.5, 0.5),
                (0.25,) * 5,
                (1.0, -0.5, 0.25, 0.25),
                (NAN,) * 4,
                (0.1,) * 4,
                ("a", "b", "c", "d"),
                (0.0,) * 4,
            ],
            "dtype": [None, *NO_DTYPES, torch.int16, torch.float32],
        },
    )
    yield Function(
        "stochastic_block_model",
        data.stochastic_block_model,
        lambda: {"num_nodes": 8, "num_edges": 20, "num_classes": 2, "num_features": 3},
        {
            **sizes,
            "num_classes": [*SIZES, 9],
            "num_features": SIZES,
            "homophily": SHARES,
            "signal": FINITE,
        },
    )
    sampling = {
        "num_neighbors": [None, 3, "15", [1.5], ["2"], [-2], [NAN], [None], object()],
        "subgraph_type": ["", "nope", None, 3, [], object()],
        "seed": but(COUNTS, -1, -HUGE),
    }
    yield Function(
        "NeighborSampler",
        data.NeighborSampler,
        lambda: {"data": node_data(), "num_neighbors": [2]},
        {"data": [*NO_DATA, without("edge_index")], **sampling},
        {"data": ("edge_index",)},
    )
    yield Function(
        "accelerate_loader",
        data.accelerate_loader,
        lambda: {"loader": data.NeighborLoader(node_data(), [2])},
        {"loader": [*NO_DATA, DataLoader([node_data()])]},
    )
    yield Function(
        "LinkNeighborLoader",
        data.LinkNeighborLoader,
        lambda: {"data": node_data(), "num_neighbors": [2]},
        {"data": [*NO_DATA, graph(), without("edge_index")], **sampling},
        {"data": ("edge_index",)},
    )
    yield Function(
        "NeighborLoader",
        lambda **arguments: next(iter(data.NeighborLoader(**arguments))),
        lambda: {"data": node_data(), "num_neighbors": [2]},
        {
            "data": [*NO_DATA, graph(), without("edge_index")],
            **sampling,
            "input_nodes": [
                3,
                1.5,
                "paper",
                object(),
                torch.randn(3),
                torch.tensor([60]),
                torch.tensor([-1]),
                torch.tensor([[1]]),
                torch.ones(7, dtype=torch.bool),
            ],
            "prefetch": COUNTS,
            "batch_size": but(SIZES, None, 2**64),
        },
        {"data": ("edge_index",), "input_nodes": ("node", "nodes", "index")},
    )
