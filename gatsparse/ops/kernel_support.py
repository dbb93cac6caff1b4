"""Which calls the kernels support."""

from __future__ import annotations

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.gpu.support import triton_missing
from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend, has_tangent
from gatsparse.ops.edge_list import EdgeList
from gatsparse.tracing import is_traced, is_transformed

#: The dtypes of features that the kernels read and write.
_STORED = (torch.float32, torch.float64, torch.bfloat16)

#: Dtypes of features that attention with the kernels supports; float16 is computed in float32.
KERNEL_DTYPES = (*_STORED, torch.float16)

_TRACED = (
    "the call is traced or transformed (torch.func, make_fx, torch.jit.trace, fake or meta "
    "tensors), which is supported by backend='scatter'"
)
_EXPORTED = (
    "torch.export and ONNX save a program that runs without gatsparse; with backend='fused' "
    "torch.export saves the kernels' operators, which need `import gatsparse` to be loaded"
)


def kernel_itemsize(dtype: torch.dtype) -> int:
    """Bytes of a feature while the kernels compute, including its float32 copy if it has one."""
    return dtype.itemsize + (4 if dtype == torch.float16 else 0)


def is_autocast(x: Tensor) -> bool:
    """Whether autocast is enabled for the device of a tensor, a CPU or a GPU."""
    device = x.device.type
    return device in ("cpu", "cuda") and torch.is_autocast_enabled(device)


def unmet(
    x: Tensor,
    *others: Tensor | None,
    graph: CSRGraph | EdgeList | None = None,
    backend: Backend = "auto",
    float16: bool = False,
) -> list[str]:
    """Returns why the kernels cannot compute with these tensors; empty if they can.

    Args:
        x (Tensor): The features.
        *others (Tensor, optional): Other tensors that may require gradients.
        graph (CSRGraph or EdgeList, optional): The graph.
        backend (str, optional): The backend that the caller requested. Only ``"fused"`` includes
            operators of gatsparse in programs of ``torch.export``.
        float16 (bool, optional): Whether the operator computes float16 features in float32.
    """
    reasons = []
    if torch.compiler.is_compiling():
        if is_transformed():
            reasons.append(_TRACED)
        if torch.compiler.is_exporting() and backend != "fused":
            reasons.append(_EXPORTED)
    elif is_traced(x, *others):
        reasons.append(_TRACED)
    elif has_tangent(x, *others):
        reasons.append("forward-mode differentiation is supported by backend='scatter'")
    if x.is_cuda:
        if (missing := triton_missing()) is not None:
            reasons.append(missing)
    elif not x.is_cpu:
        reasons.append(f"x is on {x.device.type!r}; the kernels support 'cpu' and 'cuda'")
    elif not _native.available():
        reasons.append(f"{_native.MISSING}; `gatsparse info` shows how to install it")
    if not (x.dtype in _STORED or ((float16 or x.is_cuda) and x.dtype == torch.float16)):
        reasons.append(f"x is {x.dtype}; expected float32, float64 or bfloat16")
    if isinstance(graph, EdgeList) and not reasons:
        reasons.append(_TRACED)
    return reasons
