"""Checks of arguments that raise before anything is computed, with the argument's name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import torch

#: Upper bound of the sizes of a layer or model, and of its number of layers.
LARGEST = 2**31 - 1


def check_integer(name: str, value: Any, least: int = 1, most: int = LARGEST) -> None:
    """Checks an integer.

    Args:
        name (str): Name of the argument.
        value (int): Its value; bool is rejected.
        least, most (int, optional): Bounds, inclusive.

    Raises:
        TypeError: If :obj:`value` is not an integer.
        ValueError: If it is out of range.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not least <= int(value) <= most:
        bound = f">= {least}" if int(value) < least else f"<= {most}"
        raise ValueError(f"{name}: expected {bound}, got {value}")


def check_number(name: str, value: Any, least: float = -math.inf, most: float = math.inf) -> None:
    """Checks a finite number, also while torch.compile traces.

    Args:
        name (str): Name of the argument.
        value (float): Its value.
        least, most (float, optional): Bounds, inclusive.

    Raises:
        TypeError: If :obj:`value` is not a real number.
        ValueError: If it is NaN, infinite or out of range.
    """
    number: Any = value  # not narrowed to Real, which has no order for type checkers
    if not isinstance(value, (int, float, torch.SymFloat)) and not isinstance(value, Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    if least <= number <= most and -math.inf < number < math.inf:
        return
    if math.isinf(least) and math.isinf(most):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    bounds = f">= {least:g}" if math.isinf(most) else f"{least:g} <= {name} <= {most:g}"
    raise ValueError(f"{name}: expected {bounds}, got {value}")


def check_share(name: str, value: Any) -> None:
    """Checks a probability or a share, 0 .. 1; raises as :func:`check_number`."""
    check_number(name, value, 0.0, 1.0)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    """Checks that a value is one of the allowed strings.

    Raises:
        ValueError: If it is not.
    """
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {known}, got {value!r}")


def check_instance(name: str, value: Any, cls: type | tuple[type, ...], expected: str) -> None:
    """Checks the class of an argument.

    Args:
        name (str): Name of the argument.
        value (object): Its value.
        cls (type or tuple): The accepted classes.
        expected (str): The classes in words.

    Raises:
        TypeError: If :obj:`value` is not an instance of :obj:`cls`.
    """
    if not isinstance(value, cls):
        got = value.__name__ if isinstance(value, type) else type(value).__name__
        raise TypeError(f"{name}: expected {expected}, got {got}")
