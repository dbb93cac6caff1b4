"""Bad values by kind of argument, and calls with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_geometric.data import Data

from gatsparse import CSRGraph

NAN, INF = float("nan"), float("inf")
HUGE = 2**62
N, F, H, C = 5, 3, 2, 4
EDGES = torch.tensor([[0, 1, 2, 3, 1], [1, 0, 3, 2, 4]])


class Call(NamedTuple):
    """A function with one bad argument.

    Args:
        function (str): Name of the function.
        argument (str): Name of the argument that is bad.
        value (object): The bad value.
        run (callable): Makes the call.
        names (tuple): Names, one of which the message must contain.
        errors (tuple): Allowed types of errors.
    """

    function: str
    argument: str
    value: object
    run: Callable[[], object]
    names: tuple[str, ...]
    errors: tuple[type[Exception], ...]


class Function(NamedTuple):
    """A public function, good arguments, and bad values of each.

    Args:
        name (str): Name, as users write it.
        function (callable): The function, which is called with arguments by name.
        good (callable): Returns good arguments.
        bad (dict): Bad values, by argument.
        aliases (dict): Other names that a message may use, by argument.
        errors (tuple): Documented errors in addition to ValueError, TypeError and IndexError.
    """

    name: str
    function: Callable[..., object]
    good: Callable[[], dict[str, Any]]
    bad: dict[str, Iterable[object]]
    aliases: dict[str, tuple[str, ...]] = {}  # noqa: RUF012
    errors: tuple[type[Exception], ...] = ()


def calls(function: Function) -> Iterator[Call]:
    """Yields the bad calls of a function."""
    for argument, values in function.bad.items():
        for value in values:

            def run(argument: str = argument, value: object = value) -> object:
                return function.function(**{**function.good(), argument: value})

            names = (argument, *function.aliases.get(argument, ()))
            errors = (ValueError, TypeError, IndexError, *function.errors)
            yield Call(function.name, argument, value, run, names, errors)


# Values that are bad for every argument of a kind.
NOT_NUMBERS: list[object] = ["3", b"3", [3], (3,), {}, object(), torch.zeros(2), 1j]
SIZES = [*NOT_NUMBERS, None, 0, -1, -HUGE, 2**64, 1.5, NAN, INF]
COUNTS = [*NOT_NUMBERS, -1, -HUGE, 2**64, 1.5, NAN, INF]
SHARES = [*NOT_NUMBERS, None, -0.1, 1.1, -1, 2, HUGE, NAN, INF, -INF]
FINITE = [*NOT_NUMBERS, None, NAN, INF, -INF]
CHOICES: list[object] = ["", "nope", "AUTO ", None, 3, 1.5, ["auto"], b"auto", object(), {}]
SEEDS: list[object] = [
    1,
    1.0,
    "0",
    True,
    [1],
    object(),
    torch.tensor(1.0),
    torch.tensor(1, dtype=torch.int32),
    torch.tensor(1, device="meta"),
    torch.tensor(True),
    torch.tensor([1]),
    torch.zeros(0, dtype=torch.int64),
]
NO_DTYPES: list[object] = ["int64", 3, int, np.int64, torch.bool, torch.complex64, object()]
NO_TENSORS: list[object] = [1, 1.5, "x", [[1.0]], np.ones((2, 2), dtype=np.float32), {}, object()]
NOT_FLOATS = [torch.int64, torch.int32, torch.bool, torch.complex64, torch.uint8]
NO_PATHS: list[object] = [None, 3, 1.5, [], {}, object(), b"\0", "", "/none/such", "\0"]
#: Parts of messages that name a path instead of the argument.
NAMES_OF_PATHS = ("/none/such", "folder", "directory", "\0", "null byte")
MODULES: list[object] = [None, 3, "GAT", [], torch.zeros(2), object(), torch.nn.Module, {}]
NO_CONFIGS: list[object] = [None, 3, "cora", [], {}, object(), torch.zeros(2)]


def but(values: Iterable[object], *good: object) -> list[object]:
    """Returns the values without those that are good for an argument."""
    return [v for v in values if not any(type(v) is type(g) and v == g for g in good)]


def features(*shape: int) -> list[object]:
    """Returns bad values for an argument of floats of a shape."""
    found: list[object] = [*NO_TENSORS, torch.randn(()), torch.randn(7), torch.randn(0)]
    found += [torch.ones(shape).to(dtype) for dtype in NOT_FLOATS]
    found += [torch.randn(*shape, 1, 1), torch.randn(*shape, 0), torch.empty(shape, device="meta")]
    for k in range(len(shape)):
        for size in (0, shape[k] + 1, shape[k] + 7):
            found.append(torch.randn(*shape[:k], size, *shape[k + 1 :]))
    return found


def fits(weight: object) -> bool:
    """Returns whether a value is a weight that projects :data:`F` features to any width."""
    return (
        isinstance(weight, torch.Tensor)
        and weight.shape[1:] == (F,)
        and (weight.dtype == torch.float32 and weight.device.type == "cpu")
    )


def edge_indices() -> list[object]:
    """Returns bad values for ``edge_index [2, E]`` of a graph of :data:`N` nodes."""
    return [
        *NO_TENSORS,
        None,
        EDGES.float(),
        EDGES.double() * NAN,
        EDGES.bool(),
        EDGES.to(torch.complex64),
        EDGES[0],
        EDGES[:1],
        EDGES.T.contiguous(),
        EDGES[None],
        EDGES[:, None],
        torch.zeros(3, 4, dtype=torch.int64),
        torch.zeros(0, dtype=torch.int64),
        torch.zeros(0, 2, dtype=torch.int64),
        torch.tensor(3),
        torch.tensor([[0, -1], [1, 0]]),
        torch.tensor([[0, 1], [1, N]]),
        torch.tensor([[N, 1], [1, 0]]),
        torch.tensor([[0, 1], [1, HUGE]]),
        torch.tensor([[-(2**63), 1], [1, 0]]),
        torch.tensor([[2**63 - 1, 1], [1, 0]]),
    ]


def graph(num_src: int = N, num_dst: int = N) -> CSRGraph:
    """Returns a valid graph of any size."""
    return CSRGraph.from_edge_index(EDGES, size=(num_src, num_dst))


def graphs() -> list[object]:
    """Returns bad values for a ``CSRGraph`` of :data:`N` nodes."""
    return [*NO_TENSORS, None, EDGES, graph(N + 1), graph(N, N + 1), graph(N + 2, N + 2)]


def node_data() -> Data:
    """Returns the data of a node classification task."""
    y = torch.arange(60) % 3
    masks = {
        f"{name}_mask": torch.arange(60) % 3 == k for k, name in enumerate(("train", "val", "test"))
    }
    edge_index = torch.stack([torch.arange(60), torch.arange(60).roll(1)])
    return Data(x=torch.randn(60, F), edge_index=edge_index, y=y, **masks)


def graph_data() -> Data:
    """Returns one of several graphs."""
    return Data(x=torch.randn(3, F), edge_index=torch.tensor([[0, 1], [1, 2]]), y=1)


def without(key: str) -> Data:
    """Returns data without an attribute."""
    found = node_data()
    del found[key]
    return found


NO_DATA: list[object] = [None, 3, "cora", [], {}, object(), torch.zeros(2), EDGES]
MODEL = {
    "in_channels": SIZES,
    "hidden_channels": SIZES,
    "out_channels": SIZES,
    "heads": SIZES,
    "out_heads": SIZES,
    "dropout": SHARES,
    "negative_slope": FINITE,
}
GOOD_MODEL = {"in_channels": F, "hidden_channels": C, "out_channels": 2}
