"""Exact inference equals the whole model, within any budget and after any interruption."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import torch_geometric.nn
from hypothesis import given, settings
from hypothesis import strategies as st

import gatsparse
from gatsparse import inference
from gatsparse.data import rmat
from gatsparse.data.features import RowFile, RowWriter
from gatsparse.inference import blocks, heads, infer, parse_bytes, stage

N, E, F = 600, 4000, 12
MODELS = {
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


@pytest.fixture
def task():
    torch.manual_seed(0)
    return torch.randn(N, F, dtype=torch.float64), rmat(N, E, seed=1)


def smallest(model, x, edge_index, **options):
    """A budget just above what the largest node needs: there is hardly a smaller one."""
    with pytest.raises(ValueError, match="max_memory") as error:
        infer(model, x, edge_index, max_memory=1, **options)
    needed = int(str(error.value).split("needs ")[1].split(" bytes")[0].replace(",", ""))
    return needed + 40_000


@pytest.fixture(params=["by heads", "by blocks"])
def way(request, monkeypatch):
    """How layers are computed."""
    if request.param == "by blocks":
        monkeypatch.setattr(inference, "heads_at_once", lambda *_: 0)
    return request.param


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("way")
def test_equals_the_whole_model(task, model, on_disk, tmp_path):
    x, edge_index = task
    model = MODELS[model]().double().eval()
    with torch.no_grad():
        expected = model(x, edge_index)
    for k, budget in enumerate(["1GB", 41_000_000, None]):
        folder = tmp_path / str(k) if on_disk else None
        budget = budget or smallest(model, x, edge_index)
        try:
            out = infer(model, x, edge_index, max_memory=budget, folder=folder)
        except ValueError:  # a later layer may need more than the first
            assert k == 2
            continue
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_any_number_of_heads_at_a_time(task, model, on_disk, tmp_path, monkeypatch):
    x, edge_index = task
    model = MODELS[model]().double().eval()
    with torch.no_grad():
        expected = model(x, edge_index)
    monkeypatch.setattr(heads, "_ROWS_BYTES", 10_000)
    for some in (1, 2, 3):
        folder = tmp_path / str(some) if on_disk else None
        monkeypatch.setattr(inference, "heads_at_once", lambda *_: some)  # noqa: B023
        out = infer(model, x, edge_index, folder=folder, progress=True)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        assert folder is None or sorted(path.name for path in folder.iterdir()) == [
            f"layer-{model.num_layers}.npy",
            "state.json",
        ]


def test_as_many_heads_as_the_budget_allows(task):
    x, _ = task
    layer = gatsparse.nn.PaperGAT(F, 16, 5, heads=8).eval()
    rows = stage.Rows(x.float())
    budgets = range(0, 2_000_000, 1000)
    found = [heads.heads_at_once(layer, 0, rows, budget, 0, False) for budget in budgets]
    assert found == sorted(found)
    assert set(found) == {0, 1, 4, 8}  # those that the operator pads to nothing more
    assert heads.heads_at_once(layer, 0, rows, 10**9, 10**9, False) == 0


def test_layers_that_are_more_than_their_class_are_not_taken_apart(task):
    x, edge_index = task
    rows = stage.Rows(x)

    class Doubled(gatsparse.GATConv):
        def forward(self, *args, **kwargs):
            return 2 * super().forward(*args, **kwargs)

    plain, hooked, subclassed, scatter = (MODELS["GAT"]().double().eval() for _ in range(4))
    hooked.convs[0].lin.register_forward_hook(lambda _m, _x, out: 2 * out)
    subclassed.convs[0].__class__ = Doubled
    scatter.convs[0].backend = "scatter"
    assert heads.heads_at_once(plain, 0, rows, 10**9, 0, False) == 2
    for model in (hooked, subclassed, scatter):
        assert heads.heads_at_once(model, 0, rows, 10**9, 0, False) == 0
        with torch.no_grad():
            torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 200), st.integers(0, 2**31), st.integers(0, 20_000))
def test_blocks_of_any_graph(num_nodes, num_edges, seed, more):
    x, edge_index = torch.randn(num_nodes, F), rmat(num_nodes, num_edges, seed=seed)
    model = gatsparse.nn.PaperGAT(F, 4, 3, heads=2).eval()
    graph = gatsparse.CSRGraph.from_edge_index(edge_index, num_nodes)
    rows = stage.Rows(x)
    cost = blocks._cost(model, 0, rows)
    largest = int(graph.rowptr.diff().max())
    limit = cost[0] * (largest + 1) + cost[1] + cost[2] * largest + more
    budget = math.ceil(limit / blocks._FILL)
    found = list(blocks.destination_blocks(model, 0, rows, graph, 0, budget, -4 * num_nodes, True))
    first = 0
    for block in found:
        assert block.first == first
        first += block.graph.num_dst
        used = (block.nodes.numel(), block.graph.num_dst, block.graph.num_edges)
        assert sum(a * b for a, b in zip(cost, used, strict=True)) <= limit + 1
        assert block.nodes[: block.graph.num_dst].tolist() == list(range(block.first, first))
        assert block.nodes.unique().numel() == block.nodes.numel()
        begin, end = graph.rowptr[[block.first, first]].tolist()
        assert torch.equal(block.nodes[block.graph.col.long()], graph.col[begin:end].long())
        assert torch.equal(block.graph.rowptr, graph.rowptr[block.first : first + 1] - begin)
    assert first == num_nodes
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, graph), model(x, graph))


def test_features_in_a_file(task, tmp_path):
    x, edge_index = task
    np.save(tmp_path / "x.npy", x.numpy())
    model = MODELS["GAT"]().double().eval()
    out = infer(model, tmp_path / "x.npy", edge_index, max_memory="41MB")
    assert torch.equal(out, infer(model, x, edge_index, max_memory="41MB"))


def test_memory_stays_within_the_budget(tmp_path):
    """The peak of a process beyond what it holds before; a tenth more is allowed."""
    script = f"""
