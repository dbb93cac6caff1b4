"""Tables of the documentation, made from the committed rows under ``benchmarks/results``."""

from __future__ import annotations

from collections.abc import Callable

from docs.tables import accuracy, large, speed
from docs.tables.headline import headline

#: Functions that return the lines of a table in Markdown, by the name of the table.
TABLES: dict[str, Callable[[], list[str]]] = {
    "headline": headline,
    "machine": lambda: speed.environment("bench"),
    "runs": speed.runs,
    "cora": lambda: speed.models("cora"),
    "citeseer": lambda: speed.models("citeseer"),
    "graphs": speed.graphs,
    "layers-forward": lambda: speed.layers("forward"),
    "layers-forward-backward": lambda: speed.layers("forward+backward"),
    "operators": speed.operators,
    "growth": speed.growth,
    "drop-in-layers": lambda: speed.drop_in("layers"),
    "drop-in-models": lambda: speed.drop_in("models"),
    "drop-in-compiled": lambda: speed.drop_in("compiled"),
    "large": large.large_graphs,
    "sampling": large.sampling,
    "paper-accuracy": accuracy.paper_accuracy,
    "paper-comparison": accuracy.paper_comparison,
    "paper-times": accuracy.paper_times,
    "claims-noise": accuracy.claims_noise,
    "claims-shares": accuracy.claims_shares,
    "claims-asymmetry": accuracy.claims_asymmetry,
    "tolokers": accuracy.tolokers,
}
