import math

import pytest
import torch
import torch.nn.functional as F

from gatsparse.data import load
from gatsparse.graph import CSRGraph
from gatsparse.nn import PaperExactConv, PaperExactGAT, paper_exact
from gatsparse.ops import dropout, gat_attention, gat_attention_weights
from gatsparse.testing import graph_zoo, relative_error
from gatsparse.train import ConfigError, ModelConfig, TrainConfig, build_model, parse_config
from gatsparse.train.config_file import config_yaml

ZOO = {name: graph for name, graph in graph_zoo().items() if graph.size[0] == graph.size[1]}


def random_graph(num_nodes=30, num_edges=150):
    """Returns features, and edges without duplicates."""
    edge_index = torch.unique(torch.randint(num_nodes, (2, num_edges)), dim=1)
    return torch.randn(num_nodes, 12, dtype=torch.float64), edge_index


def randomized(module):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.double()


def multiplicity(edge_index, num_nodes):
    """Returns the number of edges from j (column) to i (row), ``[N, N]``; 1 if i = j."""
    count = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    src, dst = edge_index
    count.index_put_((dst, src), torch.ones(src.numel(), dtype=torch.float64), accumulate=True)
    return count.fill_diagonal_(1.0)


def identity(value):
    return value


def attn_head(conv, h, seq, count, in_drop=identity, coef_drop=identity, fts_drop=identity):
    """Computes one head, line by line like the authors' code; dropouts are functions."""
    own = slice(h * conv.out_channels, (h + 1) * conv.out_channels)
    seq = in_drop(seq)
    seq_fts = seq @ conv.lin.weight[own].T
    f_1 = seq_fts @ conv.att_dst[0, h] + conv.bias_dst[0, h]
    f_2 = seq_fts @ conv.att_src[0, h] + conv.bias_src[0, h]
    logits = F.leaky_relu(f_1[:, None] + f_2[None, :], conv.negative_slope)
    coefs = torch.softmax(logits + count.log(), dim=1)
    coefs = coef_drop(coefs)
    seq_fts = fts_drop(seq_fts)
    return coefs @ seq_fts + conv.bias[own]


def reference(model, x, count):
    first = [F.elu(attn_head(model.conv1, h, x, count)) for h in range(model.conv1.heads)]
    x = torch.cat(first, dim=1)
    last = [attn_head(model.conv2, h, x, count) for h in range(model.conv2.heads)]
    return sum(last) / model.conv2.heads


def gradients(out, grad_out, leaves):
    grads = torch.autograd.grad(out, leaves, grad_out, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(leaves, grads, strict=True)]


@pytest.mark.parametrize(("training", "dropout"), [(True, 0.0), (False, 0.6)])
@pytest.mark.parametrize("sizes", [(8, 7, 8, 1), (8, 3, 8, 8), (5, 1, 1, 1), (7, 6, 3, 5)])
@pytest.mark.parametrize("name", ZOO)
def test_equals_the_original_without_dropout(name, sizes, training, dropout):
    edge_index, (num_nodes, _) = ZOO[name]
    hidden, classes, heads, out_heads = sizes
    model = randomized(PaperExactGAT(6, hidden, classes, heads, out_heads, dropout))
    model.train(training)
    x = torch.randn(num_nodes, 6, dtype=torch.float64, requires_grad=True)
    out = model(x, edge_index)
    expected = reference(model, x, multiplicity(edge_index, num_nodes))
    assert out.shape == (num_nodes, classes)
    assert relative_error(out, expected) <= 1e-10
    leaves = [x, *model.parameters()]
    grad_out = torch.randn_like(out)
    for ours, theirs in zip(
        gradients(out, grad_out, leaves), gradients(expected, grad_out, leaves), strict=True
    ):
        assert relative_error(ours, theirs) <= 1e-10


