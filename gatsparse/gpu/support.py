"""Whether operators on GPUs can be compiled."""

from __future__ import annotations

import importlib.util
from functools import cache


@cache
def triton_missing() -> str | None:
    """Why operators on GPUs are missing, or None if Triton is installed."""
    if importlib.util.find_spec("triton") is not None:
        return None
    return "kernels for GPUs need Triton, which is not installed: `pip install triton`"
