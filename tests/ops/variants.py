"""The variants of graph attention that are tested, one line each."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from gatsparse.ops import (
    gat_attention,
    gat_attention_weights,
    gatv2_attention,
    gatv2_attention_weights,
)
from gatsparse.testing import Graph, gat_inputs, gatv2_inputs, relative_error


class Variant(NamedTuple):
    attention: Callable
    weights: Callable
    inputs: Callable
    #: scores(inputs, edge, j, i, slope): [..., H] of the edges j -> i with these features.
    scores: Callable
    #: The name of the features that are summed.
    x: str


def leaky_relu(x, slope):
    return torch.where(x > 0, x, slope * x)


def gat_scores(inputs, edge, j, i, slope):
    score = (inputs["x"] * inputs["att_src"]).sum(-1)[j]
    score = score + (inputs.get("x_dst", inputs["x"]) * inputs["att_dst"]).sum(-1)[i]
    return leaky_relu(score if edge is None else score + edge, slope)


def gatv2_scores(inputs, edge, j, i, slope):
    z = inputs["x_src"][j] + inputs["x_dst"][i]
    return (leaky_relu(z if edge is None else z + edge, slope) * inputs["att"][0]).sum(-1)


VARIANTS = {
    "gat": Variant(gat_attention, gat_attention_weights, gat_inputs, gat_scores, "x"),
    "gatv2": Variant(gatv2_attention, gatv2_attention_weights, gatv2_inputs, gatv2_scores, "x_src"),
}


def numbered_edges(graph: Graph, add_self_loops) -> Tensor:
    """Returns (number, j, i) of every edge; added loops replace those of the graph."""
    num_edges, num_loops = graph.edge_index.size(1), min(graph.size)
    edges = torch.cat([torch.arange(num_edges)[:, None], graph.edge_index.T], dim=1)
    if not add_self_loops:
        return edges
    i = torch.arange(num_loops)
    return torch.cat([edges[edges[:, 1] != edges[:, 2]], torch.stack([num_edges + i, i, i], dim=1)])


def edge_list(graph: Graph, add_self_loops):
    """Returns the rows of :func:`numbered_edges`."""
    return numbered_edges(graph, add_self_loops).tolist()


def edge_rows(inputs):
    """Returns the features of every edge by its number, or None."""
    tables = [inputs[name] for name in ("edge", "loop") if name in inputs]
    return torch.cat(tables) if tables else None


def without_bias(inputs):
    """Returns the inputs of the attention weights."""
    return {name: t for name, t in inputs.items() if name != "bias"}


def fixed_gradient(out):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(out.shape, dtype=torch.float64, generator=generator).to(out.dtype)


def with_gradients(out, inputs) -> dict[str, Tensor]:
    """Returns the output, and the gradients of a fixed linear function of it, by name."""
    leaves = {name: t for name, t in inputs.items() if t is not None}
    grads = torch.autograd.grad(out, list(leaves.values()), fixed_gradient(out))
    return {"out": out.detach(), **dict(zip(leaves, grads, strict=True))}


def run(variant, inputs, graph, **options):
    out = VARIANTS[variant].attention(**inputs, graph=graph, **options)
    return with_gradients(out, inputs)


def assert_close(actual, expected, tolerance=1e-10):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].shape == value.shape
        assert relative_error(actual[name], value) <= tolerance, name


def operator_arguments(
    variant,
    inputs,
    graph,
    *,
    concat=True,
    save=True,
    positive=False,
    add_self_loops=True,
    dropout=0.0,
    negative_slope=0.2,
):
    """Returns the arguments of the operator of ``torch.ops.gatsparse``, in order."""
    tensors = dict(inputs)
    if variant == "gat":
        names = ("x", "att_src", "att_dst", "alpha_dst", "edge", "loop", "bias")
        if "x_dst" in inputs:
            alpha_dst = (tensors["x_dst"] * tensors.pop("att_dst")).sum(-1)
            tensors["alpha_dst"] = alpha_dst.detach().requires_grad_()
        flags = {"concat": concat, "save": save, "positive": positive}
    else:
        names = ("x_src", "x_dst", "att", "edge", "loop", "bias")
        flags = {"concat": concat, "save": save}
    return {
        **{name: tensors.get(name) for name in names},
        **flags,
        "csr": list(graph.csr),
        "csr_t": list(graph.csr_t),
        "add_self_loops": add_self_loops,
        "negative_slope": negative_slope,
        "dropout": dropout,
        "seed": torch.tensor(5) if dropout > 0 else None,
    }


def call(variant, arguments):
    """Returns all outputs of the operator."""
    return getattr(torch.ops.gatsparse, variant)(*arguments.values())


def backward_arguments(arguments, outputs):
    """Returns the arguments of the backward operator for these outputs."""
    left_out = ("alpha_dst", "bias", "concat", "save", "positive")
    names = [name for name in arguments if name not in left_out]
    tensors, others = names[: names.index("csr")], names[names.index("csr") :]
    grad_out = fixed_gradient(outputs[1])
    tensors = [None if arguments[n] is None else arguments[n].detach() for n in tensors]
    saved = [t.detach() for t in outputs[1:]]
    return (grad_out, *tensors, *saved, *(arguments[name] for name in others))
