"""Style of charts: one accent colour, greys with different markers, failures as crosses.

Colour-blind readers can distinguish all of them, also in print.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

ACCENT = "#0072b2"
FAILED = "#d55e00"
#: Colours of lines without an accent (Okabe and Ito).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MARKERS = "os^D"

#: Distance of labels from data points, in points.
_GAP = 7


class Style(NamedTuple):
    """Colour and marker of a contender."""

    color: str
    marker: str


_KNOWN = {
    "gatsparse": Style(ACCENT, "o"),
    "pyg": Style("#555555", "s"),
    "pyg-compile": Style("#949494", "D"),
    "scatter": Style("#bdbdbd", "^"),
    "dense-broadcast": Style("#777777", "v"),
    "dense-concat": Style("#333333", "P"),
}
_OTHERS = (Style("#6b5b53", "X"), Style("#8a7f78", "p"), Style("#4d4d4d", "h"))


def styles(names: Iterable[str]) -> dict[str, Style]:
    """Returns styles of contenders; custom contenders cycle through the remaining greys."""
    own = [name for name in names if name not in _KNOWN]
    return {
        **{name: _KNOWN[name] for name in names if name in _KNOWN},
        **{name: _OTHERS[k % len(_OTHERS)] for k, name in enumerate(own)},
    }


def tidy(axis: Axes, grid: str) -> None:
    """Removes two sides of the frame, and draws a pale grid in one direction."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=grid, alpha=0.25)  # pyright: ignore[reportArgumentType]
    axis.set_axisbelow(True)


def failure(axis: Axes, x: float, y: float, text: str, **annotation: Any) -> None:
    """Marks a failed measurement where its point would be."""
    axis.plot(x, y, "x", color=FAILED, markersize=7, markeredgewidth=2, clip_on=False)
    label(axis, x, y, text, color=FAILED, **annotation)


def label(axis: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Writes to the right of a point."""
    settings: dict[str, Any] = {"va": "center", "fontsize": 9, **options}
    axis.annotate(text, (x, y), (_GAP, 0), textcoords="offset points", **settings)


def save(figure: Figure, path: Path) -> None:
    """Writes a reproducible PNG."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
