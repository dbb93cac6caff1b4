"""Finds all opcodes that the emulator accepts, by trying every choice of modifiers."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.ptx.emulator.operation import Words
from tests.ptx.emulator.text import PtxError


class _Choices(Words):
    """Modifiers that are chosen: at each question, one of the options or none.

    Args:
        first (str): The opcode.
        script (list): The choice at each question so far; later ones are 0.
        last (str): The last modifier, a type that functions look at in advance.
    """

    def __init__(self, first: str, script: list[int], last: str):
        super().__init__(first)
        self.script, self.sizes, self.taken, self.last = script, [], [], last
        self.rest = [last]

    def optional(self, *options: str) -> str | None:
        options = tuple(dict.fromkeys(options))
        place = len(self.sizes)
        self.sizes.append(len(options) + 1)
        choice = self.script[place] if place < len(self.script) else 0
        if choice == 0:
            return None
        self.taken.append(options[choice - 1])
        return self.taken[-1]


def accepted(first: str, function: Callable[[Words], Any], types: tuple[str, ...]) -> Iterator[str]:
    """Yields the accepted opcodes that begin with :obj:`first`.

    Args:
        first (str): The opcode without modifiers.
        function: Its entry in a table of operations.
        types (tuple): Possible last modifiers.
    """
    for last in types:
        script: list[int] | None = []
        while script is not None:
            words = _Choices(first, script, last)
            try:
                function(words)
                valid = words.taken[-1:] == [last]
            except (PtxError, KeyError):
                valid = False
            if valid:
                yield ".".join([first, *words.taken])
            script = _next(script, words.sizes)


def _next(script: list[int], sizes: list[int]) -> list[int] | None:
    """Returns the choices after :obj:`script` in the order of counting, None after the last."""
    full = (script + [0] * len(sizes))[: len(sizes)]
    for place in reversed(range(len(sizes))):
        if full[place] + 1 < sizes[place]:
            return [*full[:place], full[place] + 1]
    return None
