"""Operators: one folder each, with one public function."""

from gatsparse.ops.gat import gat_attention, gat_attention_weights

__all__ = ["gat_attention", "gat_attention_weights"]