class Recorder:
    """Runs the dropouts of a layer, and records their factors."""

    def __init__(self, monkeypatch):
        self.scales = []
        self.attention = None
        monkeypatch.setattr(paper_exact, "dropout_op", self.dropout)
        monkeypatch.setattr(paper_exact, "gat_attention", self.gat_attention)

    def dropout(self, x, p, training=True):
        if x.layout == torch.sparse_csr:
            dropped = dropout(x, p, training)
            self.scales.append((dropped.to_dense() / x.to_dense()).nan_to_num())
            return dropped
        self.scales.append(dropout(torch.ones_like(x), p, training))
        return x * self.scales[-1]

    def gat_attention(self, x, att_src, att_dst, graph, *, concat, **options):
        seed = torch.tensor(7)
        arguments = (x.detach(), att_src, att_dst, graph)
        edge_index, kept = gat_attention_weights(*arguments, seed=seed, **options)
        _, alpha = gat_attention_weights(*arguments, **{**options, "dropout": 0.0})
        src, dst = edge_index
        self.attention = alpha.new_zeros(x.size(1), x.size(0), x.size(0))
        self.attention[:, dst, src] = (kept / alpha).T
        return gat_attention(x, att_src, att_dst, graph, concat=concat, seed=seed, **options)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("heads", [1, 3, 8])
def test_equals_the_original_with_the_same_masks(heads, concat, sparse, monkeypatch):
    x, edge_index = random_graph()
    x *= torch.rand_like(x) < 0.3
    x.requires_grad_(not sparse)
    conv = randomized(PaperExactConv(12, 8, heads, concat, dropout=0.6))
    recorder = Recorder(monkeypatch)
    out = conv(x.to_sparse_csr() if sparse else x, edge_index)
    *in_scales, fts_scale = recorder.scales
    assert len(in_scales) == heads
    assert all(scale.shape == x.shape for scale in in_scales)
    assert fts_scale.shape == (len(x), heads, 8)
    count = multiplicity(edge_index, len(x))
    expected = [
        attn_head(
            conv,
            h,
            x,
            count,
            in_scales[h].mul,
            recorder.attention[h].mul,
            fts_scale[:, h].mul,
        )
        for h in range(heads)
    ]
    expected = torch.cat(expected, dim=1) if concat else sum(expected) / heads
    assert relative_error(out, expected) <= 1e-10
    leaves = [*conv.parameters(), *([] if sparse else [x])]
    grad_out = torch.randn_like(out)
    for ours, theirs in zip(
        gradients(out, grad_out, leaves), gradients(expected, grad_out, leaves), strict=True
    ):
        assert relative_error(ours, theirs) <= 1e-10


def test_masks_are_independent(monkeypatch):
    x, edge_index = random_graph(400, 3000)
    recorder = Recorder(monkeypatch)
    PaperExactConv(12, 12, heads=4, dropout=0.6).double()(x, edge_index)
    *in_scales, fts_scale = recorder.scales
    src, dst = edge_index
    masks = [*in_scales, *fts_scale.unbind(1)]
    for k, mask in enumerate(masks):
        assert mask.unique().tolist() == pytest.approx([0.0, 2.5])
        for other in masks[:k]:
            # Independent masks of 40% agree in 0.4^2 + 0.6^2 of 4800 places.
            assert (mask == other).double().mean().item() == pytest.approx(0.52, abs=0.04)
    kept = recorder.attention[:, dst, src] > 0
    assert kept.double().mean().item() == pytest.approx(0.4, abs=0.03)
    assert (kept[0] != kept[1]).double().mean().item() == pytest.approx(0.48, abs=0.05)


def test_mean_of_training_outputs_equals_evaluation_with_equal_scores():
    """With equal scores, the layer is linear in each of its three masks."""
    x, edge_index = random_graph(10, 40)
    conv = randomized(PaperExactConv(12, 5, heads=3, dropout=0.3))
    torch.nn.init.zeros_(conv.att_src)
    torch.nn.init.zeros_(conv.att_dst)
    with torch.no_grad():
        draws = torch.stack([conv(x, edge_index) for _ in range(1000)])
        expected = conv.eval()(x, edge_index)
    error = (draws.mean(0) - expected) / (draws.std(0) / math.sqrt(len(draws)))
    assert error.abs().max() < 5
    assert error.std().item() == pytest.approx(1.0, abs=0.3)


def test_evaluation_draws_no_random_numbers():
    x, edge_index = random_graph()
    model = PaperExactGAT(12, 8, 5).double()
    state = torch.get_rng_state()
    model.eval()
    assert torch.equal(model(x, edge_index), model(x, edge_index))
    assert torch.equal(state, torch.get_rng_state())


