"""Hash of everything on which the result of exact inference depends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from hashlib import blake2b
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor

from gatsparse.data.features import RowFile
from gatsparse.graph import CSRGraph
from gatsparse.inference.sources import Converted, Stored

#: Registries of ``torch.nn.Module`` itself, whose content is not a setting.
_OF_MODULES = frozenset(vars(torch.nn.Module()))


def fingerprint(
    model: torch.nn.Module, source: Stored, graph: CSRGraph, edges: Stored | None
) -> str:
    """Hash of a model, its settings, the features and the graph.

    Args:
        model (torch.nn.Module): The model.
        source (Stored): Node features.
        graph (CSRGraph): The graph.
        edges (Stored, optional): Edge features, in the order of the caller's edges.
    """
    digest = blake2b(digest_size=16)
    for name, module in model.named_modules():
        digest.update(f"{name} {type(module).__qualname__} {_settings(module)}".encode())
        hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
        digest.update(describe(hooks).encode())
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


def _add(digest: Any, source: Stored) -> None:
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
    plain = (type(None), bool, int, float, str, Tensor, tuple, list, dict)
    return {
        key: describe(value)
        for key, value in sorted(vars(module).items())
        if key not in _OF_MODULES and (isinstance(value, plain) or callable(value))
    }


def describe(value: Any, depth: int = 8) -> str:
    """Describes a setting by a text that is the same in every process and depends on its behaviour.

    Functions are described by their code, defaults and the values that they enclose; other
    objects by their class and attributes. Modules are described by their class only, because
    :func:`fingerprint` adds their settings.

    Args:
        value (object): The setting.
        depth (int, optional): Number of levels of nested objects.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, Tensor):
        return f"{value.dtype} {list(value.shape)} {blake2b(_bytes(value)).hexdigest()}"
    if isinstance(value, (type, BuiltinFunctionType, torch.nn.Module)):
        kind = value if not isinstance(value, torch.nn.Module) else type(value)
        return f"{kind.__module__ or ''}.{kind.__qualname__}"
    if depth == 0:
        return type(value).__qualname__
    if isinstance(value, dict):
        parts = sorted(describe(item, depth - 1) for item in value.items())
    elif isinstance(value, (set, frozenset)):
        parts = sorted(describe(item, depth - 1) for item in value)
    else:
        parts = [describe(part, depth - 1) for part in _parts(value)]
    return f"{type(value).__qualname__}{parts}"


def _parts(value: Any) -> Iterable[Any]:
    """Values that determine the behaviour of a function or an object."""
    if isinstance(value, (tuple, list)):
        return value
    if isinstance(value, CodeType):
        return value.co_code, value.co_consts, value.co_names
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if not _is_empty(cell)]
        return value.__qualname__, value.__code__, value.__defaults__, value.__kwdefaults__, cells
    if isinstance(value, MethodType):
        return value.__func__, value.__self__
    if isinstance(value, partial):
        return value.func, value.args, value.keywords
    members = (vars(cls) for cls in type(value).mro())
    call = next((of_class["__call__"] for of_class in members if "__call__" in of_class), None)
    return type(value), call, getattr(value, "__dict__", None)


def _is_empty(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
