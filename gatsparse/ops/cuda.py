"""Shared part of the attention operators on GPUs: the sizes of a call, its tensors of numbers, and
the constants of its kernels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton.language as tl
from torch import Tensor

from gatsparse.gpu.lanes import Lanes, Sizes
from gatsparse.gpu.launch_table import Pass, plan
from gatsparse.ops.fused import padded_heads

_COMBINE_LANES = 256  # lanes that combine the pieces of a row


class Shape(NamedTuple):
    """Sizes of a call.

    Args:
        num_src, num_dst, num_edges, num_loops (int): Numbers of sources, destinations, edges and
            added loops.
        acc (torch.dtype): Dtype of sums.
        layout (Lanes): Layout of the numbers of a node.
        sizes (Sizes): Sizes of a launch.
    """

    num_src: int
    num_dst: int
    num_edges: int
    num_loops: int
    acc: torch.dtype
    layout: Lanes
    sizes: Sizes

    @classmethod
    def of(cls, name: Pass, x: Tensor, csr: list[Tensor], add_self_loops: bool) -> Shape:
        """Returns the sizes of a pass.

        Args:
            name (str): The pass.
            x (Tensor): Features of the sources, ``[N_src, H, C]``.
            csr (list): ``ptr``, ``other`` and ``perm`` of the graph.
            add_self_loops (bool): Whether loops are added.
        """
        num_src, H, C = x.shape
        num_dst = csr[0].numel() - 1
        layout, sizes = plan(name, H, C, padded_heads(H), x.dtype, x.device)
        num_loops = min(num_src, num_dst) if add_self_loops else 0
        acc = torch.promote_types(x.dtype, torch.float32)
        return cls(num_src, num_dst, csr[1].numel(), num_loops, acc, layout, sizes)

    def terms(self, like: Tensor, *size: int) -> Tensor:
        """Numbers per head ``[*size, HS]``; zero for heads that only pad a row."""
        new = like.new_zeros if self.layout.H != self.layout.HS else like.new_empty
        return new(*size, self.layout.HS, dtype=self.acc)

    def channels(self, like: Tensor, *size: int) -> Tensor:
        """Numbers per channel ``[*size, H, C]`` in the dtype of the sums."""
        return like.new_empty(*size, self.layout.H, self.layout.C, dtype=self.acc)

    def constants(self) -> dict[str, Any]:
        """Constants and warps of the kernels whose groups visit nodes or pieces."""
        acc = tl.float64 if self.acc == torch.float64 else tl.float32
        sizes = {"G": self.sizes.G, "num_warps": self.sizes.num_warps}
        return self.layout._asdict() | {"ACC": acc} | sizes

    def combining(self) -> dict[str, Any]:
        """Constants and warps of the kernels that combine pieces."""
        groups = max(1, _COMBINE_LANES // self.layout.lanes)
        return self.constants() | {"G": groups, "num_warps": 4}
