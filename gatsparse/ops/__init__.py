"""Operators: one folder each."""

from gatsparse.ops.dropout import dropout, elu_dropout
from gatsparse.ops.gat import gat_attention, gat_attention_weights
from gatsparse.ops.gatv2 import gatv2_attention, gatv2_attention_weights
from gatsparse.ops.neighbor_sum import neighbor_sum
from gatsparse.ops.sparse_linear import sparse_linear

__all__ = [
    "dropout",
    "elu_dropout",
    "gat_attention",
    "gat_attention_weights",
    "gatv2_attention",
    "gatv2_attention_weights",
    "neighbor_sum",
    "sparse_linear",
]
