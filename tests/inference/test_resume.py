"""An interrupted inference resumes, unless its inputs changed."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import gatsparse
from gatsparse import inference
from gatsparse.inference import heads, infer, stage
from tests.inference.models import MODELS, F


@pytest.mark.parametrize("budget", ["blocks", "heads"])
def test_inference_resumes_after_any_step(task, tmp_path, monkeypatch, budget):
    """Interrupts every step of every layer, with two heads at once or by blocks."""
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


def test_inference_resumes_after_kills_at_random_moments(tmp_path):
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


def test_other_features_or_weights_start_again(task, tmp_path):
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
def test_other_settings_start_again(task, tmp_path, others):
    x, edge_index = task
    one, other = (model.double().eval() for model in others)
    other.load_state_dict(one.state_dict())
    outs = [infer(model, x, edge_index, folder=tmp_path) for model in (one, other)]
    assert (outs[0] - outs[1]).abs().max() > 1e-4  # the first result is unchanged
    torch.testing.assert_close(outs[1], infer(other, x, edge_index))


def test_partial_results_of_other_inputs_are_not_used(task, tmp_path, monkeypatch):
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


def test_unused_files_are_removed(task, tmp_path):
    x, edge_index = task
    model = MODELS["PaperGAT"]().double().eval()
    (tmp_path / "layer-1-heads-2.npy").touch()
    (tmp_path / "notes.txt").touch()
    infer(model, x, edge_index, folder=tmp_path)
    (tmp_path / "layer-2.npy").touch()  # left by a kill between two steps
    infer(model, x, edge_index, folder=tmp_path)
    left = ["layer-3.npy", "notes.txt", "state.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
