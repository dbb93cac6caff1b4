"""Hash of the elements of an integer tensor, computed where the tensor is."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatsparse.gpu import launch

_BLOCK = 1024
_MOST_PROGRAMS = 4096


@triton.jit
def mix(number):
    """Bijective mixing of all bits of int64 numbers."""
    number = (number ^ 0x2545F4914F6CDD1D) * -0x61C8864680B583EB  # odd: no bit is lost
    number = (number ^ (number >> 32)) * -0x4B47D0C5A1A6B2D5
    return number ^ (number >> 29)


@triton.jit(do_not_specialize=["num_elements", "num_blocks"])
def sum_of_mixed(index, sums, num_elements, num_blocks, BLOCK: tl.constexpr):
    """``sums[program]``: the sum of hashes of position and value, over blocks of elements."""
    first = tl.program_id(0).to(tl.int64)
    total = tl.zeros([BLOCK], tl.int64)
    for block in range(first, num_blocks, tl.num_programs(0)):
        at = block.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        inside = at < num_elements
        value = tl.load(index + at, mask=inside, other=0).to(tl.int64)
        total += tl.where(inside, mix(mix(at) ^ value), 0)
    tl.store(sums + first, tl.sum(total, 0))


def fingerprint(index: Tensor) -> Tensor:
    """The fingerprint of :func:`gatsparse.graph_cache.fingerprint` in torch operations.

    Args:
        index (Tensor): Integers, contiguous, of any shape.

    Returns:
        Tensor: int64 ``[]`` on the device of :obj:`index`.
    """
    num_blocks = -(-index.numel() // _BLOCK)
    programs = min(num_blocks, _MOST_PROGRAMS)
    sums = torch.empty(programs, dtype=torch.int64, device=index.device)
    launch.launch(
        sum_of_mixed, programs, index, sums, index.numel(), num_blocks, BLOCK=_BLOCK, num_warps=4
    )
    return sums.sum()
