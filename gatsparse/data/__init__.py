"""Data sets by name, and synthetic graphs."""

from gatsparse.data.datasets import NAMES, find, load
from gatsparse.data.errors import DatasetCorruptError, DatasetNotFoundError
from gatsparse.data.synthetic import rmat

__all__ = ["NAMES", "DatasetCorruptError", "DatasetNotFoundError", "find", "load", "rmat"]
