"""Layers and models."""

from gatsparse.nn.accelerate import accelerate, decelerate
from gatsparse.nn.attention_weights import LayerAttention, attention_weights
from gatsparse.nn.dense import GraphAttentionLayer, dense_adjacency
from gatsparse.nn.explain_backend import BackendReport, LayerBackend, explain_backend
from gatsparse.nn.gat_conv import GATConv
from gatsparse.nn.gatv2_conv import GATv2Conv
from gatsparse.nn.models import GAT
from gatsparse.nn.paper_exact import PaperExactConv, PaperExactGAT
from gatsparse.nn.paper_gat import PaperGAT
from gatsparse.ops import dropout, elu_dropout, sparse_linear

__all__ = [
    "GAT",
    "BackendReport",
    "GATConv",
    "GATv2Conv",
    "GraphAttentionLayer",
    "LayerAttention",
    "LayerBackend",
    "PaperExactConv",
    "PaperExactGAT",
    "PaperGAT",
    "accelerate",
    "attention_weights",
    "decelerate",
    "dense_adjacency",
    "dropout",
    "elu_dropout",
    "explain_backend",
    "sparse_linear",
]
