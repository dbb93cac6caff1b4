"""Models by kind: with gatsparse's layers, PyG's layers or dense layers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import torch
import torch.nn.functional as F
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Data

from gatsparse import ops
from gatsparse.checks import check_choice, check_instance, check_integer
from gatsparse.config_types import ConfigError
from gatsparse.data.labels import Task
from gatsparse.nn import GAT, GATConv, GATv2Conv, PaperExactGAT, PaperGAT
from gatsparse.nn.dense import Form
from gatsparse.nn.layer_checks import check_model
from gatsparse.train.dense_gat import DenseGAT
from gatsparse.train.model_config import Jump, Kind, ModelConfig, Norm, Variant
from gatsparse.train.objectives.build import NODE_TASKS

if TYPE_CHECKING:
    from gatsparse.train.config import TrainConfig


class ModelSizes(NamedTuple):
    """Sizes of a model that its data determine.

    Args:
        in_channels (int): Number of features of each node.
        out_channels (int): Number of outputs of each node: classes, labels, targets, or the
            channels of its embedding.
        edge_dim (int, optional): Number of features of each edge, if there are any.

    Example:
        >>> from gatsparse.train import ModelConfig, ModelSizes, build_model_of_sizes
        >>> model = build_model_of_sizes(ModelConfig(), ModelSizes(16, 7, edge_dim=None))
        >>> model.conv1.in_channels, model.conv2.out_channels
        (16, 7)
    """

    in_channels: int
    out_channels: int
    edge_dim: int | None


def model_sizes(
    data: Data, task: Task = "classification", embedding_channels: int = 64
) -> ModelSizes:
    """Returns the sizes of a model for :obj:`data`.

    Args:
        data (torch_geometric.data.Data): Features :obj:`x` ``[N, F]``, labels :obj:`y` of the task,
            and edge features :obj:`edge_attr` ``[E]`` or ``[E, D]``, if there are any.
        task (str, optional): ``"classification"``, ``"multi_label"``, ``"regression"``,
            ``"link_prediction"`` or ``"graph_classification"``.
        embedding_channels (int, optional): Number of outputs of each node with link_prediction.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`task` is unknown, or :obj:`data` has no features ``[N, F]``, no labels
            of the task, or edge features of another shape.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import model_sizes
        >>> model_sizes(load("digits"))
        ModelSizes(in_channels=64, out_channels=10, edge_dim=None)
    """
    check_choice("task", task, get_args(Task))
    if task == "link_prediction":
        check_instance("data", data, Data, "torch_geometric.data.Data")
        check_integer("embedding_channels", embedding_channels)
        outputs = embedding_channels
    else:
        outputs = NODE_TASKS[task].num_outputs(NODE_TASKS[task].labels(data))
    x, edge_attr = data.x, data.edge_attr
    if not isinstance(x, Tensor) or x.dim() != 2:
        raise ValueError("data.x: expected features [N, F]")
    edge_dim = None
    if edge_attr is not None:
        if not isinstance(edge_attr, Tensor) or edge_attr.dim() not in (1, 2):
            raise ValueError("data.edge_attr: expected edge features [E] or [E, D]")
        edge_dim = 1 if edge_attr.dim() == 1 else edge_attr.size(1)
    return ModelSizes(x.size(1), outputs, edge_dim)


def build_model(
    config: ModelConfig,
    data: Data,
    task: Task = "classification",
    embedding_channels: int = 64,
) -> torch.nn.Module:
    """Returns the GAT for the features and labels of :obj:`data`, in its dtype.

    Initial weights are drawn from torch's generator: seed it before.

    Args:
        config (ModelConfig): The kind, sizes and options of the model.
        data (torch_geometric.data.Data): As in :func:`model_sizes`.
        task, embedding_channels (optional): As in :func:`model_sizes`.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense; with edge
        features ``forward(x, edge_index, edge_attr=edge_attr)``.

    Raises:
        TypeError, ValueError: As in :func:`model_sizes`, or if :obj:`task` is
            ``"graph_classification"``, see :func:`build_graph_classifier`.
        ConfigError: If the model does not support edge features.

    Example:
        >>> from gatsparse.data import load
        >>> from gatsparse.train import ModelConfig, build_model
        >>> type(build_model(ModelConfig(), load("digits"))).__name__
        'PaperGAT'
    """
    check_instance("config", config, ModelConfig, "a ModelConfig")
    if task == "graph_classification":
        raise ValueError(
            f"task: expected a task of nodes or links, got {task!r}: call build_graph_classifier"
        )
    sizes = model_sizes(data, task, embedding_channels)
    return build_model_of_sizes(config, sizes, data["x"].dtype)


def sizes_of_run(config: TrainConfig, data: Data) -> ModelSizes:
    """Returns the sizes of the model of a configuration, as :func:`model_sizes`."""
    return model_sizes(data, config.task, config.link.channels)


def build_model_of_sizes(
    config: ModelConfig, sizes: ModelSizes, dtype: torch.dtype = torch.float32
) -> torch.nn.Module:
    """Returns the GAT of a configuration, without its data.

    Args:
        config (ModelConfig): As in :func:`build_model`.
        sizes (ModelSizes): Sizes of the data.
        dtype (torch.dtype, optional): Dtype of the parameters.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a size is out of range.
        ConfigError: If the model does not support edge features.

    Example:
        >>> from gatsparse.train import ModelConfig, ModelSizes, build_model_of_sizes
        >>> sizes = ModelSizes(in_channels=16, out_channels=7, edge_dim=3)
        >>> build_model_of_sizes(ModelConfig(variant="gatv2"), sizes).conv1
        GATv2Conv(16, 8, heads=8, backend='auto')
    """
    check_instance("config", config, ModelConfig, "a ModelConfig")
    check_instance("sizes", sizes, ModelSizes, "ModelSizes")
    check_instance("dtype", dtype, torch.dtype, "a torch.dtype")
    if sizes.edge_dim is not None and not config.takes_edge_features:
        raise ConfigError(
            "data.edge_attr: expected None with model.kind dense or model.paper_exact, got edge "
            "features: use model.kind gatsparse, scatter or pyg without paper_exact"
        )
    deep = config.architecture == "deep"
    options: dict[str, Any] = {
        "hidden_channels": config.hidden_channels,
        "heads": config.heads,
        "dropout": config.dropout,
        "negative_slope": config.negative_slope,
        "num_layers": config.num_layers,
        "variant": config.variant,
        "residual": deep if config.residual is None else config.residual,
        "add_self_loops": config.add_self_loops,
        "edge_dim": sizes.edge_dim,
    }
    if deep:
        build, more = build_deep_gat, {"norm": config.norm or "layer", "jk": config.jk}
    else:
        build = build_gat
        more = {"out_heads": config.out_heads, "paper_exact": config.paper_exact}
    model = build(config.kind, sizes.in_channels, sizes.out_channels, **options, **more)
    return model.to(dtype)


_LAYERS = {"gat": GATConv, "gatv2": GATv2Conv}
_PYG_LAYERS = {"gat": torch_geometric.nn.GATConv, "gatv2": torch_geometric.nn.GATv2Conv}


def _elu_dropout_of_torch(x: Tensor, p: float, training: bool) -> Tensor:
    return F.dropout(F.elu(x), p, training)


def build_gat(
    kind: Kind,
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 8,
    heads: int = 8,
    out_heads: int = 1,
    dropout: float = 0.6,
    negative_slope: float = 0.2,
    form: Form = "broadcast",
    paper_exact: bool = False,
    num_layers: int = 2,
    variant: Variant = "gat",
    residual: bool = False,
    add_self_loops: bool = True,
    edge_dim: int | None = None,
) -> torch.nn.Module:
    """Builds the GAT of the paper with layers of a kind.

    Args:
        kind (str): ``"gatsparse"``, ``"scatter"`` (gatsparse's layer, scatter backend), ``"pyg"``
            or ``"dense"``.
        in_channels, out_channels, hidden_channels, heads, out_heads, dropout, negative_slope,
            num_layers: As in :class:`gatsparse.nn.PaperGAT`; dense models have two layers.
        form (str, optional): As in :class:`gatsparse.nn.GraphAttentionLayer`.
        paper_exact (bool, optional): Builds a :class:`gatsparse.nn.PaperExactGAT`; only for kind
            ``"gatsparse"``.
        variant (str, optional): Layers of ``"gat"`` or ``"gatv2"``.
        residual, add_self_loops, edge_dim (optional): As in :class:`gatsparse.GATConv`. Dense and
            paper-exact models do not support these options.

    Returns:
        torch.nn.Module: ``forward(x, edge_index)``, or ``forward(x, adj)`` if dense.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`kind` is unknown, a number is out of range, or the kind does not
            support an option.

    Example:
        >>> from gatsparse.train import build_gat
        >>> type(build_gat("gatsparse", 16, 7)).__name__
        'PaperGAT'
        >>> type(build_gat("dense", 16, 7, form="concat")).__name__
        'DenseGAT'
    """
    sizes = (in_channels, hidden_channels, out_channels, heads, out_heads)
    check_choice("kind", kind, ("gatsparse", "scatter", "pyg", "dense"))
    check_choice("form", form, get_args(Form))
    check_model(*sizes, dropout, negative_slope, num_layers)
    check_choice("variant", variant, get_args(Variant))
    if edge_dim is not None:
        check_integer("edge_dim", edge_dim)
    if paper_exact and kind != "gatsparse":
        raise ValueError(f"paper_exact: expected False with kind {kind!r}, got True")
    if paper_exact or kind == "dense":
        for name, value, only in (
            ("num_layers", num_layers, 2),
            ("variant", variant, "gat"),
            ("residual", residual, False),
            ("add_self_loops", add_self_loops, True),
            ("edge_dim", edge_dim, None),
        ):
            if value != only:
                raise ValueError(
                    f"{name}: expected {only!r} with kind 'dense' or paper_exact=True, "
                    f"got {value!r}"
                )
    if paper_exact:
        return PaperExactGAT(*sizes, dropout, negative_slope)
    if kind == "dense":
        return DenseGAT(*sizes, dropout, negative_slope, form)
    options: dict[str, Any] = {
        "residual": residual,
        "add_self_loops": add_self_loops,
        "edge_dim": edge_dim,
    }
    if kind == "scatter":
        options["backend"] = "scatter"
    layers = _PYG_LAYERS if kind == "pyg" else _LAYERS
    functions = (F.dropout, _elu_dropout_of_torch)
    if kind == "gatsparse":
        functions = (ops.dropout, ops.elu_dropout)
    conv = partial(layers[variant], **options)
    return PaperGAT(*sizes, dropout, negative_slope, conv, *functions, num_layers=num_layers)


def build_deep_gat(
    kind: str,
    in_channels: int,
    out_channels: int,
    *,
    hidden_channels: int = 8,
    heads: int = 8,
    num_layers: int = 3,
    dropout: float = 0.2,
    negative_slope: float = 0.2,
    variant: Variant = "gat",
    residual: bool = True,
    norm: Norm = "layer",
    jk: Jump | None = None,
    add_self_loops: bool = True,
    edge_dim: int | None = None,
) -> torch.nn.Module:
    """Builds PyG's GAT model for more than two layers, with residual connections, a LayerNorm of
    each node and GELU, as in `"A critical look at the evaluation of GNNs under heterophily"
    <https://arxiv.org/abs/2302.11640>`_.

    Args:
        kind (str): ``"gatsparse"``, ``"scatter"`` (gatsparse's layers, scatter backend) or
            ``"pyg"``.
        in_channels, out_channels (int): Numbers of features and of classes.
        hidden_channels (int, optional): Size of each head of all layers but the last.
        heads (int, optional): Heads of every layer; the heads of the last layer are averaged.
        num_layers (int, optional): Number of layers.
        dropout (float, optional): Dropout probability of the inputs of all layers but the first,
            and of the attention.
        negative_slope (float, optional): Slope of the LeakyReLU for negative scores.
        variant (str, optional): Layers of ``"gat"`` or ``"gatv2"``.
        residual (bool, optional): Whether layers add a linear projection of their input.
        norm (str, optional): Normalisation between the layers: ``"layer"`` of each node,
            ``"batch"`` of each feature over the nodes, or ``"none"``.
        jk (str, optional): As in :class:`torch_geometric.nn.GAT`.
        add_self_loops, edge_dim (optional): As in :class:`gatsparse.GATConv`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If :obj:`kind` is unknown, or a number is out of range.

    Example:
        >>> import torch
        >>> from gatsparse.train import build_deep_gat
        >>> model = build_deep_gat("gatsparse", 16, 4, num_layers=5)
        >>> model(torch.randn(3, 16), torch.tensor([[0, 1, 2], [1, 2, 0]])).shape
        torch.Size([3, 4])
    """
    models = {
        "gatsparse": GAT,
        "scatter": partial(GAT, backend="scatter"),
        "pyg": torch_geometric.nn.GAT,
    }
    check_choice("kind", kind, models)
    check_model(
        in_channels, hidden_channels, out_channels, heads, 1, dropout, negative_slope, num_layers
    )
    check_choice("variant", variant, get_args(Variant))
    check_choice("norm", norm, get_args(Norm))
    if jk is not None:
        check_choice("jk", jk, get_args(Jump))
    if edge_dim is not None:
        check_integer("edge_dim", edge_dim)
    return models[kind](
        in_channels,
        heads * hidden_channels,
        num_layers,
        out_channels,
        v2=variant == "gatv2",
        heads=heads,
        dropout=dropout,
        negative_slope=negative_slope,
        residual=residual,
        add_self_loops=add_self_loops,
        edge_dim=edge_dim,
        jk=jk,
        act="gelu",
        norm=None if norm == "none" else norm,
        norm_kwargs={"mode": "node"} if norm == "layer" else None,
    )
