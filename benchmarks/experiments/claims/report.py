"""Report of the findings, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.experiments.claims.asymmetry import THRESHOLD, WEIGHTS, Asymmetry
from benchmarks.experiments.claims.estimate import LEVEL, Estimate
from benchmarks.experiments.claims.findings import Findings
from benchmarks.experiments.claims.models import ATTENTIVE, MODELS
from benchmarks.experiments.claims.training import Share
from benchmarks.text import machine, markdown_table

_DESCRIPTIONS = {
    "GAT": "the GAT of the paper, 8 heads x 8, then 1 head",
    "GATv2": "the same of GATv2 layers, which project sources and destinations apart",
    "mean": "the GAT with the attention switched off: equal weights 1 / deg_i; the projections "
    "with their initial values, dropouts (that of the attention, too), bias and ELU are the same",
    "GCN": "two layers of `torch_geometric.nn.GCNConv` in their place, 64 hidden channels; it "
    "has no dropout of the weights of edges",
}

_QUANTITIES = {
    "equal": "equal weights",
    "attention": "alpha_ij",
    "relative": "alpha_ij deg_i",
    "score": "exp(score_ij)",
}


def write_report(
    findings: Findings,
    environment: Mapping[str, str | int],
    chart: str,
    path: Path,
    failures: Sequence[str] = (),
) -> None:
    """Writes the report in Markdown.

    Args:
        findings (Findings): Findings to report.
        environment (dict): Result of :func:`benchmarks.measure.environment`.
        chart (str): File name of the chart.
        path (Path): Path of the report.
        failures (list of str): Failed trainings, with the reason.
    """
    incomplete = ["**Incomplete: some trainings failed.**", "", *(f"- {f}" for f in failures), ""]
    sections = [
        ["# Two claims made for graph attention", "", *machine(environment), *_recipe(findings)],
        incomplete if failures else [],
        ["## What comes out", "", *outcome(findings)],
        ["## Resistance to noisy neighbours", "", f"![Noise]({chart})", ""],
        *(_accuracies(findings, dataset) for dataset in findings.datasets),
        _shares(findings),
        _asymmetries(findings),
    ]
    path.write_text("\n".join(line for section in sections for line in [*section, ""]))


def outcome(findings: Findings) -> list[str]:
    """Returns the results for both claims, as lines of Markdown."""
    compared = len(findings.datasets) * len(ATTENTIVE) * 2
    lines = []
    for dataset in findings.datasets:
        lines += [f"**{dataset}, noise.** " + _losses(findings, dataset), ""]
        lines += [f"- {resistance(findings, dataset, model)}" for model in ATTENTIVE]
        lines += [f"- {_attention(findings, dataset, model)}" for model in ATTENTIVE]
        lines += ["", f"**{dataset}, asymmetry.** A mean over pairs of nodes with edges in both "]
        lines[-1] += "directions:"
        lines += ["", *(f"- {symmetry(findings, dataset, model)}" for model in ATTENTIVE), ""]
    return [
        *lines,
        f"These are {compared} comparisons of losses, each at the {_percent(1 - LEVEL)} level: "
        "where two models do not differ, one comparison in twenty shows a difference by chance. "
        '"Not shown" does not mean equal: the interval says how large a difference may be.',
    ]


def resistance(findings: Findings, dataset: str, model: str) -> str:
    """Compares the accuracy that a model loses to noise with the losses of "mean" and GCN."""
    parts = []
    for other in ("mean", "GCN"):
        difference = findings.advantage(dataset, model, other)
        lead = findings.lead(dataset, model, other)
        verdict = {
            1: "**it resists noise better**",
            0: "**that it resists noise better is not shown**",
            -1: "**it resists noise worse**",
        }[difference.sign]
        parts.append(
            f"against {other} {verdict}: it loses {_points(difference, 'less', 'more')}, "
            f"p = {difference.p:.2g}; with {findings.most} % noise it is "
            f"{_points(lead, 'better', 'worse')}"
        )
    return f"{model}: " + ". And ".join(parts) + "."


def symmetry(findings: Findings, dataset: str, model: str) -> str:
    """Describes the asymmetry of a model's attention, and the part that degrees explain."""
    parts = []
    for layer in findings.layers:
        means = {
            weight: findings.asymmetry(dataset, model, layer, weight, lambda a: a.mean).mean
            for weight in WEIGHTS
        }
        larger = means["score"] > means["equal"]
        verdict = "the scores differ by more" if larger else "the scores differ by less than that"
        parts.append(
            f"in layer {layer + 1} alpha_ij and alpha_ji differ by {means['attention']:.3f} of "
            f"their sum, where equal weights differ by {means['equal']:.3f}, by degrees alone; "
            f"{verdict} (exp(score): {means['score']:.3f}), and {means['relative']:.3f} is left "
            "relative to equal weights"
        )
    return f"{model}: " + "; ".join(parts) + "."


def _losses(findings: Findings, dataset: str) -> str:
    losses = {model: findings.loss(dataset, model) for model in MODELS}
    texts = [f"{model} {loss.mean:.1f} ({loss.interval})" for model, loss in losses.items()]
    return (
        f"From 0 to {findings.most} % noise, the points of test accuracy that are lost: "
        f"{', '.join(texts)}."
    )


