"""Test whether attention weights tell which in-neighbours a prediction depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gatsparse.explain.neighborhood import Neighborhoods
from gatsparse.explain.problem import Problem, Task
from gatsparse.explain.removal import MEASURES, changes, in_neighbors
from gatsparse.intervals import UNBOUNDED, student_interval

#: Edges over all runs of the model, after which no further node is tested.
_BUDGET = 200_000_000
#: Weights are rounded to this, so that rounding errors do not rank equal weights.
_DIGITS = 6


@dataclass(frozen=True)
class Interval:
    """A mean over nodes, with Student's 95 % interval.

    Args:
        mean, low, high (float): The mean and its interval; NaN where they are not defined.
        count (int): Number of nodes.

    Example:
        >>> from gatsparse.explain import Interval
        >>> Interval(mean=0.2, low=0.1, high=0.3, count=50).excludes_zero
        True
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 is outside of the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation between a weight and the effect of removal.

    Args:
        weight (str): The weight, such as ``"mean over layers"``.
        within (Interval): Mean over nodes of the correlation between the in-neighbours of a node,
            of nodes with at least three tested in-neighbours.
        pooled (float): Correlation between all tested edges. It also reflects that nodes of low
            degree have both larger weights and larger effects.

    Example:
        >>> from gatsparse.explain import Interval, RankCorrelation
        >>> RankCorrelation("rollout", Interval(0.2, 0.1, 0.3, 50), pooled=0.6).pooled
        0.6
    """

    weight: str
    within: Interval
    pooled: float


@dataclass(frozen=True)
class RemovalTest:
    """Effects of removing single in-neighbours of a random sample of nodes.

    For each node the model runs again without its most attended in-neighbour, without its least
    attended one, and without others that are drawn at random. The most attended one has the
    largest attention averaged over heads and layers.

    Args:
        measure (str): What the effect is a change of.
        num_nodes (int): Number of tested nodes, all with at least two in-neighbours.
        node, neighbor (ndarray): int64 ``[M]``, a removed neighbour and its node.
        attention (ndarray): ``[M, L]``, attention by layer, averaged over heads.
        equal (ndarray): ``[M]``, the weight if all in-edges were equal.
        rollout (ndarray): ``[M]``, attention rollout.
        effect (ndarray): ``[M]``, absolute change.
        drop (ndarray): ``[M]``, decrease of the probability of the predicted class, NaN for other
            tasks.
        flips (ndarray): bool ``[M]``, whether another class is predicted.
        strongest, weakest, drawn (ndarray): bool ``[M]``: the most and least attended in-neighbour
            of each node, and those drawn at random from all but the most attended one.
        correlations (list of RankCorrelation): By layer, for the mean over layers, for the rollout,
            and for equal weights.
        effects (dict of Interval): Mean effect of removing the ``"most attended"``, ``"least
            attended"`` and a ``"random other"`` in-neighbour.
        advantage (Interval): Mean difference between the effects of the most attended and of a
            random other in-neighbour of the same node.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> test = explain(model, load("digits"), nodes=[], removals=5).removal
        >>> test.num_nodes, int(test.strongest.sum())
        (5, 5)
    """

    measure: str
    num_nodes: int
    node: NDArray[np.int64]
    neighbor: NDArray[np.int64]
    attention: NDArray[np.float64]
    equal: NDArray[np.float64]
    rollout: NDArray[np.float64]
    effect: NDArray[np.float64]
    drop: NDArray[np.float64]
    flips: NDArray[np.bool_]
    strongest: NDArray[np.bool_]
    weakest: NDArray[np.bool_]
    drawn: NDArray[np.bool_]
    correlations: list[RankCorrelation]
    effects: dict[str, Interval]
    advantage: Interval

    @property
    def weight(self) -> NDArray[np.float64]:
        """``[M]``, attention averaged over heads and layers."""
        return self.attention.mean(axis=1)

    @property
    def headline(self) -> RankCorrelation:
        """The correlation of the attention averaged over heads and layers."""
        return next(c for c in self.correlations if c.weight == MEAN)


MEAN = "mean over layers"


def removal_test(
    hoods: Neighborhoods,
    problem: Problem,
    residual: list[float],
    layer_names: list[str],
    removals: int,
    neighbors_per_node: int,
    generator: np.random.Generator,
) -> RemovalTest | None:
    """Removes in-neighbours of nodes drawn at random; None if no node has two in-neighbours.

    Args:
        hoods (Neighborhoods): The model and the graph.
        problem (Problem): The nodes to draw from.
        residual (list of float): As in :func:`~gatsparse.explain.rollout.rollout`.
        layer_names (list of str): Names of the layers.
        removals (int): Number of nodes.
        neighbors_per_node (int): Maximum number of in-neighbours removed from a node, one by one.
        generator (numpy.random.Generator): Draws nodes and neighbours.
    """
    rows: list[tuple] = []
    tested, work = 0, 0
    for node in generator.permutation(problem.candidates()).tolist():
        if tested == removals or work > _BUDGET:
            break
        hood = hoods.of(node)
        near = in_neighbors(hood, residual)
        count = len(near.local)
        if count < 2:  # parallel edges
            continue
        drawn = 1 + generator.choice(count - 1, min(count - 1, neighbors_per_node - 2), False)
        chosen = sorted({0, count - 1, *drawn.tolist()})
        found = changes(hood, [near.local[k] for k in chosen], problem.task)
        for k, *change in zip(chosen, *found, strict=True):
            kind = (k == 0, k == count - 1, k in drawn)
            neighbor = int(hood.n_id[near.local[k]])
            weights = (near.attention[k], near.equal[k], near.rollout[k])
            rows.append((node, neighbor, *weights, *change, *kind))
        tested += 1
        work += hood.num_edges * (len(chosen) + 2)
    if not rows:
        return None
    columns = [np.asarray(column) for column in zip(*rows, strict=True)]
    return _evaluate(problem.task, layer_names, columns)


def _evaluate(task: Task, layer_names: list[str], columns: list) -> RemovalTest:
    node, neighbor, attention, equal, rollout, effect, drop, flips = columns[:8]
    strongest, weakest, drawn = columns[8:]
    weights = {f"layer {name}": attention[:, k] for k, name in enumerate(layer_names)}
    weights |= {MEAN: attention.mean(axis=1), "rollout": rollout, "equal weights": equal}
    first = np.flatnonzero(np.r_[True, node[1:] != node[:-1]])  # rows of a node are contiguous
    groups = np.split(np.arange(len(node)), first[1:])
    by_kind = {
        "most attended": [effect[g][strongest[g]].mean() for g in groups],
        "random other": [effect[g][drawn[g]].mean() for g in groups],
        "least attended": [effect[g][weakest[g]].mean() for g in groups],
    }
    most = np.inf if task == "regression" else 1.0  # change of a probability
    difference = np.subtract(by_kind["most attended"], by_kind["random other"])
    return RemovalTest(
        measure=MEASURES[task],
        num_nodes=len(groups),
        node=node,
        neighbor=neighbor,
        attention=attention,
        equal=equal,
        rollout=rollout,
        effect=effect,
        drop=drop,
        flips=flips,
        strongest=strongest,
        weakest=weakest,
        drawn=drawn,
        correlations=[
            RankCorrelation(
                name,
                _interval(
                    [_spearman(weight[g], effect[g]) for g in groups if len(g) >= 3], (-1.0, 1.0)
                ),
                _spearman(weight, effect),
            )
            for name, weight in weights.items()
        ],
        effects={kind: _interval(values, (0.0, most)) for kind, values in by_kind.items()},
        advantage=_interval(difference),
    )


def _spearman(weight: NDArray[np.float64], effect: NDArray[np.float64]) -> float:
    """Spearman's correlation; NaN if one of them is constant."""
    weight = weight.round(_DIGITS)
    if np.ptp(weight) == 0 or np.ptp(effect) == 0:
        return np.nan
    result: Any = stats.spearmanr(weight, effect)
    return float(result.statistic)


def _interval(values: object, bounds: tuple[float, float] = UNBOUNDED) -> Interval:
    """Mean of independent values in some bounds; NaN are left out."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    mean = float(known.mean())
    if known.size == 1:
        return Interval(mean, np.nan, np.nan, 1)
    error = float(stats.sem(known))
    low, high = student_interval(mean, error, known.size - 1, bounds=bounds)
    return Interval(mean, low, high, known.size)
