"""The paper's experiment, the claims about attention, and tolokers."""

from __future__ import annotations

import json
from functools import cache
from statistics import fmean, stdev
from typing import Any

from benchmarks import samples
from benchmarks.experiments.claims.estimate import Estimate
from benchmarks.experiments.claims.findings import Findings
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.training import read
from benchmarks.experiments.paper.accuracies import deviation
from benchmarks.experiments.paper.protocols import PROTOCOLS
from benchmarks.samples import PERCENT
from benchmarks.text import markdown_table
from docs.tables.numbers import DATASETS, RESULTS, digits, ratio


@cache
def _paper(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / "paper" / f"{name}.json").read_text())


@cache
def _claims() -> Findings:
    rows = read(RESULTS / "claims" / "rows.jsonl")
    tasks = list(rows)
    return Findings(
        datasets=list(dict.fromkeys(task.dataset for task in tasks)),
        noise=sorted({task.noise for task in tasks}),
        seeds=sorted({task.seed for task in tasks}),
        epochs=tasks[0].epochs,
        rows=rows,
    )


def paper_accuracy() -> list[str]:
    """Test accuracies of the paper's experiment, next to the published ones."""
    lines = []
    for dataset, name in DATASETS.items():
        for protocol in PROTOCOLS:
            rules = _paper(f"{dataset}{protocol.suffix}-gatsparse")["rules"]
            values = [100 * value for value in rules[protocol.rule]["test_score"]]
            interval = samples.mean(values, PERCENT)
            published = "; ".join(
                f"{p.mean} ± {p.std} ({p.source})" for p in protocol.published.get(dataset, ())
            )
            mean = f"{interval.low:.2f} to {interval.high:.2f}"
            lines.append(
                [f"{name}, {protocol.name}", str(len(values)), deviation(values), mean, published]
            )
    header = ["data set, protocol", "seeds", "test accuracy (%)", "95 % interval of the mean"]
    return markdown_table([*header, "published (%)"], lines)


def paper_comparison() -> list[str]:
    """Accuracies of gatsparse and PyG in one recipe, with tests."""
    lines = []
    for dataset, name in DATASETS.items():
        ours, theirs = (
            [100 * v for v in _paper(f"{dataset}-short-{kind}")["rules"]["val_score"]["test_score"]]
            for kind in ("gatsparse", "pyg")
        )
        result = samples.compare(ours, theirs)
        apart = result.difference
        lines.append(
            [
                name,
                f"{deviation(ours)}, {len(ours)}",
                f"{deviation(theirs)}, {len(theirs)}",
                f"{apart.value:+.2f} ({apart.low:+.2f} to {apart.high:+.2f})",
                f"{result.welch:.2f}",
                f"{result.mann_whitney:.2f}",
                f"{result.detectable:.2f}",
            ]
        )
    header = ["data set", "gatsparse (%), n", "PyG (%), n", "difference, 95 % interval"]
    return markdown_table([*header, "Welch p", "Mann-Whitney p", "detectable"], lines)


def paper_times() -> list[str]:
    """Minutes of one thread for 100 seeds on Cora."""
    lines = []
    for suffix, name in (("", "original code"), ("-pyg", "PyG's benchmark")):
        ours, theirs = _paper(f"cora{suffix}-gatsparse"), _paper(f"cora{suffix}-pyg")
        count, few = len(ours["seeds"]), len(theirs["seeds"])
        seconds, scaled = sum(ours["seconds"]), sum(theirs["seconds"]) * count / few
        lines.append(
            [
                name,
                f"{digits(seconds / 60)} min",
                f"{digits(scaled / 60)} min, scaled up from {few} seeds",
                ratio(scaled, seconds),
            ]
        )
    return markdown_table(["Cora, 100 seeds", "gatsparse", "PyG's layers", "ratio"], lines)


def claims_noise() -> list[str]:
    """Test accuracy with more and more random edges."""
    found = _claims()
    lines = [
        [
            f"{DATASETS[dataset]}, {model}",
            *(_estimate(found.accuracy(dataset, model, noise)) for noise in found.noise),
            _estimate(found.loss(dataset, model)),
        ]
        for dataset in found.datasets
        for model in MODELS
    ]
    header = ["test accuracy (%)", *(f"{noise} % noise" for noise in found.noise), "points lost"]
    return markdown_table(header, lines)


def claims_shares() -> list[str]:
    """Share of the noise edges in the attention."""
    found = _claims()
    lines = []
    for dataset in found.datasets:
        for model in ATTENTIVE:
            for layer in found.layers:
                of, equal = (
                    found.share(dataset, model, found.most, layer, lambda s, k=k: getattr(s, k))
                    for k in ("attention", "equal")
                )
                line = [f"{DATASETS[dataset]}, {model}", str(layer + 1)]
                lines.append([*line, f"{of.mean:.1f} %", f"{equal.mean:.1f} %"])
    header = ["model", "layer", f"attention on noise edges, {found.most} % noise", "equal weights"]
    return markdown_table(header, lines)


def claims_asymmetry() -> list[str]:
    """Mean asymmetry of attention over pairs of nodes with edges in both directions."""
    found = _claims()
    weights = {
        "equal": "equal weights",
        "attention": "attention",
        "relative": "attention relative to equal weights",
        "score": "exp(score)",
    }
    lines = [
        [
            f"{DATASETS[dataset]}, {model}",
            str(layer + 1),
            *(
                f"{found.asymmetry(dataset, model, layer, key, lambda a: a.mean).mean:.3f}"
                for key in weights
            ),
        ]
        for dataset in found.datasets
        for model in ATTENTIVE
        for layer in found.layers
    ]
    return markdown_table(["model", "layer", *weights.values()], lines)


def tolokers() -> list[str]:
    """Test ROC AUC of tolokers over its ten splits."""
    lines = []
    for mode in ("full", "sampled"):
        found = json.loads((RESULTS / "tolokers" / mode / "summary.json").read_text())
        values = [100 * value for value in found["rules"]["val_score"]["test_score"]]
        lines.append([mode, str(len(values)), f"{fmean(values):.1f} ± {stdev(values):.1f}"])
    lines.append(["Platonov et al., GAT", "10", "83.7 ± 0.5"])
    return markdown_table(["tolokers", "splits", "test ROC AUC (%)"], lines)


def _estimate(found: Estimate) -> str:
    return f"{found.mean:.1f} ± {found.std:.1f}"
