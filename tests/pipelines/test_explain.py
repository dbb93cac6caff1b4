"""Explainers, which mask messages or read attention, and Captum's attributions."""

import copy

import pytest
import torch
import torch_geometric.nn
from torch_geometric.data import HeteroData
from torch_geometric.explain import (
    AttentionExplainer,
    CaptumExplainer,
    Explainer,
    GNNExplainer,
    PGExplainer,
    fidelity,
    unfaithfulness,
)
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import captum_output_to_dicts, to_captum_input, to_captum_model, to_hetero

import gatsparse
from gatsparse.testing import graph_zoo
from tests.pipelines.twins import (
    Net,
    assert_equal,
    assert_same,
    every_layer,
    named_backend,
    twins,
)

IntegratedGradients = pytest.importorskip("captum.attr").IntegratedGradients

EDGES, (N, _) = graph_zoo()["random"]
KINDS = {
    ("paper", "cites", "paper"): 60,
    ("author", "writes", "paper"): 40,
    ("paper", "written_by", "author"): 40,
}


@pytest.fixture
def graph():
    """Features, edges and edge features."""
    x = torch.randn(N, 6, dtype=torch.float64)
    return x, EDGES, torch.randn(EDGES.size(1), 3, dtype=torch.float64)


@pytest.fixture
def hetero():
    data = HeteroData()
    for name, num_nodes in (("paper", 20), ("author", 9)):
        data[name].x = torch.randn(num_nodes, 6, dtype=torch.float64)
    for kind, num_edges in KINDS.items():
        ends = [torch.randint(data[name].num_nodes, (num_edges,)) for name in (kind[0], kind[2])]
        data[kind].edge_index = torch.stack(ends)
    return data


class PooledNet(Net):
    def forward(self, x, edge_index, edge_attr=None, batch=None):
        x = super().forward(x, edge_index, edge_attr)
        return torch_geometric.nn.global_mean_pool(x, batch)


def explainer(model, algorithm, level="node", **kwargs):
    kwargs = {"explanation_type": "model", "edge_mask_type": "object", **kwargs}
    config = {"mode": "multiclass_classification", "task_level": level, "return_type": "raw"}
    return Explainer(model, algorithm, model_config=config, **kwargs)


def masks(explanation):
    """Returns the masks of nodes and edges, for every type of a heterogeneous graph."""
    names = ("node_mask", "edge_mask")
    return [store[name] for store in explanation.stores for name in names if name in store]


def assert_same_explanations(models, explain, *inputs):
    """Checks that ``explain(model)`` gives equal masks, and restores the kernels of our layers."""
    found = []
    for model in models:
        torch.manual_seed(1)
        found.append(masks(explain(model)))
    assert found[1]
    assert all(mask.count_nonzero() for mask in found[1])
    assert_equal(*found)
    theirs, ours = models
    assert_same(theirs, named_backend(ours, "fused"), *inputs)
    with pytest.raises(ValueError, match="backend='fused' cannot handle this call"):
        explain(ours)


# Of one node type ################################################################

ALGORITHMS = {
    "attention": (lambda: AttentionExplainer("mean"), {}),
    "GNNExplainer": (lambda: GNNExplainer(epochs=5), {"node_mask_type": "attributes"}),
    "GNNExplainer, edges": (lambda: GNNExplainer(epochs=5), {}),
    "Captum": (
        lambda: CaptumExplainer("IntegratedGradients", n_steps=5),
        {"node_mask_type": "attributes"},
    ),
    "Captum, edges": (lambda: CaptumExplainer("IntegratedGradients", n_steps=5), {}),
}


@pytest.mark.parametrize("add_self_loops", [False, True])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@every_layer
def test_explanations_of_nodes(layer, algorithm, add_self_loops, graph):
    options = {"edge_dim": 3, "add_self_loops": add_self_loops}
    models = twins(layer, lambda conv: Net(conv, 6, 4, **options), backend="auto")
    method, types = ALGORITHMS[algorithm]
    x, edge_index, edge_attr = graph

    def explain(model):
        index = torch.tensor([3, 17])
        return explainer(model, method(), **types)(x, edge_index, edge_attr=edge_attr, index=index)

    assert_same_explanations(models, explain, *graph)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@every_layer
def test_explanations_of_a_graph(layer, algorithm, graph):
    models = twins(layer, lambda conv: PooledNet(conv, 6, 4, edge_dim=3), backend="auto")
    method, types = ALGORITHMS[algorithm]
    x, edge_index, edge_attr = graph

    def explain(model):
        return explainer(model, method(), "graph", **types)(x, edge_index, edge_attr=edge_attr)

    assert_same_explanations(models, explain, *graph)


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True to a scalar")
@pytest.mark.parametrize("level", ["node", "graph"])
@every_layer
def test_parametrised_explainer(layer, level, graph):
    cls, index = (Net, 3) if level == "node" else (PooledNet, None)
    models = twins(layer, lambda conv: cls(conv, 6, 4), backend="auto")
    x, edge_index, _ = graph
    target = torch.arange(N if level == "node" else 1) % 4

    def explain(model):
        algorithm = PGExplainer(epochs=3)
        algorithm.mlp.double()
        explain = explainer(model, algorithm, level, explanation_type="phenomenon")
        arguments = {"target": target, "index": index}
        for epoch in range(3):
            algorithm.train(epoch, model, x, edge_index, **arguments)
        return explain(x, edge_index, **arguments)

    assert_same_explanations(models, explain, x, edge_index)


