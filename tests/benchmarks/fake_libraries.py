"""The documented interfaces of other libraries' attention, in PyTorch on any device."""

import sys
from types import ModuleType

import torch
from torch import Tensor
from torch_geometric.utils import softmax


def attention(
    scores: Tensor, rows: Tensor, edge_index: Tensor, num_nodes: int, slope: float | None = None
) -> Tensor:
    """Rows ``[N, H, C]`` of the sources weighted by the softmax of scores ``[E, H]``; the scores
    pass a LeakyReLU if a slope is given.
    """
    if slope is not None:
        scores = torch.nn.functional.leaky_relu(scores, slope)
    alpha = softmax(scores, edge_index[1], num_nodes=num_nodes)
    weighted = alpha[..., None] * rows[edge_index[0]]
    return torch.zeros_like(rows).index_add(0, edge_index[1], weighted)


def gat(rows: Tensor, att_src: Tensor, att_dst: Tensor, edge_index: Tensor) -> Tensor:
    """GAT with the parts ``[H, C]`` of the scores."""
    source, destination = (rows * att_src).sum(-1), (rows * att_dst).sum(-1)
    scores = source[edge_index[0]] + destination[edge_index[1]]
    return attention(scores, rows, edge_index, len(rows), 0.2)


def gatv2(left: Tensor, right: Tensor, att: Tensor, edge_index: Tensor) -> Tensor:
    """GATv2 for rows of the sources and of the destinations."""
    z = torch.nn.functional.leaky_relu(left[edge_index[0]] + right[edge_index[1]], 0.2)
    return attention((z * att).sum(-1), left, edge_index, len(left))


class _DGLGAT(torch.nn.Module):
    def __init__(self, in_feats, out_feats, num_heads, bias=True):
        super().__init__()
        self.size = num_heads, out_feats
        self.fc = torch.nn.Linear(in_feats, num_heads * out_feats, bias=False)
        self.attn_l, self.attn_r = (
            torch.nn.Parameter(torch.randn(1, num_heads, out_feats)) for _ in range(2)
        )
        self.bias = torch.nn.Parameter(torch.ones(num_heads * out_feats)) if bias else None

    def forward(self, graph, feat):
        out = gat(self.fc(feat).view(-1, *self.size), self.attn_l, self.attn_r, graph)
        return out if self.bias is None else out + self.bias.view(self.size)


class _DGLGATv2(torch.nn.Module):
    def __init__(self, in_feats, out_feats, num_heads):
        super().__init__()
        self.size = num_heads, out_feats
        self.fc_src, self.fc_dst = (
            torch.nn.Linear(in_feats, num_heads * out_feats) for _ in range(2)
        )
        self.attn = torch.nn.Parameter(torch.randn(1, num_heads, out_feats))

    def forward(self, graph, feat):
        left, right = (fc(feat).view(-1, *self.size) for fc in (self.fc_src, self.fc_dst))
        return gatv2(left, right, self.attn, graph)


def _dgl_graph(data, num_nodes):
    assert int(torch.stack(data).max()) < num_nodes
    return torch.stack(data)


class _CscGraph:
    def __init__(self, offsets, indices, num_src_nodes):
        assert offsets.dtype == indices.dtype
        destination = torch.arange(num_src_nodes).repeat_interleave(offsets.diff())
        self.edge_index = torch.stack([indices.long(), destination])


def _mha_gat(graph, features, attn_weights, *, num_heads):
    rows = features.view(len(features), num_heads, -1)
    parts = attn_weights.view(2, num_heads, -1)
    return gat(rows, *parts, graph.edge_index).flatten(1)


def _mha_gat_v2(graph, features, attn_weights, *, num_heads):
    left, right = (rows.view(len(rows), num_heads, -1) for rows in features)
    return gatv2(left, right, attn_weights.view(num_heads, -1), graph.edge_index).flatten(1)


class _Adjacency:
    @classmethod
    def from_edge_list(cls, edge_index, num_nodes, index_dtype):
        assert index_dtype == torch.int32
        assert int(edge_index.max()) < num_nodes
        found = cls()
        found.edge_index = edge_index
        return found


def _gatv2_aggr(graph, x, x_neighbors, attention_weights):
    return gatv2(x_neighbors, x, attention_weights, graph.edge_index).flatten(1)


#: Modules and their attributes.
MODULES = {
    "dgl": {"graph": _dgl_graph},
    "dgl.nn": {},
    "dgl.nn.pytorch": {"GATConv": _DGLGAT, "GATv2Conv": _DGLGATv2},
    "cudnn": {},
    "cudnn.gnn": {"CscGraph": _CscGraph, "mha_gat": _mha_gat, "mha_gat_v2": _mha_gat_v2},
    "turbo_gnn": {
        "AdjacencyForwardBackwardWithNodeBuckets": _Adjacency,
        "gatv2_aggr": _gatv2_aggr,
    },
}


def install(monkeypatch) -> None:
    """Makes the modules importable."""
    for name, attributes in MODULES.items():
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
