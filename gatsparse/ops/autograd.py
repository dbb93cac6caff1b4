"""Autograd of the operators: their backward passes, and how to skip torch's dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

from gatsparse import _native


def wants_grad(*values: Any) -> bool:
    """Whether a backward pass may follow. Values that are not tensors are ignored."""
    return torch.is_grad_enabled() and any(
        isinstance(value, Tensor) and value.requires_grad for value in values
    )


def past_autograd(operator: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the operator, which skips torch's autograd where gradients are switched off."""

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
    batched: str | None = None,
) -> Callable[..., Any]:
    """Registers the backward pass of an operator.

    Args:
        name (str): The operator.
        setup_context, backward (callable): As in :func:`torch.library.register_autograd`.
        batched (str, optional): Alternative that supports batches of gradients, for the error
            message; None if this operator supports them.

    Returns:
        callable: The operator, by positional arguments. Outside of tracers it avoids most of
        the cost of :mod:`torch.library` for operators that take lists of tensors.
    """
    operator = getattr(torch.ops.gatsparse, name).default
    torch.library.register_autograd(
        operator, backward, setup_context=setup_context, lib=_native.LIBRARY
    )
    without_autograd = past_autograd(operator)

    def eager_forward(ctx: Any, *inputs: Any) -> Any:
        output = without_autograd(*inputs)
        setup_context(ctx, inputs, output)
        return output

    def eager_backward(ctx: Any, *grads: Any) -> tuple:
        try:
            grads = backward(ctx, *grads)
        except RuntimeError as error:
            if batched is None or "Batching rule not implemented" not in str(error):
                raise
            raise NotImplementedError(
                f"{name}: batches of gradients (is_grads_batched, vectorize) are not "
                f"supported: compute the gradients one by one, or use {batched}"
            ) from error
        return tuple(None if isinstance(grad, list) else grad for grad in grads)

    # Its name is that of the nodes in the graph of autograd: gatsparse_gatBackward.
    members = {"forward": staticmethod(eager_forward), "backward": staticmethod(eager_backward)}
    eager: Any = type(f"gatsparse_{name}", (torch.autograd.Function,), members)

    def call(*inputs: Any) -> Any:
        if torch.compiler.is_compiling():
            return operator(*inputs)
        return eager.apply(*inputs) if wants_grad(*inputs) else without_autograd(*inputs)

    return call


def refuse_second_derivatives(name: str, instead: str) -> None:
    """Makes the backward pass of the operator :obj:`name` raise if it is differentiated.

    Args:
        name (str): The operator; its backward pass is ``name_backward``.
        instead (str): Alternative that supports second derivatives, for the error message.
    """

    def refuse(ctx: Any, *grads: Tensor) -> NoReturn:
        raise NotImplementedError(f"{name}: second derivatives are not supported: use {instead}")

    torch.library.register_autograd(f"gatsparse::{name}_backward", refuse, lib=_native.LIBRARY)


def grad_of_heads(grad_out: Tensor, heads: int, channels: int, concat: bool) -> Tensor:
    """The gradient ``[N, H, C]`` of the heads, from the gradient of their concatenation
    ``[N, H * C]`` or of their mean ``[N, C]``.
    """
    if concat:
        return grad_out.contiguous().view(-1, heads, channels)
    return (grad_out / heads)[:, None, :].expand(-1, heads, -1).contiguous()


def grad_of_bias(
    grad_out: Tensor, grad_heads: Tensor | None, concat: bool, dtype: torch.dtype
) -> Tensor:
    """The gradient ``[H * C]`` or ``[C]`` of the bias.

    Args:
        grad_out (Tensor): ``[N, H * C]`` or ``[N, C]``.
        grad_heads (Tensor, optional): ``[H, C]``, the gradients of the heads summed over all nodes.
        concat (bool): Whether the heads are concatenated. The gradient of their mean is rounded to
            the dtype of the features for each head, so its sum is not used.
        dtype (torch.dtype): Of the bias.
    """
    if concat and grad_heads is not None:
        return grad_heads.flatten()
    return grad_out.sum(0, dtype=dtype)
