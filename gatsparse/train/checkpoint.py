"""A training that was interrupted, as far as it had come."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from gatsparse.files import write_atomically


class Checkpoint:
    """A file of the last state of a training, which is complete at any moment.

    Args:
        path (Path, optional): The file; without one nothing is kept.
        seconds (float, optional): The least time between two states that are saved.
    """

    def __init__(self, path: Path | None = None, seconds: float = 0.0) -> None:
        self.path, self.seconds = path, seconds
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last, torch's generator set as it was then; None if none was."""
        if self.path is None or not self.path.exists():
            return None
        state = torch.load(self.path, weights_only=True)
        torch.set_rng_state(state["generator"])
        return state

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return self.path is not None and time.monotonic() - self._saved >= self.seconds

    def save(self, state: dict[str, Any]) -> None:
        """Saves a state and that of torch's generator."""
        assert self.path is not None
        state = {**state, "generator": torch.get_rng_state()}
        write_atomically(self.path, lambda file: torch.save(state, file))
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Removes the file of a training that is finished."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
