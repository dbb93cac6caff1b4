"""The random numbers of attention dropout, in torch operations.

The same numbers as ``csrc/philox.h``: every backend drops the same (edge, head).
"""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def draw_seed(device: torch.device | None = None) -> Tensor:
    """Draws a seed from torch's default generator of a device.

    On a GPU the seed stays there: nothing waits for it, and a captured CUDA graph draws a new one
    in every replay.

    Args:
        device (torch.device, optional): Device of the seed. (default: the CPU)

    Returns:
        Tensor: int64 ``[]``.
    """
    largest = torch.iinfo(torch.int64).max
    return torch.randint(largest, (), dtype=torch.int64, device=device or "cpu")


def philox(seed: Tensor, counter: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Philox4x32-10: four random words for each counter.

    Args:
        seed (Tensor): int64, the key's 64 bits.
        counter (tuple): Four int64 tensors of one shape, each word in 0 .. 2^32 - 1.

    Returns:
        tuple: Four int64 tensors of that shape, words in 0 .. 2^32 - 1.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
    SC 2011.
    """
    key0, key1 = seed & _WORD, (seed >> 32) & _WORD
    for _ in range(10):
        # int64 products wrap around modulo 2^64, which keeps all of their bits.
        product0, product1 = _MULTIPLIERS[0] * counter[0], _MULTIPLIERS[1] * counter[2]
        counter = (
            ((product1 >> 32) & _WORD) ^ counter[1] ^ key0,
            product1 & _WORD,
            ((product0 >> 32) & _WORD) ^ counter[3] ^ key1,
            product0 & _WORD,
        )
        key0, key1 = (key0 + _WEYL[0]) & _WORD, (key1 + _WEYL[1]) & _WORD
    return counter


def edge_dropout(edge: Tensor, heads: int, p: float, seed: Tensor, dtype: torch.dtype) -> Tensor:
    r"""Dropout factor of each attention weight: :math:`1 / (1 - p)` or 0.

    The number of (edge, head) is word ``head % 4`` of :func:`philox` with counter
    ``(edge, head // 4)``; it is kept where the word is at least :math:`p \cdot 2^{32}`.

    Args:
        edge (Tensor): int64 ``[E]``, the number of each edge.
        heads (int): Number of heads :math:`H`.
        p (float): Probability that a weight is dropped.
        seed (Tensor): int64 ``[]``.
        dtype (torch.dtype): Dtype of the result.

    Returns:
        Tensor: ``[E, H]``.
    """
    group = torch.arange((heads + 3) // 4, device=edge.device)
    edge, group = torch.broadcast_tensors(edge[:, None], group[None, :])
    words = philox(seed.to(edge.device), (edge & _WORD, edge >> 32, group, torch.zeros_like(group)))
    word = torch.stack(words, dim=-1).flatten(1)[:, :heads]
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return (word >= int(p * 2**32)).to(dtype) * scale
