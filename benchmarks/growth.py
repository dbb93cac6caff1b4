"""How the time and memory of layers grow with the edges of synthetic graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks import plan
from benchmarks.plan import Case
from benchmarks.rows import TimedLayer, Values
from benchmarks.summary import Summary
from benchmarks.text import median

_LEAST_GRAPHS = 3

#: Minimum number of edges for fits of exponents: enough work for both cores.
LEAST_EDGES = 10**5
#: Number of edges from which, at 16 per node, rows of 64 floats exceed a cache of 32 MB.
BEYOND_CACHE = 3 * 10**6


@dataclass(frozen=True)
class Curve:
    """A layer on graphs of growing size.

    Args:
        layer, shape (str): See :class:`benchmarks.plan.Case`.
        contender (str): Contender of the layer.
        points (list): Number of edges and measured values, in ascending order.
        missing (list): Planned graphs for which the layer has no values.
        failures (list): Number of edges and status of the failed measurements.
    """

    layer: str
    shape: str
    contender: str
    points: list[tuple[int, Values]]
    missing: Sequence[str] = ()
    failures: Sequence[tuple[int, str]] = ()

    def exponent(self, least: int = LEAST_EDGES) -> float | None:
        """Returns the ``b`` of ``time ~ edges ** b``, or None for fewer than two points.

        It is fitted by least squares to the logarithms, from :obj:`least` edges on.
        """
        points = [(edges, median(value)) for edges, value in self.points if edges >= least]
        if len(points) < 2:
            return None
        edges, times = np.log(points).T
        return float(np.polyfit(edges, times, 1)[0])


def curves(summary: Summary, measurement: TimedLayer) -> list[Curve]:
    """Returns the curves of layers that are measured on three or more synthetic graphs."""
    points: dict[tuple[str, str, str], dict[str, tuple[int, Values]]] = {}
    asked: dict[tuple[str, str, str], set[str]] = {}
    failures: dict[tuple[str, str, str], list[tuple[int, str]]] = {}
    sizes = summary.graphs()
    for graph in plan.graphs(summary.config):
        if graph not in summary.config.graphs:
            continue
        for task in plan.layer_tasks(summary.config, graph):
            if task.measurement != measurement:
                continue
            case = Case.of(task)
            line = (case.layer, case.shape, task.contender)
            asked.setdefault(line, set()).add(graph)
            values = summary.times(task.dataset, task.contender, measurement)
            if values is not None and graph in sizes:
                num_edges = sizes[graph].num_edges
                assert num_edges is not None
                points.setdefault(line, {})[graph] = (num_edges, values)
            problem = summary.problem(task.dataset, task.contender, measurement)
            if task.round == 0 and problem is not None:
                num_edges = summary.config.graphs[graph].num_edges
                failures.setdefault(line, []).append((num_edges, problem.status))
    return [
        Curve(
            *line,
            sorted(points.get(line, {}).values(), key=lambda point: point[0]),
            sorted(graphs - points.get(line, {}).keys()),
            failures.get(line, []),
        )
        for line, graphs in asked.items()
        if len(graphs) >= _LEAST_GRAPHS
    ]
