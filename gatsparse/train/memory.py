"""Memory that a training needs, estimated before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import torch
from torch import Tensor

from gatsparse.config_types import ConfigError
from gatsparse.inference import parse_bytes
from gatsparse.train.device import describe_device, find_device, memory_of
from gatsparse.train.models import ModelSizes, sizes_of_run

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig

# Bytes of a process that trains one seed, in addition to its data and its training.
_PROCESS = 150_000_000


def num_processes(config: TrainConfig, data: Data, num_seeds: int) -> int:
    """Number of processes that train seeds in parallel, at most the number of seeds.

    It is :obj:`processes` if given; else one on a GPU, and on a CPU the number of physical cores
    divided by :obj:`threads`, as far as memory allows.
    """
    if config.processes is not None:
        return min(config.processes, num_seeds)
    if find_device(config.device).type != "cpu":
        return 1
    import joblib

    cores = joblib.cpu_count(only_physical_cores=True) // config.threads
    limit, _ = _limit(config, torch.device("cpu"))
    return max(1, min(cores, limit // _of_processes(config, data, 1), num_seeds))


def check_memory(config: TrainConfig, data: Data, processes: int = 1) -> str:
    """Compares the memory that a run needs with the memory that it may use.

    Args:
        config (TrainConfig): Configuration of the run.
        data (torch_geometric.data.Data): Its data, already in memory.
        processes (int, optional): Number of processes; if there are several, each has a copy of
            the data. On a GPU only its memory is compared.

    Returns:
        str: The numbers.

    Raises:
        ConfigError: If the run does not fit; the message has the numbers.
    """
    device = find_device(config.device)
    limit, source = _limit(config, device)
    if device.type != "cpu":
        of_data = _bytes_of_data(data) if config.mode == "full" else 0
        needed = processes * (of_data + estimate(config, data))
        what = f"about {format_bytes(needed)} of {describe_device(device)} ({device})"
        advice = "mode: sampled" if config.mode == "full" else "a smaller batch_size"
    elif processes > 1:
        needed = _of_processes(config, data, processes)
        what = (
            f"about {format_bytes(needed)} for {processes} processes with a copy of the data each"
        )
        advice = "fewer processes, or mode: sampled" if config.mode == "full" else "fewer processes"
    else:
        needed = estimate(config, data)
        what = f"about {format_bytes(needed)} in addition to the data"
        advice = "mode: sampled" if config.mode == "full" else "a smaller batch_size"
    if needed > limit:
        raise ConfigError(
            f"memory: the run needs {what}, {format_bytes(limit)} {source}: try {advice}"
        )
    return f"{what}, {format_bytes(limit)} {source}"


def check_synthetic(config: TrainConfig) -> None:
    """Raises :class:`ConfigError` if the graph of the data set sbm would not fit into memory."""
    synthetic, size = config.synthetic, getattr(torch, config.dtype).itemsize
    edges = 16 * synthetic.num_edges * (4 if config.undirected or config.largest_component else 1)
    nodes = synthetic.num_nodes * (synthetic.num_features * (4 + 2 * size) + 40)
    needed, (limit, source) = edges + nodes, _limit(config, torch.device("cpu"))
    if needed > limit:
        raise ConfigError(
            f"synthetic: the graph needs about {format_bytes(needed)}, {format_bytes(limit)} "
            f"{source}: try fewer nodes, edges or features"
        )


def estimate(config: TrainConfig, data: Data) -> int:
    """Upper estimate of the bytes that the training of one seed needs in addition to its data.

    Parameters count five times (gradients, the state of Adam and the best model). A full batch
    adds the graph in both directions; for every layer its input after dropout, the projection and
    two sums over the in-edges; and twice the widest of these for gradients. Residuals, norms and
    activations of a deep model need as much again. GATv2 has a second projection. Edge features
    become one number for each edge and head, with GATv2 one for each channel. Dense layers keep
    ``[N, N]`` for each head, PyG's layers ``[E, H, C]``, twice as often with GATv2. Sampled
    training adds the graph, the same tensors for a batch, and :obj:`sampling.max_memory`.
    Link prediction on a full batch adds three tensors of the embeddings of all pairs. Graphs are
    copied, and a batch is assumed to have as many nodes and edges as the largest of them.
    """
    return estimate_of_sizes(config, data, sizes_of_run(config, data))


def estimate_of_sizes(config: TrainConfig, data: Data, sizes: ModelSizes) -> int:
    """:func:`estimate` for data without labels."""
    assert isinstance(data.x, Tensor)
    model, size = config.model, data.x.element_size()
    num_nodes, num_edges = data.x.size(0), data.num_edges
    copied, mode = 0, config.mode
    if config.task == "graph_classification":
        sizes, mode = sizes._replace(out_channels=config.graph.channels), "full"
        copied = size * (data.x.numel() + num_edges * (sizes.edge_dim or 0)) + 16 * num_edges
        if config.mode == "sampled":
            num_nodes, num_edges = _of_largest(data, config.sampling.batch_size)
    num_features, outputs, edge_dim = sizes
    hidden = model.heads * model.hidden_channels
    deep, v2 = model.architecture == "deep", model.variant == "gatv2"
    out_heads = model.heads if deep else model.out_heads
    widths = [hidden] * (model.num_layers - 1) + [outputs * out_heads]
    if model.jk is not None:  # the features of all layers, or the gates of an LSTM for each
        jumps = hidden * model.num_layers * (3 * model.num_layers if model.jk == "lstm" else 1)
        widths = [hidden] * model.num_layers + [jumps + outputs]
    first = num_features
    if data.x.is_sparse_csr:
        first = 2 * data.x.values().numel() // max(num_nodes, 1)
    inputs = [first, *widths[:-1]]

    def of_nodes(count: int) -> int:
        of_layer = 3 + v2 + (3 if deep else 1 if model.residual else 0)
        kept = sum(inputs) + of_layer * sum(widths) + 2 * outputs + 2 * max(*widths, first)
        return size * count * kept

    def of_edges(count: int) -> int:
        if edge_dim is None:
            return 0
        terms = sum(widths) if v2 else model.heads * len(widths)
        return size * count * (2 * edge_dim + 3 * terms)

    pairs = zip([num_features, *widths[:-1]], widths, strict=True)
    copies = 1 + v2 + (deep or bool(model.residual))
    parameters = 5 * size * copies * sum(rows * columns for rows, columns in pairs)
    graph = 16 * num_edges + 16 * num_nodes
    if mode == "sampled":
        ends = 2 if config.task == "link_prediction" else 1
        reached = total = min(num_nodes, ends * config.sampling.batch_size)
        for count in config.sampling.num_neighbors:
            reached = min(num_nodes, reached * (count if count > 0 else num_nodes))
            total = min(num_nodes, total + reached)
        inference = parse_bytes(config.sampling.max_memory)
        edges = min(num_edges, total * max(config.sampling.num_neighbors, default=0))
        if -1 in config.sampling.num_neighbors:
            edges = num_edges
        return parameters + graph // 2 + of_nodes(total) + of_edges(edges) + inference
    extra = copied
    if model.kind == "dense":
        heads = model.heads + out_heads
        extra += 4 * heads * size * num_nodes**2
    elif model.kind in ("pyg", "scatter"):
        extra += (3 + 3 * v2) * size * (num_edges + num_nodes) * (sum(widths) + model.heads)
    if config.task == "link_prediction":
        extra += 3 * size * num_edges * outputs * (1 if config.undirected else 2)
    edges = of_edges(num_edges + num_nodes)
    return parameters + graph + of_nodes(num_nodes) + edges + extra


def _of_largest(data: Data, count: int) -> tuple[int, int]:
    """Numbers of nodes and of edges of the largest graphs."""
    batch: Tensor = data["batch"]
    nodes, edges = batch.bincount(), batch[data["edge_index"][0]].bincount()
    largest = (sizes.sort(descending=True).values[:count] for sizes in (nodes, edges))
    num_nodes, num_edges = (int(sizes.sum()) for sizes in largest)
    return num_nodes, num_edges


def _of_processes(config: TrainConfig, data: Data, count: int) -> int:
    return count * (_PROCESS + _bytes_of_data(data) + estimate(config, data))


def _bytes_of_data(data: Data) -> int:
    return sum(_num_bytes(value) for value in data.to_dict().values() if isinstance(value, Tensor))


def _num_bytes(tensor: Tensor) -> int:
    if tensor.is_sparse_csr:
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values())
        return sum(part.nbytes for part in parts)
    return tensor.nbytes


def _limit(config: TrainConfig, device: torch.device) -> tuple[int, str]:
    if device.type == "cpu":
        memory = psutil.virtual_memory()
        free, total = memory.available, memory.total
    else:
        free, total = memory_of(device)
    if config.max_memory is None:
        return free, "available"
    limit = parse_bytes(config.max_memory)
    return (limit, "max_memory") if limit <= total else (total, "in this machine")


def format_bytes(count: int) -> str:
    """Returns a number of bytes in a unit that is easy to read."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
