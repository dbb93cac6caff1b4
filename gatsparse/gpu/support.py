"""Whether operators on GPUs can be compiled."""

from __future__ import annotations


def triton_missing() -> str | None:
    """Why operators on GPUs are missing, or None if Triton is installed."""
    return "x is on 'cuda'; the kernels support only 'cpu'"
