"""Edge features in exact inference, in memory and in files."""

import functools
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch_geometric.nn
from hypothesis import given, settings
from hypothesis import strategies as st

import gatsparse
from gatsparse import inference
from gatsparse.data import rmat
from gatsparse.inference import infer, stage

N, E, F, D = 300, 2000, 6, 3
FILL_VALUES = ["mean", "add", "mul", "min", "max", 0.5, torch.tensor([0.1, -2.0, 3.0]).double()]


def build(library=gatsparse, width=D, **options):
    return library.GAT(F, 8, 2, 5, heads=2, edge_dim=width, **options).double().eval()


def pair(**options):
    """PyG's model and ours with the same weights."""
    theirs, ours = build(torch_geometric.nn, **options), build(**options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


@pytest.fixture
def task():
    torch.manual_seed(0)
    x, edge_attr = (torch.randn(n, d, dtype=torch.float64) for n, d in ((N, F), (E, D)))
    return x, rmat(N, E, seed=1), edge_attr


def assert_same(out, expected):
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


def scaled_by(factor):
    return lambda x: factor * x


class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x

    def apply(self, x):
        return self(x)


def test_settings_are_described_alike_in_every_process(capsys):
    script = """
import functools, torch
from gatsparse.inference.fingerprint import describe
def nested(x, y=(1, 2), *, z={"a", "b"}):
    return torch.stack([(lambda u: u + t)(t) for t in (x,)]).sum(0)
class Scale:
    def __init__(self): self.factor, self.me = 2, self
    def __call__(self, x): return x
print(describe([nested, functools.partial(nested, y=3), Scale(), torch.relu, torch.tensor([1.0])]))
"""
    command = [sys.executable, "-c", script]
    other = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    exec(script, {"__name__": "__main__"})
    assert capsys.readouterr().out == other  # strings have other hashes
    assert "0x" not in other


def largest_block(monkeypatch, size):
    """Returns a budget that limits blocks to little more than :obj:`size` bytes."""
    monkeypatch.setattr(inference, "_SLACK", 0)
    return size


@pytest.mark.parametrize("fill_value", FILL_VALUES, ids=str)
@pytest.mark.parametrize("v2", [False, True])
def test_equals_pyg(task, v2, fill_value, monkeypatch):
    x, edge_index, edge_attr = task
    theirs, ours = pair(v2=v2, fill_value=fill_value)
    with torch.no_grad():
        expected = theirs(x, edge_index, edge_attr=edge_attr)
        assert (expected - theirs(x, edge_index)).abs().max() > 1e-3
    assert_same(infer(ours, x, edge_index, edge_attr), expected)
    out = infer(ours, x, edge_index, edge_attr, max_memory=largest_block(monkeypatch, 200_000))
    assert_same(out, expected)


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"add_self_loops": False},
        {"v2": True, "residual": True, "jk": "last", "norm": "batch"},
        {"v2": True, "backend": "scatter"},
        {"backend": "scatter"},
    ],
    ids=str,
)
def test_models_with_other_options(task, options, on_disk, tmp_path, monkeypatch):
    x, edge_index, edge_attr = task
    model = build(**options)
    with torch.no_grad():
        expected = model(x, edge_index, edge_attr=edge_attr)
    options = {"max_memory": largest_block(monkeypatch, 400_000)}
    options |= {"folder": tmp_path} if on_disk else {}
    assert_same(infer(model, x, edge_index, edge_attr=edge_attr, **options), expected)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(0, 100),
    st.integers(0, 2**31),
    st.integers(3_000, 30_000),
    st.booleans(),
    st.booleans(),
)
def test_blocks_of_any_graph(num_nodes, num_edges, seed, budget, v2, loops):
    edge_index = rmat(num_nodes, num_edges, seed=seed)
    x = torch.randn(num_nodes, F, dtype=torch.float64)
    edge_attr = torch.randn(num_edges, D, dtype=torch.float64)
    model = build(v2=v2, add_self_loops=loops)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "_SLACK", 0)
        try:
            out = infer(model, x, edge_index, edge_attr, max_memory=budget)
        except ValueError:  # one node alone does not fit
            return
    with torch.no_grad():
        assert_same(out, model(x, edge_index, edge_attr=edge_attr))


def test_formats_of_the_graph(task):
    """Features are in the order of the caller's edges, whatever the format."""
    x, edge_index, edge_attr = task
    model = build()
    expected = infer(model, x, edge_index, edge_attr)
    graph = gatsparse.CSRGraph.from_edge_index(edge_index, N)
    assert_same(infer(model, x, graph, edge_attr), expected)
    order = torch.randperm(E)
    assert_same(infer(model, x, edge_index[:, order], edge_attr[order]), expected)


