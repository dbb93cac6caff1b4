"""Checkpoints: the state of an unfinished training in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import torch

from gatsparse.files import write_atomically
from gatsparse.train.errors import DamagedFileError

# A checkpoint is this line, the SHA-256 digest of the rest, and the output of torch.save.
_MAGIC = b"gatsparse checkpoint\n"


class Checkpoint:
    """A file with the last state of a training, which is complete at any moment.

    Args:
        path (Path, optional): The file; without it nothing is saved.
        seconds (float, optional): Minimum time between two saved states.
        training (str, optional): Identifies the training. A state of another one is rejected.
    """

    def __init__(self, path: Path | None = None, seconds: float = 0.0, training: str = "") -> None:
        self.path, self.seconds, self.training = path, seconds, training
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Returns the last saved state, or None; restores the state of torch's generator.

        Raises:
            DamagedFileError: If the file is truncated, damaged, not a checkpoint or a checkpoint of
                another training.
            OSError: If it cannot be read.
        """
        if self.path is None or not self.path.exists():
            return None
        state = read_checkpoint(self.path)
        with _restoring(self.path):
            if state.pop("training") != self.training:
                _refuse(self.path, "it belongs to another training")
            torch.set_rng_state(state.pop("generator"))
        return state

    def restoring(self) -> AbstractContextManager[None]:
        """Converts errors of a state that does not fit to a :class:`DamagedFileError`."""
        assert self.path is not None
        return _restoring(self.path)

    def is_due(self) -> bool:
        """Whether it is time to save."""
        return self.path is not None and time.monotonic() - self._saved >= self.seconds

    def save(self, state: dict[str, Any]) -> None:
        """Saves a state and the state of torch's generator.

        Raises:
            OSError: If the file cannot be written.
        """
        assert self.path is not None
        buffer = BytesIO()  # torch.save reports a full disk as a RuntimeError
        generator = torch.get_rng_state()
        torch.save({**state, "generator": generator, "training": self.training}, buffer)
        payload = buffer.getbuffer()
        header = _MAGIC + sha256(payload).digest()

        def write(file: Any) -> None:
            file.write(header)
            file.write(payload)

        write_atomically(self.path, write)
        self._saved = time.monotonic()

    def remove(self) -> None:
        """Removes the file of a finished training."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Returns the state that :meth:`Checkpoint.save` wrote to a file, for any training.

    Raises:
        DamagedFileError: If the file is truncated, damaged or not a checkpoint.
        OSError: If it cannot be read.
    """
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        _refuse(path, "it is not a checkpoint of gatsparse")
    begin = len(_MAGIC) + sha256().digest_size
    payload = content[begin:]
    if content[len(_MAGIC) : begin] != sha256(payload).digest():
        _refuse(path, "it is truncated or damaged")
    with _restoring(path):
        return torch.load(BytesIO(payload), map_location="cpu", weights_only=True)


@contextmanager
def _restoring(path: Path) -> Iterator[None]:
    try:
        yield
    except DamagedFileError:
        raise
    except Exception as error:  # a state can be wrong in any way
        _refuse(path, f"it does not fit this training ({error})")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise DamagedFileError(
        f"{path}: cannot continue from this checkpoint, {reason}: "
        "delete it, or start a new run with --resume false"
    )
