"""The table of contenders, which compute the same two-layer GAT or single layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Data

import gatsparse
from benchmarks.config import Layer
from benchmarks.isolate import UnavailableError
from benchmarks.libraries import (
    DGLGAT,
    CuDNNGAT,
    CuDNNGATv2,
    DGLGATv2,
    LibraryLayer,
    TurboGATv2,
)
from gatsparse.data.import_path import imported, is_import_path
from gatsparse.nn import dense_adjacency
from gatsparse.nn.dense import Form
from gatsparse.train import DenseGAT, build_gat
from gatsparse.train.model_config import Kind


@dataclass(frozen=True)
class Contender:
    """One way to compute the two-layer GAT of the paper.

    A custom contender is an instance of a subclass that overrides :meth:`build`, :meth:`layer` or
    :meth:`load`.

    Args:
        kind (str, optional): Kind of the model, see :func:`gatsparse.train.build_gat`.
        form (str, optional): Form of dense layers, see
            :class:`gatsparse.nn.GraphAttentionLayer`.
        compiled (bool, optional): Whether the model is compiled by ``torch.compile``.
        requires (str, optional): A module without which the model would silently fall back to
            another implementation.
    """

    kind: Kind = "pyg"
    form: Form = "broadcast"
    compiled: bool = False
    requires: str | None = None

    def build(self, data: Data, dropout: float) -> torch.nn.Module:
        """Returns the model for a data set, ``forward(x, structure) -> logits [N, classes]``."""
        assert data.x is not None
        assert isinstance(data.y, Tensor)
        model = build_gat(
            self.kind, data.x.size(1), int(data.y.max()) + 1, dropout=dropout, form=self.form
        )
        if self.compiled:
            model.compile()
        return model

    def layer(self, name: Layer, in_channels: int, heads: int, channels: int) -> torch.nn.Module:
        """Returns a single layer, ``forward(x, edge_index) -> [N, heads * channels]``."""
        assert self.kind != "dense"
        if self.kind == "pyg":
            layer = getattr(torch_geometric.nn, f"{name}Conv")(in_channels, channels, heads)
        else:
            backend = "scatter" if self.kind == "scatter" else "auto"
            cls = getattr(gatsparse, f"{name}Conv")
            layer = cls(in_channels, channels, heads, backend=backend)
        if self.compiled:
            layer.compile()
        return layer

    def structure(self, data: Data) -> Tensor:
        """Returns the graph as the model takes it: edges ``[2, E]``, or dense ``[N, N]``."""
        assert data.x is not None
        assert data.edge_index is not None
        if self.kind == "dense":
            return dense_adjacency(data.edge_index, data.x.size(0), dtype=data.x.dtype)
        return data.edge_index

    @staticmethod
    def load(model: torch.nn.Module, state: dict[str, Any]) -> None:
        """Loads weights that are named as in PyG's model."""
        if isinstance(model, DenseGAT):
            model.load_gat_state(state)
        else:
            model.load_state_dict(state)


@dataclass(frozen=True)
class Library(Contender):
    """A contender that has only single layers, those of another library.

    Args:
        layers (dict, optional): Its layers by their names; see :mod:`benchmarks.libraries`.
    """

    layers: Mapping[Layer, type[LibraryLayer]] = field(default_factory=dict, hash=False)

    def build(self, data: Data, dropout: float) -> torch.nn.Module:  # noqa: ARG002
        """Raises UnavailableError."""
        raise UnavailableError(f"{self.requires}: only single layers are measured")

    def layer(self, name: Layer, in_channels: int, heads: int, channels: int) -> torch.nn.Module:
        """Returns a single layer.

        Raises:
            UnavailableError: If the library does not have it.
        """
        if name not in self.layers:
            raise UnavailableError(f"{self.requires} has no {name}")
        pyg = getattr(torch_geometric.nn, f"{name}Conv")(in_channels, channels, heads)
        return self.layers[name](pyg)


#: Contenders by name.
CONTENDERS = {
    "gatsparse": Contender("gatsparse", requires="gatsparse._C"),
    "scatter": Contender("scatter", requires="torch_scatter"),
    "pyg": Contender("pyg"),
    "pyg-compile": Contender("pyg", compiled=True),
    "dense-broadcast": Contender("dense", form="broadcast"),
    "dense-concat": Contender("dense", form="concat"),
    "dgl": Library(requires="dgl", layers={"GAT": DGLGAT, "GATv2": DGLGATv2}),
    "cudnn": Library(requires="cudnn.gnn", layers={"GAT": CuDNNGAT, "GATv2": CuDNNGATv2}),
    "turbo-gnn": Library(requires="turbo_gnn", layers={"GATv2": TurboGATv2}),
}

#: Contenders with single layers that accept any graph.
LAYER_CONTENDERS = tuple(name for name, item in CONTENDERS.items() if item.kind != "dense")


def find(name: str) -> Contender:
    """Returns a contender by its name or import path.

    Raises:
        ValueError: If the contender is unknown.
    """
    if not is_import_path(name):
        if name not in CONTENDERS:
            raise ValueError(
                f"contenders: expected one of {', '.join(CONTENDERS)}, or an import path such as "
                f"my_module:my_contender, got {name!r}"
            )
        return CONTENDERS[name]
    found = imported("contenders", name)
    if not isinstance(found, Contender):
        raise ValueError(
            f"contenders: expected {name!r} to be a benchmarks.contenders.Contender, "
            f"got {type(found).__name__}"
        )
    return found


def find_for_layers(name: str) -> Contender:
    """Returns a contender that has single layers; see :func:`find`."""
    found = find(name)
    if found.kind == "dense":
        raise ValueError(
            f"contenders: expected one of {', '.join(LAYER_CONTENDERS)} for single layers, "
            f"got {name!r}"
        )
    return found
