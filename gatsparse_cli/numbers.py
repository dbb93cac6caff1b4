"""Types of numbers on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def at_least(least: int) -> Callable[[str], int]:
    """Returns a type for :meth:`argparse.ArgumentParser.add_argument`: integers with a bound."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected an integer >= {least}, got {text!r}")
        return number

    return parse
