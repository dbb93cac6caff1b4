"""Draws the chart of the README, ``docs/images/speed.png``, from the committed rows.

``python -m docs.chart``
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks import style
from benchmarks.rows import Measurement
from benchmarks.text import median
from docs.tables.numbers import ratio, time
from docs.tables.speed import NAMES, summary

PATH = Path(__file__).parent / "images" / "speed.png"

#: Rows of the chart: label, run, case and measurement.
ROWS: list[tuple[str, str, str, Measurement]] = [
    ("GAT of the paper, Cora", "bench", "cora", "step"),
    ("GAT of the paper, CiteSeer", "bench", "citeseer", "step"),
    ("GAT 8x8, 2.3 M edges", "kernels", "P GAT 8x8", "forward+backward"),
    ("GAT 4x64, 2.3 M edges", "kernels", "P GAT 4x64", "forward+backward"),
    ("GATv2 8x8, 2.3 M edges", "kernels", "P GATv2 8x8", "forward+backward"),
    ("GATv2 4x64, 2.3 M edges", "kernels", "P GATv2 4x64", "forward+backward"),
]
#: Colour and marker of each contender.
STYLES = style.styles(["gatsparse", "pyg-compile", "pyg", "scatter"])


def draw(path: Path) -> None:
    """Draws the chart into a file."""
    figure = Figure(figsize=(8.2, 3.6), layout="constrained")
    axis = figure.subplots()
    for position, row in enumerate(ROWS):
        _draw_row(axis, position, *row)
    axis.set_xscale("log")
    axis.set_xlim(6e-4, 3e2)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _tick(seconds)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel("time of a training step or of forward + backward, logarithmic")
    axis.set_yticks(range(len(ROWS)), [label for label, *_ in ROWS])
    axis.set_ylim(len(ROWS) - 0.4, -0.7)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", alpha=0.25)
    axis.spines[["top", "right", "left"]].set_visible(False)
    for name, (color, marker) in STYLES.items():
        axis.plot([], [], marker, color=color, label=NAMES[name])
    figure.legend(loc="outside upper center", ncols=len(STYLES), frameon=False)
    path.parent.mkdir(exist_ok=True)
    style.save(figure, path)


def _draw_row(axis: Axes, position: int, _: str, run: str, case: str, what: Measurement) -> None:
    found = {name: summary(run).times(case, name, what) for name in STYLES}
    times = {name: median(values) for name, values in found.items() if values is not None}
    axis.plot([min(times.values()), max(times.values())], [position] * 2, color="#dddddd", zorder=0)
    for name, seconds in times.items():
        color, marker = STYLES[name]
        axis.plot(seconds, position, marker, color=color, markersize=7)
    first, pyg = times["gatsparse"], times["pyg"]
    label = {"textcoords": "offset points", "fontsize": 9}
    axis.annotate(
        time(first),
        (first, position),
        (-9, 0),
        ha="right",
        va="center",
        color=style.ACCENT,
        **label,
    )
    axis.annotate(
        f"PyG {time(pyg)}, {ratio(pyg, first)}",
        (max(times.values()), position),
        (9, 0),
        va="center",
        **label,
    )


def _tick(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{1e3 * seconds:g} ms"


if __name__ == "__main__":
    draw(PATH)
