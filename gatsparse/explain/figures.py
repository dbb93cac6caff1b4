"""Charts of an explanation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gatsparse.checks import check_instance
from gatsparse.explain.curves import checked_curves
from gatsparse.explain.explanation import LayerExplanation
from gatsparse.explain.removal_test import RemovalTest

INK, MUTED, LINE = "#1f2328", "#57606a", "#d0d7de"
#: Colours that colour-blind readers can distinguish (Okabe and Ito), and the fill of a baseline.
ACCENT, SECOND, BASE = "#0072b2", "#d55e00", "#b6bec7"

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
_SIZE = (4.6, 2.8)


@contextmanager
def _chart(grid: str = "y") -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        axes.grid(axis=grid)  # pyright: ignore[reportArgumentType]
        yield figure, axes


def entropy_figure(layer: LayerExplanation) -> Figure:
    """Draws the histogram of the entropy of the attention over the nodes of a graph.

    The area is the histogram for equal weights, each line that of a head. Where the lines follow
    the area, the attention is close to an average over the neighbours.

    Args:
        layer (LayerExplanation): The layer, some of whose nodes have two in-edges.

    Returns:
        matplotlib.figure.Figure: The chart.

    Raises:
        TypeError: If :obj:`layer` is not a :class:`LayerExplanation`.
        ValueError: If no node has two in-edges.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import entropy_figure, explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> first, _ = explain(model, load("digits"), nodes=[], removals=0).layers
        >>> entropy_figure(first).savefig("entropy.png")
    """
    check_instance("layer", layer, LayerExplanation, "a LayerExplanation")
    entropy = layer.entropy
    if entropy is None:
        raise ValueError("layer: expected a node with at least two in-edges, got none")
    with _chart() as (figure, axes):
        axes.stairs(
            entropy.equal_counts, entropy.bins, fill=True, color=BASE, label="equal weights"
        )
        for head, counts in enumerate(entropy.counts):
            label = None if head else "attention" if layer.heads == 1 else "attention, by head"
            axes.stairs(counts, entropy.bins, color=ACCENT, linewidth=1.2, alpha=0.8, label=label)
        axes.set_xlabel("entropy over the in-edges of a node [nat]")
        axes.set_ylabel("nodes")
        axes.set_xlim(0, entropy.bins[-1])
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        _legend(axes)
    return figure


def effects_figure(test: RemovalTest) -> Figure:
    """Draws the mean effect of removing the most, a random and the least attended in-neighbour.

    Args:
        test (RemovalTest): The test. Bars are 95 % intervals of the mean over nodes.

    Returns:
        matplotlib.figure.Figure: The chart.

    Raises:
        TypeError: If :obj:`test` is not a :class:`RemovalTest`.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import effects_figure, explain
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> test = explain(model, load("digits"), nodes=[], removals=20).removal
        >>> effects_figure(test).savefig("effects.png")
    """
    check_instance("test", test, RemovalTest, "a RemovalTest")
    with _chart("x") as (figure, axes):
        for row, (kind, effect) in enumerate(reversed(test.effects.items())):
            color = ACCENT if kind == "most attended" else MUTED
            axes.plot([effect.low, effect.high], [row, row], color=color, linewidth=2.5)
            axes.plot(effect.mean, row, "o", color=color, markersize=7)
        axes.set_yticks(range(len(test.effects)), list(reversed(test.effects)), color=INK)
        axes.set_ylim(-0.6, len(test.effects) - 0.4)
        axes.margins(x=0.2)
        axes.set_xlim(left=0)
        axes.set_xlabel(_effect_label(test))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(_format(test))
    return figure


def removal_figure(test: RemovalTest) -> Figure:
    """Draws the effect of each removed in-neighbour against the attention to it.

    Args:
        test (RemovalTest): The test.

    Returns:
        matplotlib.figure.Figure: The chart. The attention is averaged over heads and layers, and
        divided by the weight if all in-edges of the node were equal.

    Raises:
        TypeError: If :obj:`test` is not a :class:`RemovalTest`.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain, removal_figure
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> test = explain(model, load("digits"), nodes=[], removals=20).removal
        >>> removal_figure(test).savefig("removal.png")
    """
    check_instance("test", test, RemovalTest, "a RemovalTest")
    relative = test.weight / test.equal
    with _chart("both") as (figure, axes):
        axes.axvline(1.0, color=MUTED, linewidth=0.8, linestyle="--")
        for chosen, color, marker, label in (
            (~test.strongest, MUTED, "o", "others"),
            (test.strongest, ACCENT, "D", "most attended"),
        ):
            look = {"color": color, "markersize": 3.2, "alpha": 0.55, "markeredgewidth": 0}
            axes.plot(relative[chosen], test.effect[chosen], marker, label=label, **look)
        axes.set_yscale("symlog", linthresh=max(float(np.median(test.effect)), 1e-6))
        axes.set_xlabel("attention, as a multiple of an equal share")
        axes.set_ylabel(_effect_label(test))
        axes.yaxis.set_major_formatter(_format(test))
        axes.set_ylim(bottom=0)
        _legend(axes)
    return figure


def loss_figure(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draws the training and the validation loss by epoch.

    Args:
        curves (list of dict): Rows of ``seed-<seed>.jsonl`` of a run folder: :obj:`epoch`,
            :obj:`train_loss`, :obj:`val_loss`, and optionally :obj:`seed`.

    Returns:
        matplotlib.figure.Figure: The chart, with a line for each seed.

    Raises:
        TypeError: If :obj:`curves` is not a list of dictionaries of numbers.
        ValueError: If it is empty, a key is missing, or a number is not finite.

    Example:
        >>> from gatsparse.explain import loss_figure
        >>> rows = [{"epoch": k, "train_loss": 1 / k, "val_loss": 1.2 / k} for k in (1, 2, 3)]
        >>> loss_figure(rows).savefig("loss.png")
    """
    return _curves(curves, {"train_loss": "training", "val_loss": "validation"}, "loss")


