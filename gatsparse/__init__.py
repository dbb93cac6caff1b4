"""Graph attention on PyTorch Geometric that never builds the per-edge message tensor."""

from gatsparse.graph import CSRGraph
from gatsparse.graph_cache import clear_graph_cache
from gatsparse.inference import infer
from gatsparse.nn import (
    GAT,
    GATConv,
    GATv2Conv,
    accelerate,
    attention_weights,
    explain_backend,
)
from gatsparse.slow_path import SlowPathWarning

__version__ = "0.1.0"

__all__ = [
    "GAT",
    "CSRGraph",
    "GATConv",
    "GATv2Conv",
    "SlowPathWarning",
    "accelerate",
    "attention_weights",
    "clear_graph_cache",
    "explain_backend",
    "infer",
]
