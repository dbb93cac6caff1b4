"""Modules around our layers: containers, data parallelism, several processes."""

import copy
import importlib
from collections import OrderedDict

import pytest
import torch
import torch.distributed as dist
import torch_geometric.nn
from torch.nn.parallel import DistributedDataParallel
from torch_geometric.data import Batch

from tests.nn.layers import OURS
from tests.pipelines.twins import (
    Net,
    assert_equal,
    assert_same,
    assert_same_training,
    every_layer,
    random_graph,
    twins,
)


@pytest.fixture
def graph():
    return random_graph(40, 200)


def arguments(graph):
    return graph.x, graph.edge_index, graph.edge_attr


class GraphNet(Net):
    """Takes a graph, or a batch of them, as one argument."""

    def forward(self, data):
        return super().forward(*arguments(data))


# Containers ######################################################################


def both(x1, x2):
    return [x1, x2]


@every_layer
def test_sequential_of_pyg(layer, graph):
    def build(conv):
        modules = OrderedDict(
            first=(conv(6, 4, heads=3, edge_dim=3), "x, edge_index, edge_attr -> x1"),
            act=(torch.nn.ELU(inplace=True), "x1 -> x1"),
            second=(conv(12, 4, heads=3), "x1, edge_index -> x2"),
            both=(both, "x1, x2 -> xs"),
            cat=(torch_geometric.nn.JumpingKnowledge("cat"), "xs -> x"),
            out=torch.nn.Linear(24, 2),
        )
        return torch_geometric.nn.Sequential("x, edge_index, edge_attr", modules)

    theirs, ours = twins(layer, build)
    assert_same(theirs, ours, *arguments(graph))
    assert_same(copy.deepcopy(theirs), copy.deepcopy(ours), *arguments(graph))
    assert repr(ours).replace(", backend='fused'", "") == repr(theirs)


