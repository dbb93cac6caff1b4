"""Report of the backend that computes each attention layer of a model, and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch_geometric.nn
from torch.utils.hooks import RemovableHandle

from gatsparse import _native
from gatsparse.nn.accelerate import why_left_alone
from gatsparse.nn.attention_conv import AttentionConv
from gatsparse.nn.paper_exact import PaperExactConv
from gatsparse.slow_path import observed

_OPAQUE = "traced, scripted and exported modules contain no layers: pass the original model"
_LAYERS = (torch_geometric.nn.GATConv, torch_geometric.nn.GATv2Conv, PaperExactConv)


class LayerBackend(NamedTuple):
    """The backend that computed one layer.

    Args:
        layer (str): Name of the module in the model; empty for the model itself and its functions.
        kind (str): Name of its class, or ``"dropout"`` for dropout in an accelerated model.
        backend (str): ``"fused"``, ``"scatter"``, ``"dense"``, ``"PyG"``, ``"not called"``, or
            ``"unknown"`` for a traced, scripted or exported module; ``"fused"`` or ``"torch"`` for
            dropout.
        reasons (tuple of str): Reasons why it was not ``"fused"``.

    Example:
        >>> from gatsparse.nn import LayerBackend
        >>> LayerBackend("convs.0", "GATConv", "fused", ()).backend
        'fused'
    """

    layer: str
    kind: str
    backend: str
    reasons: tuple[str, ...]


class BackendReport(Sequence[LayerBackend]):
    """The layers of a model and the backend that computed each; prints as a table.

    Example:
        >>> import torch, gatsparse
        >>> conv = gatsparse.GATConv(3, 2, backend="scatter")
        >>> report = gatsparse.explain_backend(conv, torch.randn(4, 3), torch.zeros(2, 5).long())
        >>> len(report), report[0].backend, report[0].reasons
        (1, 'scatter', ("backend='scatter' was requested",))
    """

    def __init__(self, rows: Sequence[LayerBackend]) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __str__(self) -> str:
        isas = _native.isas()
        instructions = f"kernels: {isas[0]}" if isas else f"kernels: missing, {_native.MISSING}"
        if not self._rows:
            return f"{instructions}\nno GAT or GATv2 layers"
        cells = [("layer", "class", "backend", "why not fused")]
        cells += [(r.layer or "(model)", r.kind, r.backend, "; ".join(r.reasons)) for r in self]
        widths = [max(len(line[k]) for line in cells) for k in range(3)]
        lines = [
            "  ".join([*(cell.ljust(n) for cell, n in zip(line, widths, strict=False)), line[3]])
            for line in cells
        ]
        return "\n".join([instructions, *map(str.rstrip, lines)])

    __repr__ = __str__


def explain_backend(model: torch.nn.Module, *args: Any, **kwargs: Any) -> BackendReport:
    r"""Runs a model once and reports which backend computed each of its GAT and GATv2 layers.

    The model runs in evaluation mode, without gradients and without ``torch.compile``. Its mode and
    the state of torch's generator are restored afterwards. Lazy layers are initialised. If the
    forward pass changes buffers in evaluation mode, the changes are kept.

    Args:
        model (torch.nn.Module): A model or a layer, of gatsparse or of PyG.
        *args, **kwargs: Its arguments, such as features ``[N, F]`` and an :obj:`edge_index`.

    A traced, scripted or exported module contains operators instead of layers. It is one entry of
    the report, ``"unknown"``.

    Returns:
        BackendReport: A sequence with a :class:`gatsparse.nn.LayerBackend` for each layer, in the
        order of :meth:`torch.nn.Module.named_modules`. It prints as a table.

    Raises:
        TypeError: If :obj:`model` is not a module.

    Example:
        >>> import torch, gatsparse
        >>> conv = gatsparse.GATConv(3, 2)
        >>> report = gatsparse.explain_backend(conv, torch.randn(4, 3), torch.zeros(2, 5).long())
        >>> report[0].backend
        'fused'
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    opaque = _opaque(model)
    layers = {
        name: m for name, m in model.named_modules() if isinstance(m, _LAYERS) or name in opaque
    }
    chosen: dict[str, tuple[str, list[str]]] = {}
    running: list[str] = []
    functions: list[LayerBackend] = []

    def enter(name: str, layer: torch.nn.Module, _inputs: Any) -> None:
        running.append(name)
        if not isinstance(layer, (AttentionConv, PaperExactConv)):
            chosen[name] = "PyG", [why_left_alone(layer) or "gatsparse.accelerate replaces it"]

    def leave(*_: Any) -> None:
        running.pop()

    def note(path: str, reasons: list[str], function: str | None) -> None:
        if function is not None:
            functions.append(LayerBackend("", function, path, tuple(reasons)))
        elif running:
            chosen[running[-1]] = path, reasons

    handles: list[RemovableHandle] = []
    modes = {module: module.training for module in model.modules()}
    try:
        for name, layer in layers.items():
            if name in opaque:
                chosen[name] = "unknown", [_OPAQUE]
                continue
            handles.append(layer.register_forward_pre_hook(partial(enter, name)))
            handles.append(layer.register_forward_hook(leave, always_call=True))
        try:
            model.eval()
        except NotImplementedError:  # exported modules have one mode
            for module in modes:
                module.training = False
        eager = torch.compiler.set_stance("force_eager")
        with torch.no_grad(), torch.random.fork_rng(devices=[]), eager, observed(note):
            model(*args, **kwargs)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    rows = []
    for name, layer in layers.items():
        backend, reasons = chosen.get(name, ("not called", []))
        rows.append(LayerBackend(name, type(layer).__name__, backend, tuple(reasons)))
    return BackendReport([*rows, *dict.fromkeys(functions)])


def _opaque(model: torch.nn.Module) -> set[str]:
    """Names of the outermost modules that contain recorded operators instead of layers."""
    names: set[str] = set()
    for name, module in model.named_modules():
        recorded = isinstance(module, torch.jit.ScriptModule)
        if isinstance(module, torch.fx.GraphModule):
            calls = {n.target for n in module.graph.nodes if n.op == "call_module"}
            recorded = calls <= {"_guards_fn"}  # torch.export checks inputs by it
        inside = any(outer == "" or name.startswith(f"{outer}.") for outer in names)
        if recorded and not inside:
            names.add(name)
    return names
