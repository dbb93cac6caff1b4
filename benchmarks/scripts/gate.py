"""Comparison of a script with and without ``gatsparse.accelerate``, in float64."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch_geometric import seed_everything
from torch_geometric.nn import GATConv, GATv2Conv

import gatsparse
from benchmarks.exact import TOLERANCE, error
from benchmarks.scripts.script import Case


def gate(name: str, case: Case, data: Any) -> float:
    """Returns the error of the accelerated script: the largest of :func:`benchmarks.exact.error`
    over the outputs of its layers.

    Both train twice (features are multiplied as sparse ones from their second use on) and test,
    without dropout and with a learning rate of 0, so that their weights stay the same. The outputs
    of all layers and the gradients are compared.

    Args:
        name (str): Name of the script, for the message.
        case (Case): The script.
        data (Any): Its data.

    Raises:
        RuntimeError: If the error exceeds :data:`TOLERANCE`, or no layer is replaced.
    """
    data = [_double(graph) for graph in data] if isinstance(data, list) else _double(data)
    (expected, gradients), (outputs, found) = (
        _computed(case, data, fast) for fast in (False, True)
    )
    difference = max(
        error([output, *found], [other, *gradients])
        for output, other in zip(outputs, expected, strict=True)
    )
    if not difference <= TOLERANCE:
        raise RuntimeError(f"{name}: expected PyG's results, got an error of {difference:.1e}")
    return difference


def _computed(case: Case, data: Any, accelerated: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of all layers in order of their calls, and the gradients of the last step."""
    with _double_by_default():
        seed_everything(0)
        script = case.script(data, dropout=0.0)
        layers = [m for m in script.model.modules() if isinstance(m, (GATConv, GATv2Conv))]
        if accelerated:
            gatsparse.accelerate(script.model)
            if not all(
                isinstance(layer, (gatsparse.GATConv, gatsparse.GATv2Conv)) for layer in layers
            ):
                raise RuntimeError("expected every layer to be replaced by accelerate")
        for group in script.optimizer.param_groups:
            group["lr"] = 0.0
        outputs: list[Tensor] = []
        for layer in layers:
            layer.register_forward_hook(lambda _, __, out: outputs.append(out.detach()))
        script.train()
        script.train()
        script.test()
    return outputs, [p.grad for p in script.model.parameters() if p.grad is not None]


@contextmanager
def _double_by_default() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _double(graph: Any) -> Any:
    return copy.copy(graph).apply(lambda t: t.double() if t.is_floating_point() else t)
