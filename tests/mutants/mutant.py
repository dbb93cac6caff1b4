from pathlib import Path
from typing import NamedTuple

#: The folder that holds the package and the tests.
ROOT = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    """One fault, and the tests that must fail because of it.

    Args:
        fault (str): The fault in words.
        file (str): The file, relative to ``gatsparse/``.
        old, new (str): A text that occurs once in the file, and its replacement.
        tests (str): Paths for pytest, relative to ``tests/``, separated by spaces.
        only (str, optional): The expression of ``pytest -k``.
    """

    fault: str
    file: str
    old: str
    new: str
    tests: str
    only: str = ""

    def applied(self, root: Path) -> str:
        """Returns the text of the file in :obj:`root` with the fault in it.

        Raises:
            ValueError: If the old text does not occur exactly once, or is the new one.
        """
        text = (root / "gatsparse" / self.file).read_text()
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: expected once, got {count} times: {self.old!r}")
        if self.old == self.new:
            raise ValueError(f"{self.file}: expected a change, got the same text: {self.old!r}")
        return text.replace(self.old, self.new)
