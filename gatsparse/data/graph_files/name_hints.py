"""Notes on names of categories and classes that may be meant otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatsparse.data.graph_files.table import listed
from gatsparse.data.graph_files.texts import canonical, is_number, null_texts


def hints_at_names(column: str, texts: Iterable[str | None]) -> Iterator[str]:
    """Yields notes on names such as ``NA``, and on different texts that are the same number.

    Args:
        column (str): Name of the column.
        texts (list of str): Its different cells as they are written; None is missing.
    """
    names = sorted({text for text in texts if text})
    if missing := [name for name in names if name in null_texts()]:
        yield (
            f"column {column}: {listed(missing)} counts as a name, not as missing: if it means "
            "missing, leave these cells empty"
        )
    first: dict[str, str] = {}
    if all(map(is_number, names)):
        for name in names:
            number = canonical(name)
            other = first.setdefault(number, name)
            if other != name and not float(number).is_integer():
                yield (
                    f"column {column}: {other!r} and {name!r} are the same number: write text such "
                    f"as 'v{name}' if they are different names"
                )
                return
