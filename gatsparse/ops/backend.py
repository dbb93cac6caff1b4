"""The choice between backends that compute the same function."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.autograd import forward_ad

from gatsparse.slow_path import report_choice

#: Backend of an operator; ``"auto"`` selects the best one that can handle the call.
Backend = Literal["auto", "fused", "scatter", "dense"]

_BACKENDS = get_args(Backend)


def has_level() -> bool:
    """Whether forward-mode differentiation is active, for any tensors."""
    return forward_ad._current_level >= 0


def has_tangent(*tensors: Tensor | None) -> bool:
    """Whether forward-mode differentiation follows one of the tensors.

    The kernels would lose the tangent without an error.
    """
    return has_level() and any(
        tensor is not None and forward_ad.unpack_dual(tensor).tangent is not None
        for tensor in tensors
    )


def check(backend: Backend) -> None:
    """Raises ValueError if :obj:`backend` is not in :data:`Backend`."""
    if backend not in _BACKENDS:
        raise ValueError(f"backend: expected one of {_BACKENDS}, got {backend!r}")


def choose(backend: Backend, unmet: dict[str, list[str]], num_edges: int) -> str:
    """Returns the backend to use, and reports the choice.

    Args:
        backend (str): The backend that the caller requested.
        unmet (dict): For each backend, best first, its requirements that the call does not meet.
        num_edges (int): Number of edges of the graph.

    Raises:
        ValueError: If :obj:`backend` is unknown, or was requested explicitly and cannot handle the
            call: an explicit choice never falls back.
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
    """Raises ValueError if the call does not meet the requirements of an explicit backend.

    Args:
        backend (str): The backend that the caller requested.
        unmet (dict): For each backend, its requirements that the call does not meet.
    """
    check(backend)
    if backend != "auto" and (reasons := unmet[backend]):
        raise ValueError(f"backend={backend!r} cannot handle this call: " + "; ".join(reasons))
