"""Detection of tracers and transforms, under which tensors hold no data that may be kept."""

from __future__ import annotations

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

_is_functional = torch._is_functional_tensor  # pyright: ignore[reportPrivateImportUsage]


def _mask(*keys: Any) -> int:
    """Bits of the dispatch keys in :meth:`DispatchKeySet.raw_repr`."""
    bits = 0
    for key in keys:
        bits |= _C.DispatchKeySet(key).raw_repr()
    return bits


#: Dispatch keys of tensors without data of their own: wrapper subclasses (fake tensors,
#: ``DTensor``, PyG's ``EdgeIndex``) and arguments of functions that ``torch.func`` transforms.
_WITHOUT_DATA = _mask(_KEY.Python, _KEY.FuncTorchBatched, _KEY.FuncTorchGradWrapper)


def is_traced(*tensors: Tensor | None) -> bool:
    """Whether operations on these tensors are recorded or imitated rather than computed.

    A tensor that is not traced holds data that may be read, and results computed from it may
    outlive the call. That is not so

    * under ``torch.compile``, ``torch.export``, ``torch.jit.trace``, ``make_fx``,
      ``aot_function`` and ``FakeTensorMode``, whatever the tensors are: a result that is kept
      would be a constant of the trace, or a tensor without data;
    * for fake, meta and functional tensors and other wrapper subclasses;
    * for arguments of a function that ``torch.func`` transforms. :func:`unwrapped` gives the
      tensor in an argument that is not batched.

    Dispatch modes that only observe, such as ``FlopCounterMode``, do not count. Of a wrapper
    subclass that holds data, such as ``EdgeIndex``, pass the tensor inside of it.

    Args:
        *tensors (Tensor, optional): Tensors of any layout and dtype.
    """
    if torch.compiler.is_compiling():
        return True
    if _C._is_tracing() or _C._dispatch_tls_is_dispatch_key_included(_PRE_DISPATCH):
        return True
    if _C._len_torch_dispatch_stack() > 0 and any(map(_C._get_dispatch_mode, _TRACERS)):
        return True
    transforms = _C._functorch.peek_interpreter_stack() is not None
    for tensor in tensors:
        if tensor is None:
            continue
        if tensor.is_meta or _is_functional(tensor):
            return True
        usual = type(tensor) is Tensor and not transforms
        if not usual and _C._dispatch_keys(tensor).raw_repr() & _WITHOUT_DATA:
            return True
    return False


def unwrapped(tensor: Tensor) -> Tensor:
    """The tensor in an integer argument of a function that ``torch.func`` differentiates.

    Integers have no derivatives, so nothing is lost. Floating point tensors and batched ones
    (``vmap``) are returned as they are.
    """
    if torch.compiler.is_compiling():
        return tensor
    functorch = _C._functorch
    while functorch.is_gradtrackingtensor(tensor) and not tensor.is_floating_point():
        tensor = functorch.get_unwrapped(tensor)
    return tensor