@pytest.mark.parametrize("backend", ["fused", "scatter", "dense"])
@every_layer
def test_attribution_to_features_uses_the_kernels(layer, backend, graph):
    models = twins(layer, lambda conv: Net(conv, 6, 4), backend=backend)
    x, edge_index, _ = graph
    found = []
    for model in models:
        method = CaptumExplainer("IntegratedGradients", n_steps=5)
        explain = explainer(model, method, node_mask_type="attributes", edge_mask_type=None)
        found.append(masks(explain(x, edge_index, index=3)))
    assert_equal(*found)


@every_layer
def test_metrics_of_explanations(layer, graph):
    x, edge_index, _ = graph
    metrics = []
    for model in twins(layer, lambda conv: Net(conv, 6, 4), backend="auto"):
        torch.manual_seed(1)
        explain = explainer(model, GNNExplainer(epochs=5), node_mask_type="attributes")
        explanation = explain(x, edge_index, index=torch.arange(9))
        values = (*fidelity(explain, explanation), unfaithfulness(explain, explanation))
        metrics.append(torch.tensor(values, dtype=torch.float64))
    assert_equal(*metrics)


@every_layer
def test_layers_excluded_from_explanation(layer, graph):
    models = twins(layer, lambda conv: Net(conv, 6, 4, edge_dim=3), backend="auto")
    for model in models:
        model.conv1.explain = False
    named_backend(models[1].conv1, "fused")
    x, edge_index, edge_attr = graph

    def explain(model):
        return explainer(model, GNNExplainer(epochs=5))(x, edge_index, edge_attr=edge_attr, index=3)

    assert_same_explanations(models, explain, *graph)


@pytest.mark.parametrize("explained_before", [False, True])
@every_layer
def test_explanations_of_an_accelerated_model(layer, explained_before, graph):
    theirs = Net(getattr(torch_geometric.nn, layer), 6, 4, edge_dim=3).double()
    x, edge_index, edge_attr = graph

    def explain(model):
        return explainer(model, GNNExplainer(epochs=5))(x, edge_index, edge_attr=edge_attr, index=3)

    if explained_before:
        explain(theirs)
    models = theirs, gatsparse.accelerate(copy.deepcopy(theirs))
    assert_same_explanations(models, explain, *graph)


class SubclassedConv(gatsparse.GATConv):
    pass


def test_masks_reach_a_subclass(graph):
    gatsparse.GATConv(6, 4)
    conv = SubclassedConv(6, 4, bias=False, add_self_loops=False).double()
    set_masks(conv, torch.zeros(EDGES.size(1)), EDGES, apply_sigmoid=False)
    assert torch.equal(conv(*graph), torch.zeros(N, 4))
    clear_masks(conv)
    assert conv(*graph).count_nonzero()


# Of several types ################################################################


class PaperNet(torch.nn.Module):
    """Predicts the classes of papers."""

    def __init__(self, conv):
        super().__init__()
        net = Net(conv, (6, 6), 4, add_self_loops=False)
        self.net = to_hetero(net, (["paper", "author"], list(KINDS)))

    def forward(self, x_dict, edge_index_dict):
        return self.net(x_dict, edge_index_dict)["paper"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@every_layer
def test_explanations_of_nodes_of_several_types(layer, algorithm, hetero):
    models = twins(layer, PaperNet, backend="auto")
    method, types = ALGORITHMS[algorithm]
    inputs = hetero.x_dict, hetero.edge_index_dict

    def explain(model):
        return explainer(model, method(), **types)(*inputs, index=torch.tensor([3, 17]))

    assert_same_explanations(models, explain, *inputs)


# Captum itself ###################################################################


def attribute(model, kind, x, edge_index, metadata=None):
    wrapped = to_captum_model(model, kind, 3, metadata)
    inputs, others = to_captum_input(x, edge_index, kind)
    return IntegratedGradients(wrapped).attribute(
        inputs, target=1, additional_forward_args=others, internal_batch_size=1, n_steps=5
    )


@pytest.mark.parametrize("kind", ["node", "edge", "node_and_edge"])
@every_layer
def test_captum(layer, kind, graph):
    models = twins(layer, lambda conv: Net(conv, 6, 4), backend="auto")
    attributions = [attribute(model, kind, *graph[:2]) for model in models]
    assert all(values.count_nonzero() for values in attributions[1])
    assert_equal(*attributions)
    assert_same(models[0], named_backend(models[1], "fused"), *graph[:2])


@pytest.mark.parametrize("kind", ["node", "edge", "node_and_edge"])
@every_layer
def test_captum_of_several_types(layer, kind, hetero):
    models = twins(layer, PaperNet, backend="auto")
    inputs, metadata = (hetero.x_dict, hetero.edge_index_dict), hetero.metadata()
    attributions = [
        captum_output_to_dicts(attribute(model, kind, *inputs, metadata), kind, metadata)
        for model in models
    ]
    nodes, edges = attributions[1]
    assert (nodes is not None, edges is not None) == ("node" in kind, "edge" in kind)
    assert_equal(*attributions)
    assert_same(models[0], named_backend(models[1], "fused"), *inputs)
