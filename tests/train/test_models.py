import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch_geometric.data import Data

from gatsparse.nn import GATConv, GATv2Conv, PaperExactGAT, PaperGAT, dense_adjacency
from gatsparse.testing import relative_error
from gatsparse.train import (
    ConfigError,
    ModelConfig,
    ModelSizes,
    SamplingConfig,
    TrainConfig,
    build_deep_gat,
    build_gat,
    build_model,
    build_model_of_sizes,
    fit,
    model_sizes,
)

KINDS = ("gatsparse", "scatter", "pyg", "dense")


def random_graph(num_nodes=80, num_edges=400):
    edge_index = torch.unique(torch.randint(num_nodes, (2, num_edges)), dim=1)
    return torch.randn(num_nodes, 12, dtype=torch.float64), edge_index


def structure(kind, edge_index, num_nodes):
    if kind != "dense":
        return edge_index
    return dense_adjacency(edge_index, num_nodes, dtype=torch.float64)


@pytest.mark.parametrize("form", ["broadcast", "concat"])
@pytest.mark.parametrize("out_heads", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_the_same_function(kind, out_heads, form):
    x, edge_index = random_graph()
    reference = build_gat("pyg", 12, 5, out_heads=out_heads).double().eval()
    for parameter in reference.parameters():
        torch.nn.init.normal_(parameter)
    model = build_gat(kind, 12, 5, out_heads=out_heads, form=form).double().eval()
    load = model.load_gat_state if kind == "dense" else model.load_state_dict
    load(reference.state_dict())
    out = model(x, structure(kind, edge_index, len(x)))
    assert relative_error(out, reference(x, edge_index)) <= 1e-12


def test_dense_training_gives_the_losses_of_the_sparse_one():
    """Equal initial weights, no dropout, float64: the losses of 20 epochs are equal."""
    x, edge_index = random_graph()
    y = torch.randint(5, (len(x),))
    sparse = build_gat("gatsparse", 12, 5, dropout=0.0).double()
    dense = build_gat("dense", 12, 5, dropout=0.0).double()
    dense.load_gat_state(sparse.state_dict())
    losses = {}
    for kind, model in (("gatsparse", sparse), ("dense", dense)):
        optimizer = torch.optim.Adam(model.parameters(), lr=0.005, weight_decay=5e-4)
        losses[kind] = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x, structure(kind, edge_index, len(x))), y)
            loss.backward()
            optimizer.step()
            losses[kind].append(loss.item())
    assert losses["gatsparse"] == pytest.approx(losses["dense"], rel=1e-9)
    assert losses["gatsparse"][-1] < 0.9 * losses["gatsparse"][0]


def test_dense_weights_of_other_shapes_raise():
    dense = build_gat("dense", 12, 5)
    with pytest.raises(RuntimeError):
        dense.load_gat_state(build_gat("pyg", 12, 6).state_dict())
    with pytest.raises(KeyError):
        dense.load_gat_state({})
    state = {key: value.clone() for key, value in dense.state_dict().items()}
    for wrong in (build_gat("pyg", 12, 5, heads=1), build_gat("pyg", 12, 5, out_heads=2)):
        with pytest.raises(RuntimeError, match=r"state_dict: expected conv\d\.\w+"):
            dense.load_gat_state(wrong.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in dense.state_dict().items())


def test_kinds_have_their_layers():
    assert type(build_gat("gatsparse", 3, 2).conv1) is GATConv
    assert build_gat("scatter", 3, 2).conv2.backend == "scatter"
    assert type(build_gat("pyg", 3, 2).conv1) is torch_geometric.nn.GATConv
    with pytest.raises(ValueError, match="kind: expected one of"):
        build_gat("gcn", 3, 2)


def test_paper_exact_builds_the_exact_model():
    model = build_gat(
        "gatsparse", 12, 5, hidden_channels=4, heads=2, out_heads=3, dropout=0.1, paper_exact=True
    )
    assert isinstance(model, PaperExactGAT)
    assert repr(model.conv1) == "PaperExactConv(12, 4, heads=2)"
    assert repr(model.conv2) == "PaperExactConv(8, 5, heads=3)"
    assert model.conv1.dropout == model.conv2.dropout == 0.1
    for kind in ("scatter", "pyg", "dense"):
        with pytest.raises(ValueError, match="paper_exact: expected False with kind"):
            build_gat(kind, 12, 5, paper_exact=True)