import torch, gatsparse
from gatsparse.data import rmat
def status(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) * 1024
torch.manual_seed(0)
graph = gatsparse.CSRGraph.from_edge_index(rmat(100_000, 1_000_000), 100_000)
x, model = torch.randn(100_000, 128), gatsparse.nn.PaperGAT(128, 16, 10, num_layers=3).eval()
gatsparse.infer(model, x[:10], rmat(10, 20))
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
gatsparse.infer(model, x, graph, max_memory="120MB", folder={str(tmp_path)!r})
print(status("VmHWM") - before)
"""
    if not os.path.exists("/proc/self/clear_refs"):  # noqa: PTH110
        pytest.skip("the peak of a process cannot be reset: no /proc/self/clear_refs")
    peak = int(subprocess.check_output([sys.executable, "-c", script], text=True))
    assert 30e6 < peak < 132e6


@pytest.mark.parametrize("budget", ["blocks", "heads"])
def test_goes_on_where_it_was_killed(task, tmp_path, monkeypatch, budget):
    """At every step of every layer; with two heads at a time, or by blocks."""
    x, edge_index = task
    model = MODELS["PaperGAT"]().double().eval()
    monkeypatch.setattr(inference, "_SLACK", 0)
    monkeypatch.setattr(heads, "_ROWS_BYTES", 30_000)
    monkeypatch.setattr(inference, "heads_at_once", lambda *_: 2 if budget == "heads" else 0)
    expected = infer(model, x, edge_index, max_memory=300_000, folder=tmp_path / "whole")
    monkeypatch.setattr(stage, "_SYNC_SECONDS", 0.0)
    steps = 0

    def dies(method):
        def step(*args):
            nonlocal steps
            steps += 1
            if steps == 3:
                raise KeyboardInterrupt
            return method(*args)

        return step

    for name in ("write", "write_part"):
        monkeypatch.setattr(stage.Folder, name, dies(getattr(stage.Folder, name)))
    deaths = 0
    while True:
        steps = 0
        try:
            out = infer(model, x, edge_index, max_memory=300_000, folder=tmp_path / "parts")
            break
        except KeyboardInterrupt:
            deaths += 1
            json.loads((tmp_path / "parts" / "state.json").read_text())
    assert deaths > 3
    assert torch.equal(out, expected)


def test_killed_at_random_moments(tmp_path):
    script = f"""
