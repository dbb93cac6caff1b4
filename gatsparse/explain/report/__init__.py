"""An explanation as a single HTML page that works without a network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gatsparse.checks import check_instance
from gatsparse.explain import figures
from gatsparse.explain.curves import checked_curves
from gatsparse.explain.explanation import Explanation
from gatsparse.explain.report.drawing import drawing_of
from gatsparse.explain.report.findings import (
    amount,
    decimal,
    findings,
    key_figures,
    number,
    percent,
    signed,
    unit_of,
)
from gatsparse.explain.report.svg import inline_svg, plot_span
from gatsparse.files import write_atomically

_FOLDER = Path(__file__).parent
#: Classes shown in tables; the most frequent ones.
_CLASSES = 20
_CURVES = ("epoch", "train_loss", "val_loss", "val_score", "test_score")


def write_report(
    explanation: Explanation,
    path: str | Path,
    *,
    title: str = "Graph attention report",
    curves: Sequence[Mapping[str, Any]] | None = None,
    config: Any = None,
) -> None:
    """Writes an explanation as one HTML page.

    The page contains its styles, charts and script; its content security policy forbids every
    request. It follows the reader's light or dark scheme, can be printed, and is usable with a
    keyboard, a screen reader and without JavaScript. Names of nodes and classes are always shown
    as text. The same arguments give the same page.

    Args:
        explanation (Explanation): The result of :func:`explain`.
        path (str or Path): The file.
        title (str, optional): Title of the page.
        curves (list of dict, optional): Rows of ``seed-<seed>.jsonl`` of a run folder:
            :obj:`epoch`, :obj:`train_loss`, :obj:`val_loss`, :obj:`val_score`, :obj:`test_score`
            and optionally :obj:`seed`.
        config (mapping or dataclass, optional): Configuration of the training, such as a
            :class:`gatsparse.train.TrainConfig`, shown as a table.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If a row of :obj:`curves` lacks a key, or a number is not finite.
        OSError: If the file cannot be written.

    Example:
        >>> import torch, gatsparse
        >>> from gatsparse.data import load
        >>> from gatsparse.explain import explain, write_report
        >>> model = gatsparse.GAT(64, 8, num_layers=2, out_channels=10, heads=2)
        >>> explanation = explain(model, load("digits"), removals=20)
        >>> write_report(explanation, "report.html", title="Digits")
    """
    check_instance("explanation", explanation, Explanation, "the result of explain()")
    check_instance("path", path, (str, Path), "a path")
    check_instance("title", title, str, "a string")
    rows = [] if curves in (None, []) else checked_curves(curves, _CURVES)
    settings = list(_settings(_checked_config(config)))
    environment = Environment(
        loader=FileSystemLoader(_FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"decimal": decimal, "percent": percent, "signed": signed}
    script = (_FOLDER / "script.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html").render(
        title=title,
        e=explanation,
        key_figures=key_figures(explanation),
        findings=findings(explanation),
        charts=_charts(explanation),
        curves=_curve_charts(rows),
        rows=[{key: row[key] for key in _CURVES} for row in rows],
        settings=settings,
        order=_frequent_classes(explanation),
        drawings=[drawing_of(node.flow) for node in explanation.nodes],
        amount=amount,
        number=number,
        unit_of=unit_of,
        style=Markup((_FOLDER / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(sha256(script.encode()).digest()).decode(),
    )
    write_atomically(Path(path), lambda file: file.write(page.encode()))


def _charts(explanation: Explanation) -> dict[str, Markup]:
    """The charts of the statistics, by name."""
    charts = {}
    for k, layer in enumerate(explanation.layers):
        if layer.entropy is None:
            continue
        figure = figures.entropy_figure(layer)
        charts[f"entropy-{k}"] = inline_svg(
            figure,
            f"entropy-{k}",
            f"Entropy of the attention in layer {layer.name}",
            "Histograms over the nodes, for each head and for equal weights. The table below has "
            "the means.",
        )
    test = explanation.removal
    if test is not None:
        charts["effects"] = inline_svg(
            figures.effects_figure(test),
            "effects",
            "Mean effect of removing an in-neighbour",
            "The most attended, a random other and the least attended one; the values are in the "
            "table below.",
        )
        charts["removal"] = inline_svg(
            figures.removal_figure(test),
            "removal",
            "Effect of removing an in-neighbour against the attention to it",
            f"{len(test.node)} removed in-neighbours of {test.num_nodes} nodes; the rank "
            "correlations are in the table below.",
        )
    return charts


def _curve_charts(rows: list[Mapping[str, Any]]) -> list[tuple[str, Markup, float, float]]:
    """Name, chart, and ends of the axes of each chart of the training."""
    if not rows:
        return []
    last = rows[-1]
    charts = []
    for name, draw, text in (
        (
            "Loss",
            figures.loss_figure,
            f"Training loss {last['train_loss']:.4g} and validation loss {last['val_loss']:.4g}",
        ),
        (
            "Score",
            figures.score_figure,
            f"Validation score {last['val_score']:.4g} and test score {last['test_score']:.4g}",
        ),
    ):
        figure = draw(rows)
        svg = inline_svg(
            figure, name.lower(), f"{name} by epoch", f"{text} in epoch {last['epoch']}."
        )
        charts.append((name, svg, *plot_span(figure)))
    return charts


def _frequent_classes(explanation: Explanation) -> list[int]:
    """The classes that tables show: the most frequent ones, in their own order."""
    classes = [layer.classes for layer in explanation.layers if layer.classes is not None]
    counts = classes[0].num_nodes if classes else np.zeros(len(explanation.class_names))
    return sorted(np.argsort(-counts, kind="stable")[:_CLASSES].tolist())


def _checked_config(config: Any) -> Mapping[str, Any]:
    if config is None:
        return {}
    settings: Any = config
    if is_dataclass(config) and not isinstance(config, type):
        settings = asdict(settings)
    check_instance("config", settings, Mapping, "a mapping or a dataclass instance")
    return settings


def _settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys, as ``group.key``, and values."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
