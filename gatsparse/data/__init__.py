"""Data sets by name."""

from gatsparse.data.datasets import NAMES, find, load
from gatsparse.data.errors import DatasetCorruptError, DatasetNotFoundError

__all__ = ["NAMES", "DatasetCorruptError", "DatasetNotFoundError", "find", "load"]
