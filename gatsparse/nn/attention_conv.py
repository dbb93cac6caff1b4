"""The forward pass that our layers share, around the operator of each: what PyG's layers take
and return, and when PyG's own forward must serve.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import _has_any_global_hook
from torch_geometric.nn import Linear, MessagePassing, SumAggregation
from torch_geometric.utils import scatter

from gatsparse.adjacency import Adjacency, Size, adjacency
from gatsparse.graph import CSRGraph
from gatsparse.ops import backend as backends
from gatsparse.ops import sparse_linear
from gatsparse.ops.backend import Backend
from gatsparse.ops.edgewise import edges
from gatsparse.ops.philox import draw_seed
from gatsparse.slow_path import report_choice

#: Node features, or those of sources and of destinations.
Features = Tensor | tuple[Tensor, Tensor | None]

_HOOKS = (
    "_propagate_forward_pre_hooks",
    "_propagate_forward_hooks",
    "_message_forward_pre_hooks",
    "_message_forward_hooks",
    "_aggregate_forward_pre_hooks",
    "_aggregate_forward_hooks",
    "_edge_update_forward_pre_hooks",
    "_edge_update_forward_hooks",
)
_STEPS = ("message", "aggregate", "update", "edge_update")
_GENERATED = ("propagate", "edge_updater")
_ALL_STEPS = (*_STEPS, *_GENERATED)


class AttentionConv:
    """What our layers add to PyG's class, the next base.

    A layer names its operator (:attr:`_attention`, :attr:`_attention_weights`) and what it is
    computed from: :meth:`_lins`, :meth:`_project`, :meth:`_operands`, :meth:`_edge_operand`.
    """

    backend: Backend = "auto"

    _pyg: Any
    _attention: Any
    _attention_weights: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """PyG generates two methods for each class, and keeps what they were before for its
        explainers: that must not be those generated for the parent, which mask no message.
        """
        super().__init_subclass__(**kwargs)
        for name in _GENERATED:
            if not _overrides(cls, name):
                setattr(cls, name, getattr(MessagePassing, name))

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        *args: Any,
        backend: Backend = "auto",
        **kwargs: Any,
    ) -> None:
        for name, value in (("out_channels", out_channels), ("heads", heads)):
            if not isinstance(value, Integral):
                raise TypeError(f"{name}: expected an integer, got {value!r}")
            if value < 1:
                raise ValueError(f"{name}: expected >= 1, got {value}")
        if not isinstance(dropout, Real):
            raise TypeError(f"dropout: expected a number, got {dropout!r}")
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout: expected 0 <= dropout <= 1, got {dropout}")
        backends.check(backend)
        super().__init__(
            in_channels,  # pyright: ignore[reportCallIssue]
            out_channels,
            heads,
            concat,
            negative_slope,
            dropout,
            add_self_loops,
            *args,
            **kwargs,
        )
        self.backend = backend

    def _attend(
        self: Any,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None,
        return_attention_weights: bool | None,
        **size: Any,
    ) -> Any:
        """The forward pass; :obj:`size` as the keyword that PyG's layer takes, or nothing."""
        if _is_batch(x):
            return self._attend_batch(x, edge_index, edge_attr, return_attention_weights, **size)
        if reasons := self._unmet():
            form = adjacency(edge_index)
            requested = self.backend != "auto"
            report_choice("PyG", reasons, form.num_edges, requested=requested)
            if not form.pyg_takes_it:
                size = dict.fromkeys(size, in_flow(self, form.size))
                edge_index, edge_attr = form.edges(), edge_attr_of(self, form, edge_attr)
            return self._pyg.forward(
                self,
                _dense(x),
                edge_index,
                edge_attr,
                return_attention_weights=return_attention_weights,
                **size,
            )

        _check_x(x, self._lins())
        form = adjacency(edge_index)
        x_src, x_dst = self._project(x)
        num_dst = None if x_dst is None else x_dst.size(0)
        graph = self._structure(form, x_src.size(0), num_dst, **size)
        edge, loop = self._edge_operands(form, graph, edge_attr)
        backwards = self.flow == "target_to_source"
        dropout = self.dropout if self.training else 0.0
        operands = {
            **self._operands(x_src, x_dst),
            "graph": graph.reverse() if backwards else graph,
            "edge": edge,
            "loop": loop,
            "add_self_loops": self.add_self_loops,
            "negative_slope": self.negative_slope,
            "dropout": dropout,
            "seed": draw_seed() if dropout > 0.0 else None,
        }
        x_res = x if isinstance(x, Tensor) else x[1]
        residual = self.res is not None and x_res is not None
        bias = None if residual else self.bias
        out = self._attention(**operands, bias=bias, concat=self.concat, backend=self.backend)
        out = out.to(torch.promote_types(out.dtype, self._score_dtype))  # autocast: as PyG's sum
        if residual:
            out = out + project(self.res, x_res)  # pyright: ignore[reportArgumentType]
            out = out if self.bias is None else out + self.bias
        if return_attention_weights:
            pairs, alpha = self._attention_weights(**operands)
            pairs = pairs.flip(0) if backwards else pairs
            return out, form.attention(pairs, alpha, self.add_self_loops)
        return out

    def __repr__(self: Any) -> str:
        return f"{super().__repr__()[:-1]}, backend={self.backend!r})"

    @property
    def num_projections(self: Any) -> int:
        """1 if the projection of a source is its projection as a destination, else 2."""
        return len({id(lin) for lin in self._lins()})

    def splits_by_head(self: Any) -> bool:
        """Whether :meth:`of_heads` computes what the layer does: that is no more than its class and
        its parameters say, on our operators.
        """
        changed = any(is_changed(module) for module in (self, *self.children()))
        plain = all(type(lin) in (Linear, torch.nn.Linear) for lin in self._lins())
        ours = "_pyg" in vars(type(self)) and self.backend in ("auto", "fused")
        return ours and plain and not changed and not self._unmet()

    def of_heads(self: Any, first: int, last: int) -> Any:
        """The heads :obj:`first` to :obj:`last` - 1 of the layer, without residual and bias.

        Args:
            first (int): The first head.
            last (int): The one after the last.
        """
        part = copy.deepcopy(self)
        part.heads, part.bias, part.res = last - first, None, None
        for name, parameter in list(part.named_parameters(recurse=False)):
            if parameter.dim() == 3:  # [1, H, C]
                setattr(part, name, torch.nn.Parameter(parameter[:, first:last]))
        rows = slice(first * self.out_channels, last * self.out_channels)
        for lin in {id(lin): lin for lin in part._lins()}.values():
            for name, parameter in list(lin.named_parameters(recurse=False)):
                setattr(lin, name, torch.nn.Parameter(parameter[rows]))
        return part

    def attend_all(self: Any, blocks: Iterable[Tensor], graph: CSRGraph) -> Tensor:
        """The forward pass, without residual, on features of all nodes that come a few at a time:
        only their projections are held together.

        Args:
            blocks (iterable of Tensor): ``[n, F]`` each, ``[N, F]`` together.
            graph (CSRGraph): Of size ``(N, N)``.

        Returns:
            Tensor: ``[N, H * C]``, or ``[N, C]`` without :obj:`concat`.
        """
        tables: list[Tensor] = []
        first = 0
        for x in blocks:
            projected = self._project(x)[: self.num_projections]
            last = first + x.size(0)
            tables = tables or [t.new_empty(graph.num_src, *t.shape[1:]) for t in projected]
            for table, rows in zip(tables, projected, strict=True):
                table[first:last] = rows
            first = last
        out = self._attention(
            **self._operands(tables[0], tables[-1]),
            graph=graph,
            bias=self.bias,
            concat=self.concat,
            add_self_loops=self.add_self_loops,
            negative_slope=self.negative_slope,
            backend=self.backend,
        )
        return out.to(torch.promote_types(out.dtype, self._score_dtype))

    def _attend_batch(
        self: Any,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None,
        return_attention_weights: bool | None,
        **size: Any,
    ) -> Any:
        """A batch of node features on one graph, as one graph of as many copies."""
        _check_x(x, self._lins())
        pair = (x, None) if isinstance(x, Tensor) else x
        batch, *others = (t.shape[:-2] for t in pair if t is not None)
        if any(other != batch for other in others):
            raise ValueError(f"x: expected one batch, got {[list(batch), *map(list, others)]}")
        num_src, num_dst = pair[0].size(-2), None if pair[1] is None else pair[1].size(-2)
        form = adjacency(edge_index)
        graph = self._structure(form, num_src, num_dst, **size)
        if self.add_self_loops and graph.num_src != graph.num_dst:
            raise ValueError(
                "x: expected add_self_loops=False beside a batch of features of two node sets, "
                f"got a graph of size {graph.size}"
            )
        edge_attr = edge_attr_of(self, form, edge_attr)
        if isinstance(edge_attr, Tensor):
            edge_attr = _of_every_graph(edge_attr, batch, graph.num_edges)
        flat = tuple(None if t is None else t.flatten(0, -2) for t in pair)
        result = self._attend(
            flat[0] if isinstance(x, Tensor) else flat,
            graph.repeat(math.prod(batch)),
            edge_attr,
            return_attention_weights,
            **dict.fromkeys(size),
        )
        _, num_rows = in_flow(self, graph.size)
        if not return_attention_weights:
            return result.unflatten(0, (*batch, num_rows))
        out, (_, alpha) = result
        edges_of_one, _ = edges(graph, self.add_self_loops)
        num_loops = graph.num_src if self.add_self_loops else 0
        alpha = _by_graph(alpha, batch, edges_of_one.size(1) - num_loops, num_loops)
        return out.unflatten(0, (*batch, num_rows)), (edges_of_one, alpha)

    def _structure(
        self, form: Adjacency, num_src: int, num_dst: int | None, size: Size | None = None
    ) -> CSRGraph:
        """The structure of the form's edges between nodes with these features; where the
        destinations have none, the graph or the caller's :obj:`size` tells their number.

        Raises:
            ValueError: If what tells a number contradicts the features.
        """
        if size is not None and not (isinstance(size, (tuple, list)) and len(size) == 2):
            raise TypeError(f"size: expected a pair of integers, got {size!r}")
        of_form = in_flow(self, form.size)
        if num_dst is None:
            num_dst = next((n[1] for n in (of_form, size) if n and n[1] is not None), num_src)
        expected = num_src, num_dst
        for told in (of_form, size or (None, None)):
            for k in (0, 1):
                if told[k] is not None and told[k] != expected[k]:
                    raise ValueError(
                        f"size[{k}]: expected {expected[k]}, as x has it, got {told[k]}"
                    )
        return form.graph(in_flow(self, expected))

    def _edge_operands(
        self: Any, form: Adjacency, graph: CSRGraph, edge_attr: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """What the operator takes of the edges and of the self-loops that are added."""
        edge_attr = edge_attr_of(self, form, edge_attr)
        if edge_attr is None or not self._takes_edge_features():
            return None, None
        edge, loop = _edge_features(self, form, graph, edge_attr)
        return self._edge_operand(edge), None if loop is None else self._edge_operand(loop)

    def _unmet(self: Any) -> list[str]:
        """What keeps our operator from serving this layer, so that PyG's own forward must.

        Raises:
            ValueError: If something does and the named backend never falls back.
        """
        reasons = []
        if self.explain:
            reasons.append("explain: an explainer masks messages")
        if torch.jit.is_tracing():  # pyright: ignore[reportPrivateImportUsage]
            reasons.append(
                "torch.jit traces it, and cannot store what computes gradients in Python"
            )
        if any(getattr(self, hooks) for hooks in _HOOKS):
            reasons.append("message-passing hooks are registered")
        cls = type(self)
        overridden = _overridden(cls)
        replaced = [name for name in _ALL_STEPS if _replaces(self, name)]
        if overridden or replaced:
            overridden = dict.fromkeys((*overridden, *replaced))
            reasons.append(f"{type(self).__name__} overrides {', '.join(overridden)}")
        if type(self.aggr_module) is not SumAggregation:
            reasons.append(f"aggr={self.aggr!r}, by {self.aggr_module}; expected 'add'")
        elif _is_hooked(self.aggr_module):
            reasons.append("hooks on aggr_module are registered")
        if reasons:
            backends.require(self.backend, {"fused": reasons, "dense": reasons, "scatter": []})
        return reasons


def project(lin: torch.nn.Module, x: Tensor) -> Tensor:
    """``lin(x)`` of dense or ``sparse_csr`` features, which stay sparse where :obj:`lin` does no
    more than its class and its parameters say.
    """
    if x.layout != torch.sparse_csr:
        return lin(x)
    if type(lin) in (Linear, torch.nn.Linear) and not is_changed(lin):
        return sparse_linear(x, lin.weight, lin.bias)  # pyright: ignore[reportArgumentType]
    return lin(x.to_dense())


def _dense(x: Features) -> Features:
    """Features for PyG's own forward pass, which takes no sparse ones."""
    if isinstance(x, Tensor):
        return x if x.layout == torch.strided else x.to_dense()
    return tuple(t if t is None else _dense(t) for t in x)  # pyright: ignore[reportReturnType]


def in_flow(layer: Any, size: tuple[Any, Any]) -> tuple[Any, Any]:
    """Sources and destinations of a layer's messages instead of edges; and back."""
    return size if layer.flow == "source_to_target" else (size[1], size[0])


def edge_attr_of(layer: Any, form: Adjacency, edge_attr: Tensor | None) -> Tensor | None:
    """What a layer takes for edge features: those that the graph carries if there are no others."""
    given = edge_attr is not None or layer.lin_edge is None
    return edge_attr if given else form.values


def _is_hooked(module: torch.nn.Module) -> bool:
    """Whether something is called before or after :obj:`module`, or its backward pass."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def is_changed(module: torch.nn.Module) -> bool:
    """Whether what :obj:`module` does is more than its class and its parameters say."""
    return _is_hooked(module) or "forward" in vars(module) or bool(_has_any_global_hook())


def _is_generated(method: Any) -> bool:
    """Whether PyG generated a method, into a module of its own that has this class."""
    return "CollectArgs" in getattr(method, "__globals__", {})


def _overrides(cls: Any, name: str) -> bool:
    """Whether a user's subclass of our layer has a step of message passing of its own."""
    method = getattr(cls, name)
    inherited = getattr(cls._pyg, name), getattr(MessagePassing, name)
    return method not in inherited and not (name in _GENERATED and _is_generated(method))


def _overridden(cls: Any) -> list[str]:
    """The steps that a class overrides; not looked for again while they are the same."""
    steps = tuple([getattr(cls, name) for name in _ALL_STEPS])
    known = vars(cls).get("_known_steps")
    if known is not None and known[0] == steps:
        return known[1]
    overridden = [name for name in _ALL_STEPS if _overrides(cls, name)]
    if not torch.compiler.is_compiling():
        cls._known_steps = steps, overridden
    return overridden


def _replaces(layer: Any, name: str) -> bool:
    """Whether a step of message passing was set on a layer itself; PyG sets its own, too."""
    if name not in vars(layer):
        return False
    known = [getattr(type(layer), f"_{kind}_{name}", None) for kind in ("orig", "jinja")]
    function = getattr(vars(layer)[name], "__func__", None)
    return function is None or function not in known


def _is_batch(x: Any) -> bool:
    """Whether every node has more than one vector of features."""
    tensors = x if isinstance(x, (tuple, list)) else (x,)
    return any(isinstance(tensor, Tensor) and tensor.dim() > 2 for tensor in tensors)


def _of_every_graph(edge_attr: Tensor, batch: torch.Size, num_edges: int) -> Tensor:
    """The features of the edges of all graphs; those of one are those of every one."""
    if edge_attr.dim() <= 2:
        return edge_attr.expand(math.prod(batch), *edge_attr.shape).flatten(0, 1)
    if edge_attr.shape[:-1] != (*batch, num_edges):
        raise ValueError(
            f"edge_attr: expected shape [{num_edges}, D] or {[*batch, num_edges, 'D']}, as x and "
            f"edge_index have it, got {list(edge_attr.shape)}"
        )
    return edge_attr.flatten(0, -2)


def _by_graph(alpha: Tensor, batch: torch.Size, num_edges: int, num_loops: int) -> Tensor:
    """``[*batch, E', H]`` of the attention of copies: first all their edges, then all loops."""
    count, parts = math.prod(batch), (num_edges, num_loops)
    splits = alpha.split([count * n for n in parts])
    shaped = [a.reshape(*batch, n, alpha.size(1)) for a, n in zip(splits, parts, strict=True)]
    return torch.cat(shaped, dim=len(batch))


def _check_x(x: Features, lins: tuple[Linear, Linear]) -> None:
    """Raises TypeError or ValueError if :obj:`x` is not what the projections take."""
    tensors = (x, None) if isinstance(x, Tensor) else x
    if not isinstance(tensors, (tuple, list)) or len(tensors) != 2:
        raise TypeError(f"x: expected a tensor or a pair of them, got {type(x).__name__}")
    for k, (tensor, lin) in enumerate(zip(tensors, lins, strict=True)):
        if tensor is None and k == 1:
            continue
        name = "x" if isinstance(x, Tensor) else f"x[{k}]"
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name}: expected a tensor, got {type(tensor).__name__}")
        if not tensor.is_floating_point():
            raise TypeError(f"{name}: expected a floating point tensor, got {tensor.dtype}")
        if tensor.layout not in (torch.strided, torch.sparse_csr):
            raise TypeError(f"{name}: expected dense or sparse_csr, got {tensor.layout}")
        width = getattr(lin, "in_channels", -1)  # what stands in its place may not know
        if tensor.dim() < 2 or (width != -1 and width != tensor.size(-1)):
            expected = "F" if width == -1 else width
            raise ValueError(f"{name}: expected shape [N, {expected}], got {list(tensor.shape)}")