def test_deep_kinds_are_the_same_function():
    sizes = {"hidden_channels": 4, "heads": 2, "num_layers": 4, "dropout": 0.0}
    x, edge_index = random_graph()
    theirs = build_deep_gat("pyg", 12, 3, **sizes).double()
    for kind in ("gatsparse", "scatter"):
        ours = build_deep_gat(kind, 12, 3, **sizes).double()
        ours.load_state_dict(theirs.state_dict())
        assert relative_error(ours(x, edge_index), theirs(x, edge_index)) <= 1e-12
        assert all(conv.backend == ("auto" if kind == "gatsparse" else kind) for conv in ours.convs)
    with pytest.raises(ValueError, match="kind: expected one of"):
        build_deep_gat("dense", 6, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"variant": "gatv2"},
        {"variant": "gatv2", "architecture": "deep", "jk": "lstm", "norm": "none"},
        {"residual": True, "add_self_loops": False, "num_layers": 3, "out_heads": 2},
        {"architecture": "deep", "norm": "batch", "jk": "cat", "add_self_loops": False},
        {"architecture": "deep", "residual": False, "jk": "max"},
        {"architecture": "deep", "jk": "last"},
    ],
    ids=str,
)
@pytest.mark.parametrize("edge_dim", [None, 3])
def test_options_are_the_same_function_in_every_kind(options, edge_dim):
    x, edge_index = random_graph()
    inputs = {}
    if edge_dim is not None:
        inputs["edge_attr"] = torch.randn(edge_index.size(1), edge_dim, dtype=torch.float64)
    sizes = ModelSizes(12, 3, edge_dim)

    def build(kind):
        config = ModelConfig(kind, hidden_channels=4, heads=2, **options)
        return build_model_of_sizes(config, sizes, torch.float64).eval()

    theirs = build("pyg")
    assert not any(type(module) in (GATConv, GATv2Conv) for module in theirs.modules())
    expected = theirs(x, edge_index, **inputs)
    assert expected.shape == (80, 3)
    for kind in ("gatsparse", "scatter"):
        ours = build(kind)
        ours.load_state_dict(theirs.state_dict())
        assert relative_error(ours(x, edge_index, **inputs), expected) <= 1e-12


def test_options_change_the_layers():
    def build(**options):
        return build_model_of_sizes(ModelConfig(**options), ModelSizes(12, 3, None))

    assert isinstance(build(variant="gatv2").conv1, GATv2Conv)
    plain, residual = build(), build(residual=True)
    assert isinstance(residual, PaperGAT)
    assert plain.conv1.res is None
    assert residual.conv1.res is not None
    assert not build(add_self_loops=False).conv2.add_self_loops
    deep = build(architecture="deep")
    assert [deep.norm, deep.jk_mode, deep.convs[0].res is None] == ["layer", None, False]
    deep = build(architecture="deep", norm="none", jk="max", residual=False)
    assert [deep.norm, deep.jk_mode, deep.convs[0].res is None] == [None, "max", True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "batch"}, r"model\.norm: expected null with model\.architecture: paper"),
        ({"jk": "cat"}, r"model\.jk: expected null with model\.architecture: paper"),
        ({"kind": "dense", "variant": "gatv2"}, r"model\.variant: expected gat with dense"),
        ({"kind": "dense", "residual": True}, r"model\.residual: expected false with dense"),
        ({"paper_exact": True, "add_self_loops": False}, r"model\.add_self_loops: expected true"),
        ({"variant": "gat3"}, r"model\.variant: expected gat or gatv2, got 'gat3'"),
        (
            {"architecture": "deep", "norm": "graph"},
            r"model\.norm: expected layer or batch",
        ),
    ],
)
def test_impossible_options_raise(options, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**options)


def test_sampled_mode_rejects_jumping_knowledge():
    model = ModelConfig(architecture="deep", jk="cat")
    with pytest.raises(ConfigError, match=r"model\.jk: expected null or last with mode sampled"):
        TrainConfig("digits", mode="sampled", model=model)


@pytest.mark.parametrize(("name", "value"), [("variant", "gatv2"), ("edge_dim", 3)])
def test_dense_models_reject_options(name, value):
    with pytest.raises(ValueError, match=f"{name}: expected .* with kind 'dense'"):
        build_gat("dense", 12, 5, **{name: value})


@pytest.mark.parametrize("shape", [(436,), (436, 3)])
@pytest.mark.parametrize("mode", ["full", "sampled"])
@pytest.mark.parametrize("architecture", ["paper", "deep"])
def test_edge_features_are_trained(task: Data, architecture, mode, shape):
    task.edge_attr = torch.rand(shape)
    sampling = SamplingConfig(16, [-1, -1], "100MB")
    model = ModelConfig(architecture=architecture)
    config = TrainConfig("digits", mode=mode, model=model, sampling=sampling, epochs=2)
    model = build_model(config.model, task)
    before = model.convs[0].lin_edge.weight.clone()
    fit(model, task, config)
    assert not torch.equal(model.convs[0].lin_edge.weight, before)


def test_sizes_of_data(task: Data):
    assert model_sizes(task) == ModelSizes(3, 3, None)
    assert model_sizes(task, "regression") == ModelSizes(3, 1, None)
    task.edge_attr = torch.rand(task.num_edges, 5)
    task.y = torch.ones(60, 7)
    assert model_sizes(task, "multi_label") == ModelSizes(3, 7, 5)
    task.edge_attr = torch.rand(task.num_edges, 5, 1)
    with pytest.raises(ValueError, match=r"data\.edge_attr: expected edge features \[E\] or"):
        model_sizes(task, "multi_label")


def test_dense_models_reject_edge_features(task: Data):
    task.edge_attr = torch.rand(task.num_edges)
    for config in (ModelConfig("dense"), ModelConfig(paper_exact=True)):
        with pytest.raises(ConfigError, match=r"data\.edge_attr: expected None with model\.kind"):
            build_model(config, task)