def test_values_of_a_sparse_matrix_are_edge_features(task):
    x, _, _ = task
    edge_index = torch.randint(N, (2, E)).unique(dim=1)
    edge_attr = torch.randn(edge_index.size(1), D, dtype=torch.float64)
    matrix = torch.sparse_coo_tensor(
        edge_index.flip(0), edge_attr, (N, N, D), check_invariants=True
    )
    models = {
        "GAT": build(),
        "PaperGAT": gatsparse.nn.PaperGAT(
            F, 4, 3, heads=2, conv=functools.partial(gatsparse.GATConv, edge_dim=D)
        ),
    }
    for model in models.values():
        model.double().eval()
        with torch.no_grad():
            expected = model(x, matrix)
            assert (expected - model(x, edge_index)).abs().max() > 1e-3
        assert_same(infer(model, x, matrix), expected)


@pytest.mark.parametrize("stored", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("dtype", "on_disk"),
    [(torch.float32, False), (torch.float32, True), (torch.float64, True), (torch.bfloat16, False)],
)
def test_features_of_other_dtypes_are_converted(task, stored, dtype, on_disk, tmp_path):
    """Results equal those of features that were converted before, in files and in memory."""
    x, edge_index, edge_attr = task
    np.save(tmp_path / "x.npy", x.numpy().astype(stored))
    np.save(tmp_path / "edge_attr.npy", edge_attr.numpy().astype(stored))
    model = build().to(dtype)
    x, edge_attr = (torch.from_numpy(t.numpy().astype(stored)) for t in (x, edge_attr))
    folder = {"folder": tmp_path / "out"} if on_disk else {}
    expected = infer(model, x.to(dtype), edge_index, edge_attr.to(dtype))
    assert expected.dtype == dtype
    assert torch.equal(infer(model, x, edge_index, edge_attr), expected)
    files = (tmp_path / "x.npy", edge_index, str(tmp_path / "edge_attr.npy"))
    assert torch.equal(infer(model, *files, **folder), expected)


@pytest.mark.parametrize("stored", [np.float16, np.float64])
def test_node_features_of_other_dtypes_by_heads(task, stored, tmp_path):
    x, edge_index, _ = task
    np.save(tmp_path / "x.npy", x.numpy().astype(stored))
    model = gatsparse.GAT(F, 8, 2, 5, heads=2).eval()
    expected = infer(model, torch.from_numpy(x.numpy().astype(stored)).float(), edge_index)
    assert torch.equal(infer(model, tmp_path / "x.npy", edge_index), expected)


def test_one_feature_for_each_edge(task, tmp_path):
    x, edge_index, edge_attr = task
    weights = edge_attr[:, 0].contiguous()
    model = build(width=1)
    np.save(tmp_path / "weights.npy", weights.numpy())
    with torch.no_grad():
        expected = model(x, edge_index, edge_attr=weights[:, None])
    for given_weights in (weights, weights[:, None], tmp_path / "weights.npy"):
        assert_same(infer(model, x, edge_index, given_weights), expected)


def test_folder_of_other_edge_features_starts_again(task, tmp_path):
    x, edge_index, edge_attr = task
    model = build()
    infer(model, x, edge_index, edge_attr, folder=tmp_path)
    out = infer(model, x, edge_index, 2 * edge_attr, folder=tmp_path)
    assert torch.equal(out, infer(model, x, edge_index, 2 * edge_attr))
    order = torch.randperm(E)  # the same graph, with the features of other edges
    out = infer(model, x, edge_index[:, order], 2 * edge_attr, folder=tmp_path)
    assert torch.equal(out, infer(model, x, edge_index[:, order], 2 * edge_attr))


@pytest.mark.parametrize(
    "settings",
    [
        {"fill_value": [torch.zeros(D).double(), torch.ones(D).double()]},
        {"act": [lambda x: x.relu(), lambda x: 2 * x.relu()]},
        {"act": [functools.partial(torch.mul, other=factor) for factor in (1, 2)]},
        {"act": [scaled_by(factor) for factor in (1, 2)]},
        {"act": [Scale(factor) for factor in (1, 2)]},
        {"act": [Scale(factor).apply for factor in (1, 2)]},
    ],
    ids=["fill_value", "lambda", "partial", "closure", "object", "method"],
)
def test_folder_of_other_settings_starts_again(task, settings, tmp_path):
    x, edge_index, edge_attr = task
    ((name, values),) = settings.items()
    one, other = (build(**{name: value}) for value in values)
    other.load_state_dict(one.state_dict())
    outs = [infer(model, x, edge_index, edge_attr, folder=tmp_path) for model in (one, other)]
    assert (outs[0] - outs[1]).abs().max() > 1e-4
    assert torch.equal(outs[1], infer(other, x, edge_index, edge_attr))


