"""Data sets by name, their splits, and synthetic graphs."""

from gatsparse.data.datasets import NAMES, find, load
from gatsparse.data.errors import DatasetCorruptError, DatasetNotFoundError
from gatsparse.data.features import open_features
from gatsparse.data.loader import LinkNeighborLoader, NeighborLoader
from gatsparse.data.sampler import NeighborSampler
from gatsparse.data.split import random_split
from gatsparse.data.synthetic import rmat, stochastic_block_model

__all__ = [
    "NAMES",
    "DatasetCorruptError",
    "DatasetNotFoundError",
    "LinkNeighborLoader",
    "NeighborLoader",
    "NeighborSampler",
    "find",
    "load",
    "open_features",
    "random_split",
    "rmat",
    "stochastic_block_model",
]