@every_layer
def test_attention_through_sequential_of_pyg(layer, graph):
    class Attention(torch.nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.conv = conv

        def forward(self, *args):
            out, (_, alpha) = self.conv(*args, return_attention_weights=True)
            return out, alpha

    def build(conv):
        attention = Attention(conv(6, 4, heads=3, edge_dim=3))
        modules = [(attention, "x, edge_index, edge_attr -> x, alpha"), (both, "x, alpha -> out")]
        return torch_geometric.nn.Sequential("x, edge_index, edge_attr", modules)

    assert_same(*twins(layer, build), *arguments(graph))


@every_layer
def test_sequential_of_torch(layer, graph):
    class OnGraph(torch.nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.conv = conv

        def forward(self, inputs):
            x, edge_index, edge_attr = inputs
            return self.conv(x, edge_index, edge_attr).tanh(), edge_index, edge_attr

    def build(conv):
        layers = [OnGraph(conv(width, 4, heads=2, edge_dim=3)) for width in (6, 8, 8)]
        return torch.nn.Sequential(*layers)

    assert_same(*twins(layer, build), arguments(graph))


@pytest.mark.parametrize("block", ["res+", "res", "dense", "plain"])
@every_layer
def test_deep_gcn_layers_with_checkpoints(layer, block, graph):
    def build(conv):
        norm = torch_geometric.nn.LayerNorm(6, mode="node")
        conv = conv(6, 3, heads=2, edge_dim=3)
        return torch_geometric.nn.DeepGCNLayer(conv, norm, torch.nn.ReLU(), block, ckpt_grad=True)

    outcomes = []
    for model in twins(layer, build):
        leaves = [t.clone().requires_grad_() for t in (graph.x, graph.edge_attr)]
        out = model(leaves[0], graph.edge_index, leaves[1])
        out.square().sum().backward()  # PyG's checkpoints are reentrant and do not support grad()
        outcomes.append([out, *(leaf.grad for leaf in (*leaves, *model.parameters()))])
    assert_equal(*outcomes)


@every_layer
def test_other_weights_in_a_functional_call(layer, graph):
    theirs, ours = twins(layer, lambda conv: Net(conv, 6, 3, edge_dim=3))
    weights = {name: p.detach() ** 2 for name, p in theirs.named_parameters()}
    outs = [torch.func.functional_call(m, weights, arguments(graph)) for m in (theirs, ours)]
    assert_equal(*outs)


@every_layer
def test_averaged_weights(layer, graph):
    averages = []
    for model in twins(layer, lambda conv: Net(conv, 6, 3, edge_dim=3)):
        averaged = torch.optim.swa_utils.AveragedModel(model)
        for _ in range(2):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.mul_(1.5)
            averaged.update_parameters(model)
        averages.append(averaged)
    assert_same(*averages, *arguments(graph))


# Data parallelism ################################################################


@every_layer
def test_data_parallel_of_torch(layer, graph):
    models = twins(layer, lambda conv: Net(conv, 6, 3, edge_dim=3))
    assert_same(*map(torch.nn.DataParallel, models), *arguments(graph))


class DataParallel(torch_geometric.nn.DataParallel):
    """PyG's class, without its constructor, which needs a GPU."""

    def __init__(self, module):
        torch.nn.DataParallel.__init__(self, module)
        self.src_device = torch.device("cpu")
        self.follow_batch, self.exclude_keys = [], []


@every_layer
def test_data_parallel_of_pyg(layer):
    graphs = [random_graph(k, 4 * k) for k in range(1, 9)]
    theirs, ours = twins(layer, lambda conv: DataParallel(GraphNet(conv, 6, 3, edge_dim=3)))
    assert ours(graphs).shape == (36, 3)
    assert_same(theirs, ours, graphs)


@every_layer
def test_replicas(layer, monkeypatch):
    """Data parallelism runs replicas, whose weights are not parameters, on each device."""
    replicate = importlib.import_module("torch.nn.parallel.replicate")
    monkeypatch.setattr(
        replicate,
        "_broadcast_coalesced_reshape",
        lambda tensors, devices, *_, **__: [[t * 1 for t in tensors] for _ in devices],
    )
    halves = [Batch.from_data_list([random_graph(9, 40) for _ in range(2)]) for _ in range(2)]

    class Replicated(torch.nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self):
            copies = replicate.replicate(self.module, [0, 1])
            return [copy(half) for copy, half in zip(copies, halves, strict=True)]

    theirs, ours = twins(layer, lambda conv: Replicated(GraphNet(conv, 6, 3, edge_dim=3)))
    assert_same(theirs, ours)
    assert_equal(ours(), [ours.module(half) for half in halves])


# Several processes ###############################################################


def join(rank, world_size, folder):
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size
    )


@pytest.fixture
def one_process(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    join(0, 1, tmp_path)
    yield
    dist.destroy_process_group()


def square(model, batch):
    return model(batch).square().mean()


@pytest.mark.parametrize("options", [{}, {"static_graph": True}, {"gradient_as_bucket_view": True}])
@every_layer
@pytest.mark.usefixtures("one_process")
def test_distributed_in_one_process(layer, options, graph):
    models = twins(layer, lambda conv: GraphNet(conv, 6, 3, edge_dim=3))
    theirs, ours = (DistributedDataParallel(model, **options) for model in models)
    assert_same_training(theirs, ours, [graph] * 4, square)


def gradients(model, batch):
    square(model, batch).backward()
    return [parameter.grad for parameter in model.parameters()]


def work(rank, folder):
    """Runs one of two processes on its half of the graphs."""
    torch.set_num_threads(1)
    join(rank, 2, folder)
    models, halves = torch.load(folder / "task", weights_only=False)
    results = [gradients(DistributedDataParallel(model), halves[rank]) for model in models]
    torch.save(results, folder / f"gradients {rank}")
    dist.destroy_process_group()


def test_distributed_in_two_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    graphs = [random_graph(9, 40) for _ in range(6)]
    halves = [Batch.from_data_list(half) for half in (graphs[:3], graphs[3:])]
    models = [twins(layer, lambda conv: GraphNet(conv, 6, 3, edge_dim=3)) for layer in OURS]
    torch.save(([ours for _, ours in models], halves), tmp_path / "task")
    torch.multiprocessing.spawn(work, (tmp_path,), nprocs=2)
    expected = [gradients(theirs, Batch.from_data_list(graphs)) for theirs, _ in models]
    for rank in range(2):
        assert_equal(torch.load(tmp_path / f"gradients {rank}"), expected)