def test_inference_continues_after_an_interruption(task, tmp_path, monkeypatch):
    x, edge_index, edge_attr = task
    np.save(tmp_path / "edge_attr.npy", edge_attr.numpy())
    model, file = build(), tmp_path / "edge_attr.npy"
    budget = largest_block(monkeypatch, 200_000)
    whole = tmp_path / "uninterrupted"  # blocks in memory have another size
    expected = infer(model, x, edge_index, file, max_memory=budget, folder=whole)
    monkeypatch.setattr(stage, "_SYNC_SECONDS", 0.0)
    write, calls = stage.Folder.write, []

    def dies(*args):
        calls.append(None)
        if len(calls) % 3 == 0:
            raise KeyboardInterrupt
        return write(*args)

    monkeypatch.setattr(stage.Folder, "write", dies)
    interrupts = 0
    while True:
        try:
            out = infer(model, x, edge_index, file, max_memory=budget, folder=tmp_path / "out")
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert interrupts > 1
    assert torch.equal(out, expected)


def test_memory_stays_within_the_budget(tmp_path):
    """Measures the peak of a process above its initial memory; 10 % more is allowed."""
    script = f"""
import torch, gatsparse, numpy as np
from gatsparse.data import rmat
def status(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) * 1024
torch.manual_seed(0)
graph = gatsparse.CSRGraph.from_edge_index(rmat(20_000, 200_000), 20_000)
np.save({str(tmp_path / "e.npy")!r}, np.random.rand(200_000, 64))
x = torch.randn(20_000, 32)
for v2 in (False, True):
    model = gatsparse.GAT(32, 32, 2, 8, heads=2, edge_dim=64, v2=v2).eval()
    gatsparse.infer(model, x[:10], rmat(10, 20), torch.randn(20, 64))
    gatsparse.release_memory()  # or the second model reuses that of the first one
    open("/proc/self/clear_refs", "w").write("5")
    before = status("VmRSS")
    gatsparse.infer(model, x, graph, {str(tmp_path / "e.npy")!r}, max_memory="70MB")
    print(status("VmHWM") - before)
"""
    if not os.path.exists("/proc/self/clear_refs"):  # noqa: PTH110
        pytest.skip("the peak of a process cannot be reset: no /proc/self/clear_refs")
    peaks = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    assert all(10e6 < int(peak) < 77e6 for peak in peaks), peaks


def test_bad_edge_features_raise(task, tmp_path):
    x, edge_index, edge_attr = task
    model = build()
    for wrong in (
        edge_attr[1:],
        edge_attr[:, :2],
        edge_attr[None],
        edge_attr[:, 0],
        torch.tensor(1.0),
    ):
        with pytest.raises(ValueError, match=rf"edge_attr: expected shape \[{E}, {D}\], got"):
            infer(model, x, edge_index, wrong)
    np.save(tmp_path / "short.npy", edge_attr[1:].numpy())
    with pytest.raises(ValueError, match="edge_attr: expected shape"):
        infer(model, x, edge_index, tmp_path / "short.npy")
    with pytest.raises(FileNotFoundError):
        infer(model, x, edge_index, tmp_path / "none.npy")
    for wrong in (edge_attr.numpy(), 3, [1.0], edge_attr.long(), edge_attr.to_sparse()):
        with pytest.raises(TypeError, match="edge_attr: expected"):
            infer(model, x, edge_index, wrong)
    with pytest.raises(ValueError, match="edge_attr: expected edge features"):
        infer(model, x, edge_index)


def test_models_without_an_argument_for_edge_features_raise(task):
    class Own(gatsparse.nn.PaperGAT):
        def forward(self, x, edge_index):
            return super().forward(x, edge_index)

        def inference_per_layer(self, *args):
            return super().inference_per_layer(*args)

    with pytest.raises(TypeError, match=r"Own\.forward takes no edge features"):
        infer(Own(F, 4, 3).double().eval(), *task)


def test_edge_features_of_models_without_edge_dim(task):
    """As in PyG, GAT ignores edge features and GATv2 raises."""
    x, edge_index, edge_attr = task
    model = gatsparse.GAT(F, 8, 2).double().eval()
    with torch.no_grad():
        assert_same(infer(model, x, edge_index, edge_attr), model(x, edge_index))
    with pytest.raises(ValueError, match="edge_attr: expected None, as edge_dim is None"):
        infer(gatsparse.GAT(F, 8, 2, v2=True).double().eval(), x, edge_index, edge_attr)
