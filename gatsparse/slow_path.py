"""Reports of the backend of a layer: a warning if it is slow, and observers of every choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from gatsparse import _native

#: Graphs with more edges than this are worth a warning.
LARGE_GRAPH = 100_000

#: Called with the backend of a layer, the reasons why the kernels are not used, and the name of the
#: function that an accelerated model calls, or None for a layer.
Observer = Callable[[str, list[str], str | None], None]

_observers: list[Observer] = []
_warned: set[str] = set()  # reasons


class SlowPathWarning(UserWarning):
    """A large graph or sparse matrix is computed without the kernels, or the kernels are missing.

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
        observer(path, reasons, None)
    if reasons and not requested:
        cure = (
            ". gatsparse.explain_backend(model, x, edge_index) lists the backend of each layer; "
            "an explicit backend='scatter' silences this warning"
        )
        warn_if_slow("a graph of {:,} edges", path, reasons, num_edges, cure)


def is_observed() -> bool:
    """Whether observers are notified of every choice."""
    return bool(_observers)


def report_function(name: str, reasons: list[str]) -> None:
    """Notifies observers of a function of torch that an accelerated model calls.

    Args:
        name (str): The function.
        reasons (list of str): Why the kernels do not replace it; empty if they do.
    """
    for observer in _observers:
        observer("torch" if reasons else "fused", reasons, name)


def warn_if_slow(what: str, path: str, reasons: list[str], size: int, cure: str = "") -> None:
    """Warns once per process and reason if something large is computed without the kernels, or if
    the kernels are missing.

    Args:
        what (str): What is computed, in words, with ``{:,}`` for :obj:`size`.
        path (str): How it is computed.
        reasons (list of str): Why the kernels are not used.
        size (int): Number of its edges or values.
        cure (str, optional): Advice in addition to the reasons.
    """
    large = size > LARGE_GRAPH or not _native.available()
    if not large or _observers or torch.compiler.is_compiling() or _warned.issuperset(reasons):
        return
    _warned.update(reasons)
    warnings.warn(
        f"{what.format(size)} is computed by {path}, not by the kernels: "
        f"{'; '.join(reasons)}{cure}.",
        SlowPathWarning,
        stacklevel=3,
    )


@contextmanager
def observed(observer: Observer) -> Iterator[None]:
    """Calls :obj:`observer` for every choice inside the block, where no warning is issued."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)
