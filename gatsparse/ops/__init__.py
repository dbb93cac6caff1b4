"""Operators: one folder each, with one public function."""

from gatsparse.ops.dropout import dropout
from gatsparse.ops.gat import gat_attention, gat_attention_weights

__all__ = ["dropout", "gat_attention", "gat_attention_weights"]
