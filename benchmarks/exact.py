"""The error of a model in float64 against another one."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-10  # largest error in float64


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    """Returns the larger error of output and gradients, each relative to its largest entry."""
    pairs = zip(found, expected, strict=True)
    differences = torch.stack([(a - b).abs().max() for a, b in pairs])
    largest = torch.stack([tensor.abs().max() for tensor in expected])
    output, gradient = differences[0] / largest[0], differences[1:].max() / largest[1:].max()
    return output.maximum(gradient).item()
