"""The attention of all layers of a model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
import torch_geometric.nn
from torch import Tensor
from torch_geometric.data import Data, HeteroData
from torch_geometric.typing import EdgeType

from gatsparse.adjacency import adjacency
from gatsparse.checks import check_instance
from gatsparse.nn.attention_conv import in_flow
from gatsparse.nn.edge_features import edge_attr_of
from gatsparse.nn.model_call import arguments_of, evaluation, unwrapped

_LAYERS = (torch_geometric.nn.GATConv, torch_geometric.nn.GATv2Conv)


class LayerAttention(NamedTuple):
    """The attention of one call of a layer.

    Args:
        name (str): The layer's path in the model, as ``named_modules()`` gives it.
        edge_index (Tensor): int64 ``[2, E']``: the edges of the call in their order. If the layer
            adds self-loops, those of the input are left out, and the added ones are last.
        alpha (Tensor): ``[E', H]``; sums to 1 over the edges to a node.
        loop_mask (Tensor): bool ``[E']``: which edges are self-loops.
        edge_id (Tensor): int64 ``[E']``: position of each edge in the input of the call, -1
            for a self-loop that was added.
        edge_type (tuple, optional): Type of the edges that the layer was called with.
        global_ids (bool): Whether nodes are given by the ``n_id`` of the batch.

    Example:
        >>> import torch, gatsparse
        >>> from torch_geometric.data import Data
        >>> data = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> (layer,) = gatsparse.attention_weights(gatsparse.GATConv(4, 2, heads=2), data)
        >>> layer.edge_index  # two edges, then the self-loops that were added
        tensor([[0, 1, 0, 1, 2],
                [1, 2, 0, 1, 2]])
        >>> layer.edge_id
        tensor([ 0,  1, -1, -1, -1])
        >>> layer.alpha.shape
        torch.Size([5, 2])
    """

    name: str
    edge_index: Tensor
    alpha: Tensor
    loop_mask: Tensor
    edge_id: Tensor
    edge_type: EdgeType | None = None
    global_ids: bool = False


def attention_weights(
    model: torch.nn.Module, data: Data | HeteroData, **kwargs: Any
) -> list[LayerAttention]:
    r"""Returns the attention :math:`\alpha_{ij}` of every GAT and GATv2 layer of a model, of
    gatsparse or PyG.

    The model runs once, in evaluation mode and without gradients. Each argument of its ``forward``
    is the attribute of :obj:`data` with the same name (for a ``HeteroData``, the dictionary of this
    attribute). If exactly one argument has no default, and is named ``data`` or ``batch`` or unlike
    any attribute, the model is called with :obj:`data` itself. Wrappers for training
    (``DataParallel``, ``torch.compile``) are skipped.

    If a layer is called with the edges of a sampled batch, or with the first ones of them
    (``trim_to_layer``), its nodes and edges are reported by the global ids of the batch: ``n_id``
    for :obj:`edge_index`, ``e_id`` for :obj:`edge_id`.

    Args:
        model (torch.nn.Module): The model.
        data (Data or HeteroData): Its input.
        **kwargs (optional): More arguments of the model; they override those of :obj:`data`.

    Returns:
        list: A :class:`gatsparse.nn.LayerAttention` for every call of a layer, in the order of the
        calls.

    Raises:
        ValueError: If the model has no such layer.
        TypeError: If :obj:`data` is neither a ``Data`` nor a ``HeteroData``, an argument of the
            model is missing, or a subclass of a layer does not return its attention.

    Example:
        >>> import torch, gatsparse
        >>> from torch_geometric.data import Data
        >>> model = gatsparse.GAT(4, 8, num_layers=2, out_channels=3, heads=2)
        >>> data = Data(x=torch.randn(3, 4), edge_index=torch.tensor([[0, 1], [1, 2]]))
        >>> [layer.name for layer in gatsparse.attention_weights(model, data)]
        ['convs.0', 'convs.1']
    """
    found: list[LayerAttention] = []
    visit_attention(model, data, found.append, **kwargs)
    return found


def visit_attention(
    model: torch.nn.Module,
    data: Data | HeteroData,
    visit: Callable[[LayerAttention], object],
    **kwargs: Any,
) -> Any:
    """Calls a function with the attention of each layer, as soon as the layer has been computed.

    Args:
        model, data, kwargs: As in :func:`attention_weights`.
        visit (callable): Called with each :class:`LayerAttention`, in the order of the calls.

    Returns:
        The output of the model.

    Raises:
        ValueError, TypeError: As in :func:`attention_weights`.
    """
    if not isinstance(data, (Data, HeteroData)):
        raise TypeError(f"data: expected Data or HeteroData, got {type(data).__name__}")
    layers = attention_layers(model)
    runs = unwrapped(model)
    arguments = arguments_of(runs, data, kwargs)
    calls = [_Call(name, data, visit) for name in layers]
    with torch.no_grad(), evaluation(model), ExitStack() as hooks:
        for layer, call in zip(layers.values(), calls, strict=True):
            hooks.enter_context(_hook(layer.register_forward_pre_hook, call.before))
            hooks.enter_context(
                _hook(partial(layer.register_forward_hook, prepend=True), call.after)
            )
        output = runs(**arguments)
    if not any(call.visited for call in calls):
        raise ValueError(
            f"model: expected {type(model).__name__}.forward to call its GAT layers, got no call "
            f"with the arguments {sorted(arguments)}: pass other arguments by keyword"
        )
    return output


def attention_layers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Returns the GAT and GATv2 layers of a model by name.

    Raises:
        TypeError: If :obj:`model` is not a module.
        ValueError: If it has no such layer.
    """
    check_instance("model", model, torch.nn.Module, "a torch.nn.Module")
    layers: dict[str, torch.nn.Module] = {
        name: module for name, module in model.named_modules() if isinstance(module, _LAYERS)
    }
    if not layers:
        raise ValueError(
            f"model: expected a model with GAT or GATv2 layers, got {type(model).__name__}"
        )
    return layers


class _Call:
    """Hooks that request the attention of a layer and hide it from the layer's caller."""

    def __init__(
        self, name: str, data: Data | HeteroData, visit: Callable[[LayerAttention], object]
    ) -> None:
        self.name, self.data, self.visit = name, data, visit
        self.visited = False

    def before(self, layer: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        signature = inspect.signature(layer.forward)
        if not {"edge_index", "return_attention_weights"} <= set(signature.parameters):
            raise TypeError(
                f"model: expected edge_index and return_attention_weights among the arguments of "
                f"{type(layer).__name__}.forward ({self.name!r}), got {signature}"
            )
        bound = signature.bind(*args, **kwargs)
        arguments = bound.arguments
        self.given = arguments["edge_index"]
        self.asked = bool(arguments.get("return_attention_weights"))
        form = adjacency(self.given)
        self.edges = arguments["edge_index"] = form.edges()
        arguments["edge_attr"] = edge_attr_of(layer, form, arguments.get("edge_attr"))
        told = arguments.get("size") is not None or None in form.size
        if "size" in signature.parameters and not told:
            arguments["size"] = in_flow(layer, form.size)
        arguments["return_attention_weights"] = True
        return bound.args, bound.kwargs

    def after(self, layer: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:  # noqa: ARG002
        out, (edge_index, alpha) = output
        src, dst = self.edges
        edge_id = torch.arange(src.numel(), device=src.device)
        if layer.add_self_loops:
            edge_id = edge_id[src != dst]
            added = edge_id.new_full((edge_index.size(1) - edge_id.numel(),), -1)
            edge_id = torch.cat([edge_id, added])
        loop_mask = edge_index[0] == edge_index[1]
        edge_type, n_ids, e_id = _origin(self.name, self.given, self.data)
        named = edge_index.long()
        if n_ids is not None:
            named = torch.stack([n_id[row] for n_id, row in zip(n_ids, named, strict=True)])
        if e_id is not None:
            known = edge_id >= 0
            edge_id[known] = e_id[edge_id[known]]
        found = (self.name, named, alpha, loop_mask, edge_id, edge_type, n_ids is not None)
        self.visit(LayerAttention(*found))
        self.visited = True
        if self.asked:
            form = adjacency(self.given)
            return out, form.attention(edge_index, alpha, layer.add_self_loops)
        return out


def _origin(
    name: str, given: Any, data: Data | HeteroData
) -> tuple[EdgeType | None, tuple[Tensor, Tensor] | None, Tensor | None]:
    """Returns the edge type, the global ids of sources and destinations, and the global ids of the
    edges that a layer was called with; None where they are unknown.
    """
    stores = [store for store in data.edge_stores if _begins(given, store)]
    if len(stores) > 1:  # types that share one tensor
        stores = [s for s in stores if any(sep.join(s._key) in name for sep in ("__", "___"))]
    if not stores:
        return None, None, None
    store = stores[0]
    if isinstance(data, HeteroData):
        src, _, dst = edge_type = store._key
        n_ids = data[src].get("n_id"), data[dst].get("n_id")
    else:
        edge_type, n_ids = None, (data.get("n_id"), data.get("n_id"))
    e_id = store.get("e_id") if given is not store.get("adj_t") else None
    return edge_type, None if any(n_id is None for n_id in n_ids) else n_ids, e_id


def _begins(given: Any, store: Any) -> bool:
    """Whether these are the edges of a store, or the first of them."""
    edges = store.get("edge_index")
    if given is store.get("adj_t") or given is edges:
        return True
    if not (isinstance(given, Tensor) and isinstance(edges, Tensor)):
        return False
    if given.layout != torch.strided or given._base is None:
        return False
    is_view = given._base is edges or given._base is edges._base
    return is_view and given.storage_offset() == edges.storage_offset()


@contextmanager
def _hook(register: Any, hook: Any) -> Iterator[None]:
    handle = register(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
