"""Summary statistics over the seeds of a run."""

from __future__ import annotations

import math
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from gatsparse.intervals import UNBOUNDED, student_interval
from gatsparse.train.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gatsparse.train.config import TrainConfig
    from gatsparse.train.fitting import FitResult

_LEAST = 3  # seeds with an interval: that of two is 13 times as wide as their range


def summarize(config: TrainConfig, results: Mapping[int, FitResult]) -> dict[str, Any]:
    """Summarizes the seeds finished so far.

    Args:
        config (TrainConfig): Configuration of the run.
        results (dict): The :class:`FitResult` of each seed.

    Returns:
        dict: ``dataset``, ``kind``, ``metric``; ``seeds``, ``epochs`` and ``seconds``, one entry
        per seed in the order of the configuration; ``epochs_mean``, ``seconds_total``; and
        ``rules``, which holds for every rule ``best_epoch``, ``epochs``, ``val_score``,
        ``val_loss`` and ``test_score`` per seed, and the statistics of :func:`spread` as
        ``test_score_mean`` and so on.
    """
    seeds = [seed for seed in config.all_seeds if seed in results]
    finished = [results[seed] for seed in seeds]
    rules: dict[str, Any] = {}
    for rule in config.rules:
        of_rule = [vars(result.rules[rule]) for result in finished]
        columns = {key: [row[key] for row in of_rule] for key in of_rule[0]}
        figures = spread(columns["test_score"], METRICS[config.chosen_metric].bounds)
        rules[rule] = columns | {f"test_score_{key}": value for key, value in figures.items()}
    return {
        "dataset": config.dataset_name,
        "kind": config.model.kind,
        "metric": config.chosen_metric,
        "seeds": seeds,
        "epochs": [result.epochs for result in finished],
        "seconds": [result.seconds for result in finished],
        "epochs_mean": fmean(result.epochs for result in finished),
        "seconds_total": math.fsum(result.seconds for result in finished),
        "rules": rules,
    }


def spread(values: list[float], bounds: tuple[float, float] = UNBOUNDED) -> dict[str, float | None]:
    """Returns mean, sample standard deviation, range, and confidence interval of the mean.

    Args:
        values (list of float): One or more values.
        bounds (tuple of float, optional): Smallest and largest possible value.

    Returns:
        dict: ``mean``, ``std``, ``ci95_low`` and ``ci95_high`` (Student's 95 % confidence
        interval of the mean), ``min``, ``max``; deviation and interval of one value are None.
    """
    mean = fmean(values)
    std = low = high = None
    if len(values) > 1:
        std = stdev(values)
        low, high = student_interval(
            mean, std / math.sqrt(len(values)), len(values) - 1, bounds=bounds
        )
    return {
        "mean": mean,
        "std": std,
        "ci95_low": low,
        "ci95_high": high,
        "min": min(values),
        "max": max(values),
    }


def headline(summary: dict[str, Any]) -> str:
    """Returns a line for every rule of a summary, and one for the run."""
    what = f"{summary['dataset']}, {summary['kind']}"
    metric = METRICS[summary["metric"]]
    lines = [
        f"{what}, {rule}: test {metric.title} {_range(figures, metric.is_share)}"
        for rule, figures in summary["rules"].items()
    ]
    lines.append(
        f"{len(summary['seeds'])} seed(s), {summary['epochs_mean']:.0f} epochs on average, "
        f"{summary['seconds_total']:.1f} s of training"
    )
    return "\n".join(lines)


def _range(figures: dict[str, Any], is_share: bool) -> str:
    """Mean and spread of the test scores, in percent or as numbers; of few scores themselves."""

    def shown(value: float, digits: int) -> str:
        return f"{100 * value:.{digits}f}" if is_share else f"{value:.4g}"

    def text(key: str, digits: int = 2) -> str:
        return shown(figures[f"test_score_{key}"], digits)

    unit, scores = " %" if is_share else "", figures["test_score"]
    if len(scores) == 1:
        return f"{text('mean')}{unit}"
    if len(scores) < _LEAST:
        return f"{text('mean')}{unit}, seeds: {', '.join(shown(s, 1) for s in scores)}{unit}"
    return (
        f"{text('mean')} +- {text('std')}{unit}, 95 % interval of the mean {text('ci95_low')} .. "
        f"{text('ci95_high')}, range {text('min', 1)} .. {text('max', 1)}"
    )
