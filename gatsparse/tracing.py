"""Detection of tracers and transforms, under which tensors hold no data that may be cached."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

_C: Any = torch._C
_KEY = _C.DispatchKey
_PRE_DISPATCH = _KEY.PreDispatch

#: Dispatch modes that record or imitate operators instead of running them.
_TRACERS = tuple(
    getattr(_C._TorchDispatchModeKey, name) for name in ("PROXY", "FUNCTIONAL", "FAKE")
)
#: Wrapper subclasses, such as fake tensors, ``DTensor`` and PyG's ``EdgeIndex``.
_WRAPPER = _C.DispatchKeySet(_KEY.Python).raw_repr()
_interpreter = _C._functorch.peek_interpreter_stack
_is_functional = torch._is_functional_tensor  # pyright: ignore[reportPrivateImportUsage]


def is_traced(*tensors: Tensor | None) -> bool:
    """Whether operations on these tensors are recorded, imitated or transformed.

    A tensor that is not traced holds data that may be read, and results computed from it may
    outlive the call. Tensors are traced

    * under ``torch.compile``, ``torch.export``, ``torch.jit.trace``, ``make_fx``,
      ``aot_function``, ``FakeTensorMode`` and the transforms of ``torch.func``, for any tensors: a
      cached result would be a constant of the trace, a tensor without data or one that belongs to
      a transform;
    * if they are fake, meta or functional tensors or other wrapper subclasses.

    Dispatch modes that only observe, such as ``FlopCounterMode``, do not count. For a wrapper
    subclass that holds data, such as ``EdgeIndex``, pass the tensor inside it.

    Args:
        *tensors (Tensor, optional): Tensors of any layout and dtype.
    """
    if torch.compiler.is_compiling() or _interpreter() is not None:
        return True
    if _C._is_tracing() or _C._dispatch_tls_is_dispatch_key_included(_PRE_DISPATCH):
        return True
    if _C._len_torch_dispatch_stack() > 0 and any(map(_C._get_dispatch_mode, _TRACERS)):
        return True
    for tensor in tensors:
        if tensor is None:
            continue
        if tensor.is_meta or _is_functional(tensor):
            return True
        if type(tensor) is not Tensor and _C._dispatch_keys(tensor).raw_repr() & _WRAPPER:
            return True
    return False


def is_transformed() -> bool:
    """Whether a transform of ``torch.func`` is active, also while ``torch.compile`` traces it."""
    return _interpreter() is not None


# torch.compile calls it while it traces, as by torch.compiler.assume_constant_result, which
# would import all of torch.compile.
is_transformed._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def is_cacheable(built: Tensor) -> bool:
    """Whether a tensor that a call built may be cached for later calls: it is not fake and does not
    belong to a transform of ``torch.func``.
    """
    return type(built) is Tensor and not is_transformed()


def recordable() -> AbstractContextManager[object]:
    """Context in which cached tensors are built: autograd can use them even if the call that
    builds them runs in inference mode.
    """
    inference = not torch.compiler.is_compiling() and torch.is_inference_mode_enabled()
    return torch.inference_mode(False) if inference else nullcontext()
