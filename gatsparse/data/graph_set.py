"""Many graphs as one that is disconnected, in which a vector numbers the graph of each node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, Dataset

from gatsparse.checks import check_instance
from gatsparse.data.labels import node_labels

Graphs = Sequence[Data] | Dataset


def join_graphs(
    graphs: Graphs, val_graphs: Graphs | None = None, test_graphs: Graphs | None = None
) -> Data:
    """Joins graphs to one that is disconnected, for task graph_classification.

    Args:
        graphs (list of Data, or Dataset): Graphs with features :obj:`x` ``[n, F]``,
            :obj:`edge_index` ``[2, e]`` and one class :obj:`y`, and with :obj:`edge_attr` either
            all or none. Other attributes are dropped.
        val_graphs, test_graphs (optional): Graphs to validate and to test, if the split is given.

    Returns:
        torch_geometric.data.Data: :obj:`x` ``[N, F]``, :obj:`edge_index` ``[2, E]``,
        :obj:`edge_attr` if there is any, :obj:`batch` int64 ``[N]``, the number of the graph of
        each node, and classes :obj:`y` ``[G]``. With a given split also :obj:`train_mask`,
        :obj:`val_mask` and :obj:`test_mask`, bool ``[G]``.

    Raises:
        TypeError: If an argument is not a list or data set, or an item not a
            :class:`~torch_geometric.data.Data`.
        ValueError: If a graph has no nodes, lacks an attribute or has one of another shape, or only
            one of :obj:`val_graphs` and :obj:`test_graphs` is given.

    Example:
        >>> import torch
        >>> from gatsparse.data import join_graphs
        >>> from torch_geometric.data import Data
        >>> edge = torch.tensor([[0], [1]])
        >>> data = join_graphs([Data(x=torch.ones(n, 3), edge_index=edge, y=n % 2) for n in (2, 3)])
        >>> data.batch.tolist(), data.y.tolist(), data.edge_index.tolist()
        ([0, 0, 1, 1, 1], [0, 1], [[0, 2], [1, 3]])
    """
    if (val_graphs is None) != (test_graphs is None):
        missing = "val_graphs" if val_graphs is None else "test_graphs"
        raise ValueError(f"{missing}: expected graphs, as the split is given, got None")
    parts: list[int] = []
    items: list[Any] = []
    for name, part in (
        ("graphs", graphs),
        ("val_graphs", val_graphs),
        ("test_graphs", test_graphs),
    ):
        if part is None and name != "graphs":
            continue
        check_instance(name, part, (Sequence, Dataset), "a list or data set of graphs")
        assert part is not None
        for index in range(len(part)):
            items.append(_item(part[index], f"{name}[{index}]", items[0] if items else part[0]))
        parts.append(len(part))
    if not items:
        raise ValueError("graphs: expected at least one graph, got none")
    batch: Any = Batch.from_data_list(items)
    joined = Data(x=batch.x, edge_index=batch.edge_index, y=batch.y, batch=batch.batch)
    for key in ("edge_attr", "edge_weight"):
        if key in batch:
            joined[key] = batch[key]
    if len(parts) > 1:
        part_of = torch.arange(3).repeat_interleave(torch.tensor(parts))
        for number, key in enumerate(("train_mask", "val_mask", "test_mask")):
            joined[key] = part_of == number
    return joined


def _item(graph: Any, name: str, first: Any) -> Data:
    """A graph with the attributes that are joined, which are as those of the first one."""
    check_instance(name, graph, Data, "torch_geometric.data.Data")
    x, edge_index = graph.x, graph.edge_index
    width = first.x.size(1) if isinstance(first.x, Tensor) and first.x.dim() == 2 else "F"
    if not isinstance(x, Tensor) or x.dim() != 2 or len(x) == 0 or width not in ("F", x.size(1)):
        raise ValueError(f"{name}.x: expected features [n, {width}] of n >= 1 nodes, got {_got(x)}")
    if not isinstance(edge_index, Tensor) or edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"{name}.edge_index: expected a tensor [2, e], got {_got(edge_index)}")
    count = edge_index.size(1)
    if count > 0 and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < len(x):
        raise ValueError(f"{name}.edge_index: expected nodes in 0 .. {len(x) - 1}, got others")
    item = Data(x=x, edge_index=edge_index, y=_label(graph.y, name))
    for key in ("edge_attr", "edge_weight"):
        values, of_first = graph.get(key), first.get(key)
        if of_first is None and values is None:
            continue
        shape = None if of_first is None else (count, *of_first.shape[1:])
        if values is None or shape is None or values.shape != shape:
            expected = "None" if shape is None else f"a tensor {list(shape)}"
            raise ValueError(
                f"{name}.{key}: expected {expected}, as graphs[0] has, got {_got(values)}"
            )
        item[key] = values
    return item


def _label(y: Any, name: str) -> Tensor:
    """The class of a graph as a tensor ``[1]``."""
    try:
        label = torch.as_tensor(y)
    except (TypeError, ValueError, RuntimeError):
        label = torch.empty(0)
    if label.numel() != 1:
        raise ValueError(f"{name}.y: expected the class of the graph, got {_got(y)}")
    return label.view(1)


def _got(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {list(value.shape)}"
    return "None" if value is None else type(value).__name__


def check_graphs(data: Data) -> int:
    """Checks the graphs of data of :func:`join_graphs`.

    Returns:
        int: The number of graphs.

    Raises:
        TypeError: If :obj:`data` is of a wrong type.
        ValueError: If :obj:`batch` is missing or not sorted, a graph has no node, or an edge joins
            two graphs.
    """
    check_instance("data", data, Data, "torch_geometric.data.Data")
    x, batch, edge_index = (data.get(key) for key in ("x", "batch", "edge_index"))
    if not isinstance(x, Tensor) or not isinstance(batch, Tensor) or batch.shape != x.shape[:1]:
        raise ValueError(
            f"data.batch: expected the number of the graph of each node [N], got {_got(batch)}: "
            "join graphs with gatsparse.data.join_graphs"
        )
    steps = batch.diff()
    if len(batch) == 0 or int(batch[0]) != 0 or not bool(((steps == 0) | (steps == 1)).all()):
        raise ValueError(
            "data.batch: expected numbers of graphs 0, 0, ..., 1, 1, ... in this order and without "
            "gaps: join graphs with gatsparse.data.join_graphs"
        )
    if not isinstance(edge_index, Tensor) or edge_index.layout != torch.strided:
        raise ValueError(f"data.edge_index: expected a tensor [2, E], got {_got(edge_index)}")
    graphs = batch[edge_index]
    wrong = (graphs[0] != graphs[1]).nonzero()
    if len(wrong) > 0:
        edge = int(wrong[0])
        first, second = graphs[:, edge].tolist()
        raise ValueError(
            f"data.edge_index: expected edges within a graph, got edge {edge} from a node of graph "
            f"{first} to a node of graph {second}"
        )
    return int(batch[-1]) + 1


def graph_labels(data: Data) -> Tensor:
    """Returns the class of each graph.

    Args:
        data (torch_geometric.data.Data): Data of :func:`join_graphs`.

    Returns:
        Tensor: int64 ``[G]``, at least 0, or -1 for unlabelled graphs.

    Raises:
        TypeError, ValueError: As in :func:`check_graphs` and
            :func:`~gatsparse.data.labels.node_labels`.
    """
    count, y = check_graphs(data), data.y
    if not isinstance(y, Tensor) or y.shape not in ((count,), (count, 1)):
        raise ValueError(f"data.y: expected one class per graph, [{count}], got {_got(y)}")
    return node_labels(Data(y=y))


def separate_graphs(data: Data) -> list[Data]:
    """Returns the graphs of data of :func:`join_graphs`; features are not copied.

    Args:
        data (torch_geometric.data.Data): Data that :func:`check_graphs` accepts.
    """
    edge_index: Any = data.edge_index
    num_nodes = data["batch"].bincount()
    graph_of_edge = data["batch"][edge_index[0]]
    num_edges = graph_of_edge.bincount(minlength=len(num_nodes)).tolist()
    order = graph_of_edge.argsort(stable=True)
    first = (num_nodes.cumsum(0) - num_nodes).to(edge_index.dtype)
    local = (edge_index - first[graph_of_edge])[:, order]
    columns = {
        "x": data["x"].split(num_nodes.tolist()),
        "edge_index": local.split(num_edges, dim=1),
    }
    if data.y is not None:
        columns["y"] = data["y"].split(1)
    for key in ("edge_attr", "edge_weight"):
        if data.get(key) is not None:
            columns[key] = data[key][order].split(num_edges)
    rows = zip(*columns.values(), strict=True)
    return [Data(**dict(zip(columns, row, strict=True))) for row in rows]
