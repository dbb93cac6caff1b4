"""Objects by import path, such as ``"my_module:my_dataset"``."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_geometric.data import Data, Dataset

from gatsparse.data.graph_set import join_graphs

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_import_path(name: str) -> bool:
    """Returns whether a name is an import path, ``"module:object"``."""
    return ":" in name


def imported(key: str, name: str) -> Any:
    """Imports an object.

    Args:
        key (str): Key of the configuration, for the message.
        name (str): ``"module:object"``. The module is searched in the current folder and on
            ``sys.path``.

    Raises:
        ValueError: If the module or object does not exist.
    """
    module, _, attribute = name.partition(":")
    try:
        with _current_folder():
            return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{key}: cannot import {name!r}: {error}") from error


def import_data(key: str, name: str) -> Data:
    """Returns the data that an import path names.

    Args:
        key (str): Key of the configuration, for the message.
        name (str): ``"module:object"``: a ``Data``, a data set of PyG or a list with one graph, or
            a function or class that is called without arguments and returns one.

    Raises:
        ValueError: If it cannot be imported, or is something else.
    """
    found = _imported_value(key, name)
    if isinstance(found, (Dataset, list)):
        if len(found) != 1:
            raise ValueError(
                f"{key}: expected a data set with one graph from {name!r}, got {len(found)} "
                "graphs: set task: graph_classification to classify graphs"
            )
        found = found[0]
    if not isinstance(found, Data):
        raise ValueError(
            f"{key}: expected torch_geometric.data.Data, or a data set with one graph, from "
            f"{name!r}, got {type(found).__name__}"
        )
    return found


def import_graphs(key: str, name: str) -> Data:
    """Returns the graphs that an import path names, joined by :func:`join_graphs`.

    Args:
        key (str): Key of the configuration, for the message.
        name (str): ``"module:object"``: a data set of PyG or a list of ``Data``, a tuple of three
            of them to train, to validate and to test, the result of :func:`join_graphs`, or a
            function or class that is called without arguments and returns one.

    Raises:
        ValueError: If it cannot be imported, or is something else.
    """
    found = _imported_value(key, name)
    if isinstance(found, Data):
        return found
    parts = found if isinstance(found, tuple) and len(found) == 3 else (found,)
    if not all(isinstance(part, (Dataset, list)) for part in parts):
        raise ValueError(
            f"{key}: expected a data set of graphs, a list of torch_geometric.data.Data, or a "
            f"tuple of three of them to train, validate and test, from {name!r}, got "
            f"{type(found).__name__}"
        )
    try:
        return join_graphs(*parts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{key}: {name!r}: {error}") from error


def _imported_value(key: str, name: str) -> Any:
    """An imported object, or what it returns if it is a function or a class."""
    found = imported(key, name)
    if callable(found) and not isinstance(found, (Data, Dataset)):
        with _current_folder():
            return found()
    return found


@contextmanager
def _current_folder() -> Iterator[None]:
    """Adds the current folder to ``sys.path``, where scripts do not have it."""
    folder = str(Path.cwd())
    before = list(sys.path)
    if folder not in before and "" not in before:
        sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path[:] = before
