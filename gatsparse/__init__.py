"""Graph attention on PyTorch Geometric that never builds the per-edge message tensor."""

from typing import TYPE_CHECKING, Any

from gatsparse.gpu.compile_step import compile_step
from gatsparse.graph import CSRGraph
from gatsparse.graph_cache import clear_graph_cache
from gatsparse.memory import release_memory
from gatsparse.nn import (
    GAT,
    GATConv,
    GATv2Conv,
    accelerate,
    attention_weights,
    decelerate,
    explain_backend,
)
from gatsparse.slow_path import SlowPathWarning

if TYPE_CHECKING:
    from gatsparse import data as data
    from gatsparse import explain as explain
    from gatsparse import inference as inference
    from gatsparse import inspection as inspection
    from gatsparse import nn as nn
    from gatsparse import ops as ops
    from gatsparse import predict as predict
    from gatsparse import train as train
    from gatsparse.inference import infer
    from gatsparse.predict import load_model

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
    "compile_step",
    "decelerate",
    "explain_backend",
    "infer",
    "load_model",
    "release_memory",
]

# Attributes whose modules are imported at their first use.
_LAZY = ("data", "explain", "infer", "inference", "inspection", "load_model", "predict", "train")

_FUNCTIONS = {"infer": "gatsparse.inference", "load_model": "gatsparse.predict"}

if not TYPE_CHECKING:  # type checkers would accept any attribute

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        if name in _FUNCTIONS:
            globals()[name] = getattr(import_module(_FUNCTIONS[name]), name)
        else:
            import_module(f"gatsparse.{name}")  # sets the attribute
        return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
