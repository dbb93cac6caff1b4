"""Distribution of a node's numbers over the lanes of a kernel, and the sizes of a launch.

A *group* of ``T = HP * K`` lanes visits the edges of one row. Lane ``l`` of a group belongs to
head ``l // K`` and holds ``R`` vectors of ``V`` channels: vector ``r`` starts at channel
``(r * K + l % K) * V``. All scores of a head are computed by each of its ``K`` lanes, so few lanes
with more vectors need fewer instructions; a warp reads whole sectors if ``K * V`` channels have at
least 32 bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

_VECTOR_BYTES, _SECTOR_BYTES = 16, 32
_WARP = 32
_MOST_WARPS = 16
_MOST_CHANNELS, _MOST_VECTORS = 16, 4  # of a lane: more sums would fill the registers
_LONG = 2  # times as many channels are held where a head would need more than a warp
_IN_FLIGHT = 32  # channels that a lane loads before it needs the first, at most


class Lanes(NamedTuple):
    """Layout of the numbers ``[H, C]`` of a node; all fields are constants of a kernel.

    Args:
        H, C (int): Heads and channels.
        HS (int): Heads of a row of ``alpha_src`` and similar tensors, at least :obj:`H`.
        V (int): Channels of a vector, a power of two that divides :obj:`C`.
        K (int): Lanes of a head, a power of two.
        HP (int): :obj:`H` rounded up to a power of two.
        R (int): Vectors of a lane.
    """

    H: int
    C: int
    HS: int
    V: int
    K: int
    HP: int
    R: int

    @property
    def lanes(self) -> int:
        """Lanes of a group, ``T``."""
        return self.HP * self.K


class Sizes(NamedTuple):
    """Sizes of a launch; :obj:`G` and :obj:`B` are constants of a kernel.

    Args:
        G (int): Groups of a program, each with a row of its own.
        B (int): Edges that a group has in flight.
        num_warps (int): Warps of a program.
    """

    G: int
    B: int
    num_warps: int


def power_of_two(number: int) -> int:
    """The smallest power of two that is not below a positive number."""
    return 1 << (number - 1).bit_length()


def lanes(H: int, C: int, HS: int, dtype: torch.dtype) -> Lanes:
    """Layout of a node's ``[H, C]`` numbers.

    Args:
        H, C (int): Heads and channels.
        HS (int): Heads of a row of ``alpha_src`` and similar tensors.
        dtype (torch.dtype): Dtype in which the features are stored.
    """
    V = _VECTOR_BYTES // dtype.itemsize
    while C % V:
        V //= 2
    count = C // V
    most = min(_MOST_VECTORS, _MOST_CHANNELS // V)
    sector = min(power_of_two(count), max(1, _SECTOR_BYTES // (V * dtype.itemsize)))
    K = max(sector, power_of_two(-(-count // most)))
    while K > _WARP and -(-count // (K // 2)) <= _LONG * most:
        K //= 2
    return vectors(H, C, HS, V, K)


def vectors(H: int, C: int, HS: int, V: int, K: int) -> Lanes:
    """The layout with vectors of V channels and K lanes of a head."""
    return Lanes(H, C, HS, V, K, power_of_two(H), -(-C // (V * K)))


def narrow(layout: Lanes) -> Lanes:
    """Layout with fewer vectors of a lane and more lanes of a head, for kernels that hold several
    rows in registers: at most 8 channels of a lane, or 16 where a head needs a warp.
    """
    H, C, HS, V, K = layout[:5]
    while layout.R > 1 and (8 if K < _WARP else 16) < layout.R * V:
        K *= 2
        layout = vectors(H, C, HS, V, K)
    return layout


def sizes(layout: Lanes) -> Sizes:
    """Sizes of a launch: one warp, or up to 16 for groups of more lanes than a warp has."""
    warps = min(_MOST_WARPS, max(1, layout.lanes // _WARP))
    in_flight = max(1, min(4, _IN_FLIGHT // (layout.R * layout.V)))
    return Sizes(groups(layout, warps), in_flight, warps)


def groups(layout: Lanes, num_warps: int) -> int:
    """Groups of a program that has a lane per thread, at least one."""
    return max(1, _WARP * num_warps // layout.lanes)
