import csv
import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, is_undirected, to_undirected

import gatsparse
from benchmarks.claims import __main__ as claims
from benchmarks.claims.asymmetry import (
    WEIGHTS,
    Asymmetry,
    asymmetries,
    attention_and_scores,
    reciprocal,
)
from benchmarks.claims.estimate import estimate
from benchmarks.claims.findings import Findings
from benchmarks.claims.models import ATTENTIVE, MODELS, MeanConv
from benchmarks.claims.noise import equal_weights, noise_edges, weight_share
from benchmarks.claims.report import outcome, resistance, symmetry
from benchmarks.claims.training import Failure, Row, Share, Task, read, train
from gatsparse.train import ModelConfig


@st.composite
def undirected(draw):
    num_nodes = draw(st.integers(2, 12))
    node = st.integers(0, num_nodes - 1)
    pairs = draw(st.lists(st.tuples(node, node).filter(lambda p: p[0] != p[1]), max_size=20))
    edge_index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return to_undirected(edge_index, num_nodes=num_nodes), num_nodes


def random_data(num_nodes=30, num_edges=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
    edge_index = to_undirected(edge_index[:, edge_index[0] != edge_index[1]], num_nodes=num_nodes)
    x = torch.randn(num_nodes, 7, generator=generator)
    return Data(x=x, edge_index=edge_index, y=torch.arange(num_nodes) % 3)


@given(undirected(), st.integers(0, 300), st.integers(0, 5))
def test_noise_edges(graph, percent, seed):
    edge_index, num_nodes = graph
    count = round(percent / 100 * edge_index.size(1) / 2)
    free = num_nodes * (num_nodes - 1) // 2 - edge_index.size(1) // 2
    if count > free:
        with pytest.raises(ValueError, match=f"ratio: expected at most {free} .* got {count}"):
            noise_edges(edge_index, num_nodes, percent / 100, seed)
        return
    noise = noise_edges(edge_index, num_nodes, percent / 100, seed)
    assert noise.dtype == torch.int64
    assert noise.shape == (2, 2 * count)
    assert (noise[0] != noise[1]).all()
    together = torch.cat([edge_index, noise], dim=1)
    assert together.unique(dim=1).shape == together.shape
    assert is_undirected(coalesce(together), num_nodes=num_nodes)
    assert noise.equal(noise_edges(edge_index, num_nodes, percent / 100, seed))
    less = noise_edges(edge_index, num_nodes, percent / 200, seed)
    assert noise[:, : less.size(1)].equal(less)


def test_noise_depends_on_the_seed_and_is_uniform():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    drawn = [noise_edges(edge_index, 4, 1.0, seed)[:, 0].tolist() for seed in range(500)]
    counts = np.unique(np.array(drawn) @ [4, 1], return_counts=True)[1]
    assert len(counts) == 5
    assert stats.chisquare(counts).pvalue > 1e-4
    with pytest.raises(ValueError, match="ratio: expected >= 0, got -1"):
        noise_edges(edge_index, 4, -1, 0)


def reference(conv, x, edge_index):
    """Mean over neighbours and the node itself, from the definition."""
    num_nodes = x.size(0)
    adj = torch.zeros(num_nodes, num_nodes, dtype=x.dtype)
    adj[edge_index[1], edge_index[0]] = 1.0
    adj.fill_diagonal_(1.0)
    out = adj / adj.sum(1, keepdim=True) @ (x @ conv.lin.weight.T)
    if not conv.concat:
        out = out.view(num_nodes, conv.heads, -1).mean(1)
    return out + conv.bias


@pytest.mark.parametrize("concat", [True, False])
def test_the_mean_layer_equals_its_definition(concat):
    data = random_data()
    conv = MeanConv(7, 5, heads=3, concat=concat, dropout=0.6).double().eval()
    torch.nn.init.normal_(conv.bias)
    x = data.x.double().requires_grad_()
    out, expected = conv(x, data.edge_index), reference(conv, x, data.edge_index)
    torch.testing.assert_close(out, expected)
    inputs = x, conv.lin.weight, conv.bias
    grad = torch.randn_like(out)
    found = torch.autograd.grad(out, inputs, grad)
    torch.testing.assert_close(found, torch.autograd.grad(expected, inputs, grad))
    assert not conv.att_src.requires_grad
    assert not conv.att_dst.requires_grad


def test_the_mean_model_is_the_gat_without_its_attention():
    data, config = random_data(), ModelConfig()
    models = {}
    for name in ("GAT", "mean"):
        torch.manual_seed(3)
        models[name] = MODELS[name].build(data, config)
    gat, mean = (models[name].state_dict() for name in ("GAT", "mean"))
    assert gat.keys() == mean.keys()
    for key, value in gat.items():
        assert mean[key].equal(torch.zeros_like(value) if "att_" in key else value)


def test_the_gcn_is_as_wide():
    data = random_data()
    model = MODELS["GCN"].build(data, ModelConfig())
    assert (model.conv1.out_channels, model.conv2.out_channels) == (64, 3)
    assert model(data.x, data.edge_index).shape == (30, 3)


def test_the_share_of_noise_with_equal_weights_is_the_baseline():
    data = random_data()
    num_edges = data.edge_index.size(1)
    noise = noise_edges(data.edge_index, 30, 0.5, 0)
    data.edge_index = torch.cat([data.edge_index, noise], dim=1)
    model = MODELS["mean"].build(data, ModelConfig())
    for attention in gatsparse.attention_weights(model, data):
        dst, is_noise = attention.edge_index[1], attention.edge_id >= num_edges
        assert int(is_noise.sum()) == noise.size(1)
        share = weight_share(dst, attention.alpha, is_noise)
        baseline = weight_share(dst, equal_weights(dst), is_noise)
        assert share == pytest.approx(baseline)
        degree = data.edge_index[1].bincount(minlength=30) + 1
        of_noise = noise[1].bincount(minlength=30)
        hit = of_noise > 0
        assert baseline == pytest.approx((of_noise[hit] / degree[hit]).mean().item())


def test_weight_share_by_hand():
    dst = torch.tensor([0, 0, 1, 1, 2])
    weight = torch.tensor([[0.25, 0.5], [0.75, 0.5], [0.1, 0.3], [0.9, 0.7], [1.0, 1.0]])
    chosen = torch.tensor([True, False, True, True, False])
    assert weight_share(dst, weight, chosen) == pytest.approx((0.25 + 0.5 + 1 + 1) / 4)


def ring(num_nodes=8):
    nodes = torch.arange(num_nodes)
    edge_index = torch.stack([nodes, (nodes + 1) % num_nodes])
    return torch.cat([edge_index, edge_index.flip(0)], dim=1)


@pytest.mark.parametrize("name", ATTENTIVE)
def test_scores_are_those_of_the_softmax(name):
    data = random_data()
    model = MODELS[name].build(data, ModelConfig(out_heads=2))
    found = attention_and_scores(model, data)
    assert [attention.name for attention, _ in found] == ["conv1", "conv2"]
    for attention, scores in found:
        weight = scores.exp()
        total = torch.zeros(30, weight.size(1)).index_add_(0, attention.edge_index[1], weight)
        torch.testing.assert_close(weight / total[attention.edge_index[1]], attention.alpha)
    assert not model.conv1._forward_pre_hooks


def test_a_symmetric_layer_is_not_asymmetric():
    data = Data(x=torch.randn(8, 4), edge_index=ring())
    model = MODELS["GAT"].build(Data(x=data.x, y=torch.arange(8) % 2), ModelConfig())
    for conv in (model.conv1, model.conv2):  # alike nodes: alike neighbourhoods
        torch.nn.init.zeros_(conv.att_src)
        torch.nn.init.zeros_(conv.att_dst)
    for attention, scores in attention_and_scores(model, data):
        for found in asymmetries(attention, scores).values():
            assert found == pytest.approx(Asymmetry(0, 0, 0), abs=1e-6)


def test_a_symmetric_score_is_told_from_degrees():
    path = to_undirected(torch.tensor([[0, 1, 2], [1, 2, 3]]))  # in-degrees 2 3 3 2 with loops
    data = Data(x=torch.randn(4, 4), edge_index=path, y=torch.arange(4) % 2)
    model = MODELS["GAT"].build(data, ModelConfig())
    for conv in (model.conv1, model.conv2):
        conv.att_src.data.copy_(conv.att_dst.data)
    for attention, scores in attention_and_scores(model, data):
        found = asymmetries(attention, scores)
        assert list(found) == list(WEIGHTS)
        assert found["score"] == pytest.approx(Asymmetry(0, 0, 0), abs=1e-6)
        # (1/2 - 1/3) / (1/2 + 1/3) = 0.2 of the outer pairs, 0 of the inner one
        assert found["equal"] == pytest.approx(Asymmetry(2 / 15, 0.2, 2 / 3))
        assert found["attention"].mean > 0.01
        assert found["relative"].mean > 0  # by the softmax alone


def test_reciprocal():
    edge_index = torch.tensor([[0, 1, 2, 2, 3, 1], [1, 0, 2, 1, 2, 2]])
    assert reciprocal(edge_index).tolist() == [[0, 5], [1, 3]]
    directed = gatsparse.nn.LayerAttention(
        "conv", edge_index[:, :1], torch.ones(1, 1), torch.zeros(1).bool(), torch.arange(1)
    )
    with pytest.raises(ValueError, match="edge_index: expected edges in both directions"):
        asymmetries(directed, torch.zeros(1, 1))


@given(st.lists(st.floats(-5, 5).map(lambda value: round(value, 2)), min_size=2, max_size=10))
def test_estimate_is_the_t_test(values):
    found = estimate(values)
    if len(set(values)) == 1:
        assert found.std == pytest.approx(0)
        return
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.sign == (expected.pvalue < 0.05) * np.sign(found.mean)


def test_estimate_of_equal_values():
    assert dataclasses.astuple(estimate([0.0, 0.0])) == (0, 0, 0, 0, 1, 2)
    assert dataclasses.astuple(estimate([2.0, 2.0])) == (2, 0, 2, 2, 0, 2)
    assert [estimate([sign, sign]).sign for sign in (-1.0, 0.0, 1.0)] == [-1, 0, 1]
    with pytest.raises(ValueError, match="values: expected at least 2, got 1"):
        estimate([1.0])


ACCURACIES = dict.fromkeys(MODELS, (0.8, 0.6))


def made_up(accuracies, shares=(0.4, 0.5), score=0.01, seeds=3):
    """Findings of three seeds; accuracies without and with noise by model."""
    findings = Findings(["digits"], [0, 100], range(seeds), 1, {})
    for task in findings.tasks():
        accuracy = accuracies[task.model][task.noise > 0] + 0.001 * task.seed
        row = Row(task, accuracy, accuracy, 1, 0.1)
        if task.model in ATTENTIVE:
            weights = {name: Asymmetry(0.2, 0.1, 0.5) for name in WEIGHTS}
            weights["score"] = Asymmetry(score, score, 0.0)
            extra = {"shares": [Share(*shares)] * 2} if task.noise else {"asymmetries": [weights]}
            row = dataclasses.replace(row, **extra)
        findings.rows[task] = row
    return findings


@pytest.mark.parametrize(
    ("noisy", "verdict", "difference"),
    [
        (0.75, "resists noise better**", "loses 15.0 points less"),
        (0.60, "that it resists noise better is not shown", "loses 0.0 points"),
        (0.50, "resists noise worse**", "loses 10.0 points more"),
    ],
)
def test_the_report_says_what_came_out(noisy, verdict, difference):
    accuracies = dict.fromkeys(MODELS, (0.8, 0.6)) | {"GAT": (0.8, noisy)}
    text = resistance(made_up(accuracies), "digits", "GAT")
    assert text.count(verdict) == 2  # against mean and GCN
    assert difference in text


def test_an_interval_is_counted_as_its_difference():
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)) | {"GAT": (0.8, 0.5)})
    for seed, step in enumerate((0.0, 0.01, -0.01)):
        task = Task("digits", "GAT", 100, seed, 1)
        findings.rows[task] = dataclasses.replace(findings.rows[task], test_acc=0.5 + step)
    found = findings.advantage("digits", "GAT", "mean")
    assert found.low < found.mean < found.high < 0
    assert f"more ({-found.high:.1f} to {-found.low:.1f})" in resistance(findings, "digits", "GAT")


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [((0.4, 0.5), ": less (10.0"), ((0.5, 0.5), "not shown to differ"), ((0.6, 0.5), ": more (10")],
)
def test_the_report_says_what_noise_gets(shares, verdict):
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)), shares)
    assert "\n".join(outcome(findings)).count(verdict) == len(ATTENTIVE)


