"""The five figures of the README."""

from __future__ import annotations

from benchmarks.text import markdown_table, median
from docs.tables.large import large, large_numbers
from docs.tables.numbers import ratio, time
from docs.tables.speed import summary, values_of

_PAIR = ("gatsparse", "pyg")


def headline() -> list[str]:
    """Five figures for the README."""
    bench, kernels = summary("bench"), summary("kernels")
    case = "P GAT 8x8"
    layer, layer_pyg = (values_of(kernels, case, name, "forward+backward") for name in _PAIR)
    wide, wide_pyg = (values_of(kernels, "P GAT 4x64", name, "forward+backward") for name in _PAIR)
    step, step_pyg = (values_of(bench, "cora", name, "step") for name in _PAIR)
    whole, whole_pyg = (
        large_numbers("10M", "inference within 8GB"),
        large_numbers("10M", "inference", "pyg"),
    )
    biggest = large_numbers("124M", "step")
    assert large()["124M", "step", "pyg"]["status"] == "out of memory"
    edges = kernels.graphs()["P"].num_edges or 0
    lines = [
        [
            "Training step on Cora with our model `PaperGAT` (sparse features, own dropout)",
            *_times(median(step), median(step_pyg)),
        ],
        [
            f"Layer of 8 heads x 8, {edges / 1e6:.1f} M edges, forward + backward",
            *_times(median(layer), median(layer_pyg)),
        ],
        [
            f"Peak memory, 4 heads x 64, {edges / 1e6:.1f} M edges, forward + backward",
            *_gigabytes(wide.peak or 0, wide_pyg.peak or 0),
        ],
        ["Exact inference, 3 layers, 10 M edges", *_times(whole["seconds"], whole_pyg["seconds"])],
        [
            "Training step, 3 layers, 124 M edges, limit of 20 GiB",
            f"{time(biggest['seconds'])}, {biggest['peak'] / 1e9:.1f} GB",
            "out of memory",
            "",
        ],
    ]
    return markdown_table(["2 cores, float32", "gatsparse", "PyG", "ratio"], lines)


def _times(ours: float, other: float) -> list[str]:
    return [time(ours), time(other), ratio(other, ours)]


def _gigabytes(ours: float, other: float) -> list[str]:
    return [f"{ours / 1e9:.1f} GB", f"{other / 1e9:.1f} GB", ratio(other, ours)]
