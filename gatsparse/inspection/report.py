"""An inspection as text, and its configuration as YAML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from gatsparse.data import GraphFiles, GraphStatistics
from gatsparse.data.labels import MASKS
from gatsparse.inspection.inspect import Inspection
from gatsparse.train.memory import format_bytes

_MOST_CLASSES = 8


def report(inspection: Inspection) -> str:
    """Returns what is in the graph, and what a training would cost."""
    lines = [*_nodes(inspection), *_edges(inspection), *_cost(inspection)]
    return "\n".join(lines)


def suggestion(inspection: Inspection) -> str:
    """Returns the configuration as YAML, with the keys that differ from their defaults and the
    reasons as comments; ``gatsparse train`` runs it.
    """
    comments = [f"# {reason}" for reason in inspection.reasons]
    values = _changed(inspection.config.with_absolute_paths())
    return "\n".join([*comments, yaml.safe_dump(values, sort_keys=False, width=100)])


def _nodes(inspection: Inspection) -> Iterator[str]:
    data, columns = inspection.data, inspection.columns
    links = inspection.config.task == "link_prediction"
    yield f"nodes      {inspection.statistics.num_nodes:,}"
    if columns:
        kinds = [summary.kind for summary in columns.values()]
        counts = {kind: kinds.count(kind) for kind in ("number", "text", "time")}
        shown = ", ".join(f"{count} of {kind}s" for kind, count in counts.items() if count)
        yield f"  columns  {len(columns)}: {shown}"
        missing = {name: summary.missing for name, summary in columns.items() if summary.missing}
        if missing:
            shown = ", ".join(f"{name} {count:,}" for name, count in list(missing.items())[:6])
            yield f"  missing  {shown}{' ...' if len(missing) > 6 else ''}"
    yield f"  features {data['x'].size(1):,}"
    y = data.get("y")
    if y is not None and not links:
        yield f"  labels   {_labels(inspection, y)}"
    masks = [data.get(key) for key in MASKS]
    if all(mask is not None for mask in masks) and not links:
        sizes = [int(mask.view(len(mask), -1)[:, 0].sum()) for mask in masks]
        yield f"  split    {sizes[0]:,} training, {sizes[1]:,} validation, {sizes[2]:,} test nodes"
    for note in data.get("notes") or ():
        yield f"  note     {note}"


def _labels(inspection: Inspection, y: torch.Tensor) -> str:
    if y.is_floating_point():
        known = y[~y.view(len(y), -1).isnan().any(dim=1)].double()
        if y.dim() == 2:
            return f"{len(known):,} nodes with {y.size(1)} columns"
        return (
            f"{len(known):,} numbers from {known.min():.4g} to {known.max():.4g}, mean "
            f"{known.mean():.4g}, standard deviation {known.std():.4g}"
        )
    y = y.view(-1)
    counts = torch.bincount(y[y >= 0])
    names = getattr(inspection.data.get("schema"), "classes", None) or [
        str(label) for label in range(len(counts))
    ]
    order = counts.argsort(descending=True)[:_MOST_CLASSES].tolist()
    shares = ", ".join(f"{names[label]} {counts[label] / counts.sum():.1%}" for label in order)
    more = " ..." if len(counts) > _MOST_CLASSES else ""
    unlabelled = int((y < 0).sum())
    return f"{len(counts)} classes: {shares}{more}" + (
        f"; {unlabelled:,} nodes without a label" if unlabelled else ""
    )


def _edges(inspection: Inspection) -> Iterator[str]:
    statistics = inspection.statistics
    low, middle, mean, high = statistics.in_degrees
    yield f"edges      {statistics.num_edges:,}{_direction(statistics)}"
    yield f"  degrees  in-degree {low:.0f} to {high:,.0f}, median {middle:.0f}, mean {mean:.1f}"
    yield (
        f"  special  {statistics.num_isolated:,} isolated nodes, "
        f"{statistics.num_self_loops:,} self-loops, {statistics.num_duplicates:,} duplicate edges"
    )
    if statistics.num_components is not None and statistics.largest_component is not None:
        share = statistics.largest_component / statistics.num_nodes
        yield f"  parts    {statistics.num_components:,}, the largest with {share:.1%} of the nodes"
    if inspection.homophily is not None:
        yield (
            f"  homophily {inspection.homophily:.2f}: share of the edges between nodes of the same "
            f"class; {_by_chance(inspection):.2f} if edges were random"
        )


def _direction(statistics: GraphStatistics) -> str:
    if statistics.num_edges == statistics.num_self_loops:
        return ""
    if statistics.is_undirected:
        return ", undirected (each edge in both directions)"
    share = math.floor(1000 * statistics.reciprocity) / 10  # 100.0% would be undirected
    return f", directed ({share:.1f}% of the edges have their reverse)"


def _by_chance(inspection: Inspection) -> float:
    """Probability that two labelled nodes have the same class."""
    y = inspection.data["y"].view(-1)
    shares = torch.bincount(y[y >= 0]).double()
    return float(((shares / shares.sum()) ** 2).sum())


def _cost(inspection: Inspection) -> Iterator[str]:
    cost, config = inspection.cost, inspection.config
    yield f"training   {config.task}, mode {config.mode}, {config.epochs} epochs at most"
    yield f"  memory   about {format_bytes(cost.memory)} in addition to the data"
    if cost.epoch_seconds is not None:
        total = cost.epoch_seconds * config.epochs
        yield (
            f"  time     about {_seconds(cost.epoch_seconds)} for an epoch, {_seconds(total)} for "
            f"all, with {config.threads} thread(s) on this machine"
        )


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.1f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _changed(config: Any) -> dict[str, Any]:
    """The keys of a configuration that differ from their defaults."""
    if isinstance(config, GraphFiles):
        default: Any = GraphFiles(config.path)
        changed: dict[str, Any] = {"path": str(config.path)}
    else:
        default, changed = type(config)(), {}
    for field in fields(config):
        value = getattr(config, field.name)
        if value == getattr(default, field.name):
            continue
        changed[field.name] = _plain(value)
    return changed


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _changed(value)
    return str(value) if isinstance(value, Path) else value
