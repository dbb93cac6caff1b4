import pytest
import torch
import torch.nn.functional as F
import torch_geometric.nn

from gatsparse.nn import GATConv, PaperExactGAT, dense_adjacency
from gatsparse.testing import relative_error
from gatsparse.train import build_deep_gat, build_gat

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
