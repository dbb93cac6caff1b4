"""Models of PyG and of its users that contain GAT layers, and inputs for them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.nn import AttentiveFP, GATConv, TopKPooling, to_hetero

from gatsparse.data import rmat

_NODE_TYPES = ["author", "paper"]
_EDGE_TYPES = [
    ("paper", "cites", "paper"),
    ("author", "writes", "paper"),
    ("paper", "is_by", "author"),
]


class Case(NamedTuple):
    """A model and its inputs."""

    graph: str
    model: torch.nn.Module
    inputs: tuple[Tensor, ...]


def models(num_nodes: int, num_edges: int, num_molecules: int) -> dict[str, Case]:
    """Returns models by name, most of them with a power-law graph of 128 features per node.

    Args:
        num_nodes, num_edges (int): Size of the power-law graph.
        num_molecules (int): Number of graphs in the batch for graph-level models.
    """
    x, edge_index = torch.randn(num_nodes, 128), rmat(num_nodes, num_edges)
    graph = f"{num_nodes:,} nodes, {num_edges:,} edges"
    cases = {
        f"GAT, v2={v2}": Case(
            graph, torch_geometric.nn.GAT(128, 64, num_layers=3, heads=4, v2=v2), (x, edge_index)
        )
        for v2 in (False, True)
    }
    batch = molecules(num_molecules, 32, 8)
    cases["AttentiveFP"] = Case(
        describe(batch),
        AttentiveFP(32, 64, 1, edge_dim=8, num_layers=3, num_timesteps=2),
        (batch["x"], batch["edge_index"], batch["edge_attr"], batch["batch"]),
    )
    cases["U-Net of GATConv and TopKPooling"] = Case(
        graph, UNet(128, 16, heads=4, depth=3), (x, edge_index)
    )
    sizes = num_nodes // len(_NODE_TYPES), num_edges // len(_EDGE_TYPES)
    inputs = (
        *x.split(sizes[0])[: len(_NODE_TYPES)],
        *(rmat(*sizes, seed=seed) for seed in range(len(_EDGE_TYPES))),
    )
    hetero = Hetero(16, heads=4)
    with torch.no_grad():
        hetero(*inputs)  # initialises lazy sizes
    cases["to_hetero of two GATConv"] = Case(
        f"2 x {sizes[0]:,} nodes, 3 x {sizes[1]:,} edges", hetero, inputs
    )
    return cases


def molecules(count: int, channels: int, edge_channels: int) -> Batch:
    """Draws graphs of 20 to 40 nodes: a tree of short branches, and three edges that close rings.

    Args:
        count (int): Number of graphs.
        channels, edge_channels (int): Number of features of nodes and of edges.
    """
    return Batch.from_data_list([_molecule(channels, edge_channels) for _ in range(count)])


def _molecule(channels: int, edge_channels: int) -> Data:
    num_nodes = int(torch.randint(20, 41, ()))
    child = torch.arange(1, num_nodes)
    parent = (child - torch.randint(1, 4, child.shape)).clamp(min=0)
    ring = torch.randperm(num_nodes - 5)[:3]
    bonds = torch.stack([torch.cat([parent, ring]), torch.cat([child, ring + 5])])
    return Data(
        x=torch.randn(num_nodes, channels),
        edge_index=torch.cat([bonds, bonds.flip(0)], dim=1),
        edge_attr=torch.randn(bonds.size(1), edge_channels).repeat(2, 1),
    )


def describe(batch: Batch) -> str:
    """Describes a batch."""
    graphs, nodes = batch["ptr"].numel() - 1, batch["x"].size(0)
    edges = batch["edge_index"].size(1)
    return f"{graphs:,} molecules: {nodes:,} nodes, {edges:,} edges"


class UNet(torch.nn.Module):
    r"""U-Net of GAT layers; each level keeps half of the nodes by :class:`TopKPooling`.

    Args:
        in_channels (int): Size of each input sample.
        channels (int): Size of each head.
        heads (int): Heads of every layer.
        depth (int): How many times nodes are pooled.
    """

    def __init__(self, in_channels: int, channels: int, heads: int, depth: int) -> None:
        super().__init__()
        width = heads * channels
        self.first = GATConv(in_channels, channels, heads)
        self.down = torch.nn.ModuleList(GATConv(width, channels, heads) for _ in range(depth))
        self.pools = torch.nn.ModuleList(TopKPooling(width) for _ in range(depth))
        self.up = torch.nn.ModuleList(GATConv(width, channels, heads) for _ in range(depth))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Returns ``[N, heads * channels]`` for features :obj:`x` ``[N, in_channels]``."""
        x = F.elu(self.first(x, edge_index))
        levels = []
        for pool, conv in zip(self.pools, self.down, strict=True):
            pooled, edges, _, _, kept, _ = pool(x, edge_index)
            levels.append((x, edge_index, kept))
            x, edge_index = F.elu(conv(pooled, edges)), edges
        for conv in self.up:
            skipped, edge_index, kept = levels.pop()
            x = F.elu(conv(skipped.index_add(0, kept, x), edge_index))
        return x


class _TwoLayers(torch.nn.Module):
    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.conv1 = GATConv((-1, -1), channels, heads, add_self_loops=False)
        self.conv2 = GATConv((-1, -1), channels, heads, add_self_loops=False)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv2(self.conv1(x, edge_index).relu(), edge_index)


class Hetero(torch.nn.Module):
    """Two layers over two node types and three edge types, with tensors as arguments.

    Args:
        channels (int): Size of each head.
        heads (int): Heads of every layer.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.model = to_hetero(_TwoLayers(channels, heads), (_NODE_TYPES, _EDGE_TYPES))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Returns the outputs of all nodes, for features and edges by type."""
        count = len(_NODE_TYPES)
        out = self.model(
            dict(zip(_NODE_TYPES, inputs[:count], strict=True)),
            dict(zip(_EDGE_TYPES, inputs[count:], strict=True)),
        )
        return torch.cat([out[node_type] for node_type in _NODE_TYPES])
