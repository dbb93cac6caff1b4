"""Conversion of PyG's data objects and stores to the graphs of a sampler."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch_geometric.data import Data, FeatureStore, GraphStore, HeteroData
from torch_geometric.typing import EdgeType

from gatsparse.adjacency import as_graph
from gatsparse.graph import CSRGraph

#: Objects from which a sampler takes its graph.
GraphData: TypeAlias = "Data | HeteroData | tuple[FeatureStore, GraphStore] | CSRGraph"

#: ``(source type, relation, destination type)`` of a graph with one type.
ONE_TYPE = ("", "", "")


def graphs_of(data: GraphData) -> tuple[dict[EdgeType, CSRGraph], dict[str, int]]:
    """Returns the graph of every edge type and the number of nodes of every node type.

    Raises:
        TypeError: If :obj:`data` holds no graph.
        ValueError: If it is a bipartite :class:`CSRGraph`.
    """
    if isinstance(data, CSRGraph):
        if data.num_src != data.num_dst:
            raise ValueError(f"data: expected a graph of one node set, got size {data.size}")
        return {ONE_TYPE: data}, {"": data.num_dst}
    if isinstance(data, Data):
        num_nodes = data.num_nodes or 0
        return {ONE_TYPE: as_graph(_edges(data), (num_nodes, num_nodes))}, {"": num_nodes}
    if isinstance(data, HeteroData):
        sizes = {key: data[key].num_nodes or 0 for key in data.node_types}
        for src, _, dst in data.edge_types:  # a node type may occur only in edge types
            edges = _edges(data[src, _, dst])
            for key, ends in ((src, 0), (dst, 1)):
                if key not in data.node_types and isinstance(edges, Tensor) and edges.numel() > 0:
                    sizes[key] = max(sizes.get(key, 0), int(edges[ends].max()) + 1)
                sizes.setdefault(key, 0)
        return {
            key: as_graph(_edges(data[key]), (sizes[key[0]], sizes[key[2]]))
            for key in data.edge_types
        }, sizes
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], GraphStore):
        return _graphs_of_store(*data)
    raise TypeError(
        "data: expected Data, HeteroData, (FeatureStore, GraphStore) or CSRGraph, "
        f"got {type(data).__name__}"
    )


def _edges(store: Any) -> Any:
    for key in ("edge_index", "adj_t"):
        if key in store:
            return store[key]
    raise TypeError("data: expected edge_index or adj_t, got neither")


def _graphs_of_store(
    feature_store: Any, graph_store: Any
) -> tuple[dict[EdgeType, CSRGraph], dict[str, int]]:
    from torch_geometric.data.remote_backend_utils import size

    edge_types = dict.fromkeys(attr.edge_type for attr in graph_store.get_all_edge_attrs())
    row, colptr, perm = graph_store.csc()  # a tensor each, or one for each type
    if set(edge_types) == {None}:
        num_nodes = _size_of_one_type(graph_store, row, colptr)
        graph = CSRGraph.from_csr(_padded(colptr, num_nodes), row, num_nodes, perm)
        return {ONE_TYPE: graph}, {"": num_nodes}
    groups = [attr.group_name for attr in feature_store.get_all_tensor_attrs()]
    groups = [group for group in groups if isinstance(group, str)]  # the others are of edges
    types = dict.fromkeys(
        [*groups, *(key for edge_type in edge_types for key in (edge_type[0], edge_type[2]))]
    )
    sizes: dict[str, Any] = {
        key: size(feature_store, graph_store, key) or 0  # pyright: ignore[reportArgumentType]
        for key in types
    }
    return {
        key: CSRGraph.from_csr(
            _padded(colptr[key], sizes[key[2]]), row[key], sizes[key[0]], (perm or {}).get(key)
        )
        for key in edge_types
    }, sizes


def _size_of_one_type(graph_store: Any, row: Tensor, colptr: Tensor) -> int:
    """Number of nodes: the largest of the declared sizes and those that the edges need."""
    declared = [n for attr in graph_store.get_all_edge_attrs() for n in attr.size or ()]
    of_edges = int(row.max()) + 1 if row.numel() > 0 else 0
    return max(colptr.numel() - 1, of_edges, *(n for n in declared if n is not None), 0)


def _padded(ptr: Tensor, num_rows: int) -> Tensor:
    """Adds pointers of the last rows, which a store without a declared size leaves out."""
    missing = num_rows + 1 - ptr.numel()
    if missing < 0:
        raise IndexError(
            f"graph_store: expected destinations in 0 .. {num_rows - 1}, got {ptr.numel() - 2}"
        )
    return torch.cat([ptr, ptr[-1:].expand(missing)])
