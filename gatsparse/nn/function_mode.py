"""Faster functions inside the forward pass of an accelerated model: dropout, ELU, and products with
features that are mostly zero.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gatsparse.nn.sparse_features import SparseFeatures, sparse_features
from gatsparse.ops import dropout
from gatsparse.ops.dropout import changeable_elu
from gatsparse.ops.kernel_support import unmet
from gatsparse.slow_path import report_function
from gatsparse.tracing import is_traced

_C: Any = torch._C

_REPLACED = (F.dropout, F.elu, F.linear)

#: Number of elements below which calls take longer than torch's ELU.
_SMALL = 2**14


class FunctionMode(TorchFunctionMode):
    """Replaces functions of torch by faster ones with the same distribution and gradients."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _REPLACED or torch.compiler.is_compiling() or _none_runs():
            return func(*args, **kwargs)
        if func is F.dropout:
            return _dropout(*args, **kwargs)
        if func is F.elu:
            return _elu(*args, **kwargs)
        if args:
            args = (sparse(args[0]), *args[1:])
        return func(*args, **kwargs)


def _dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if not 0 < p < 1:
        return F.dropout(input, p, training, inplace)
    reasons = _why_torch(input, inplace)
    report_function("dropout", reasons)
    if reasons or not training or not torch.is_grad_enabled():
        return F.dropout(input, p, training, inplace)
    x = sparse_features(input)
    return x.dropped(p) if isinstance(x, SparseFeatures) else dropout(input, p)


def _elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    if alpha != 1.0 or input.numel() < _SMALL or _why_torch(input, inplace):
        return F.elu(input, alpha, inplace)
    return changeable_elu(input)


def _why_torch(x: Tensor, inplace: bool) -> list[str]:
    """Reasons why torch's function must run; empty if it need not."""
    if type(x) is SparseFeatures:
        return []
    reasons = ["inplace=True"] if inplace else []
    if type(x) not in (Tensor, torch.nn.Parameter):
        reasons.append(f"its input is a {type(x).__name__}")
    elif x.layout != torch.strided:
        reasons.append(f"its input is {x.layout}")
    elif not x.is_contiguous():
        reasons.append("its input is not contiguous")
    else:
        reasons += unmet(x)
    if _is_checkpointed():
        reasons.append("activation checkpointing repeats it in the backward pass")
    return reasons


def sparse(x: Any) -> Any:
    """The features, or pair of features, sparse where :func:`sparse_features` converts them."""
    if is_traced() or _is_checkpointed():
        return x
    return tuple(map(sparse_features, x)) if isinstance(x, (tuple, list)) else sparse_features(x)


def _is_checkpointed() -> bool:
    """Whether a call may be repeated in a backward pass, or is such a repetition: both calls must
    draw the same random numbers and save the same tensors, and may run in another mode.
    """
    hooks = _C._autograd._top_saved_tensors_default_hooks(True)
    return hooks is not None or _C._current_graph_task_id() != -1


class _Calls(threading.local):
    """The forward passes of accelerated modules that run in a thread, outermost first."""

    def __init__(self) -> None:
        self.mode = FunctionMode()
        self.running: list[tuple[torch.nn.Module, FrameType]] = []


_calls = _Calls()


def enter(module: torch.nn.Module, _inputs: Any) -> None:
    """Forward pre-hook that enters the mode."""
    if torch.compiler.is_compiling() or is_traced():
        return
    running = _calls.running
    if _none_runs():
        _remove(_calls.mode)
        _calls.mode.__enter__()
    running.append((module, sys._getframe(1)))


def _none_runs() -> bool:
    """Whether no forward pass runs. Ctrl-C may have ended them, which skips the hooks that leave
    the mode.
    """
    running = _calls.running
    if running and not _is_running(running[-1][1]):
        running.clear()  # it holds the frames, and they the model
    return not running


def leave(module: torch.nn.Module, _inputs: Any, _output: Any) -> None:
    """Forward hook that leaves the mode, also if the forward pass raises."""
    if torch.compiler.is_compiling():
        return
    running = _calls.running
    for depth in reversed(range(len(running))):
        if running[depth][0] is module:
            del running[depth:]
            if not running:
                _remove(_calls.mode)
            return


@contextmanager
def own_functions() -> Iterator[None]:
    """Leaves the mode for the functions of a layer, which need no replacement."""
    mode = _calls.mode
    if torch.compiler.is_compiling() or not _calls.running or _top_mode() is not mode:
        yield
        return
    mode.__exit__(None, None, None)
    try:
        yield
    finally:
        mode.__enter__()


def _top_mode() -> Any:
    size = _C._len_torch_function_stack()
    return _C._get_function_stack_at(size - 1) if size > 0 else None


def _remove(mode: FunctionMode) -> None:
    """Leaves a mode below others, if it is entered."""
    if _top_mode() is None:
        return
    above = []
    while (top := _top_mode()) is not None and top is not mode:
        above.append(top)
        _C._pop_torch_function_stack()
    if top is mode:
        mode.__exit__(None, None, None)
    for other in reversed(above):
        _C._push_on_torch_function_stack(other)


def _is_running(frame: FrameType) -> bool:
    """Whether a frame is among the callers."""
    caller: FrameType | None = sys._getframe(1)
    while caller is not None and caller is not frame:
        caller = caller.f_back
    return caller is frame


def add_hooks(module: torch.nn.Module) -> None:
    """Replaces functions in the forward pass of a module."""
    module.register_forward_pre_hook(enter)
    module.register_forward_hook(leave, always_call=True)


def remove_hooks(module: torch.nn.Module) -> None:
    """Undoes :func:`add_hooks`."""
    for hooks in (module._forward_pre_hooks, module._forward_hooks):
        for number in [number for number, hook in hooks.items() if is_own_hook(hook)]:
            del hooks[number]
            module._forward_hooks_always_called.pop(number, None)


def is_own_hook(hook: object) -> bool:
    """Whether a hook is one of :func:`add_hooks`."""
    return hook in (enter, leave)
