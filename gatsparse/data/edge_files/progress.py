"""Progress of reading a file of edges."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def progress_bar(path: Path) -> Iterator[Callable[[float, int], None]]:
    """Prints the name of a file, and shows a progress bar on a terminal.

    Yields:
        callable: Sets the bar: fraction of the file read, number of edges.
    """
    console = Console(highlight=False)
    size = path.stat().st_size / 1e6
    console.print(f"reading edges: {path} ({size:,.1f} MB)", soft_wrap=True, markup=False)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[num_edges]:,} edges"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(path.name, total=1.0, num_edges=0)
        yield lambda done, num_edges: bar.update(task, completed=done, num_edges=num_edges)
