"""Charts of a run."""

from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks import __main__ as command_line
from benchmarks import style
from benchmarks.config import Recipe, Sweep
from benchmarks.large.plot import plot as plot_large
from benchmarks.layer_plot import layer_charts
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.summary import Summary
from tests.benchmarks import fakes

PNG = b"\x89PNG"


@pytest.fixture
def layers(tmp_path):
    return fakes.layer_config(tmp_path, rounds=3)


@pytest.fixture
def figures(monkeypatch):
    """Collects figures by the names of their files, instead of writing files."""
    found = {}
    monkeypatch.setattr(style, "save", lambda figure, path: found.update({path.stem: figure}))
    return found


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_charts_without_values_are_not_drawn(config, machine):
    folder = fakes.make(config, machine)
    assert len(plot(folder)) == 3
    changes = {(name, "pyg", "reference"): "crashed" for name in config.datasets}
    assert plot(fakes.make(config, machine, changes)) == []
    assert list(folder.glob("*.png")) == []


def test_charts_of_layers_without_values_are_not_drawn(layers, machine):
    changes = {(name, "pyg", "graph"): "crashed" for name in fakes.GRAPHS}
    assert plot(fakes.make(layers, machine, changes)) == []


def test_times_are_dots_with_ratios_on_shared_axes(config, machine, figures):
    plot(fakes.make(config, machine))
    cora, citeseer = figures["step-time"].axes
    assert cora.get_xlim() == citeseer.get_xlim()
    assert cora.get_xlim() == pytest.approx((1e-3, 0.16))
    assert not cora.patches
    assert texts(cora) == ["2 ms (1x)", "4 ms (2x)", "6 ms (3x)", "8 ms (4x)"]
    colors = [line.get_color() for line in cora.lines]
    assert colors[0] == style.ACCENT
    assert len(set(colors)) == len({line.get_marker() for line in cora.lines}) == 4


def test_memory_is_bars_from_zero(config, machine, figures):
    plot(fakes.make(config, machine))
    axis = figures["peak-memory"].axes[0]
    assert axis.get_xlim()[0] == 0
    assert texts(axis)[1] == "+1.90 of 2.00 (2.11x)"
    added, rest = axis.patches[2:4]
    assert (added.get_x(), added.get_width()) == pytest.approx((0.0, 1.9))
    assert rest.get_x() + rest.get_width() == pytest.approx(2.0)


def test_failures_are_crosses_in_their_line(config, machine, figures):
    changes = {("cora", "pyg", "step"): "out of memory", ("citeseer", "pyg", "step"): None}
    plot(fakes.make(config, machine, changes))
    for name in ("step-time", "peak-memory"):
        cora, citeseer = figures[name].axes
        (cross,) = [line for line in cora.lines if line.get_marker() == "x"]
        assert list(cross.get_ydata()) == [2]
        assert "out of memory" in texts(cora)
        assert "not measured" in texts(citeseer)


def test_scaled_trainings_are_hollow(config, machine, figures):
    plot(fakes.make(replace(config, recipe=Recipe(("gatsparse", "dense-concat"))), machine))
    axis = figures["recipe-time"].axes[0]
    assert [line.get_markerfacecolor() for line in axis.lines] == [style.ACCENT, "white"]
    assert texts(axis) == ["2.5 s (1x)", "about 405 s (162x)"]


def test_charts_are_in_the_report(config, machine):
    folder = fakes.make(config, machine)
    text = report(folder, Console(quiet=True)).read_text()
    for path in folder.glob("*.png"):
        assert f"({path.name})" in text


def test_command_draws_the_charts(config, machine):
    folder = fakes.make(config, machine)
    assert command_line.main(["plot", str(folder)]) == 0
    assert (folder / "step-time.png").exists()


def test_custom_contenders_have_different_styles():
    looks = style.styles(["pyg", "my_module:a", "my_module:b"])
    assert looks["pyg"].color != style.ACCENT
    assert len(set(looks.values())) == 3


def test_chart_of_large_graphs(tmp_path, figures):
    def row(what, who, status="ok", **numbers):
        return ("1M", what, who), {"status": status, "numbers": numbers}

    rows = dict(
        [
            row("step", "gatsparse", seconds=0.5, peak=2e9),
            row("step", "pyg", "out of memory"),
            row("inference within 8GB", "gatsparse", seconds=1.0, added=1e9),
            row("inference within 2GB, on disk", "gatsparse", seconds=3.0, added=1e9),
            row("inference", "pyg", seconds=4.0, added=1e9),
        ]
    )
    plot_large(rows, tmp_path / "large.png")
    step, epoch, inference, memory = figures["large"].axes
    assert texts(step) == ["500 ms", "pyg: out of memory"]
    assert texts(epoch) == []
    assert texts(inference) == ["1 s", "4 s (4x)"]
    assert texts(memory) == ["2.00", "pyg: out of memory"]
    assert (
        plot_large(dict([row("structure", "gatsparse", seconds=1.0)]), tmp_path / "a.png") is None
    )


def test_plots_of_models_are_written(config, machine):
    changes = {("cora", "dense-concat", "step"): "out of memory"}
    paths = plot(fakes.make(config, machine, changes))
    names = ["inference-time.png", "step-time.png", "peak-memory.png"]
    assert [path.name for path in paths] == names
    assert all(path.read_bytes().startswith(PNG) for path in paths)


def test_plots_of_layers_are_written(layers, machine):
    changes = {("E1000000 GAT 8x8", "pyg", "forward"): "out of time"}
    paths = plot(fakes.make(layers, machine, changes))
    assert {path.name for path in paths} == {
        f"{measurement}-{chart}.png"
        for measurement in ("forward", "forward-backward")
        for chart in ("speed-up", "growth-time", "growth-memory")
    }
    assert all(path.read_bytes().startswith(PNG) for path in paths)


def axes_of(figures, title):
    return next(axis for axis in figures["forward-speed-up"].axes if axis.get_title() == title)


def test_speed_ups_and_growth_are_drawn(layers, machine):
    changes = {("E1000 GAT 8x8", "pyg", "forward"): "out of memory"}
    figures = layer_charts(Summary.load(fakes.make(layers, machine, changes)))
    axis = axes_of(figures, "GAT on E1000")
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([2.0, 3.0])
    assert texts(axis) == ["2x", "pyg: out of memory", "3x"]
    (axis, *others) = figures["forward-growth-time"].axes
    assert axis.get_legend_handles_labels()[1] == ["1.50 gatsparse", "1.50 pyg"]
    assert "3x" in texts(axis)
    assert "pyg: out of memory" in texts(axis)
    assert [len(line.get_xdata()) for line in axis.lines] == [4, 3, 1]
    assert all(other.get_ylim() == axis.get_ylim() for other in others)


def test_growth_of_memory_shows_the_whole_process(layers, machine):
    figures = layer_charts(Summary.load(fakes.make(layers, machine)))
    solid, dotted = figures["forward-growth-memory"].axes[0].lines[:2]
    assert (solid.get_linestyle(), dotted.get_linestyle()) == ("-", ":")
    assert list(dotted.get_ydata() - solid.get_ydata()) == pytest.approx([0.1] * 4)


def test_growth_over_two_graphs_is_not_drawn(layers, machine):
    graphs = dict(list(fakes.GRAPHS.items())[:2])
    sweep = Sweep(tuple(graphs), ("GAT",), ("8x8",))
    config = replace(layers, graphs=graphs, layers=(sweep,))
    assert set(layer_charts(Summary.load(fakes.make(config, machine)))) == {
        "forward-speed-up",
        "forward-backward-speed-up",
    }
