"""Hash of everything on which the result of exact inference depends."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from gatsparse.data.features import RowFile
from gatsparse.graph import CSRGraph
from gatsparse.inference.sources import Converted, Source


def fingerprint(
    model: torch.nn.Module, source: Source, graph: CSRGraph, edges: Source | None
) -> str:
    """Hash of a model, its settings, the features and the graph.

    Args:
        model (torch.nn.Module): The model.
        source (Source): Node features.
        graph (CSRGraph): The graph.
        edges (Source, optional): Edge features, in the order of the caller's edges.
    """
    digest = blake2b(digest_size=16)
    for name, module in model.named_modules():
        digest.update(f"{name} {type(module).__qualname__} {_settings(module)}".encode())
    for named in (model.named_parameters(), model.named_buffers()):
        for key, value in named:
            digest.update(f"{key} {value.dtype} {list(value.shape)}".encode())
            digest.update(_bytes(value))
    for tensor in (graph.rowptr, graph.col):
        digest.update(_bytes(tensor))
    _add(digest, source)
    if edges is not None:
        digest.update(_bytes(graph.perm))
        _add(digest, edges)
    return digest.hexdigest()


def _add(digest: Any, source: Source) -> None:
    stored = source.stored if isinstance(source, Converted) else source
    if isinstance(stored, RowFile):
        state = stored.path.stat()
        digest.update(f"{stored.path.resolve()} {state.st_size} {state.st_mtime_ns}".encode())
    else:
        digest.update(f"{stored.dtype} {list(stored.shape)}".encode())
        for rows in stored.x.split(2**16):
            digest.update(_bytes(rows))


def _settings(module: torch.nn.Module) -> dict[str, str]:
    """Attributes of a module that determine its results, apart from parameters and buffers."""
    settings = {}
    for key, value in sorted(vars(module).items()):
        if value is None or isinstance(value, (bool, int, float, str)):
            settings[key] = repr(value)
        elif isinstance(value, Tensor):
            settings[key] = blake2b(_bytes(value), digest_size=8).hexdigest()
        elif callable(value):
            settings[key] = _name(value)
    return settings


def _name(function: Any) -> str:
    """Name of a function; with its code, as all lambdas have the same name."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    code = getattr(function, "__code__", None)
    if code is None:
        return name
    defaults = function.__defaults__, function.__kwdefaults__
    return f"{name} {code.co_code.hex()} {code.co_consts!r} {code.co_names} {defaults!r}"


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().data
