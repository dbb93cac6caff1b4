"""Graphs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from gatsparse import CSRGraph
from tests.bad_calls.values import (
    CHOICES,
    COUNTS,
    EDGES,
    HUGE,
    NO_DTYPES,
    NO_TENSORS,
    F,
    Function,
    N,
    edge_indices,
    graph,
)


def functions() -> Iterator[Function]:
    names = ("num_nodes", "size", "edge_index")
    yield Function(
        "CSRGraph.from_edge_index",
        CSRGraph.from_edge_index,
        lambda: {"edge_index": EDGES, "num_nodes": N},
        {
            "edge_index": edge_indices(),
            "num_nodes": [*COUNTS, N - 1, 0],
            "size": ["size", 3, 1.5, (N,), (N, N, N), (N, -1), (-1, N), (N, 1.5), (N, N - 1)],
            "index_dtype": [*NO_DTYPES, torch.int16, torch.float32],
        },
        dict.fromkeys(names, names),
    )
    rowptr, col = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 3])
    bad_ptr: list[object] = [
        *NO_TENSORS,
        None,
        rowptr.float(),
        rowptr[None],
        rowptr.bool(),
        torch.zeros(0, dtype=torch.int64),
        torch.tensor([1, 1, 2]),
        torch.tensor([0, 2, 1]),
        torch.tensor([0, 1, 3]),
        torch.tensor([0, -1, 2]),
        torch.tensor([0, HUGE, 2]),
        torch.tensor(0),
    ]
    bad_col: list[object] = [
        *NO_TENSORS,
        None,
        col.float(),
        col[None],
        col.bool(),
        torch.tensor([0, 4]),
        torch.tensor([0, -1]),
        torch.tensor([0, HUGE]),
        torch.tensor([0]),
        torch.tensor([0, 1, 2]),
        torch.tensor(0),
    ]
    for name, ptr, other, count in (
        ("from_csr", "rowptr", "col", "num_src"),
        ("from_csc", "colptr", "row", "num_dst"),
    ):
        bad: dict[str, Iterable[object]] = {
            ptr: bad_ptr,
            other: bad_col,
            count: [*COUNTS, None, 0, 3],
        }
        if name == "from_csr":
            bad["perm"] = [
                *NO_TENSORS,
                torch.tensor([0]),
                torch.tensor([0, 2, 1]),
                torch.tensor([[0, 1]]),
                torch.tensor([0.0, 1.0]),
                torch.tensor([0, 0]),
                torch.tensor([0, 2]),
                torch.tensor([-1, 0]),
            ]
        yield Function(
            f"CSRGraph.{name}",
            getattr(CSRGraph, name),
            lambda ptr=ptr, other=other, count=count: {ptr: rowptr, other: col, count: 4},
            bad,
            {ptr: (other,), other: (ptr, count), count: (other,)},
        )
    yield Function(
        "CSRGraph.repeat", graph().repeat, lambda: {"count": 2}, {"count": [*COUNTS, None]}
    )
    yield Function(
        "CSRGraph.reorder",
        graph().reorder,
        lambda: {"method": "rcm"},
        {"method": CHOICES},
    )
    yield Function(
        "CSRGraph.to",
        graph().to,
        lambda: {"device": "cpu"},
        {"device": [None, 1.5, [], {}, object(), torch.float32, "nope", ""]},
    )
    reordered = graph().reorder()
    for name, argument in (("to_new", "x"), ("to_caller", "out")):
        rows = [*NO_TENSORS, None, torch.randn(()), torch.randn(N - 1, F), torch.randn(0, F)]
        yield Function(
            f"Reordered.{name}",
            getattr(reordered, name),
            lambda argument=argument: {argument: torch.randn(N, F)},
            {argument: rows},
        )
