"""Data sets by name, splits, graphs from files, synthetic graphs, and mini-batches."""

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
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from gatsparse.data.ogb import NAMES as OGB_NAMES
from gatsparse.data.ogb import evaluator as ogb_evaluator
from gatsparse.data.ogb import load_ogb
from gatsparse.data.sampler import NeighborSampler
from gatsparse.data.split import random_split
from gatsparse.data.synthetic import rmat, stochastic_block_model

__all__ = [
    "NAMES",
    "OGB_NAMES",
    "DatasetCorruptError",
    "DatasetNotFoundError",
    "EdgeListError",
    "LinkNeighborLoader",
    "NeighborLoader",
    "NeighborSampler",
    "RelabeledEdges",
    "RelabeledGraph",
    "find",
    "load",
    "load_ogb",
    "ogb_evaluator",
    "open_features",
    "random_split",
    "read_edge_list",
    "read_graph",
    "rmat",
    "stochastic_block_model",
]