import torch, gatsparse
from gatsparse.data import rmat
from gatsparse.inference import stage
stage._SYNC_SECONDS = 0.02
torch.set_num_threads(1)
torch.manual_seed(0)
graph = gatsparse.CSRGraph.from_edge_index(rmat(20_000, 600_000), 20_000)
x, model = torch.randn(20_000, 32), gatsparse.nn.PaperGAT(32, 8, 7, num_layers=3).eval()
print("begins", flush=True)
out = gatsparse.infer(model, x, graph, max_memory="48MB", folder={str(tmp_path / "out")!r})
torch.save(out.clone(), {str(tmp_path / "out.pt")!r})
whole = gatsparse.infer(model, x, graph, max_memory="48MB", folder={str(tmp_path / "whole")!r})
assert torch.equal(out, whole)
"""
    generator = np.random.default_rng(0)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"begins\n"
        time.sleep(generator.uniform(0.05, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run([sys.executable, "-c", script], check=True)
    assert torch.load(tmp_path / "out.pt").isfinite().all()


def test_other_features_begin_anew(task, tmp_path):
    x, edge_index = task
    model = MODELS["GAT"]().double().eval()
    infer(model, x, edge_index, folder=tmp_path)
    out = infer(model, 2 * x, edge_index, folder=tmp_path)
    torch.testing.assert_close(out, infer(model, 2 * x, edge_index))
    with torch.no_grad():
        model.convs[0].bias += 1
    torch.testing.assert_close(
        infer(model, 2 * x, edge_index, folder=tmp_path), infer(model, 2 * x, edge_index)
    )


@pytest.mark.parametrize(
    "others",
    [
        [gatsparse.nn.PaperGAT(F, 8, 5, heads=4, negative_slope=slope) for slope in (0.2, 0.01)],
        [gatsparse.GAT(F, 8, 2, 5, act=act) for act in ("relu", "elu")],
        [gatsparse.GAT(F, 8, 2, 5, add_self_loops=loops) for loops in (True, False)],
        [
            gatsparse.GAT(F, 8, 2, 5, norm="layer", norm_kwargs={"mode": "node", "eps": e})
            for e in (1e-5, 1e-1)
        ],
    ],
    ids=["negative_slope", "act", "add_self_loops", "eps"],
)
def test_other_settings_begin_anew(task, tmp_path, others):
    x, edge_index = task
    one, other = (model.double().eval() for model in others)
    other.load_state_dict(one.state_dict())
    outs = [infer(model, x, edge_index, folder=tmp_path) for model in (one, other)]
    assert (outs[0] - outs[1]).abs().max() > 1e-4  # the first is what it was, too
    torch.testing.assert_close(outs[1], infer(other, x, edge_index))


def test_what_another_call_began_is_never_taken_for_ones_own(task, tmp_path, monkeypatch):
    x, edge_index = task
    model = gatsparse.nn.PaperGAT(F, 8, 5, heads=4, num_layers=1).double().eval()
    expected = infer(model, x, edge_index, folder=tmp_path).clone()
    write = stage.Folder.write

    def dies(*args):
        write(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(stage.Folder, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        infer(model, 2 * x, edge_index, folder=tmp_path)
    monkeypatch.setattr(stage.Folder, "write", write)
    assert torch.equal(infer(model, x, edge_index, folder=tmp_path), expected)


def test_files_that_nothing_reads_are_removed(task, tmp_path):
    x, edge_index = task
    model = MODELS["PaperGAT"]().double().eval()
    (tmp_path / "layer-1-heads-2.npy").touch()
    (tmp_path / "notes.txt").touch()
    infer(model, x, edge_index, folder=tmp_path)
    (tmp_path / "layer-2.npy").touch()  # as after a kill between two steps
    infer(model, x, edge_index, folder=tmp_path)
    left = ["layer-3.npy", "notes.txt", "state.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left


def test_tied_layers(task):
    x, edge_index = task
    model = gatsparse.nn.PaperGAT(8, 8, 8, heads=1, num_layers=3).double().eval()
    model.conv2 = model.conv1
    with torch.no_grad():
        expected = model(x[:, :8], edge_index)
    torch.testing.assert_close(infer(model, x[:, :8], edge_index), expected)


def test_projections_of_a_class_of_their_own_are_not_taken_apart(task):
    class Normalized(torch_geometric.nn.Linear):
        def forward(self, x):
            return torch.nn.functional.normalize(super().forward(x), dim=-1)

    x, edge_index = task
    model = MODELS["GAT"]().double().eval()
    model.convs[0].lin.__class__ = Normalized
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))


def test_blocks_that_build_messages_are_smaller(task):
    x, _ = task
    model = gatsparse.GAT(F, 16, 2, 5, heads=2)
    fused = blocks._cost(model, 0, stage.Rows(x))
    model.convs[0].backend = "scatter"
    assert blocks._cost(model, 0, stage.Rows(x))[2] > fused[2] + 8 * 16


def test_a_wide_last_layer_counts(task):
    x, edge_index = task
    model = gatsparse.GAT(F, 16, 2, 100_000, jk="last").double().eval()
    with pytest.raises(ValueError, match=r"max_memory: layer 2 needs .* with a folder"):
        infer(model, x, edge_index, max_memory="300MB")


def test_models_that_are_not_what_they_seem(task, tmp_path):
    x, edge_index = task
    model = MODELS["GAT"]().double().eval()

    class Doubled(gatsparse.GAT):
        def forward(self, *args, **kwargs):
            return 2 * super().forward(*args, **kwargs)

    with pytest.raises(ValueError, match="Doubled to override inference_per_layer"):
        infer(Doubled(F, 16, 2, 5).eval(), x, edge_index)
    with pytest.raises(TypeError, match=r"torch\.compile"):
        infer(torch.compile(model), x, edge_index)
    handle = model.register_forward_hook(lambda _m, _x, out: 2 * out)
    with pytest.raises(ValueError, match="hooks"):
        infer(model, x, edge_index)
    handle.remove()
    with pytest.raises(TypeError, match="bfloat16"):
        infer(model.bfloat16(), x.bfloat16(), edge_index, folder=tmp_path)
    norm = {"norm": "batch", "norm_kwargs": {"track_running_stats": False}}
    with pytest.raises(ValueError, match="norms"):
        infer(gatsparse.GAT(F, 16, 2, 5, **norm).eval(), x, edge_index)
    model = MODELS["GAT"]().eval()
    model.dropout.train()
    with pytest.raises(ValueError, match=r"\['dropout'\] in training mode"):
        infer(model, x, edge_index)
    with pytest.raises(ValueError, match="call the model once"):
        infer(gatsparse.GAT(-1, 16, 2, 5).eval(), x, edge_index)


def test_a_model_with_layers_of_its_own_meaning(task):
    """A model that overrides both methods is not split by head, which would leave its part out."""

    class Scaled(gatsparse.GAT):
        def forward(self, x, edge_index, **options):
            return super().forward(2 * x, edge_index, **options)

        def inference_per_layer(self, layer, x, edge_index, batch_size):
            x = tuple(2 * t for t in x) if layer == 0 else x
            return super().inference_per_layer(layer, x, edge_index, batch_size)

    x, edge_index = task
    model = Scaled(F, 16, 2, 5, heads=2).double().eval()
    with torch.no_grad():
        torch.testing.assert_close(infer(model, x, edge_index), model(x, edge_index))


def test_errors(task, tmp_path):
    x, edge_index = task
    model = MODELS["GAT"]().double()
    with pytest.raises(ValueError, match="evaluation mode"):
        infer(model, x, edge_index)
    model.eval()
    with pytest.raises(ValueError, match="max_memory: layer 1 needs"):
        infer(model, x, edge_index, max_memory="1MB")
    for size in ("4 parsecs", "-1GB", "0", ""):
        with pytest.raises(ValueError, match="max_memory"):
            infer(model, x, edge_index, max_memory=size)
    with pytest.raises(TypeError, match="accelerate"):
        infer(torch_geometric.nn.GAT(F, 16, 2, 5).eval(), x, edge_index)
    with pytest.raises(TypeError, match="model: expected"):
        infer(torch.nn.Linear(2, 2), x, edge_index)
    with pytest.raises(ValueError, match="jk"):
        infer(gatsparse.GAT(F, 16, 2, 5, jk="cat").eval(), x, edge_index)
    with pytest.raises(ValueError, match="norms"):
        infer(gatsparse.GAT(F, 16, 2, 5, norm="graph").eval(), x, edge_index)
    with pytest.raises(TypeError, match="dense tensor"):
        infer(model, x.to_sparse(), edge_index)
    with pytest.raises(ValueError, match="shape"):
        infer(model, x[0], edge_index)
    with pytest.raises(TypeError, match="x: expected a tensor or the path"):
        infer(model, x.numpy(), edge_index)
    with pytest.raises(TypeError, match=r"x: expected floating-point numbers, got torch\.int64"):
        infer(model, x.long(), edge_index)
    with pytest.raises(FileNotFoundError):
        infer(model, tmp_path / "none.npy", edge_index)


def test_parse_bytes():
    assert [parse_bytes(s) for s in (5, "5", "5B", "4GB", "1.5 MiB", "2kb")] == [
        *(5, 5, 5),
        *(4 * 10**9, 3 * 2**19, 2000),
    ]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_rows_of_a_file(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("rows") / "x.npy"
    count, width = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 9))
    x = torch.randn(count, width)
    writer = RowWriter(path, tuple(x.shape), x.dtype)
    for first in range(0, count, 37):
        writer.write(first, x[first : first + 37])
    writer.close()
    assert np.array_equal(np.load(path), x.numpy())
    index = torch.tensor(data.draw(st.lists(st.integers(0, count - 1), max_size=400)), dtype=int)
    rows = RowFile(path)
    assert torch.equal(rows.gather(index), x[index])
    for wrong in (-1, count):
        with pytest.raises(IndexError, match="index"):
            rows.gather(torch.tensor([0, wrong]))


def test_a_file_that_is_cut_short_meanwhile(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((100, 8)))
    rows = RowFile(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 1000)
    with pytest.raises(OSError, match=r"x\.npy"):
        rows.gather(torch.tensor([99]))
