"""Single layers of other libraries for GPUs: DGL, cuDNN and Turbo-GNN.

A layer has the parameters of PyG's layer, so that the correctness gate loads the same weights, and
computes as PyG's layer does: self-loops are replaced, and heads are concatenated. The graph is
converted once for an ``edge_index``. None of these layers has been run on a GPU yet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from torch_geometric.utils import add_self_loops, remove_self_loops

from gatsparse import CSRGraph


class LibraryLayer(torch.nn.Module, ABC):
    """A layer that computes with another library.

    Args:
        layer (torch.nn.Module): PyG's layer, whose parameters and submodules are used.
    """

    bias: Tensor
    att_src: Tensor
    att_dst: Tensor
    att: Tensor
    lin: Linear
    lin_l: Linear
    lin_r: Linear

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.heads, self.out_channels = layer.heads, layer.out_channels
        for name, child in layer.named_children():
            if list(child.parameters()):
                self.add_module(name, child)
        for name, parameter in layer.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self._converted: tuple[Tensor, Any] | None = None

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns ``[N, heads * channels]`` for features ``[N, F]`` and edges ``[2, E]``."""
        if self._converted is None or self._converted[0] is not edge_index:
            edges, _ = add_self_loops(remove_self_loops(edge_index)[0], num_nodes=x.size(0))
            self._converted = edge_index, self.graph(edges, x.size(0))
        return self.attention(x, self._converted[1]).flatten(1) + self.bias

    @staticmethod
    @abstractmethod
    def graph(edge_index: Tensor, num_nodes: int) -> Any:
        """Converts a graph into the library's format."""

    @abstractmethod
    def attention(self, x: Tensor, graph: Any) -> Tensor:
        """Computes the layer without the bias, ``[N, heads, channels]`` or flattened."""

    def by_head(self, projected: Tensor) -> Tensor:
        """Returns ``[N, heads, channels]`` for ``[N, heads * channels]``."""
        return projected.view(-1, self.heads, self.out_channels)


class _DGL(LibraryLayer):
    """A layer of DGL, whose parameters are replaced by those of PyG's layer."""

    def __init__(self, layer: Any, conv: Any) -> None:
        super().__init__(layer)
        self._conv = (conv,)  # not a submodule: its parameters are registered already

    @staticmethod
    def graph(edge_index: Tensor, num_nodes: int) -> Any:
        """See :meth:`LibraryLayer.graph`."""
        import dgl  # pyright: ignore[reportMissingImports]

        return dgl.graph((edge_index[0], edge_index[1]), num_nodes=num_nodes)

    def attention(self, x: Tensor, graph: Any) -> Tensor:
        """See :meth:`LibraryLayer.attention`."""
        return self._conv[0](graph, x)


class DGLGAT(_DGL):
    """``dgl.nn.pytorch.GATConv``."""

    def __init__(self, layer: Any) -> None:
        from dgl.nn.pytorch import GATConv  # pyright: ignore[reportMissingImports]

        conv = GATConv(layer.in_channels, layer.out_channels, layer.heads, bias=False)
        super().__init__(layer, conv)
        conv.fc.weight, conv.attn_l, conv.attn_r = self.lin.weight, self.att_src, self.att_dst


class DGLGATv2(_DGL):
    """``dgl.nn.pytorch.GATv2Conv``."""

    def __init__(self, layer: Any) -> None:
        from dgl.nn.pytorch import GATv2Conv  # pyright: ignore[reportMissingImports]

        conv = GATv2Conv(layer.in_channels, layer.out_channels, layer.heads)
        super().__init__(layer, conv)
        for projection, given in ((conv.fc_src, self.lin_l), (conv.fc_dst, self.lin_r)):
            projection.weight, projection.bias = given.weight, given.bias
        conv.attn = self.att


class _CuDNN(LibraryLayer):
    """A function of ``cudnn.gnn``, which needs CUDA tensors."""

    @staticmethod
    def graph(edge_index: Tensor, num_nodes: int) -> Any:
        """See :meth:`LibraryLayer.graph`."""
        from cudnn.gnn import CscGraph  # pyright: ignore[reportMissingImports]

        ptr, other, _ = CSRGraph.from_edge_index(edge_index, num_nodes).csr
        return CscGraph(ptr.to(other.dtype), other, num_src_nodes=num_nodes)


class CuDNNGAT(_CuDNN):
    """``cudnn.gnn.mha_gat``, whose weights are those of the sources, then the destinations."""

    def attention(self, x: Tensor, graph: Any) -> Tensor:
        """See :meth:`LibraryLayer.attention`."""
        from cudnn.gnn import mha_gat  # pyright: ignore[reportMissingImports]

        weights = torch.cat([self.att_src.flatten(), self.att_dst.flatten()])
        return mha_gat(graph, self.lin(x), weights, num_heads=self.heads)


class CuDNNGATv2(_CuDNN):
    """``cudnn.gnn.mha_gat_v2``, with features of sources and of destinations."""

    def attention(self, x: Tensor, graph: Any) -> Tensor:
        """See :meth:`LibraryLayer.attention`."""
        from cudnn.gnn import mha_gat_v2  # pyright: ignore[reportMissingImports]

        features = (self.lin_l(x), self.lin_r(x))
        return mha_gat_v2(graph, features, self.att.flatten(), num_heads=self.heads)


class TurboGATv2(LibraryLayer):
    """``turbo_gnn.gatv2_aggr``, without autotuning."""

    @staticmethod
    def graph(edge_index: Tensor, num_nodes: int) -> Any:
        """See :meth:`LibraryLayer.graph`."""
        import turbo_gnn  # pyright: ignore[reportMissingImports]

        graph = turbo_gnn.AdjacencyForwardBackwardWithNodeBuckets
        return graph.from_edge_list(edge_index, num_nodes=num_nodes, index_dtype=torch.int32)

    def attention(self, x: Tensor, graph: Any) -> Tensor:
        """See :meth:`LibraryLayer.attention`."""
        import turbo_gnn  # pyright: ignore[reportMissingImports]

        sources, destinations = self.by_head(self.lin_l(x)), self.by_head(self.lin_r(x))
        return turbo_gnn.gatv2_aggr(graph, destinations, sources, self.att[0])
