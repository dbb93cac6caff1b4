"""Random sequences of calls on a layer, each compared with PyG's layer in float64.

``python -m tests.api_sequences --count 20000 --seed 0`` runs 20000 sequences and prints the seeds
of failures. The test suite runs some of them.
"""

from __future__ import annotations

import argparse
import copy
import pickle
import random
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress

import torch
import torch_geometric.nn
from torch import Tensor

import gatsparse
from gatsparse import clear_graph_cache
from gatsparse.testing import relative_error
from tests.graph_formats import FORMATS, WRITABLE, WRITERS, csr_graph
from tests.nn.layers import OURS

MAX_STEPS = 8
LOW_PRECISION = [torch.float32, torch.bfloat16, torch.float16]


class PyGRefusesError(Exception):
    """PyG's layer raises on these arguments, so there is nothing to compare with."""


class Sequence:
    """A layer of PyG, ours with its weights, a graph, and random calls and changes."""

    def __init__(self, seed: int, with_compile: bool) -> None:
        self.rng = random.Random(seed)
        self.torch_rng = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.with_compile = with_compile
        self.log: list[str] = []
        self.hook = None
        self._draw_layer()
        self._draw_graph()

    def run(self) -> None:
        for _ in range(self.rng.randrange(3, MAX_STEPS)):
            with suppress(PyGRefusesError):
                self.call()
            self.rng.choice([self.write, self.change])()

    # Layer ########################################################################

    def _draw_layer(self) -> None:
        rng = self.rng
        self.kind = rng.choice(["GATConv", "GATv2Conv"])
        self.bipartite = rng.random() < 0.25
        self.edge_dim = rng.choice([None, None, 1, 3])
        self.options = {
            "heads": rng.choice([1, 2, 3, 8]),
            "concat": rng.random() < 0.7,
            "negative_slope": rng.choice([0.2, 0.2, 0.0, 1.0]),
            "dropout": rng.choice([0.0, 0.6]),
            "add_self_loops": rng.random() < 0.6,
            "edge_dim": self.edge_dim,
            "fill_value": rng.choice(["mean", "add", "max", 0.5]),
            "bias": rng.random() < 0.8,
            "residual": rng.random() < 0.3,
        }
        if self.kind == "GATv2Conv":
            self.options["share_weights"] = rng.random() < 0.3 and not self.bipartite
        if not self.bipartite and rng.random() < 0.2:
            self.options["flow"] = "target_to_source"
        self.dtype = rng.choice([torch.float64] * 5 + LOW_PRECISION)
        self.in_channels = (5, 4) if self.bipartite else 5
        self.channels = rng.choice([1, 3, 8, 19])
        kind = getattr(torch_geometric.nn, self.kind)
        self.theirs = kind(self.in_channels, self.channels, **self.options).double()
        self._new_weights()
        self.log.append(f"{self.kind} {self.in_channels} {self.channels} {self.options}")
        self.log.append(str(self.dtype))
        if rng.random() < 0.3:
            self.ours = gatsparse.accelerate(copy.deepcopy(self.theirs)).to(self.dtype)
        else:
            kind = OURS[self.kind]
            self.ours = kind(self.in_channels, self.channels, **self.options).to(self.dtype)
            self.ours.load_state_dict(self.theirs.state_dict())

    def _new_weights(self) -> None:
        with torch.no_grad():
            for parameter in self.theirs.parameters():
                parameter.copy_(self._normal(*parameter.shape).to(self.dtype))

    # Graph ########################################################################

    def _draw_graph(self) -> None:
        num_src = self.rng.choice([1, 2, 7, 20])
        num_dst = self.rng.choice([1, 4, 30]) if self.bipartite else num_src
        self.size = num_src, num_dst
        num_edges = self.rng.choice([0, 1, 5, 60])
        rows = [torch.randint(n, (num_edges,), generator=self.torch_rng) for n in self.size]
        self.edges = torch.stack(rows)
        self._draw_format()

    def _draw_format(self) -> None:
        self.format = self.rng.choice(list(FORMATS))
        size = self.size
        self.given, self.order = FORMATS[self.format](self.edges, size)
        self.log.append(f"{self.format} {list(self.edges.shape)} {self.size}")

    def write(self) -> None:
        """Writes to the graph, often without a change of the tensor's version counter."""
        if self.format not in WRITABLE or self.edges.size(1) == 0:
            self._draw_format()
            return
        writers = WRITERS[:4] if self.format in ("EdgeIndex", "part") else WRITERS
        write = self.rng.choice(writers)
        memory = self.given.as_tensor() if self.format == "EdgeIndex" else self.given
        column = self.rng.randrange(self.edges.size(1))
        values = torch.tensor([self.rng.randrange(n) for n in self.size], dtype=memory.dtype)
        write(memory, column, values)
        self.log.append(f"{write.__name__} {column} {values.tolist()}")
        self.edges = memory.to(torch.int64, copy=True)
        self.order = self._in_order()

    def change(self) -> None:
        """Changes the layer, the graph or the cache."""
        what = self.rng.choice(
            ["weights", "graph", "format", "copy", "pickle", "backend", "hook", "cache", "mode"]
        )
        self.log.append(what)
        if what == "weights":
            self._new_weights()
            self.ours.load_state_dict(self.theirs.state_dict())
        elif what == "graph":
            self._draw_graph()
        elif what == "format":
            self._draw_format()
        elif what == "copy":
            self.ours = copy.deepcopy(self.ours)
            if self.format in (*WRITABLE, "CSRGraph"):
                self.given = copy.deepcopy(self.given)
        elif what == "pickle" and self.hook is None and type(self.ours) in OURS.values():
            self.ours = pickle.loads(pickle.dumps(self.ours))
        elif what == "backend":
            dense = [] if self.edge_dim or self.hook is not None else ["dense"]
            self.ours.backend = self.rng.choice(["auto", "scatter", *dense])
        elif what == "hook" and self.hook is None:
            self.hook = self.ours.register_message_forward_hook(lambda *_: None)
            self.ours.backend = "auto"
        elif what == "hook":
            self.hook.remove()
            self.hook = None
        elif what == "cache":
            clear_graph_cache()

    # Calls ########################################################################

    def call(self) -> None:
        """Calls both layers in one of many ways, and compares."""
        ways = [self.gradients] * 4 + [self.without_gradients] * 2 + [self.attention]
        ways += [self.functional, self.derivative, self.vectorised, self.autocast]
        if self.with_compile and self.rng.random() < 0.005:
            ways = [self.compiled]
        way = self.rng.choice(ways)
        self.log.append(way.__name__)
        training = self.options["dropout"] == 0.0 and self.rng.random() < 0.5
        self.theirs.train(training)
        self.ours.train(training)
        way()

    def gradients(self) -> None:
        x, edge_attr = self._features()
        expected, budget = self._reference(x, edge_attr)
        self._compare(self._of(self.ours, x, edge_attr, self.given, self.order), expected, budget)

    def without_gradients(self) -> None:
        x, edge_attr = self._features()
        expected, budget = self._reference(x, edge_attr)
        context = self.rng.choice([torch.no_grad, torch.inference_mode])
        with context():
            given = self.given
            if self.rng.random() < 0.3 and self.format in WRITABLE:
                given = given.clone()  # an inference tensor
            out = self._forward(self.ours, x, edge_attr, given, self.order, self.dtype)
        self._compare([out], expected[:1], budget[:1])

    def autocast(self) -> None:
        """Calls a float32 layer under autocast to bfloat16."""
        x, edge_attr = self._features()
        expected, _ = self._reference(x, edge_attr)
        theirs, ours = (copy.deepcopy(layer).float() for layer in (self.theirs, self.ours))
        with torch.autocast("cpu", torch.bfloat16):
            rounded = self._of(theirs, x, edge_attr, self.edges.clone(), self._in_order())
            actual = self._of(ours, x, edge_attr, self.given, self.order)
        self._compare(actual, expected, self._budget(rounded, expected, torch.bfloat16))

    def attention(self) -> None:
        if self.dtype != torch.float64 or self.bipartite or self.hook is not None:
            return
        x, edge_attr = self._features()
        out, (_, alpha) = self.theirs(x[0], self.edges, edge_attr, return_attention_weights=True)
        given, _ = csr_graph(self.edges, self.size)
        if self.format in ("int64", "int32", "transposed", "part"):
            given = self.given
        actual, (_, weights) = self.ours(x[0], given, edge_attr, return_attention_weights=True)
        self._compare([actual, weights], [out, alpha], [1e-9, 1e-9])

    def functional(self) -> None:
        x, edge_attr = self._features()
        expected, budget = self._reference(x, edge_attr)
        parameters = dict(self.ours.named_parameters())
        args, kwargs = self._arguments(x, edge_attr, self.given, self.order, self.dtype)
        out = torch.func.functional_call(self.ours, parameters, args, kwargs)
        self._compare([out], expected[:1], budget[:1])

    def derivative(self) -> None:
        """Calls torch.func.grad of a function that takes the edges as an argument."""
        if self.bipartite or self.dtype != torch.float64 or self.format not in WRITABLE[:4]:
            return
        x, edge_attr = self._features()
        expected, _ = self._reference(x, edge_attr)

        def loss(features: Tensor, edges: Tensor) -> Tensor:
            out = self.ours(features, edges, edge_attr)
            return (out * _weight(out)).sum()

        grad = torch.func.grad(loss)(x[0], self.given)
        self._compare([grad], expected[1:2], [1e-9])

    def vectorised(self) -> None:
        """Calls the layers on three copies of features, by vmap or as one batch."""
        if self.bipartite or self.dtype != torch.float64:
            return
        x = torch.stack([self._features()[0][0] for _ in range(3)])
        edge_attr = self._features()[1]
        in_order = None if edge_attr is None else edge_attr[self.order]
        expected = torch.stack([self.theirs(one, self.edges, edge_attr) for one in x])
        if self.rng.random() < 0.5 or self.format not in WRITABLE[:4]:
            out = self.ours(x, self.given, in_order)
        else:
            out = torch.func.vmap(lambda one: self.ours(one, self.given, in_order))(x)
        self._compare([out], [expected], [1e-9])

    def compiled(self) -> None:
        if self.format not in WRITABLE[:4] or self.hook is not None:
            return
        x, edge_attr = self._features()
        expected, budget = self._reference(x, edge_attr)
        torch.compiler.reset()
        ours = torch.compile(self.ours, fullgraph=True, backend="aot_eager")
        self._compare(self._of(ours, x, edge_attr, self.given, self.order), expected, budget)

    # Comparison ###################################################################

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=self.torch_rng)

    def _features(self) -> tuple[list[Tensor], Tensor | None]:
        channels = self.in_channels if self.bipartite else (5,)
        sizes = self.size if self.bipartite else self.size[:1]
        x = [self._normal(n, c) for n, c in zip(sizes, channels, strict=True)]
        edge_attr = self._normal(self.edges.size(1), self.edge_dim) if self.edge_dim else None
        rounded = [t.to(self.dtype).double() for t in x]
        return rounded, None if edge_attr is None else edge_attr.to(self.dtype).double()

    def _arguments(self, x, edge_attr, edges, order, dtype):
        features = [t.to(dtype) for t in x]
        if edge_attr is not None:
            edge_attr = edge_attr.to(dtype)[order]
        return (tuple(features) if self.bipartite else features[0], edges, edge_attr), {}

    def _forward(self, layer, x, edge_attr, edges, order, dtype) -> Tensor:
        args, kwargs = self._arguments(x, edge_attr, edges, order, dtype)
        return layer(*args, **kwargs)

    def _of(self, layer, x, edge_attr, edges, order) -> list[Tensor]:
        """Returns the output, and the gradients of features, edge features and parameters."""
        dtype = next(layer.parameters()).dtype
        x = [t.clone().requires_grad_() for t in x]
        if edge_attr is not None:
            edge_attr = edge_attr.clone().requires_grad_()
        out = self._forward(layer, x, edge_attr, edges, order, dtype)
        leaves = [*x, *([] if edge_attr is None else [edge_attr]), *layer.parameters()]
        loss = (out.double() * _weight(out)).sum()
        grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
        return [out, *grads]

    def _reference(self, x, edge_attr) -> tuple[list[Tensor], list[float]]:
        """Returns results in float64, and the error budgets of another precision."""
        order = self._in_order()
        try:
            expected = self._of(self.theirs, x, edge_attr, self.edges.clone(), order)
        except RuntimeError as error:
            # PyG's mean over edge features for loops needs as many sources as destinations.
            if not (self.bipartite and "out of bounds" in str(error)):
                raise
            raise PyGRefusesError from error
        if self.dtype == torch.float64:
            return expected, [1e-9] * len(expected)
        rounded = copy.deepcopy(self.theirs).to(self.dtype)
        actual = self._of(rounded, x, edge_attr, self.edges.clone(), order)
        return expected, self._budget(actual, expected, self.dtype)

    def _in_order(self) -> Tensor:
        return torch.arange(self.edges.size(1))

    def _budget(self, theirs, expected, dtype: torch.dtype) -> list[float]:
        """Returns a multiple of the errors of PyG's layer in that dtype.

        Gradients of scores can cancel. Their rounding errors have the size of the products that
        cancel, each of a score's gradient and a feature.
        """
        size = max((float(t.detach().abs().max()) for t in expected if t.numel()), default=0.0)
        least = 64 * torch.finfo(dtype).eps * max(1.0, size) ** 2
        return [max(4 * error, least) for error in map(relative_error, theirs, expected)]

    def _compare(self, actual, expected, budgets) -> None:
        for k, (a, b, budget) in enumerate(zip(actual, expected, budgets, strict=True)):
            assert a.shape == b.shape, f"result {k}: {list(a.shape)}, expected {list(b.shape)}"
            error = relative_error(a, b)
            assert error <= budget, f"result {k}: error {error:.3g}, allowed {budget:.3g}"


def _weight(out: Tensor) -> Tensor:
    return torch.arange(out.numel(), dtype=torch.float64).reshape(out.shape).cos()


def run(seed: int, with_compile: bool = False) -> None:
    """Runs one sequence.

    Raises:
        AssertionError: If a result differs; its notes have the history.
    """
    sequence = Sequence(seed, with_compile)
    try:
        sequence.run()
    except Exception as error:
        error.add_note("\n".join([f"seed {seed}", *sequence.log]))
        raise


def _failure(seed: int) -> Exception | None:
    try:
        run(seed, with_compile=True)
    except Exception as error:
        return error
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Sparse")
    failures: Counter[str] = Counter()
    start = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        if (error := _failure(seed)) is not None:
            kind = f"{type(error).__name__}: {str(error)[:80]}"
            failures[kind] += 1
            if failures[kind] <= 2:
                traceback.print_exception(error, limit=-3)
    seconds = time.monotonic() - start
    print(f"{arguments.count} sequences, {sum(failures.values())} failures, {seconds:.0f} s")
    for kind, count in failures.most_common():
        print(f"{count:6} {kind}")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
