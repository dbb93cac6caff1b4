"""The correctness gate: same weights, same output and gradients, within the error budget.

The reference is PyG's model in float64. Errors are maximum errors relative to the largest
entry, of the output or of all gradients. The budget of the output is that of
:func:`gatsparse.testing.error_budget`: twice the error of PyG in float32. The budget of
gradients is ten times larger, because the correct dense backward pass sums over all pairs of
nodes and was seen to have eight times the error of PyG's.
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
from benchmarks.rows import Values
from gatsparse.testing import error_budget

#: Factor of the budget of gradients.
BACKWARD = 10.0


@dataclass(frozen=True)
class Reference:
    """Weights, and the results of PyG's model with them in float64.

    Args:
        state (dict): Weights in float32, named as in PyG's model.
        output (Tensor): Logits ``[N, classes]`` in float64.
        gradients (dict): Gradients of the cross-entropy loss by weight, in float64.
        output_budget, gradient_budget (float): Largest allowed errors.
    """

    state: dict[str, Tensor]
    output: Tensor
    gradients: dict[str, Tensor]
    output_budget: float
    gradient_budget: float

    def save(self, path: Path) -> None:
        """Writes the reference atomically."""
        partial = path.with_suffix(".partial")
        torch.save(vars(self), partial)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Reads a reference that :meth:`save` wrote."""
        return cls(**torch.load(path, weights_only=True))


def reference(data: Data, seed: int) -> Reference:
    """Draws weights and computes the reference that contenders are compared with.

    Args:
        data (Data): Data with ``x [N, F]`` in float32.
        seed (int): Seed of the weights.
    """
    torch.manual_seed(seed)
    pyg = CONTENDERS["pyg"]
    model = pyg.build(data, dropout=0.0)
    with torch.no_grad():
        # Features whose rows sum to 1 are small: with PyG's initial weights, every score would
        # be near 0, where attention hardly matters. PyG's initial biases are 0.
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
            elif name != "conv2.lin.weight":
                parameter.normal_()
    state = copy.deepcopy(model.state_dict())
    model.double()
    output = _backward(pyg, model, _double(data))
    gradients = {name: gradient(parameter) for name, parameter in model.named_parameters()}
    exact = Reference(state, output, gradients, output_budget=0.0, gradient_budget=0.0)

    error = check(pyg, data, exact)
    assert error.output_error is not None
    assert error.gradient_error is not None
    return replace(
        exact,
        output_budget=error_budget(error.output_error, torch.float32),
        gradient_budget=error_budget(BACKWARD * error.gradient_error, torch.float32),
    )


def check(contender: Contender, data: Data, reference: Reference) -> Values:
    """Returns the errors of a contender in float32 and their budgets; see :func:`failures`."""
    model = contender.build(data, dropout=0.0)
    contender.load(model, reference.state)
    output = _backward(contender, model, data)

    # Loading only rearranges numbers, so it also brings gradients into the layout of a model.
    exact = contender.build(data, dropout=0.0).double()
    contender.load(exact, reference.gradients)
    differences = [
        (gradient(parameter) - expected).abs().max()
        for parameter, expected in zip(model.parameters(), exact.parameters(), strict=True)
    ]
    largest = max(gradient.abs().max() for gradient in reference.gradients.values())
    gradient_error = torch.stack(differences).max() / largest
    output_error = (output - reference.output).abs().max() / reference.output.abs().max()
    return Values(
        output_error=output_error.item(),
        output_budget=reference.output_budget,
        gradient_error=gradient_error.item(),
        gradient_budget=reference.gradient_budget,
    )


def failures(values: Values) -> list[str]:
    """Describes the errors that exceed their budget, are NaN, or were not measured."""
    found = []
    for name in ("output", "gradient"):
        error = getattr(values, f"{name}_error")
        budget = getattr(values, f"{name}_budget")
        if error is None or budget is None:
            found.append(f"{name} error not measured")
        elif not error <= budget:
            found.append(f"{name} error {error:.2g}, budget {budget:.2g}")
    return found


def _backward(contender: Contender, model: torch.nn.Module, data: Data) -> Tensor:
    """Runs the forward and backward pass without dropout, and returns the logits."""
    assert isinstance(data.y, Tensor)
    model.eval()
    output = model(data.x, contender.structure(data))
    F.cross_entropy(output[data.train_mask], data.y[data.train_mask]).backward()
    return output.detach()


def gradient(parameter: torch.nn.Parameter) -> Tensor:
    """Returns the gradient of a weight, which must have one."""
    assert parameter.grad is not None
    return parameter.grad


def _double(data: Data) -> Data:
    data = copy.copy(data)
    assert data.x is not None
    data.x = data.x.double()
    return data
