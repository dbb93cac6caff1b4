"""Measurements of single layers, which run in separate processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import gate, operator, plan
from benchmarks.config import BenchConfig, Layer
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.device import Machine
from benchmarks.isolate import UnavailableError
from benchmarks.measure import alternate
from benchmarks.operator import Floor
from benchmarks.plan import Case, Task
from benchmarks.rows import Values
from gatsparse.data import DatasetNotFoundError, load, rmat
from gatsparse.data.import_path import import_data, is_import_path
from gatsparse.testing import error_budget

_GATE_NODES, _GATE_EDGES, _GATE_CHANNELS = 300, 3000, 16


def measure(task: Task, contender: Contender, config: BenchConfig, source: Path) -> Values:
    """Makes one measurement in this process.

    Args:
        task (Task): Measurement to make.
        contender (Contender): Contender to measure.
        config (BenchConfig): Configuration of the run.
        source (Path): File of the graph.

    Raises:
        UnavailableError: If the data set of the graph is missing.
    """
    match task.measurement:
        case "graph":
            return _keep_graph(task.dataset, config, source)
        case "layer gate":
            name: Layer = "GATv2" if task.dataset == "GATv2" else "GAT"
            with Machine(config.device).creation:
                return check(contender, name, plan.shapes(config, name), config.seed)
        case _:
            return _timed(task, contender, config, source)


def check(contender: Contender, name: Layer, shapes: list[str], seed: int) -> Values:
    """Returns the errors of a contender's layer in float32 and their budgets.

    The layer is compared with PyG's layer in float64 on a small power-law graph; see
    :func:`benchmarks.gate.failures`.

    Args:
        contender (Contender): Contender to check.
        name (str): Name of the layer.
        shapes (list): Shapes of the layer.
        seed (int): Seed of graph, features and weights.

    Returns:
        Values: Errors of the first shape that exceeds its budget, else of the last shape.
    """
    values = Values()
    for shape in shapes:
        values = _check(contender, name, plan.split(shape), seed)
        if gate.failures(values):
            break
    return values


def _check(contender: Contender, name: Layer, size: tuple[int, int], seed: int) -> Values:
    torch.manual_seed(seed)
    pyg = CONTENDERS["pyg"]
    edge_index = rmat(_GATE_NODES, _GATE_EDGES, seed).to(torch.get_default_device())
    x = torch.randn(_GATE_NODES, _GATE_CHANNELS)
    state = pyg.layer(name, _GATE_CHANNELS, *size).state_dict()
    for key in state:
        if key.endswith("bias"):
            state[key].normal_()  # PyG's are 0
    grad = torch.randn(_GATE_NODES, size[0] * size[1])

    def computed(contender: Contender, dtype: torch.dtype) -> list[Tensor]:
        """Returns the output, and the gradients in the order of the weights' names."""
        layer = contender.layer(name, _GATE_CHANNELS, *size)
        layer.load_state_dict(state)
        layer.to(dtype)
        out = layer(x.to(dtype), edge_index)
        out.backward(grad.to(dtype))
        weights = dict(layer.named_parameters())
        return [out.detach(), *(gate.gradient(weights[key]) for key in sorted(weights))]

    def errors(found: list[Tensor]) -> tuple[float, float]:
        differences = [(a - b).abs().max() for a, b in zip(found, exact, strict=True)]
        largest = max(tensor.abs().max() for tensor in exact[1:])
        gradient_error = torch.stack(differences[1:]).max() / largest
        return (differences[0] / exact[0].abs().max()).item(), gradient_error.item()

    exact = computed(pyg, torch.float64)
    output, gradient = errors(computed(pyg, torch.float32))
    output_error, gradient_error = errors(computed(contender, torch.float32))
    return Values(
        output_error=output_error,
        output_budget=error_budget(output, torch.float32),
        gradient_error=gradient_error,
        gradient_budget=error_budget(gate.BACKWARD * gradient, torch.float32),
    )


def _keep_graph(name: str, config: BenchConfig, path: Path) -> Values:
    """Draws or loads a graph, and writes it to the file that the measurements read."""
    if name in config.graphs:
        num_nodes = config.graphs[name].num_nodes
        edge_index = rmat(num_nodes, config.graphs[name].num_edges, config.seed)
    else:
        try:
            data = (
                import_data("datasets", name) if is_import_path(name) else load(name, config.root)
            )
        except DatasetNotFoundError as error:
            raise UnavailableError(str(error)) from error
        edge_index, num_nodes = data["edge_index"], data["x"].size(0)
    partial = path.with_suffix(".partial")
    torch.save((edge_index, num_nodes), partial)
    partial.replace(path)
    return Values(num_nodes=num_nodes, num_edges=edge_index.size(1))


def _timed(task: Task, contender: Contender, config: BenchConfig, source: Path) -> Values:
    machine = Machine(config.device)
    torch.manual_seed(config.seed)
    case = Case.of(task)
    heads, channels = case.size
    edge_index, num_nodes = torch.load(source, map_location=machine.device, weights_only=True)
    with machine.creation:
        x = torch.randn(num_nodes, config.in_channels)
    baseline = machine.held()
    with machine.creation:
        match task.measurement:
            case "operator":
                function = operator.forward(case.layer, case.size, edge_index, num_nodes)
            case "operator backward":
                function = operator.backward(case.layer, case.size, edge_index, num_nodes)
            case _:
                layer = contender.layer(case.layer, config.in_channels, heads, channels)
                grad = torch.randn(num_nodes, heads * channels)
                function = _pass(task, layer, x, edge_index, grad)
    with torch.set_grad_enabled(task.measurement == "forward+backward"):
        function = machine.finished(function)
        function()  # before the floor is built, so that the peak is that of the contender
        highest = machine.peak()
        with machine.creation:
            floor = Floor(edge_index, num_nodes, heads * channels)
        floors = {"forward+backward": floor.both, "operator backward": floor.backward}
        timing = plan.timing(task, config)
        assert timing is not None
        least = machine.finished(floors.get(task.measurement, floor.forward))
        values = alternate(function, least, timing)
    return replace(values, baseline=baseline, peak=highest)


def _pass(
    task: Task, layer: torch.nn.Module, x: Tensor, edge_index: Tensor, grad: Tensor
) -> Callable[[], object]:
    """Returns the work of a first layer, whose features need no gradient."""
    if task.measurement == "forward":
        return lambda: layer(x, edge_index)

    def both() -> None:
        layer.zero_grad()
        layer(x, edge_index).backward(grad)

    return both
