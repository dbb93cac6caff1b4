"""The part of a graph that determines the prediction of one node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import NodeSamplerInput

from gatsparse.data import NeighborSampler
from gatsparse.nn import LayerAttention
from gatsparse.nn.attention_weights import visit_attention
from gatsparse.nn.model_call import call_model

#: Attributes that models do not read.
_LEFT_OUT = {"y", "train_mask", "val_mask", "test_mask", "adj_t", "edge_index", "num_nodes"}
#: Edges of one run over several copies.
_EDGES_AT_ONCE = 2_000_000


class Neighborhoods:
    """Runs a model on the in-neighbourhoods of single nodes, as deep as the model has layers.

    Args:
        model (torch.nn.Module): The model.
        data (torch_geometric.data.Data): The whole graph.
        num_layers (int): Number of attention layers.
        output (Tensor): ``[N, T]``, output of the model on the whole graph, for comparison.
    """

    def __init__(self, model: Any, data: Data, num_layers: int, output: Tensor) -> None:
        assert data.edge_index is not None
        self.model, self.data, self.output = model, data, output
        graph = Data(edge_index=data.edge_index, num_nodes=len(output))
        self._sampler = NeighborSampler(graph, [-1] * num_layers, seed=0)

    def of(self, node: int) -> Neighborhood:
        """Returns the neighbourhood of a node.

        Raises:
            ValueError: If the output of the model for the node depends on other nodes, too.
        """
        seeds = NodeSamplerInput(input_id=None, node=torch.tensor([node]))
        out: Any = self._sampler.sample_from_nodes(seeds)
        edges = torch.stack([out.row, out.col]).long()
        return Neighborhood(self, node, out.node.long(), edges, out.edge.long())


@dataclass(frozen=True)
class Neighborhood:
    """The in-neighbourhood of a node, which has number 0 in it.

    Args:
        of (Neighborhoods): The model and the whole graph.
        node (int): The node in the whole graph.
        n_id (Tensor): int64 ``[n]``, the nodes in the whole graph.
        edge_index (Tensor): int64 ``[2, e]``.
        e_id (Tensor): int64 ``[e]``, positions of the edges in the whole graph.
    """

    of: Neighborhoods
    node: int
    n_id: Tensor
    edge_index: Tensor
    e_id: Tensor

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return self.n_id.numel()

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return self.e_id.numel()

    @cached_property
    def layers(self) -> list[LayerAttention]:
        """Attention of each layer, with the nodes numbered as here.

        It is exact for the edges on which the output of the node depends.
        """
        found: list[LayerAttention] = []
        data = _part(self.of.data, self.n_id, self.edge_index, self.e_id)
        self._check(visit_attention(self.of.model, data, found.append)[0])
        return found

    def without(self, neighbors: list[int]) -> Tensor:
        """Returns the output for the node with all edges, then without each of its neighbours.

        Removing a neighbour removes its edges to the node, not those in the other direction.

        Args:
            neighbors (list of int): Neighbours, numbered as here.

        Returns:
            Tensor: ``[1 + len(neighbors), T]``.
        """
        outputs = torch.cat(list(self._runs([-1, *neighbors])))
        self._check(outputs[0])
        return outputs

    def _runs(self, removed: list[int]) -> Iterator[Tensor]:
        """Runs disjoint copies together, each without the edges of one source to the node."""
        at_once = max(1, _EDGES_AT_ONCE // max(self.num_edges, 1))
        src, dst = self.edge_index
        for first in range(0, len(removed), at_once):
            some = removed[first : first + at_once]
            kept = [~((dst == 0) & (src == source)) for source in some]
            edges = [self.edge_index[:, k] + n * self.num_nodes for n, k in enumerate(kept)]
            data = _part(
                self.of.data,
                self.n_id.repeat(len(some)),
                torch.cat(edges, dim=1),
                torch.cat([self.e_id[k] for k in kept]),
            )
            yield call_model(self.of.model, data)[:: self.num_nodes]

    def _check(self, output: Tensor) -> None:
        """Raises if the output differs from that on the whole graph by more than rounding."""
        expected = self.of.output[self.node]
        error = (output - expected).abs().max().item()
        bound = torch.finfo(output.dtype).eps ** 0.5 * (1.0 + expected.abs().max().item())
        if not error <= bound:
            raise ValueError(
                "model: expected outputs that depend on the in-neighbours within "
                f"{len(self.of._sampler.num_neighbors)} hops only, got a difference of "
                f"{error:.3g} for node {self.node}: pass nodes=[] and removals=0 for the "
                "statistics of the layers alone"
            )


def _part(data: Data, n_id: Tensor, edge_index: Tensor, e_id: Tensor) -> Data:
    """Returns the data of some nodes and edges; both may be repeated."""
    part = Data(edge_index=edge_index, num_nodes=n_id.numel())
    for key in data.keys():  # noqa: SIM118 - Data is not a mapping
        if key in _LEFT_OUT:
            continue
        value = data[key]
        if key == "x" or data.is_node_attr(key):
            part[key] = _rows(value, n_id)
        else:
            part[key] = value[e_id] if data.is_edge_attr(key) else value
    return part


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows of a tensor; of ``sparse_csr``, which torch cannot index, in the same layout."""
    if x.layout != torch.sparse_csr:
        return x[index] if x.layout == torch.strided else x.index_select(0, index)
    ptr, col, values = x.crow_indices(), x.col_indices(), x.values()
    count = ptr.diff()[index]
    rowptr = torch.cat([ptr.new_zeros(1), count.cumsum(0)])
    shift = torch.repeat_interleave(ptr[index] - rowptr[:-1], count)
    place = shift + torch.arange(len(shift))
    return torch.sparse_csr_tensor(
        rowptr, col[place], values[place], (len(index), x.size(1)), check_invariants=False
    )
