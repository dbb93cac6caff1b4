"""Models for tests of exact inference, with biases other than 0."""

import torch
import torch_geometric.nn

import gatsparse

N, E, F = 600, 4000, 12
_BUILDERS = {
    "PaperGAT": lambda: gatsparse.nn.PaperGAT(F, 8, 5, heads=4, num_layers=3),
    "GAT": lambda: gatsparse.GAT(F, 16, 2, 5, heads=2),
    "GATv2, jk, norm": lambda: gatsparse.GAT(
        F, 16, 2, 5, heads=2, v2=True, jk="last", norm="batch"
    ),
    "GAT, residual, norm": lambda: gatsparse.GAT(
        F, 24, 3, 5, heads=3, residual=True, norm="layer", norm_kwargs={"mode": "node"}
    ),
    "GATv2, shared": lambda: gatsparse.GAT(
        F, 24, 2, 5, heads=3, v2=True, share_weights=True, residual=True, add_self_loops=False
    ),
    "PaperGAT, output heads": lambda: gatsparse.nn.PaperGAT(F, 8, 5, heads=4, out_heads=5),
    "PyG's": lambda: gatsparse.accelerate(torch_geometric.nn.GAT(F, 16, 2, 5, heads=2)),
}


def _with_biases(build):
    def model():
        built = build()
        for name, parameter in built.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(parameter)
        return built

    return model


MODELS = {name: _with_biases(build) for name, build in _BUILDERS.items()}
