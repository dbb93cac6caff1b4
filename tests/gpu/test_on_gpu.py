"""Operators and layers on a GPU against the CPU: `make test-gpu`."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch_geometric import seed_everything
from torch_geometric.loader import PrefetchLoader

import gatsparse
from gatsparse import ops
from gatsparse.data import LinkNeighborLoader, NeighborLoader, rmat, stochastic_block_model
from gatsparse.inference import parse_bytes
from gatsparse.nn import dropout
from gatsparse.ops.philox import edge_dropout
from gatsparse.testing import (
    cast,
    error_budget,
    gat_inputs,
    gatv2_inputs,
    graph_zoo,
    relative_error,
)
from gatsparse.train import (
    FitResult,
    ModelConfig,
    SamplingConfig,
    TrainConfig,
    build_model,
    fit,
    task_of_seed,
)
from gatsparse.train.checkpoint import Checkpoint

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU"),
]

ZOO = graph_zoo()
VARIANTS = {
    "GAT": (gat_inputs, ops.gat_attention),
    "GATv2": (gatv2_inputs, ops.gatv2_attention),
}
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
SEED = torch.tensor(12345)

#: Products that may cancel, where the reference happens to give exactly 0.
PRODUCTS = 64


def results(variant, graph, dtype, device, backend):
    """Output and gradients of an attention, in float64 on the CPU."""
    inputs, attention = VARIANTS[variant]
    tensors = cast(inputs(graph, 4, 8, edge=True, loop=True), dtype)
    tensors = {n: t.detach().to(device).requires_grad_() for n, t in tensors.items()}
    x, *others = tensors.values()
    names = list(tensors)[1:]
    positional = [n for n in names if n in ("att_src", "att_dst", "x_dst", "att")]
    if variant == "GAT":
        positional = ["att_src", "att_dst"]
    values = dict(zip(names, others, strict=True))
    arguments = [x, *[values.pop(n) for n in positional], graph.csr().to(device)]
    options = {"add_self_loops": True, "dropout": 0.3, "seed": SEED.to(device)}
    out = attention(*arguments, **values, **options, backend=backend)
    generator = torch.Generator().manual_seed(1)
    grad = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(dtype)
    out.backward(grad.to(device))
    found = {"out": out, **{n: t.grad for n, t in tensors.items()}}
    return {n: t.detach().double().cpu() for n, t in found.items() if t is not None}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("graph", ZOO)
def test_results_and_gradients_are_within_their_budget(variant, graph, dtype):
    exact = results(variant, ZOO[graph], torch.float64, "cpu", "scatter")
    reference = results(variant, ZOO[graph], dtype, "cpu", "scatter")
    found = results(variant, ZOO[graph], dtype, "cuda", "fused")
    for name, expected in exact.items():
        allowed = error_budget(relative_error(reference[name], expected), dtype)
        allowed += PRODUCTS * torch.finfo(torch.promote_types(dtype, torch.float32)).eps
        assert relative_error(found[name], expected) <= allowed, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_runs_are_equal_bit_for_bit(variant):
    first, second = (
        results(variant, ZOO["random"], torch.float32, "cuda", "fused") for _ in range(2)
    )
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_both_devices_drop_the_same_weights():
    graph = ZOO["random"]
    x = torch.ones(graph.size[0], 4, 1)
    zero = torch.zeros(1, 4, 1)
    edge = torch.randn(graph.edge_index.size(1), 4)
    outs = [
        ops.gat_attention(
            *(t.to(device) for t in (x, zero, zero)),
            graph.csr().to(device),
            edge=edge.to(device),
            dropout=0.5,
            seed=SEED.to(device),
            backend="fused",
        ).cpu()
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(*outs)
    kept = edge_dropout(torch.arange(len(edge), device="cuda"), 4, 0.5, SEED, torch.float32)
    assert torch.equal(kept.cpu(), edge_dropout(torch.arange(len(edge)), 4, 0.5, SEED, kept.dtype))


@pytest.mark.parametrize("conv", [gatsparse.GATConv, gatsparse.GATv2Conv])
def test_a_large_layer_agrees_with_the_cpu(conv):
    edges = rmat(20_000, 400_000, 0)
    layer = conv(64, 16, heads=4)
    x = torch.randn(20_000, 64)
    found = []
    for device in ("cpu", "cuda"):
        moved = copy.deepcopy(layer).to(device)
        out = moved(x.to(device), edges.to(device))
        out.square().mean().backward()
        found.append([out.detach().cpu(), *[p.grad.cpu() for p in moved.parameters()]])
    for cpu, gpu in zip(*found, strict=True):
        assert relative_error(gpu, cpu) < 1e-4


def test_compiled_step_trains_as_the_step_itself():
    graph = ZOO["random"]
    x = torch.randn(graph.size[0], 16, device="cuda")
    edges = graph.edge_index.to("cuda")
    label = torch.randint(4, (len(x),), device="cuda")
    losses = []
    for compiles in (False, True):
        torch.manual_seed(0)
        model = gatsparse.GATConv(16, 4, heads=1).cuda()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, capturable=True)

        def step(model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x, edges), label)
            loss.backward()
            optimizer.step()
            return loss

        train = gatsparse.compile_step(step) if compiles else step
        losses.append([float(train()) for _ in range(20)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_captured_step_draws_new_masks():
    x = torch.ones(64, 64, device="cuda")
    drawn = gatsparse.compile_step(lambda: dropout(x, 0.5))
    masks = [drawn() for _ in range(8)]
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == len(masks)


def test_index_out_of_range_raises_later_and_reads_nothing():
    edges = torch.tensor([[0, 5], [1, 0]], device="cuda")
    graph = gatsparse.CSRGraph.from_edge_index(edges, num_nodes=3)
    with pytest.raises(IndexError, match=r"edge_index\[0\].*got 5 at position 1"):
        graph.check_indices()


def test_torch_compile_without_graph_breaks():
    graph = ZOO["random"]
    x = torch.randn(graph.size[0], 16, device="cuda")
    layer = gatsparse.GATConv(16, 4, heads=2).cuda()
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True)
    edges = graph.edge_index.to("cuda")
    torch.testing.assert_close(compiled(x, edges), layer(x, edges), rtol=1e-4, atol=1e-5)


def training_of(device: str, **options) -> TrainConfig:
    model = ModelConfig(hidden_channels=8, heads=4, dropout=options.pop("dropout", 0.0))
    sampling = SamplingConfig(batch_size=128, num_neighbors=[5, 5])
    options = {"epochs": 5, "sampling": sampling, **options}
    return TrainConfig("sbm", device=device, model=model, **options)


def trained(config: TrainConfig, **options) -> FitResult:
    data = task_of_seed(stochastic_block_model(1000, 8000, 4, 16), config, 0)
    data.x = data["x"].double()
    seed_everything(0)
    model = build_model(config.model, data, config.task)
    return fit(model, data, config, **options)


@pytest.mark.parametrize("task", ["classification", "link_prediction"])
@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_training_gives_the_losses_of_the_cpu(mode, task):
    """The pairs without a link of a full batch are drawn on the device: others than on the CPU."""
    cpu, gpu = (trained(training_of(device, mode=mode, task=task)) for device in ("cpu", "cuda"))
    if mode == "full" and task == "link_prediction":
        assert gpu.losses == pytest.approx(cpu.losses, rel=0.1)
    else:
        assert gpu.losses == pytest.approx(cpu.losses, rel=1e-6)
    assert not any(value.is_cuda for value in gpu.state_dict.values())


def test_training_with_a_cuda_graph_is_the_same():
    configs = (
        training_of("cuda", epochs=20, dropout=0.5, cuda_graph=recorded)
        for recorded in (False, True)
    )
    eager, recorded = map(trained, configs)
    assert recorded.losses == pytest.approx(eager.losses, rel=1e-6)


@pytest.mark.parametrize("mode", ["full", "sampled"])
def test_resumed_training_is_that_without_interruption(mode, tmp_path):
    config, path = training_of("cuda", epochs=12, mode=mode, dropout=0.5), tmp_path / "checkpoint"
    expected = trained(config)

    def interrupt(epoch):
        if epoch.epoch == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(config, checkpoint=Checkpoint(path), on_epoch=interrupt)
    assert trained(config, checkpoint=Checkpoint(path)).losses == expected.losses


@pytest.mark.parametrize("budget", ["1GB", "60MB"])
def test_inference_within_a_budget(budget):
    model = gatsparse.nn.PaperGAT(64, 8, 16, heads=8, num_layers=2).eval()
    x, edges = torch.randn(50_000, 64), rmat(50_000, 500_000, 0)
    expected = gatsparse.infer(model, x, edges)
    model.cuda()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    found = gatsparse.infer(model, x, edges, max_memory=budget)
    assert relative_error(found, expected) < 1e-4
    assert torch.cuda.max_memory_allocated() - before <= parse_bytes(budget)


@pytest.mark.parametrize("links", [False, True])
def test_pyg_moves_batches(links):
    data = stochastic_block_model(1000, 8000, 4, 16)
    options = {"batch_size": 100, "seed": 1}
    if links:
        loaders = [
            LinkNeighborLoader(data, [5], data.edge_index[:, :400], **options) for _ in range(2)
        ]
    else:
        loaders = [NeighborLoader(data, [5], **options) for _ in range(2)]
    moved = PrefetchLoader(loaders[0], torch.device("cuda"))
    for batch, expected in zip(moved, loaders[1], strict=True):
        assert batch.x.is_cuda
        assert batch.edge_index.is_cuda
        assert torch.equal(batch.x.cpu(), expected.x)
        assert torch.equal(batch.edge_index.cpu(), expected.edge_index)
