"""Parts that the readers of all formats share: blocks of edges, places in files and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

INT64_MAX = 2**63 - 1
ENDS = ("source", "destination")

Ends = tuple[np.ndarray, np.ndarray]
"""Sources and destinations of some edges, with the ids of the file."""


class EdgeListError(ValueError):
    r"""A file of edges is truncated, ambiguous, or contains something that is not an edge.

    Example:
        >>> from pathlib import Path
        >>> from gatsparse.data import EdgeListError, read_edge_list
        >>> _ = Path("bad.csv").write_text("0,1\n2\n")
        >>> try:
        ...     read_edge_list("bad.csv")
        ... except EdgeListError as error:
        ...     print(error)
        bad.csv: line 2: expected 2 fields, got 1 in '2'
    """


class Block(NamedTuple):
    """Some edges, and the fraction of the file that was read up to their end."""

    ends: Ends
    done: float


class Reader(Protocol):
    """A file of edges."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def base(self) -> int | None:
        """Id of the first node, if the format defines it."""
        ...

    @property
    def num_nodes(self) -> int | None:
        """Number of nodes, if the file declares it."""
        ...

    def blocks(self) -> Generator[Block]:
        """Yields all edges of the file, in its order."""
        ...

    def where(self, edge: int, end: int = 0) -> str:
        """Place in the file of one end of an edge that was read before."""
        ...


def listed(names: Sequence[str]) -> str:
    """Names, quoted and shortened, for a message."""
    return shortened(", ".join(map(repr, names)))


def excerpt(text: bytes) -> str:
    """Beginning of a line or field, for a message."""
    return shortened(repr(text.rstrip(b"\r\n")[:100])[1:])


def shortened(text: str) -> str:
    """At most 100 characters of a text."""
    return text if len(text) <= 100 else f"{text[:100]} ..."