def _edge_features(
    layer: Any, form: Adjacency, graph: CSRGraph, edge_attr: Tensor
) -> tuple[Tensor, Tensor | None]:
    r"""The features of the edges ``[E, D]`` and, where :obj:`layer` adds self-loops, theirs:
    ``[min(N_src, N_dst), D]``, filled as its ``fill_value`` says.

    Raises:
        TypeError: If :obj:`edge_attr` is no tensor of floats.
        ValueError: If it has no row for every edge, or not the layer's ``edge_dim``.
    """
    if not isinstance(edge_attr, Tensor):
        raise TypeError(f"edge_attr: expected a tensor, got {type(edge_attr).__name__}")
    if not edge_attr.is_floating_point():
        raise TypeError(f"edge_attr: expected a floating point tensor, got {edge_attr.dtype}")
    edge_attr = edge_attr[:, None] if edge_attr.dim() == 1 else edge_attr
    width = getattr(layer.lin_edge, "in_channels", -1)
    fits = edge_attr.dim() == 2 and (width == -1 or width == edge_attr.size(1))
    if not fits or edge_attr.size(0) != graph.num_edges:
        raise ValueError(
            f"edge_attr: expected shape [{graph.num_edges}, {'D' if width == -1 else width}], "
            f"got {list(edge_attr.shape)}"
        )
    if not layer.add_self_loops:
        return edge_attr, None
    num_loops = min(graph.size)
    shape = (num_loops, edge_attr.size(1))
    fill_value = layer.fill_value
    if isinstance(fill_value, str):
        src, dst = form.edges()
        # Edges that are loops themselves, or lead to no loop, go to a row beyond the last.
        counts = (src != dst) & (dst < num_loops)
        index = torch.where(counts, dst, num_loops).long()
        loop = scatter(edge_attr, index, dim=0, dim_size=num_loops + 1, reduce=fill_value)[:-1]
    elif isinstance(fill_value, Tensor):
        loop = fill_value.to(edge_attr).expand(shape)
    else:
        loop = edge_attr.new_full(shape, 1.0 if fill_value is None else fill_value)
    return edge_attr, loop
