"""Reports of the backend of a layer: a warning if it is slow, and observers of every choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from gatsparse import _native

#: Graphs with more edges than this are worth a warning.
LARGE_GRAPH = 100_000

#: Called with the backend of a layer, and the reasons why the kernels are not used.
Observer = Callable[[str, list[str]], None]

_observers: list[Observer] = []
_warned: set[tuple[str, ...]] = set()


class SlowPathWarning(UserWarning):
    """A large graph is computed without the kernels, or the kernels are missing.

    Example:
        >>> import warnings, gatsparse
        >>> warnings.simplefilter("error", gatsparse.SlowPathWarning)  # a slow path raises
    """


def report_choice(path: str, reasons: list[str], num_edges: int, *, requested: bool) -> None:
    """Notifies observers of a layer's backend; warns once per process and reason if it is slow.

    Args:
        path (str): Backend of the layer, such as ``"scatter"``.
        reasons (list of str): Why the kernels are not used; empty if they are.
        num_edges (int): Number of edges of the graph.
        requested (bool): Whether the caller requested the backend.
    """
    if (not reasons and not _observers) or torch.compiler.is_compiling():
        return
    for observer in _observers:
        observer(path, reasons)
    if not reasons or requested or _observers:
        return
    if num_edges <= LARGE_GRAPH and _native.available():
        return
    key = (path, *reasons)
    if key not in _warned:
        _warned.add(key)
        warnings.warn(
            f"a graph of {num_edges:,} edges is computed by {path}, not by the kernels: "
            f"{'; '.join(reasons)}. gatsparse.explain_backend(model, x, edge_index) lists the "
            "backend of each layer; an explicit backend='scatter' silences this warning.",
            SlowPathWarning,
            stacklevel=2,
        )


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Calls :obj:`observer` for every choice inside the block, where no warning is issued."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)