def _attention(findings: Findings, dataset: str, model: str) -> str:
    parts = []
    for layer in findings.layers:
        where = dataset, model, findings.most, layer
        attention, equal = (
            findings.share(*where, of).mean for of in (_attention_share, _equal_share)
        )
        difference = findings.share(*where, lambda share: share.equal - share.attention)
        verdict = {1: "less", 0: "not shown to differ", -1: "more"}[difference.sign]
        parts.append(
            f"in layer {layer + 1} {attention:.1f} % of the attention, with equal weights "
            f"{equal:.1f} %: {verdict} ({_points(difference, 'less', 'more')})"
        )
    return f"{model}, {findings.most} % noise: the noise edges get " + "; ".join(parts) + "."


def _points(difference: Estimate, positive: str, negative: str) -> str:
    """Describes a difference, with its interval counted in the same direction."""
    if difference.mean >= 0:
        return f"{difference.mean:.1f} points {positive} ({difference.interval})"
    interval = f"{-difference.high:.1f} to {-difference.low:.1f}"
    return f"{-difference.mean:.1f} points {negative} ({interval})"


def _seeds(findings: Findings) -> str:
    counts = {name: len(findings.complete_seeds(name)) for name in findings.datasets}
    if len(set(counts.values())) == 1:
        return f"{counts[findings.datasets[0]]} seeds"
    return ", ".join(f"{count} seeds of {name}" for name, count in counts.items())


def _recipe(findings: Findings) -> list[str]:
    return [
        f"- {_seeds(findings)}; {findings.epochs} epochs of Adam, learning rate 0.005, "
        "L2 penalty 5e-4, dropout 0.6, of which the model of the best validation accuracy counts",
        "- noise: random edges between nodes that are not linked, in both directions, drawn for "
        "every seed; their number in % of the edges",
        "- after ±: standard deviation over seeds; in brackets: "
        f"{_percent(LEVEL)} confidence interval of the mean (Student's t); differences are paired "
        "by seed, as the models of a seed see the same noise",
        *(f"- {model}: {_DESCRIPTIONS[model]}" for model in MODELS),
    ]


def _accuracies(findings: Findings, dataset: str) -> list[str]:
    header = [f"{dataset}, test accuracy (%)", *(f"{noise} % noise" for noise in findings.noise)]
    header.append("lost")
    lines = []
    for model in MODELS:
        cells = [findings.accuracy(dataset, model, noise) for noise in findings.noise]
        cells.append(findings.loss(dataset, model))
        lines.append([model, *(f"{e.mean:.1f} ± {e.std:.1f} ({e.interval})" for e in cells)])
    return markdown_table(header, lines)


def _shares(findings: Findings) -> list[str]:
    noise = findings.noise[1:]
    header = ["share of the noise edges (%)", "layer", *(f"{level} % noise" for level in noise)]
    lines = []
    for dataset in findings.datasets:
        for model in ATTENTIVE:
            for layer in findings.layers:
                cells = [dataset + ", " + model, str(layer + 1)]
                for level in noise:
                    where = dataset, model, level, layer
                    attention = findings.share(*where, _attention_share)
                    equal = findings.share(*where, _equal_share)
                    cells.append(f"{attention.mean:.1f} ± {attention.std:.1f}; {equal.mean:.1f}")
                lines.append(cells)
    return [
        *markdown_table(header, lines),
        "",
        "The share of noise edges in the attention of a node, a mean over the nodes that have "
        "some and over heads; after the semicolon with equal weights. Self-loops count as edges "
        "of the graph.",
    ]


def _asymmetries(findings: Findings) -> list[str]:
    above = f"above {THRESHOLD}"
    header = ["without noise", "layer", "asymmetry of", "mean", "median", above]
    lines = []
    for dataset in findings.datasets:
        for model in ATTENTIVE:
            for layer in findings.layers:
                for weight, name in _QUANTITIES.items():
                    where = dataset, model, layer, weight
                    cells = [f"{dataset}, {model}", str(layer + 1), name]
                    for key in Asymmetry._fields:
                        found = findings.asymmetry(*where, lambda a, key=key: getattr(a, key))
                        scale, digits = (100, 1) if key == "above" else (1, 3)
                        spread = f"{scale * found.mean:.{digits}f} ± {scale * found.std:.{digits}f}"
                        cells.append(f"{spread} %" if key == "above" else spread)
                    lines.append(cells)
    return [
        "## Asymmetry",
        "",
        "`|w_ij - w_ji| / (w_ij + w_ji)` over all pairs of nodes with edges in both directions, "
        "of trained models; mean and median over pairs and the share of pairs above "
        f"{THRESHOLD}, each a mean over heads.",
        "",
        *(f"- {text}" for text in WEIGHTS.values()),
        "",
        *markdown_table(header, lines),
    ]


def _attention_share(share: Share) -> float:
    return share.attention


def _equal_share(share: Share) -> float:
    return share.equal


def _percent(level: float) -> str:
    return f"{100 * level:.0f} %"