def score_figure(curves: Sequence[Mapping[str, Any]]) -> Figure:
    """Draws the validation and the test score by epoch.

    Args:
        curves (list of dict): As in :func:`loss_figure`, with :obj:`val_score` and
            :obj:`test_score`.

    Returns:
        matplotlib.figure.Figure: The chart, with a line for each seed.

    Raises:
        TypeError: If :obj:`curves` is not a list of dictionaries of numbers.
        ValueError: If it is empty, a key is missing, or a number is not finite.

    Example:
        >>> from gatsparse.explain import score_figure
        >>> rows = [{"epoch": k, "val_score": 1 - 1 / k, "test_score": 0.5} for k in (1, 2, 3)]
        >>> score_figure(rows).savefig("score.png")
    """
    return _curves(curves, {"val_score": "validation", "test_score": "test"}, "score")


def _curves(curves: Sequence[Mapping[str, Any]], names: Mapping[str, str], label: str) -> Figure:
    rows = checked_curves(curves, ["epoch", *names])
    seeds = {row.get("seed"): None for row in rows}
    with _chart() as (figure, axes):
        for (key, name), color in zip(names.items(), (ACCENT, SECOND), strict=True):
            for n, seed in enumerate(seeds):
                own = [row for row in rows if row.get("seed") == seed]
                epochs, values = [row["epoch"] for row in own], [row[key] for row in own]
                text = None if n else name
                axes.plot(epochs, values, color=color, linewidth=1.4, label=text)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _legend(axes)
    return figure


def _legend(axes: Axes) -> None:
    """Draws the legend above the axes, where no data are."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0.2)


def _effect_label(test: RemovalTest) -> str:
    return "change" + (" [percentage points]" if _in_percent(test) else "")


def _format(test: RemovalTest) -> FuncFormatter:
    scale = 100.0 if _in_percent(test) else 1.0
    return FuncFormatter(lambda value, _: f"{scale * value:.3g}")


def _in_percent(test: RemovalTest) -> bool:
    return test.measure.startswith("probabilit")
