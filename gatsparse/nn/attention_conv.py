"""The forward pass that gatsparse's layers share: inputs and outputs as in PyG's layers, the call
of the layer's operator, and the fallback to PyG's own forward pass.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, promote_types
from torch_geometric.nn import Linear, MessagePassing

from gatsparse.adjacency import Adjacency, Size, adjacency
from gatsparse.checks import check_share
from gatsparse.graph import CSRGraph
from gatsparse.nn.edge_features import edge_attr_of, edge_features
from gatsparse.nn.function_mode import own_functions, sparse
from gatsparse.nn.known_call import call_signature, needs_only_kernels
from gatsparse.nn.layer_checks import check_features, check_layer
from gatsparse.nn.operand_graph import operand_graph
from gatsparse.nn.overrides import GENERATED, is_changed, overrides, reasons_for_pyg
from gatsparse.nn.projection import Features, for_pyg, project
from gatsparse.nn.static_graphs import batch_shape, is_batch, repeat_edge_attr, split_attention
from gatsparse.ops import backend as backends
from gatsparse.ops.backend import Backend
from gatsparse.ops.edge_list import EdgeList
from gatsparse.ops.options import Options
from gatsparse.ops.philox import draw_seed
from gatsparse.slow_path import report_choice


class AttentionConv:
    """Mixin that replaces the forward pass of PyG's class, the next base, with a fused operator.

    A layer defines its operator (:attr:`_attention`, :attr:`_attention_weights`) and the operator's
    arguments: :meth:`_lins`, :meth:`_project`, :meth:`_operands`, :meth:`_edge_operand`.
    """

    backend: Backend = "auto"
    #: Whether dense features that are mostly zero are multiplied as sparse ones.
    finds_sparse_features = False

    _pyg: Any
    _attention: Any
    _attention_weights: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Resets the two methods that PyG generates for each class and caches for its explainers:
        the methods of the parent do not mask messages.
        """
        super().__init_subclass__(**kwargs)
        for name in GENERATED:
            if not overrides(cls, name):
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
        check_layer(in_channels, out_channels, heads, negative_slope, dropout, *args, **kwargs)
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
        """The forward pass. :obj:`size` is a keyword of PyG's GATConv, but not of its GATv2Conv."""
        with own_functions():
            if self.finds_sparse_features and self.backend in ("auto", "fused"):
                x = sparse(x)
            return self._attend_once(x, edge_index, edge_attr, return_attention_weights, **size)

    def _attend_once(
        self: Any,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None,
        return_attention_weights: bool | None,
        **size: Any,
    ) -> Any:
        plain = edge_attr is None and not return_attention_weights
        plain = plain and all(given is None for given in size.values())
        call = call_signature(self, x, edge_index) if plain else None
        if call is not None and call == vars(self).get("_known_call"):
            return self._attend_known(x, edge_index)
        if is_batch(x):
            return self._attend_batch(x, edge_index, edge_attr, return_attention_weights, **size)
        if reasons := self._unmet():
            form = adjacency(edge_index)
            report_choice("PyG", reasons, form.num_edges, requested=self.backend != "auto")
            return self._attend_by_pyg(x, form, edge_attr, return_attention_weights, **size)

        check_features(x, self._lins())
        form = adjacency(edge_index)
        x_src, x_dst = self._project(x)
        num_dst = None if x_dst is None else x_dst.size(0)
        num_nodes = self._num_nodes(form, x_src.size(0), num_dst, **size)
        graph = self._graph(form, num_nodes, x_src, x_dst, edge_attr)
        edge, loop = self._edge_operands(form, graph, edge_attr)
        backwards = self.flow == "target_to_source"
        dropout, seed = self._dropout_and_seed(x_src.device)
        operands = {
            **self._operands(x_src, x_dst),
            "graph": graph.reverse() if backwards else graph,
            "edge": edge,
            "loop": loop,
            "add_self_loops": self.add_self_loops,
            "negative_slope": self.negative_slope,
            "dropout": dropout,
            "seed": seed,
        }
        x_res = x if isinstance(x, Tensor) else x[1]
        residual = self.res is not None and x_res is not None
        later = residual or self._bias_is_wider(x_src.dtype)
        bias = None if later else self.bias
        out = self._attention(**operands, bias=bias, concat=self.concat, backend=self.backend)
        if call is not None and needs_only_kernels(self, x_src, graph):
            self._known_call = call
        out = self._promoted(out)
        if residual:
            out = out + project(self.res, x_res)  # pyright: ignore[reportArgumentType]
        if later and self.bias is not None:
            out = out + self.bias
        if return_attention_weights:
            pairs, alpha = self._attention_weights(**operands)
            pairs = pairs.flip(0) if backwards else pairs
            return out, form.attention(pairs, alpha, self.add_self_loops)
        return out

    def _attend_known(self: Any, x: Tensor, edge_index: Tensor) -> Tensor:
        """The forward pass of a call whose :func:`call_signature` is that of an earlier one, which
        was computed by the kernels.
        """
        x_src, x_dst = self._project(x)
        graph = Adjacency(edge_index).graph((x_src.size(0), x_dst.size(0)))
        dropout, seed = self._dropout_and_seed(x_src.device)
        options = Options(self.add_self_loops, self.negative_slope, dropout, seed)
        return self._attend_fused(x_src, x_dst, graph, options)

    def _dropout_and_seed(self: Any, device: torch.device) -> tuple[float, Tensor | None]:
        """The dropout probability of a call, and the seed that determines what it drops."""
        dropout = self.dropout if self.training else 0.0
        if dropout != 0.0:
            check_share("dropout", dropout)
        return dropout, draw_seed(device) if dropout > 0.0 else None

    def _attend_by_pyg(
        self: Any,
        x: Features,
        form: Adjacency,
        edge_attr: Tensor | None,
        return_attention_weights: bool | None,
        **size: Any,
    ) -> Any:
        """Runs PyG's own forward pass, on int64 ``[2, E]`` for any format: with int32, uncoalesced
        and inference tensors some of its paths fail or are wrong.
        """
        if None not in form.size and isinstance(x, (Tensor, tuple, list)):
            x_src, x_dst = (x, x) if isinstance(x, Tensor) else x
            num_dst = None if x_dst is None else x_dst.size(0)
            size = dict.fromkeys(size, self._num_nodes(form, x_src.size(0), num_dst, **size))
        result = self._pyg.forward(
            self,
            for_pyg(x),
            _for_autograd(form.edges().long()),
            edge_attr_of(self, form, edge_attr),
            return_attention_weights=return_attention_weights,
            **size,
        )
        if not return_attention_weights:
            return result
        out, (pairs, alpha) = result
        return out, form.attention(pairs, alpha, self.add_self_loops)

    def __repr__(self: Any) -> str:
        return f"{super().__repr__()[:-1]}, backend={self.backend!r})"

    @property
    def num_projections(self: Any) -> int:
        """1 if sources and destinations share a projection, else 2."""
        return len({id(lin) for lin in self._lins()})

    def splits_by_head(self: Any) -> bool:
        """Whether :meth:`of_heads` computes the same as the layer: it has no hooks or overridden
        methods, and gatsparse's operators compute it.
        """
        changed = any(is_changed(module) for module in (self, *self.children()))
        plain = all(type(lin) in (Linear, torch.nn.Linear) for lin in self._lins())
        ours = "_pyg" in vars(type(self)) and self.backend in ("auto", "fused")
        return ours and plain and not changed and not self._unmet()

    def of_heads(self: Any, first: int, last: int) -> Any:
        """Returns the heads :obj:`first` to :obj:`last` - 1 as a layer without residual and bias.

        Args:
            first (int): The first head.
            last (int): The head after the last one.
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
        """The forward pass, without residual, on the features of all nodes, passed in blocks: only
        their projections are held together.

        Args:
            blocks (iterable of Tensor): ``[n, F]`` each, ``[N, F]`` together.
            graph (CSRGraph): Graph of size ``(N, N)``.

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
        later = self._bias_is_wider(tables[0].dtype)
        out = self._attention(
            **self._operands(tables[0], tables[-1]),
            graph=graph,
            bias=None if later else self.bias,
            concat=self.concat,
            add_self_loops=self.add_self_loops,
            negative_slope=self.negative_slope,
            backend=self.backend,
        )
        out = self._promoted(out)
        return out + self.bias if later else out

    def _promoted(self: Any, out: Tensor) -> Tensor:
        """Converts the output to the dtype of PyG's sum, which autocast does not reduce."""
        score_dtype = self._score_dtype
        return out if out.dtype == score_dtype else out.to(promote_types(out.dtype, score_dtype))

    def _bias_is_wider(self: Any, dtype: torch.dtype) -> bool:
        """Whether adding the bias promotes the sum of features of :obj:`dtype`, as in PyG."""
        if self.bias is None or self.bias.dtype == dtype:
            return False
        out = promote_types(dtype, self._score_dtype)
        return promote_types(out, self.bias.dtype) != out

    def _attend_batch(
        self: Any,
        x: Features,
        edge_index: Any,
        edge_attr: Tensor | None,
        return_attention_weights: bool | None,
        **size: Any,
    ) -> Any:
        """The forward pass of a batch of node features on one graph."""
        check_features(x, self._lins())
        pair = (x, None) if isinstance(x, Tensor) else x
        batch = batch_shape(pair)
        num_src, num_dst = pair[0].size(-2), None if pair[1] is None else pair[1].size(-2)
        form = adjacency(edge_index)
        num_nodes = self._num_nodes(form, num_src, num_dst, **size)
        if self.add_self_loops and num_nodes[0] != num_nodes[1]:
            raise ValueError(
                "x: expected add_self_loops=False with a batch of features of two node sets, "
                f"got {num_nodes[0]} sources and {num_nodes[1]} destinations"
            )
        edge_attr = edge_attr_of(self, form, edge_attr)
        graph = self._graph(form, num_nodes, *pair, edge_attr)
        if isinstance(edge_attr, Tensor):
            edge_attr = repeat_edge_attr(edge_attr, batch, graph.num_edges)
        count = math.prod(batch)
        copies = graph.repeat(count)
        flat = tuple(None if t is None else t.flatten(0, -2) for t in pair)
        result = self._attend(
            flat[0] if isinstance(x, Tensor) else flat,
            copies.edge_index() if isinstance(copies, EdgeList) else copies,
            edge_attr,
            return_attention_weights,
            **dict.fromkeys(size, in_flow(self, copies.size)),
        )
        num_rows = num_nodes[1]
        if not return_attention_weights:
            return result.unflatten(0, (*batch, num_rows))
        out, (_, alpha) = result
        edges_and_alpha = split_attention(alpha, batch, graph, self.add_self_loops)
        return out.unflatten(0, (*batch, num_rows)), edges_and_alpha

    def _num_nodes(
        self, form: Adjacency, num_src: int, num_dst: int | None, size: Size | None = None
    ) -> tuple[int, int]:
        """The numbers of nodes that send and receive messages. Without features of the
        destinations, the graph or the caller's :obj:`size` determines their number.

        Raises:
            TypeError: If :obj:`size` is not a pair.
            ValueError: If the graph or :obj:`size` contradicts the features.
        """
        if size is not None and not (isinstance(size, (tuple, list)) and len(size) == 2):
            raise TypeError(f"size: expected a pair of integers, got {size!r}")
        of_form, of_caller = in_flow(self, form.size), size or (None, None)
        if num_dst is None:
            num_dst = of_caller[1] if of_form[1] is None else of_form[1]
        expected = num_src, num_src if num_dst is None else num_dst
        for told in (of_form, of_caller):
            for k in (0, 1):
                if told[k] is not None and told[k] != expected[k]:
                    raise ValueError(f"size[{k}]: expected {expected[k]} to match x, got {told[k]}")
        return expected

    def _graph(
        self: Any, form: Adjacency, num_nodes: tuple[int, int], x: Tensor, *others: Tensor | None
    ) -> CSRGraph | EdgeList:
        """The graph that the operator takes, with edges in the direction of :obj:`form`."""
        size = in_flow(self, num_nodes)
        return operand_graph(form, size, x, *others, backend=self.backend)

    def _edge_operands(
        self: Any, form: Adjacency, graph: CSRGraph | EdgeList, edge_attr: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """Terms of the edges and of the added self-loops in the scores, from their features."""
        edge_attr = edge_attr_of(self, form, edge_attr)
        if edge_attr is None or not self._takes_edge_features():
            return None, None
        edge, loop = edge_features(self, form, graph, edge_attr)
        return self._edge_operand(edge), None if loop is None else self._edge_operand(loop)

    def _unmet(self: Any) -> list[str]:
        """Returns why PyG's own forward pass must run; empty if gatsparse's operators can.

        Raises:
            ValueError: If it must, but a backend was requested explicitly, which never falls back.
        """
        reasons = reasons_for_pyg(self)
        if reasons:
            backends.require(self.backend, {"fused": reasons, "dense": reasons, "scatter": []})
        return reasons


def in_flow(layer: Any, size: tuple[Any, Any]) -> tuple[Any, Any]:
    """Converts a size by edge direction to one by message direction, or back."""
    return size if layer.flow == "source_to_target" else (size[1], size[0])


def _for_autograd(edges: Tensor) -> Tensor:
    """The edges, copied if they are an inference tensor, which autograd cannot save."""
    if torch.compiler.is_compiling() or torch.is_inference_mode_enabled():
        return edges
    return edges.clone() if edges.is_inference() else edges
