"""Attention dropout: one bit per edge and head, drawn before the edges are visited."""

# Pyright does not know Triton's loops over constants.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatsparse.gpu import launch
from gatsparse.gpu.arguments import check_tensor

_BLOCK = 128


@triton.jit(do_not_specialize=["seed", "num_edges", "num_all", "last_dropped"])
def draw_bits(
    perm, place, seed, bits, num_edges, num_all, last_dropped,
    H: tl.constexpr, BYTES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Bit ``h % 8`` of ``bits[at, h // 8]``: whether head ``h`` of entry ``at`` is kept.

    Entry ``at`` is edge ``perm[at]``, or ``perm[place[at]]`` if ``place`` is given; entries from
    ``num_edges`` on are loops with these numbers. Philox4x32-10 with the keys and counters of
    :mod:`gatsparse.ops.philox`; ``seed`` is a number or a tensor. Words up to ``last_dropped``, as
    32 bits without a sign, are dropped.
    """
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    is_edge = at < num_edges
    source = at
    if place is not None:
        source = tl.load(place + at, mask=is_edge, other=0).to(tl.int64)
    number = tl.load(perm + source, mask=is_edge, other=0).to(tl.int64)
    number = tl.where(is_edge, number, at)
    low, high = (number & 0xFFFFFFFF).to(tl.uint32), (number >> 32).to(tl.uint32)
    zero = tl.zeros([BLOCK], tl.uint32)
    last = zero + last_dropped.to(tl.uint32)
    key = tl.load(seed) if seed.dtype.is_ptr() else seed.to(tl.int64)
    for byte in tl.static_range(BYTES):
        kept = zero
        for half in tl.static_range(2):
            if byte * 8 + half * 4 < H:
                words = tl.philox(key, low, high, zero + (byte * 2 + half), zero)
                for k in tl.static_range(4):
                    kept |= (words[k] > last).to(tl.uint32) << (half * 4 + k)
        tl.store(bits + at * BYTES + byte, kept.to(tl.uint8), mask=at < num_all)


def dropout_scale(p: float) -> float:
    """Scale of the weights that dropout keeps; 1 where it keeps none."""
    return 1.0 / (1.0 - p) if p < 1.0 else 1.0


def drops(p: float) -> bool:
    """Whether a probability is large enough that a weight can be dropped."""
    return int(p * 2**32) > 0


def _as_int32(word: int) -> int:
    """The int32 with the same bits, so that the kernel is compiled once for all probabilities."""
    return word - 2**32 if word >= 2**31 else word


def draw_if(
    csr: list[Tensor],
    csr_t: list[Tensor] | None,
    num_loops: int,
    H: int,
    p: float,
    seed: Tensor | None,
) -> Tensor | None:
    """Returns the bits of :func:`draw`, or None if no weight is dropped.

    Args:
        csr, csr_t, num_loops, H: As in :func:`draw`.
        p (float): Probability that a weight is dropped.
        seed (Tensor, optional): As in :func:`draw`.

    Raises:
        RuntimeError: If :obj:`p` is not in 0 .. 1, or the seed is missing; as in :func:`draw`.
    """
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout: expected 0 <= dropout <= 1, got {p}")
    if not drops(p):
        return None
    if seed is None:
        raise RuntimeError("seed: needed when dropout > 0")
    return draw(csr, csr_t, num_loops, H, p, seed)


def draw(
    csr: list[Tensor], csr_t: list[Tensor] | None, num_loops: int, H: int, p: float, seed: Tensor
) -> Tensor:
    """Draws the bits of all edges, in the order of :obj:`csr` or :obj:`csr_t`, then of the loops.

    Args:
        csr (list): ``ptr``, ``other`` and ``perm`` of the graph.
        csr_t (list, optional): Those of its transpose; None for the order of :obj:`csr`.
        num_loops (int): Number of virtual loops; loop ``i`` has the number ``E + i``.
        H (int): Number of heads.
        p (float): Probability that a weight is dropped, such that :func:`drops`.
        seed (Tensor): int64 ``[]`` on the device of the graph or on the CPU.

    Returns:
        Tensor: uint8 ``[E + num_loops, ceil(H / 8)]``.

    Raises:
        RuntimeError: If the seed is on another device, or of another dtype or shape.
    """
    perm = csr[2]
    if seed.device.type != "cpu":
        check_tensor("seed", seed, perm, torch.int64, ())
    num_all, num_bytes = perm.numel() + num_loops, (H + 7) // 8
    bits = torch.empty(num_all, num_bytes, dtype=torch.uint8, device=perm.device)
    launch.launch(
        draw_bits,
        launch.programs(num_all, _BLOCK),
        perm,
        None if csr_t is None else csr_t[2],
        int(seed) if seed.device.type == "cpu" else seed,  # a copy would wait for the device
        bits,
        perm.numel(),
        num_all,
        _as_int32(int(p * 2**32) - 1),
        H=H,
        BYTES=num_bytes,
        BLOCK=_BLOCK,
        num_warps=4,
    )
    return bits
