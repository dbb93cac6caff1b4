"""The correctness gate: same weights, same output and gradients, within the error budget.

The budget comes from PyG itself: its model in float64 is the truth, its float32 error
against that truth is what float32 costs, and a contender may err twice as much. Errors
of the output are relative to its largest entry, errors of a gradient to the largest
entry of the gradient of the same parameter.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Data

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.results import Values

_BUDGET = 2.0  # times the float32 error of PyG


@dataclass(frozen=True)
class Reference:
    """Weights, and what PyG's model makes of them in float64.

    Args:
        state (dict): Weights, float32, as PyG names them.
        output (Tensor): Logits ``[N, classes]``, float64.
        gradients (dict): Of the cross-entropy loss by each weight, float64.
        output_budget, gradient_budget (float): Largest errors that are allowed.
    """

    state: dict[str, Tensor]
    output: Tensor
    gradients: dict[str, Tensor]
    output_budget: float
    gradient_budget: float

    def save(self, path: Path) -> None:
        """Writes the reference, as a whole or not at all."""
        partial = path.with_suffix(".partial")
        torch.save(vars(self), partial)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Reads what :meth:`save` wrote."""
        return cls(**torch.load(path, weights_only=True))


def reference(data: Data, seed: int) -> Reference:
    """Draws weights and computes what a contender must agree with.

    Args:
        data (Data): With ``x [N, F]`` in float32.
        seed (int): Of the weights. Biases are drawn too, so that they matter.
    """
    torch.manual_seed(seed)
    pyg = CONTENDERS["pyg"]
    model = pyg.build(data, dropout=0.0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    state = copy.deepcopy(model.state_dict())

    model.double()
    output = _backward(pyg, model, _double(data))
    gradients = {name: _gradient(parameter) for name, parameter in model.named_parameters()}
    exact = Reference(state, output, gradients, output_budget=0.0, gradient_budget=0.0)
    float32 = check(pyg, data, exact)
    assert float32.output_error is not None
    assert float32.gradient_error is not None
    return replace(
        exact,
        output_budget=_BUDGET * float32.output_error,
        gradient_budget=_BUDGET * float32.gradient_error,
    )


def check(contender: Contender, data: Data, reference: Reference) -> Values:
    """The errors of a contender in float32, and their budgets; see :func:`failures`."""
    model = contender.build(data, dropout=0.0)
    contender.load(model, reference.state)
    output = _backward(contender, model, data)

    # Loading only moves numbers about, so it brings gradients into a model's layout too.
    scales = {
        name: torch.full_like(gradient, gradient.abs().max().item())
        for name, gradient in reference.gradients.items()
    }
    expected = _in_layout_of(contender, data, reference.gradients)
    scale = _in_layout_of(contender, data, scales)
    gradient_errors = [
        ((_gradient(parameter) - expected[name]).abs() / scale[name]).max()
        for name, parameter in model.named_parameters()
    ]
    output_error = (output - reference.output).abs().max() / reference.output.abs().max()
    return Values(
        output_error=output_error.item(),
        output_budget=reference.output_budget,
        gradient_error=torch.stack(gradient_errors).max().item(),
        gradient_budget=reference.gradient_budget,
    )


def failures(values: Values) -> list[str]:
    """What is over its budget, in words; NaN is."""
    found = []
    for name in ("output", "gradient"):
        error = getattr(values, f"{name}_error")
        budget = getattr(values, f"{name}_budget")
        if not error <= budget:
            found.append(f"{name} error {error:.2g}, budget {budget:.2g}")
    return found


def _backward(contender: Contender, model: torch.nn.Module, data: Data) -> Tensor:
    """Runs a model without dropout, and its loss backward; the logits."""
    assert isinstance(data.y, Tensor)
    model.eval()
    output = model(data.x, contender.structure(data))
    F.cross_entropy(output[data.train_mask], data.y[data.train_mask]).backward()
    return output.detach()


def _in_layout_of(contender: Contender, data: Data, state: dict[str, Tensor]) -> dict[str, Tensor]:
    model = contender.build(data, dropout=0.0).double()
    contender.load(model, state)
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def _gradient(parameter: torch.nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _double(data: Data) -> Data:
    data = copy.copy(data)
    assert data.x is not None
    data.x = data.x.double()
    return data
