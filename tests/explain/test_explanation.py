"""The whole explanation: tasks, names, and rejected inputs."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch_geometric.data import Data, HeteroData

import gatsparse
from gatsparse.explain import explain


def test_confusion_matrix_of_the_test_nodes(model, data):
    confusion = explain(model, data, nodes=[], removals=0).confusion
    predicted = model(data.x, data.edge_index).argmax(dim=1)
    true, found = data.y[data.test_mask], predicted[data.test_mask]
    assert confusion.nodes == "test nodes"
    assert confusion.accuracy == accuracy_score(true, found)
    for row in range(3):
        for column in range(3):
            expected = int(((true == row) & (found == column)).sum())
            assert confusion.counts[row, column] == expected


def test_labelled_nodes_replace_a_missing_test_mask(model, data):
    del data.test_mask
    data.y[:10] = -1
    confusion = explain(model, data, nodes=[], removals=0).confusion
    assert confusion.nodes == "labelled nodes"
    assert confusion.counts.sum() == 70


def test_statistics_of_each_layer(model, data):
    layers = explain(model, data, nodes=[], removals=0).layers
    assert [(layer.name, layer.heads) for layer in layers] == [("convs.0", 2), ("convs.1", 2)]
    found = gatsparse.attention_weights(model, data)
    for layer, attention in zip(layers, found, strict=True):
        assert layer.num_edges == attention.alpha.size(0)
        loops = attention.alpha[attention.loop_mask].sum(dim=0) / 80
        # Sums of 80 numbers of float32 in another precision.
        np.testing.assert_allclose(layer.to_self, loops.numpy(), rtol=1e-5)


@pytest.mark.parametrize("library", ["gatsparse", "torch_geometric"])
@pytest.mark.parametrize("v2", [False, True])
def test_models_of_both_libraries(library, v2, data):
    import torch_geometric.nn

    models = {"gatsparse": gatsparse.GAT, "torch_geometric": torch_geometric.nn.GAT}
    model = models[library](6, 8, 2, 3, heads=2, v2=v2)
    explanation = explain(model, data, nodes=[3], removals=3)
    assert explanation.removal.num_nodes == 3
    assert model.training, "the mode is restored"


def test_same_seed_gives_the_same_explanation(model, data):
    def numbers():
        found = explain(model, data, removals=4, seed=3)
        return [node.node for node in found.nodes], found.removal.effect.tolist()

    state = torch.get_rng_state()
    assert numbers() == numbers()
    assert torch.equal(torch.get_rng_state(), state)


class Names:
    """Names like those of a pyarrow array: an index and a length, no iteration."""

    def __len__(self):
        return 80

    def __getitem__(self, index):
        assert isinstance(index, int)
        return f"paper {index}"

    __iter__ = None


def test_names(model, data):
    explanation = explain(
        model, data, node_ids=Names(), class_names=["a", "b", "c"], nodes=[7], removals=0
    )
    (node,) = explanation.nodes
    assert explanation.class_names == ["a", "b", "c"]
    assert node.id == "paper 7"
    assert node.neighbors[0].id == f"paper {node.neighbors[0].node}"
    assert node.flow.columns[-1][0].id == "paper 7"


def test_data_without_labels(model, data):
    explanation = explain(model, Data(x=data.x, edge_index=data.edge_index), removals=3)
    assert explanation.task == "classification"
    assert explanation.confusion is None
    assert explanation.layers[0].classes is None
    assert explanation.nodes[0].label is None
    assert {node.reason for node in explanation.nodes} == {"drawn at random"}
    assert "no labels" in explanation.notes[0]


def test_multilabel(model, data):
    data.y = torch.eye(3)[data.y]
    explanation = explain(model, data, nodes=[7], removals=3)
    assert explanation.task == "multi_label"
    assert explanation.confusion is None
    assert explanation.layers[0].classes is None
    assert explanation.notes[0].startswith("The task is multi_label")
    assert np.isnan(explanation.removal.drop).all()
    assert (explanation.removal.effect > 0).all()
    output = model(data.x, data.edge_index)[7].sigmoid()
    assert explanation.nodes[0].output == pytest.approx(output.tolist(), rel=1e-5)
    assert explanation.nodes[0].predicted is None


def test_regression(data):
    data.y = torch.randn(80)
    model = gatsparse.GAT(6, 8, 2, 1).eval()
    explanation = explain(model, data, nodes=[7], removals=3)
    assert explanation.task == "regression"
    output = model(data.x, data.edge_index)[7]
    assert explanation.nodes[0].output == pytest.approx(output.tolist(), rel=1e-5)


def test_float_classes_with_missing_labels(model, data):
    data.y = data.y.double()[:, None]
    data.y[~data.test_mask] = torch.nan
    explanation = explain(model, data, nodes=[], removals=0)
    assert explanation.task == "classification"
    assert explanation.confusion.counts.sum() == data.test_mask.sum()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"class_names": ["a"]}, ValueError, "class_names: expected 3, the number of outputs"),
        ({"class_names": "abc"}, TypeError, "class_names: expected a sequence of names, got str"),
        ({"node_ids": ["a"]}, ValueError, "node_ids: expected 80, the number of nodes, got 1"),
        ({"nodes": [80]}, IndexError, "nodes: expected indices in 0 .. 79, got 80"),
        (
            {"nodes": [0.5]},
            TypeError,
            "nodes: expected a list of node numbers or ids, got torch.float32",
        ),
        ({"task": "ranking"}, ValueError, "task: expected one of"),
        ({"removals": -1}, ValueError, "removals: expected >= 0, got -1"),
    ],
)
def test_rejected_arguments(model, data, change, error, message):
    with pytest.raises(error, match=message):
        explain(model, data, **change)


def test_rejected_data(model, data):
    with pytest.raises(TypeError, match=r"data: expected torch_geometric\.data\.Data, got Het"):
        explain(model, HeteroData())
    with pytest.raises(ValueError, match=r"data\.edge_index: expected a tensor, got None"):
        explain(model, Data(x=data.x))
    data.y[0] = 3
    with pytest.raises(ValueError, match=r"data\.y: expected classes below 3, .* got 3"):
        explain(model, data)


def test_rejected_models(data):
    with pytest.raises(ValueError, match="model: expected a model with GAT or GATv2 layers"):
        explain(torch.nn.Linear(6, 3), data, nodes=[])
    with pytest.raises(ValueError, match="model: expected logits of at least 2 classes"):
        explain(gatsparse.GAT(6, 8, 2, 1), data)
    broken = gatsparse.GATConv(6, 3)
    torch.nn.init.constant_(broken.bias, torch.nan)
    with pytest.raises(ValueError, match="model: expected finite outputs"):
        explain(broken, data)
