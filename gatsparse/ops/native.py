"""What the fused backends share: arguments, autograd, and when a kernel can serve."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from gatsparse import _native
from gatsparse.graph import CSRGraph
from gatsparse.ops.backend import Backend, has_tangent
from gatsparse.ops.edge_list import EdgeList
from gatsparse.tracing import is_traced, is_transformed

#: The last arguments of every operator: the structure and the options.
STRUCTURE = (
    "Tensor[] csr, Tensor[] csr_t, bool add_self_loops, float negative_slope, "
    "float dropout, Tensor? seed"
)


#: The dtypes of features that the kernels read and write.
_STORED = (torch.float32, torch.float64, torch.bfloat16)

#: Dtypes of features that attention on the kernels takes; float16 is computed in float32.
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
    """Bytes of a feature while the kernels compute with it, with its copy in float32 if any."""
    return dtype.itemsize + (4 if dtype == torch.float16 else 0)


def padded_heads(heads: int) -> int:
    """As many numbers the kernels keep per node and head: their vectors' lengths."""
    return next((n for n in (1, 4, 8) if heads <= n), (heads + 15) // 16 * 16)


def wants_grad(*values: Any) -> bool:
    """Whether a backward pass may follow; what is no tensor has none."""
    return torch.is_grad_enabled() and any(
        isinstance(value, Tensor) and value.requires_grad for value in values
    )


def contiguous(*tensors: Tensor | None) -> list[Tensor | None]:
    """The tensors as the kernels read them."""
    return [None if t is None else t.contiguous() for t in tensors]


def structure(graph: CSRGraph, save: bool) -> tuple[list[Tensor], list[Tensor]]:
    """``csr`` and ``csr_t`` of a graph; the transpose only if a backward pass may read it."""
    return list(graph.csr), list(graph.csr_t) if save else []


def register_autograd(name: str) -> Callable[..., tuple[Tensor, ...]]:
    """Makes the operator ``name_backward`` the backward pass of the operator ``name``.

    Their schemas say what is what. The backward takes the gradient of the heads, then arguments
    and results of the forward by their names, then :data:`STRUCTURE`; what it returns as
    ``grad_x`` is the gradient of the argument ``x``. ``grad_bias`` is that of every head, and
    ``grad_alpha_dst`` is padded. There are no second derivatives.

    Returns:
        callable: The operator, as :func:`differentiable` gives it.
    """
    forward, backward = (
        getattr(torch.ops.gatsparse, operator).default for operator in (name, f"{name}_backward")
    )
    arguments = [argument.name for argument in forward._schema.arguments]
    results = [result.name for result in forward._schema.returns]
    _grad_out, *taken = [argument.name for argument in backward._schema.arguments]
    # Places among the arguments, or among arguments and results: where the two share a name, the
    # result is kept.
    place = {name: k for k, name in enumerate((*arguments, *results))}
    kept = [place[name] for name in taken[: taken.index("csr")]]
    given = [
        (arguments.index(name), name)
        for name in (result.name.removeprefix("grad_") for result in backward._schema.returns)
    ]
    compute = past_autograd(backward)
    concat, bias, csr_at = (arguments.index(name) for name in ("concat", "bias", "csr"))

    def save(ctx: Any, inputs: tuple, output: tuple[Tensor, ...]) -> None:
        csr, csr_t, *ctx.options, seed = inputs[csr_at:]
        ctx.concat = inputs[concat]
        ctx.bias_dtype = None if inputs[bias] is None else inputs[bias].dtype
        ctx.set_materialize_grads(False)  # no zeros for what is only saved
        ctx.mark_non_differentiable(*output[1:])
        values = (*inputs, *output)
        ctx.save_for_backward(*[values[k] for k in kept], seed, *csr, *csr_t)

    def differentiate(ctx: Any, grad_out: Tensor | None, *_: Tensor) -> tuple:
        tensors = ctx.saved_tensors  # once: each access unpacks them anew
        (*values, seed), indices = tensors[: len(kept) + 1], tensors[len(kept) + 1 :]
        csr, csr_t = indices[:3], indices[3:]
        grads: list[Any] = [None] * len(arguments)
        grads[csr_at : csr_at + 2] = [None] * len(csr), [None] * len(csr_t)
        needed = ctx.needs_input_grad
        wanted = [k for k, _ in given if needed[k]]
        if grad_out is not None and wanted == [bias]:
            grads[bias] = grad_out.sum(0, dtype=ctx.bias_dtype)
        elif grad_out is not None and wanted:
            heads, channels = values[0].shape[1:]
            grad_heads = _split_heads(grad_out, heads, channels, ctx.concat)
            computed = compute(grad_heads, *values, csr, csr_t, *ctx.options, seed)
            for (k, name), grad in zip(given, computed, strict=True):
                if needed[k]:
                    grads[k] = _of_argument(name, grad, heads, ctx.concat)
        return tuple(grads)

    torch.library.register_autograd(backward, no_second_derivatives, lib=_native.LIBRARY)
    return differentiable(name, save, differentiate)


def past_autograd(operator: Callable[..., Any]) -> Callable[..., Any]:
    """The operator, which skips torch's autograd where gradients are switched off."""

    def call(*inputs: Any) -> Any:
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return operator(*inputs)
        with torch._C._AutoDispatchBelowAutograd():
            return operator(*inputs)

    return call


def differentiable(
    name: str,
    setup_context: Callable[[Any, tuple, Any], None],
    backward: Callable[..., tuple],
) -> Callable[..., Any]:
    """Gives the operator :obj:`name` a backward pass, as :mod:`torch.library` takes it.

    Returns:
        callable: The operator, by positional arguments. Where nothing is traced it spares most
        of what :mod:`torch.library` does around an operator that takes lists of tensors.
    """
    operator = getattr(torch.ops.gatsparse, name).default
    torch.library.register_autograd(
        operator, backward, setup_context=setup_context, lib=_native.LIBRARY
    )
    differentiate, undifferentiated = backward, past_autograd(operator)

    class Eager(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = undifferentiated(*inputs)
            setup_context(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> tuple:
            try:
                grads = differentiate(ctx, *grads)
            except RuntimeError as error:
                if "Batching rule not implemented" not in str(error):
                    raise
                raise NotImplementedError(
                    "backend='fused' computes no batch of gradients at once (is_grads_batched, "
                    "vectorize): use backend='dense' for it, or ask for one after another"
                ) from error
            return tuple(None if isinstance(grad, list) else grad for grad in grads)

    def call(*inputs: Any) -> Any:
        if torch.compiler.is_compiling():
            return operator(*inputs)
        return Eager.apply(*inputs) if wants_grad(*inputs) else undifferentiated(*inputs)

    return call


def _split_heads(grad_out: Tensor, heads: int, channels: int, concat: bool) -> Tensor:
    """The gradient ``[N, H, C]`` of the heads, from that of ``[N, H * C]`` or of their mean."""
    if concat:
        return grad_out.contiguous().view(-1, heads, channels)
    return (grad_out / heads)[:, None, :].expand(-1, heads, -1).contiguous()


def _of_argument(name: str, grad: Tensor, heads: int, concat: bool) -> Tensor:
    """The gradient of an argument from that which a kernel gives."""
    if name == "bias":
        return grad.flatten() if concat else grad.sum(0)
    return grad[:, :heads] if name == "alpha_dst" else grad


def no_second_derivatives(ctx: Any, *grads: Tensor) -> NoReturn:
    """The backward pass of an operator that is itself a backward pass."""
    raise NotImplementedError(
        "backend='fused' computes no second derivatives: use backend='scatter' for them, or 'dense'"
    )


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
        *others (Tensor, optional): All else that a gradient may be asked for.
        graph (CSRGraph or EdgeList, optional): The graph.
        backend (str, optional): As the caller named it. Only ``"fused"`` puts operators of
            gatsparse into what ``torch.export`` saves.
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
    if not x.is_cpu:
        reasons.append(f"x lies on {x.device.type!r}; there are kernels for 'cpu'")
    elif not _native.available():
        reasons.append(f"{_native.MISSING}; `gatsparse info` says how to get it")
    if not (x.dtype in _STORED or (float16 and x.dtype == torch.float16)):
        reasons.append(f"x is {x.dtype}; expected float32, float64 or bfloat16")
    if isinstance(graph, EdgeList) and not reasons:
        reasons.append(_TRACED)
    return reasons
