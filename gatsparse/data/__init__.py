"""Data sets by name, splits, graphs from files, synthetic graphs, and mini-batches."""

from gatsparse.data.accelerate_loader import accelerate_loader
from gatsparse.data.datasets import NAMES, find, load
from gatsparse.data.edge_list import (
    EdgeListError,
    RelabeledEdges,
    RelabeledGraph,
    read_edge_list,
    read_graph,
)
from gatsparse.data.errors import DatasetCorruptError, DatasetNotFoundError
from gatsparse.data.features import open_features
from gatsparse.data.graph_files.config import GraphFiles
from gatsparse.data.graph_files.graph import load_files
from gatsparse.data.graph_files.node_ids import NodeIds
from gatsparse.data.graph_files.schema import Column, GraphSchema
from gatsparse.data.graph_files.table import GraphFileError
from gatsparse.data.graph_set import join_graphs
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from gatsparse.data.ogb import NAMES as OGB_NAMES
from gatsparse.data.ogb import evaluator as ogb_evaluator
from gatsparse.data.ogb import load_ogb
from gatsparse.data.sampler import NeighborSampler
from gatsparse.data.split import random_split
from gatsparse.data.statistics import GraphStatistics, edge_homophily, graph_statistics
from gatsparse.data.synthetic import rmat, stochastic_block_model

__all__ = [
    "NAMES",
    "OGB_NAMES",
    "Column",
    "DatasetCorruptError",
    "DatasetNotFoundError",
    "EdgeListError",
    "GraphFileError",
    "GraphFiles",
    "GraphSchema",
    "GraphStatistics",
    "LinkNeighborLoader",
    "NeighborLoader",
    "NeighborSampler",
    "NodeIds",
    "RelabeledEdges",
    "RelabeledGraph",
    "accelerate_loader",
    "edge_homophily",
    "find",
    "graph_statistics",
    "join_graphs",
    "load",
    "load_files",
    "load_ogb",
    "ogb_evaluator",
    "open_features",
    "random_split",
    "read_edge_list",
    "read_graph",
    "rmat",
    "stochastic_block_model",
]
