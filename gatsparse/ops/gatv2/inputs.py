"""Tensors from which GATv2 computes its scores."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """The tensors of :func:`gatsparse.ops.gatv2_attention`; features have one dtype, and
    :attr:`att` is at least float32.
    """

    x_src: Tensor
    x_dst: Tensor
    att: Tensor
    edge: Tensor | None
    loop: Tensor | None

    @property
    def score_dtype(self) -> torch.dtype:
        """Dtype of the scores: at least float32, for any dtype of the features."""
        return torch.promote_types(self.x_src.dtype, torch.float32)
