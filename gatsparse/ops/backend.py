"""The choice between backends that compute the same function."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.autograd import forward_ad

from gatsparse.slow_path import report_choice

#: How an operator is computed; ``"auto"`` takes the best that can serve.
Backend = Literal["auto", "fused", "scatter", "dense"]

_BACKENDS = get_args(Backend)


def has_tangent(*tensors: Tensor | None) -> bool:
    """Whether forward-mode differentiation follows one of the tensors.

    The kernels would lose the tangent without an error.
    """
    return forward_ad._current_level >= 0 and any(
        tensor is not None and forward_ad.unpack_dual(tensor).tangent is not None
        for tensor in tensors
    )


def check(backend: Backend) -> None:
    """Raises ValueError if :obj:`backend` is none of :data:`Backend`."""
    if backend not in _BACKENDS:
        raise ValueError(f"backend: expected one of {_BACKENDS}, got {backend!r}")


def choose(backend: Backend, unmet: dict[str, list[str]], num_edges: int) -> str:
    """Returns the backend to use, and reports the choice.

    Args:
        backend (str): As the caller named it.
        unmet (dict): For each backend, best first, what it requires and the call does not meet.
        num_edges (int): Number of edges of the graph.

    Raises:
        ValueError: If there is no such backend, or the one that was named explicitly
            cannot serve: an explicit choice never falls back.
    """
    requested = backend != "auto"
    require(backend, unmet)
    if not requested and not unmet["fused"]:
        report_choice("fused", [], num_edges, requested=False)
        return "fused"
    chosen = backend if requested else next(name for name in unmet if not unmet[name])
    why = [f"backend={backend!r} was requested"] if requested else unmet["fused"]
    report_choice(chosen, [] if chosen == "fused" else why, num_edges, requested=requested)
    return chosen


def require(backend: Backend, unmet: dict[str, list[str]]) -> None:
    """Raises ValueError if a backend that was named explicitly does not meet its requirements.

    Args:
        backend (str): As the caller named it.
        unmet (dict): For each backend, what it requires and the call does not meet.
    """
    check(backend)
    if backend != "auto" and (reasons := unmet[backend]):
        raise ValueError(f"backend={backend!r} cannot serve this call: " + "; ".join(reasons))
