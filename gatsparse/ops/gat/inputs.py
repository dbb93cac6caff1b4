"""Tensors from which GAT computes its scores."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse.graph import CSRGraph
from gatsparse.ops.edge_list import EdgeList


class Inputs(NamedTuple):
    """The tensors of :func:`gatsparse.ops.gat_attention`; all but the features are at least
    float32.
    """

    x: Tensor
    att_src: Tensor
    att_dst: Tensor | None
    x_dst: Tensor | None
    edge: Tensor | None
    loop: Tensor | None

    @property
    def score_dtype(self) -> torch.dtype:
        """Dtype of the scores: at least float32, for any dtype of the features."""
        return torch.promote_types(self.x.dtype, torch.float32)

    def widened(self) -> Inputs:
        """Returns the inputs with all terms of the scores in :attr:`score_dtype`."""
        dtype = self.score_dtype
        for t in self:
            if t is not None and t.dtype != dtype:
                break
        else:
            return self
        others = [None if t is None else t.to(dtype) for t in self]
        return Inputs(self.x, others[1], others[2], self.x_dst, others[4], others[5])  # pyright: ignore

    def node_terms(self, graph: CSRGraph | EdgeList) -> tuple[Tensor, Tensor]:
        """``alpha_src [N_src, H]`` and ``alpha_dst [N_dst, H]``."""
        alpha_src = (self.x.to(self.score_dtype) * self.att_src).sum(-1)
        return alpha_src, self.dst_terms(graph)

    def dst_terms(self, graph: CSRGraph | EdgeList) -> Tensor:
        """``alpha_dst [N_dst, H]``."""
        if self.att_dst is None:
            return self.x.new_zeros(graph.num_dst, self.x.size(1), dtype=self.score_dtype)
        x_dst = self.x if self.x_dst is None else self.x_dst
        return (x_dst.to(self.score_dtype) * self.att_dst).sum(-1)
