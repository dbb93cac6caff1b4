"""Conclusions from an explanation, in sentences with its own numbers."""

from __future__ import annotations

import math

from gatsparse.explain.explanation import Explanation, LayerExplanation
from gatsparse.explain.removal_test import Interval, RemovalTest

#: Below the first number that exceeds the entropy relative to equal weights, attention is called so.
_SPREADS = (
    (0.3, "concentrates its attention on few in-neighbours"),
    (0.7, "weighs in-neighbours very differently"),
    (0.9, "weighs in-neighbours differently"),
    (0.98, "weighs in-neighbours slightly differently"),
    (math.inf, "weighs all in-neighbours almost equally"),
)
#: The same for rank correlations.
_STRENGTHS = (
    (0.3, "hardly tells"),
    (0.6, "partly tells"),
    (math.inf, "mostly tells"),
)


def findings(explanation: Explanation) -> list[tuple[str, str]]:
    """Returns the conclusions, each with a heading.

    Args:
        explanation (Explanation): The explanation.
    """
    found = []
    spread = [_spread(layer) for layer in explanation.layers if layer.entropy is not None]
    if spread:
        found.append(("Focus", " ".join(spread)))
    classes = [_classes(layer) for layer in explanation.layers]
    if any(classes):
        found.append(("Classes", " ".join(filter(None, classes))))
    if explanation.removal is not None:
        found.append(("Does it matter?", removal_sentence(explanation.removal)))
    return found


def removal_sentence(test: RemovalTest) -> str:
    """Returns what the attention of a model shows about its predictions, and what it does not.

    Args:
        test (RemovalTest): The test.
    """
    within = test.headline.within
    most, other = (test.effects[kind].mean for kind in ("most attended", "random other"))
    changes = (
        f"removing the most attended in-neighbour changes the {test.measure} by "
        f"{amount(test, most)}, a random other one by {amount(test, other)}"
    )
    text = (
        f"In this model, attention {_strength(within)} which in-neighbours a prediction depends "
        f"on: {_correlation(within)}, and {changes} ({test.num_nodes} nodes)."
    )
    known = test.drop[test.drop != 0]
    if known.size and not math.isnan(known[0]):
        rises = (known < 0).mean()
        text += (
            f" It does not show the direction: {percent(rises)} of the removals that have an "
            "effect raise the probability of the predicted class."
        )
    return text


def amount(test: RemovalTest, effect: float) -> str:
    """Returns an effect with its unit.

    Args:
        test (RemovalTest): The test.
        effect (float): The effect.
    """
    if test.measure.startswith("probabilit"):
        return f"{100 * effect:.2g} percentage points"
    return f"{effect:.3g}"


def percent(share: float, digits: int = 0) -> str:
    """Returns a share in percent; almost all and almost none are not rounded to all and none.

    Args:
        share (float): The share.
        digits (int, optional): Digits after the point.
    """
    step = 10.0**-digits
    value = round(100 * share, digits)
    if value == 100 and share < 1:
        value = 100 - step
    if value == 0 and share > 0:
        return f"< {step:.{digits}f} %"
    return f"{value:.{digits}f} %"


def _strength(within: Interval) -> str:
    if not within.excludes_zero:
        return "does not measurably tell"
    if within.mean < 0:
        return "misleads about"
    return _word(_STRENGTHS, within.mean)


def _correlation(within: Interval) -> str:
    if within.count == 0:
        return "no rank correlation is defined"
    return (
        f"the rank correlation between weight and effect within a node is {within.mean:.2f} "
        f"(95 %: {within.low:.2f} to {within.high:.2f})"
    )


def _spread(layer: LayerExplanation) -> str:
    entropy = layer.entropy
    assert entropy is not None
    relative = float(entropy.relative.mean())
    return (
        f"Layer {layer.name} {_word(_SPREADS, relative)}: its entropy is {percent(relative, 1)} of "
        f"that of equal weights."
    )


def _classes(layer: LayerExplanation) -> str:
    if layer.classes is None or math.isnan(layer.classes.equal_within):
        return ""
    within = float(layer.classes.within.mean())
    return (
        f"Of the attention of layer {layer.name} to other nodes, {percent(within, 1)} stays within "
        f"a class; equal weights would give {percent(layer.classes.equal_within, 1)}."
    )


def _word(words: tuple[tuple[float, str], ...], value: float) -> str:
    return next(text for bound, text in words if value < bound)
