"""What a training takes of memory, before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
from torch import Tensor

from gatsparse.inference import parse_bytes
from gatsparse.train.config import ConfigError

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from gatsparse.train.config import TrainConfig


def check_memory(config: TrainConfig, data: Data) -> str:
    """Compares what a training takes with what there is.

    Args:
        config (TrainConfig): Of the training.
        data (torch_geometric.data.Data): What it is trained on, already in memory.

    Returns:
        str: A line with the numbers.

    Raises:
        ConfigError: If it does not fit; the message has the numbers.
    """
    needed = estimate(config, data)
    if config.max_memory is None:
        limit, source = psutil.virtual_memory().available, "available"
    else:
        limit, source = parse_bytes(config.max_memory), "max_memory"
    numbers = f"{_gigabytes(needed)} beside the data, {_gigabytes(limit)} {source}"
    if needed > limit:
        advice = "mode: sampled takes less" if config.mode == "full" else "a smaller batch_size"
        raise ConfigError(f"memory: the training needs about {numbers}: {advice}")
    return f"memory: about {numbers}"


def estimate(config: TrainConfig, data: Data) -> int:
    """Bytes that a training of one seed adds to its data, rounded up rather than down.

    Of a full batch: the structure in both directions; of every layer its input after dropout, the
    projection, and two sums over the in-edges; twice the widest of these for gradients on
    their way. Residuals, norms and activations of a deep model take as much again. Dense layers
    keep ``[N, N]`` for each head, PyG's ``[E, H, C]``. Of sampled batches: the structure, the same
    of a batch, and what exact inference may take.
    """
    assert isinstance(data.x, Tensor)
    assert isinstance(data.y, Tensor)
    model, size = config.model, data.x.element_size()
    num_nodes, num_edges, num_features = data.x.size(0), data.num_edges, data.x.size(1)
    hidden, classes = model.heads * model.hidden_channels, int(data.y.max()) + 1
    deep = model.architecture == "deep"
    out_heads = model.heads if deep else model.out_heads
    widths = [hidden] * (model.num_layers - 1) + [classes * out_heads]
    first = num_features
    if data.x.is_sparse_csr:
        first = 2 * data.x.values().numel() // max(num_nodes, 1)
    inputs = [first, *widths[:-1]]

    def of_nodes(count: int) -> int:
        kept = (
            sum(inputs) + (6 if deep else 3) * sum(widths) + 2 * classes + 2 * max(*widths, first)
        )
        return size * count * kept

    structure = 16 * num_edges + 16 * num_nodes
    if config.mode == "sampled":
        reached = total = config.sampling.batch_size
        for count in config.sampling.num_neighbors:
            reached = min(num_nodes, reached * (count if count > 0 else num_nodes))
            total = min(num_nodes, total + reached)
        return structure // 2 + of_nodes(total) + parse_bytes(config.sampling.max_memory)
    extra = 0
    if model.kind == "dense":
        heads = model.heads + out_heads
        extra = 4 * heads * size * num_nodes**2
    elif model.kind in ("pyg", "scatter"):
        extra = 3 * size * (num_edges + num_nodes) * (sum(widths) + model.heads)
    return structure + of_nodes(num_nodes) + extra


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
