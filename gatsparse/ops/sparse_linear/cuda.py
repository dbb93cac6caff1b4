"""Products of a sparse matrix with dense weights for CUDA, in Triton. The formula is in
``__init__.py``.
"""

# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatsparse.gpu import launch
from gatsparse.gpu.arguments import check_csr, check_tensor
from gatsparse.gpu.lanes import power_of_two
from gatsparse.gpu.pieces import pieces
from gatsparse.ops.neighbor_sum.cuda import row_sums

_MOST_LANES = 32


def sparse_linear(
    values: Tensor, weight: Tensor, bias: Tensor | None, csr: list[Tensor], _csr_t: list[Tensor]
) -> Tensor:
    """Operator ``sparse_linear``: ``[N, O]`` from ``values [E]`` and ``weight [O, F]``."""
    return row_sums(csr, weight.t().contiguous(), values, bias=bias)


def sparse_linear_backward(
    grad_out: Tensor,
    values: Tensor,
    weight: Tensor,
    of_values: bool,
    of_weight: bool,
    csr: list[Tensor],
    csr_t: list[Tensor],
) -> tuple[Tensor, Tensor]:
    """Operator ``sparse_linear_backward``: the gradients of values and of weight; empty if they
    are not needed.
    """
    width, num_features = weight.shape
    num_rows, num_entries = csr[0].numel() - 1, csr[1].numel()
    check_tensor("weight", weight, weight, weight.dtype, (width, num_features))
    check_tensor("values", values, weight, weight.dtype, (num_entries,))
    check_tensor("grad_out", grad_out, weight, weight.dtype, (num_rows, width))
    check_csr("csr", csr, weight, num_rows, num_entries)
    grad_values = values.new_empty(values.size(0) if of_values else 0)
    if grad_values.numel() > 0:
        _products(csr, grad_out, weight.t().contiguous(), grad_values)
    if of_weight:
        check_csr("csr_t", csr_t, weight, num_features, num_entries)
        grad_weight = row_sums(csr_t, grad_out, values, place=csr_t[2]).t().contiguous()
    else:
        grad_weight = weight.new_empty(0, num_features)
    return grad_values, grad_weight


def _products(csr: list[Tensor], left: Tensor, right: Tensor, out: Tensor) -> None:
    """Computes the inner product of two rows for each entry of a CSR graph.

    Args:
        csr (list): ``ptr``, ``other`` and ``perm`` of the graph.
        left (Tensor): ``[N_rows, O]``.
        right (Tensor): ``[N, O]``, with the rows ``other``.
        out (Tensor): ``[E]``, where the products are written.
    """
    ptr, other, _ = csr
    pieces(csr, right.size(0))  # checks the indices
    row = torch.repeat_interleave(ptr.diff(), output_size=other.numel())
    T = min(_MOST_LANES, power_of_two(left.size(1)))
    launch.launch(
        products_kernel,
        launch.programs(other.numel(), _MOST_LANES // T),
        *(left, right, row, other, out, other.numel()),
        WIDTH=left.size(1),
        T=T,
        G=_MOST_LANES // T,
        ACC=tl.float64 if out.dtype == torch.float64 else tl.float32,
    )


@triton.jit(do_not_specialize=["num_entries"])
def products_kernel(
    left, right, row, other, out, num_entries,
    WIDTH: tl.constexpr, T: tl.constexpr, G: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """``out[e] = <left[row[e]], right[other[e]]>`` for G entries, by T lanes each."""
    entry = tl.program_id(0).to(tl.int64) * G + tl.arange(0, G)
    given = entry < num_entries
    i = tl.load(row + entry, mask=given, other=0)[:, None]
    j = tl.load(other + entry, mask=given, other=0).to(tl.int64)[:, None]
    total = tl.zeros([G, T], ACC)
    for first in range(0, WIDTH, T):
        channel = (first + tl.arange(0, T))[None, :]
        mask = given[:, None] & (channel < WIDTH)
        a = tl.load(left + i * WIDTH + channel, mask=mask, other=0.0).to(ACC)
        b = tl.load(right + j * WIDTH + channel, mask=mask, other=0.0).to(ACC)
        total += a * b
    tl.store(out + entry, tl.sum(total, 1).to(out.dtype.element_ty), mask=given)