@pytest.mark.parametrize(("score", "verdict"), [(0.01, "by less than that"), (0.3, "by more")])
def test_the_report_tells_degrees_from_scores(score, verdict):
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)), score=score)
    text = symmetry(findings, "digits", "GAT")
    assert f"the scores differ {verdict} (exp(score): {score:.3f})" in text


def test_rows_survive_a_kill(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert read(path) == {}
    findings = made_up(dict.fromkeys(MODELS, (0.8, 0.6)))
    lines = [row.to_json() for row in findings.rows.values()]
    path.write_text("\n".join(lines) + "\n" + lines[0][:20])
    assert read(path) == findings.rows
    assert path.read_text().endswith("}\n")
    path.write_text("[]\n")
    with pytest.raises(ValueError, match="1: expected a row"):
        read(path)


@pytest.fixture
def in_process(monkeypatch):
    """Trains here; the list holds the tasks of all runs."""
    trained = []

    def run(tasks, processes):  # noqa: ARG001
        for task in tasks:
            trained.append(task)
            yield train(task)

    monkeypatch.setattr(claims, "run", run)
    return trained


SMALL = ["--datasets=digits", "--seeds=2", "--epochs=2", "--noise", "100", "0"]


def test_main(tmp_path, capsys, in_process):
    arguments = [*SMALL, "--out", str(tmp_path)]
    assert claims.main(arguments) == 0
    assert len(in_process) == 2 * 2 * len(MODELS)
    report = (tmp_path / "report.md").read_text()
    printed = capsys.readouterr().out
    assert "16/16 digits" in printed
    assert str(tmp_path) not in report
    assert "These are 4 comparisons" in report
    assert "nan" not in report
    for heading in ("What comes out", "Resistance to noisy neighbours", "Asymmetry"):
        assert f"## {heading}\n" in report
    assert (tmp_path / "claims.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "claims.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 16
    for line in lines:
        attentive, noisy = line["model"] in ATTENTIVE, line["noise"] == "100"
        assert bool(line["layer2_noise_share_attention"]) == (attentive and noisy)
        assert bool(line["layer1_score_median"]) == (attentive and not noisy)

    rows = (tmp_path / "rows.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "rows.jsonl").write_text("".join(rows[:-1]))
    del in_process[:]
    assert claims.main(arguments) == 0  # goes on
    assert len(in_process) == 1
    values = [line.partition('"seconds"')[0] for line in rows]
    again = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [line.partition('"seconds"')[0] for line in again] == values


def test_a_training_that_fails_keeps_the_others(tmp_path, capsys, monkeypatch):
    def run(tasks, processes):  # noqa: ARG001
        for task in tasks:
            if task.seed == 1 and task.model == "GCN":
                yield Failure(task, "MemoryError: no more")
            else:
                yield made_up(ACCURACIES, seeds=3).rows[task]

    monkeypatch.setattr(claims, "run", run)
    arguments = ["--datasets=digits", "--epochs=1", "--noise", "0", "100", "--out", str(tmp_path)]
    assert claims.main([*arguments, "--seeds=3"]) == 1
    assert "failed: digits GCN, 0 % noise, seed 1: MemoryError: no more" in capsys.readouterr().err
    report = (tmp_path / "report.md").read_text()
    assert "- 2 trainings, of which the first is digits GCN, 0 % noise, seed 1: Memory" in report
    assert "- 2 seeds; 1 epochs" in report
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3 * 2 * len(MODELS) - 2
    with (tmp_path / "claims.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 3 * 2 * len(MODELS) - 2

    assert claims.main([*arguments, "--seeds=2"]) == 1  # one complete seed alone
    assert "expected two seeds or more" in capsys.readouterr().err


def test_main_stops_at_what_is_wrong(tmp_path, capsys, monkeypatch):
    for wrong in (["--seeds=1"], ["--epochs=0"], ["--processes=0"], ["--noise", "50"]):
        with pytest.raises(SystemExit):
            claims.main([*SMALL, *wrong, "--out", str(tmp_path)])
        assert f"{wrong[0].strip('-').split('=')[0]}: expected" in capsys.readouterr().err

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "run", interrupted)
    assert claims.main([*SMALL, "--out", str(tmp_path)]) == 130
    assert "goes on from there" in capsys.readouterr().out
    (tmp_path / "rows.jsonl").write_text("no row\n")
    assert claims.main([*SMALL, "--out", str(tmp_path)]) == 1
    assert "expected a row" in capsys.readouterr().err


def test_processes():
    tasks = [Task("digits", model, 0, 0, 1) for model in ("GAT", "GCN")]
    rows = {row.task: row for row in claims.run(tasks, 2)}
    assert set(rows) == set(tasks)
    assert list(claims.run([], 2)) == []
    (failure,) = claims.run([Task("nowhere", "GAT", 0, 0, 1)], 1)
    assert failure.task.dataset == "nowhere"
    assert "nowhere" in failure.reason


def test_the_command():
    command = [sys.executable, "-m", "benchmarks.claims", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--noise" in done.stdout
