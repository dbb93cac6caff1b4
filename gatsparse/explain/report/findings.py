"""Conclusions from an explanation, in sentences with its own numbers."""

from __future__ import annotations

import math

import numpy as np

from gatsparse.explain.explanation import Explanation, LayerExplanation
from gatsparse.explain.removal_test import Interval, RemovalTest

#: Descriptions of layers, by upper bounds of the entropy relative to equal weights.
_SPREADS = (
    (0.3, "concentrates its attention on few in-neighbours"),
    (0.7, "weighs in-neighbours very differently"),
    (0.9, "weighs in-neighbours differently"),
    (0.98, "weighs in-neighbours slightly differently"),
    (math.inf, "weighs all in-neighbours almost equally"),
)
#: Descriptions of rank correlations, by their upper bounds.
_STRENGTHS = (
    (0.3, "hardly tells"),
    (0.6, "partly tells"),
    (math.inf, "mostly tells"),
)


def key_figures(explanation: Explanation) -> list[tuple[str, str]]:
    """Returns the most important numbers, each with its meaning.

    Args:
        explanation (Explanation): The explanation.
    """
    found = []
    if (confusion := explanation.confusion) is not None:
        found.append(
            (percent(confusion.accuracy, 1), f"of the {confusion.nodes} are predicted correctly")
        )
    spread = [layer.entropy.relative.mean() for layer in explanation.layers if layer.entropy]
    if spread:
        found.append((percent(float(np.mean(spread)), 1), "of the entropy of equal weights"))
    gain = [
        layer.classes.within.mean() - layer.classes.equal_within
        for layer in explanation.layers
        if layer.classes is not None
    ]
    if gain and not np.isnan(gain).any():
        text = "percentage points more attention within a class than by equal weights"
        found.append((signed(100 * float(np.mean(gain))), text))
    if explanation.removal is not None and explanation.removal.headline.within.count > 0:
        within = explanation.removal.headline.within
        found.append((decimal(within.mean), "rank correlation between attention and effect"))
    return found


def findings(explanation: Explanation) -> list[tuple[str, str]]:
    """Returns the conclusions, each with a heading.

    Args:
        explanation (Explanation): The explanation.
    """
    found = []
    spread = [_spread(layer) for layer in explanation.layers if layer.entropy is not None]
    if spread:
        found.append(("Focus", " ".join(spread)))
    classes = [text for layer in explanation.layers if (text := _classes(layer))]
    if classes:
        text = "Share of the attention to other nodes that stays within a class: "
        found.append(("Classes", text + "; ".join(classes) + "."))
    if explanation.removal is not None:
        found.append(("Does the weight matter?", removal_sentence(explanation.removal)))
    return found


def removal_sentence(test: RemovalTest) -> str:
    """Returns what the attention of a model shows about its predictions, and what it does not.

    Args:
        test (RemovalTest): The test.
    """
    within = test.headline.within
    most, other, least = (amount(test, effect.mean) for effect in test.effects.values())
    changes = (
        f"removing the most attended in-neighbour changes the {test.measure} by {most}, a random "
        f"other one by {other}, and the least attended one by {least}"
    )
    text = (
        f"In this model, attention {_strength(test)} which in-neighbours a prediction depends "
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
    unit = unit_of(test)
    return f"{number(test, effect)} {unit}" if unit else number(test, effect)


def number(test: RemovalTest, effect: float) -> str:
    """Returns an effect in the unit of :func:`unit_of`.

    Args:
        test (RemovalTest): The test.
        effect (float): The effect.
    """
    if not unit_of(test):
        return f"{effect:.3g}"
    effect *= 100
    return f"{effect:.{1 if abs(effect) >= 1 else 2}f}"


def unit_of(test: RemovalTest) -> str:
    """Returns the unit of effects: percentage points of probabilities, else none.

    Args:
        test (RemovalTest): The test.
    """
    return "percentage points" if test.measure.startswith("probabilit") else ""


def signed(value: float) -> str:
    """Returns a number with its sign and one digit after the point; 0.0 has no sign.

    Args:
        value (float): The number.
    """
    text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
    return "0.0" if text[1:] == "0.0" else text


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
        return f"< {step:.{digits}f}\N{NO-BREAK SPACE}%"
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}%"


def decimal(value: float) -> str:
    """Returns a number with two digits after the point.

    Args:
        value (float): The number.
    """
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _strength(test: RemovalTest) -> str:
    within = test.headline.within
    if not within.excludes_zero:
        return "hardly tells" if test.advantage.low > 0 else "does not measurably tell"
    if within.mean < 0:
        return "misleads about"
    return _word(_STRENGTHS, within.mean)


def _correlation(within: Interval) -> str:
    if within.count == 0:
        return "no rank correlation is defined"
    found = (
        f"the rank correlation between weight and effect within a node is {decimal(within.mean)}"
    )
    if within.count == 1:
        return f"{found}, of a single node"
    return f"{found} (95 %: {decimal(within.low)} to {decimal(within.high)})"


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
    within, equal = float(layer.classes.within.mean()), layer.classes.equal_within
    return f"{percent(within, 1)} in layer {layer.name} (equal weights: {percent(equal, 1)})"


def _word(words: tuple[tuple[float, str], ...], value: float) -> str:
    return next(text for bound, text in words if value < bound)
