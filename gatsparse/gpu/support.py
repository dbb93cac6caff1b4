"""Whether operators on GPUs can be compiled."""

from __future__ import annotations

import importlib
from functools import cache

import torch


@torch.compiler.assume_constant_result
def triton_missing() -> str | None:
    """Why operators on GPUs are missing, or None if Triton can be imported."""
    return _reason()


@cache
def _reason() -> str | None:
    try:
        importlib.import_module("triton")
    except ImportError as error:
        cure = "`pip install triton`"
        return f"kernels for GPUs need Triton, which cannot be imported ({error}): {cure}"
    return None
