"""What the score of GATv2 is computed from."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """The tensors of :func:`gatsparse.ops.gatv2_attention`; features in one dtype, and
    :attr:`att` in float32 or better.
    """

    x_src: Tensor
    x_dst: Tensor
    att: Tensor
    edge: Tensor | None
    loop: Tensor | None

    @property
    def score_dtype(self) -> torch.dtype:
        """Of scores, whatever the dtype of the features."""
        return torch.promote_types(self.x_src.dtype, torch.float32)