def test_same_seed_gives_the_same_result():
    x, edge_index = random_graph()
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(PaperExactGAT(12, 8, 5).double()(x, edge_index))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_initial_parameters():
    conv = PaperExactConv(1433, 8, heads=8)
    for weight, fans in ((conv.lin.weight, 1441), (conv.att_src, 9), (conv.att_dst, 9)):
        bound = math.sqrt(6 / fans)
        assert 0.9 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.2)
    for bias in (conv.bias_src, conv.bias_dst, conv.bias):
        assert not bias.any()
    before = {name: value.clone() for name, value in conv.state_dict().items()}
    torch.nn.init.ones_(conv.bias_src)
    conv.reset_parameters()
    assert not conv.bias_src.any()
    assert not torch.equal(conv.lin.weight, before["lin.weight"])
    assert not torch.equal(conv.att_src, before["att_src"])


def test_state_dict():
    x, edge_index = random_graph()
    model, other = (randomized(PaperExactGAT(12, 8, 3, out_heads=4)).eval() for _ in range(2))
    shapes = {name: tuple(value.shape) for name, value in model.conv2.state_dict().items()}
    assert shapes == {
        "lin.weight": (12, 64),
        "att_src": (1, 4, 3),
        "att_dst": (1, 4, 3),
        "bias_src": (1, 4),
        "bias_dst": (1, 4),
        "bias": (12,),
    }
    assert not torch.equal(model(x, edge_index), other(x, edge_index))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(x, edge_index), other(x, edge_index))


def test_bias_of_the_scores_changes_the_output():
    """LeakyReLU bends at 0, so a shift of all scores of a row changes their softmax."""
    x, edge_index = random_graph()
    conv = randomized(PaperExactConv(12, 8, heads=2))
    before = conv(x, edge_index)
    before.square().sum().backward()
    for bias in (conv.bias_src, conv.bias_dst, conv.bias):
        assert bias.grad is not None
        assert bias.grad.all()
    with torch.no_grad():
        conv.bias_src += 1.0
    assert relative_error(conv(x, edge_index), before) > 1e-3


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_evaluation_of_sparse_features():
    x, edge_index = random_graph()
    x = x * (torch.rand_like(x) < 0.3)
    model = randomized(PaperExactGAT(12, 8, 5)).eval()
    assert relative_error(model(x.to_sparse_csr(), edge_index), model(x, edge_index)) <= 1e-12


def test_csr_graph_in_place_of_edge_index():
    x, edge_index = random_graph()
    conv = PaperExactConv(12, 8, heads=2).double()
    graph = CSRGraph.from_edge_index(edge_index, size=(len(x), len(x)))
    assert torch.equal(conv(x, graph), conv(x, edge_index))


def test_learns_digits():
    data = load("digits")
    model = PaperExactGAT(data.num_features, 8, 10, dropout=0.3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    mask = data.train_mask
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data.x, data.edge_index)[mask], data["y"][mask])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(parameter.grad.any() for parameter in model.parameters())
    predicted = model.eval()(data.x, data.edge_index).argmax(dim=1)
    assert (predicted == data["y"])[data.test_mask].double().mean() > 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels: expected >= 1, got 0"),
        ({"out_channels": -1}, "out_channels: expected >= 1, got -1"),
        ({"heads": 0}, "heads: expected >= 1, got 0"),
        ({"dropout": 1.5}, r"dropout: expected 0 <= dropout <= 1, got 1\.5"),
        ({"dropout": math.nan}, "dropout: expected .* got nan"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        PaperExactConv(**{"in_channels": 4, "out_channels": 3, **arguments})


@pytest.mark.parametrize("shape", [(12,), (30, 11), (2, 30, 12)])
def test_bad_features_raise(shape):
    _, edge_index = random_graph()
    with pytest.raises(ValueError, match=r"x: expected shape \[N, 12\], got \["):
        PaperExactConv(12, 8)(torch.zeros(shape), edge_index)


def test_repr():
    assert repr(PaperExactConv(12, 8, heads=2)) == "PaperExactConv(12, 8, heads=2)"


def test_configuration(tmp_path):
    assert not ModelConfig().paper_exact
    path = tmp_path / "config.yaml"
    path.write_text("dataset: digits\nmodel:\n  paper_exact: true\n")
    config = parse_config(path)
    assert config == TrainConfig("digits", model=ModelConfig(paper_exact=True))
    assert isinstance(build_model(config.model, load("digits")), PaperExactGAT)
    path.write_text(config_yaml(config))
    assert parse_config(path) == config
    for kind in ("scatter", "pyg", "dense"):
        with pytest.raises(ConfigError, match=r"model\.paper_exact: expected false .*" + kind):
            ModelConfig(kind, paper_exact=True)
