"""The compiled kernels: availability and instruction sets."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The schemas of all operators; each is defined next to its operator.
LIBRARY = torch.library.Library("gatsparse", "DEF")

#: Why the kernels are missing, or None if they are installed.
MISSING: str | None = None

_C: Any = None
try:
    _C = importlib.import_module("gatsparse._C")
except ImportError as error:
    MISSING = f"the extension gatsparse._C cannot be imported ({error})"
else:
    _C.use_isa(_C.isas()[0])


def fake(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that registers the shapes and dtypes of an operator's results.

    :func:`torch.library.register_fake` looks for the calling file among all loaded modules. Called
    from this file alone, it searches once instead of once per file of operators.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        torch.library.register_fake(f"gatsparse::{name}", function, lib=LIBRARY)
        return function

    return register


def on_gpu(module: str, *names: str) -> None:
    """Registers operators on GPUs: functions of a module, which is imported at the first call.

    Args:
        module (str): Name of the module; it may import Triton.
        names (str): Names of the operators and of the functions, which take their arguments.
    """
    for name in names:

        def run(*args: Any, name: str = name) -> Any:
            return getattr(importlib.import_module(module), name)(*args)

        LIBRARY.impl(name, run, "CUDA")


def available() -> bool:
    """Whether the CPU kernels are installed."""
    return MISSING is None


def isas() -> list[str]:
    """Instruction sets that are built in and supported by this processor, best first."""
    return _C.isas() if available() else []


def fingerprint(address: int, num_bytes: int) -> int:
    """64-bit hash of a memory range; requires :func:`available`."""
    return _C.fingerprint(address, num_bytes)


def release_memory() -> None:
    """Returns kept memory to the operating system; requires :func:`available`."""
    _C.release_memory()


@contextmanager
def use_isa(isa: str) -> Iterator[None]:
    """Runs the kernels built for one instruction set; for tests and benchmarks.

    Args:
        isa (str): One of :func:`isas`.

    Raises:
        ValueError: If :obj:`isa` is not built in or not supported by this processor.
    """
    if isa not in isas():
        raise ValueError(f"isa: expected one of {isas()}, got {isa!r}")
    _C.use_isa(isa)
    try:
        yield
    finally:
        _C.use_isa(isas()[0])
