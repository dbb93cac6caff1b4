"""Exceptions that are reported to the user in one line, because they are not bugs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

# Messages of RuntimeErrors of torch's allocators and C++ when memory is exhausted.
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


class Failure(NamedTuple):
    """A message and the exit code of the process."""

    message: str
    code: int


def failure_of(error: BaseException) -> Failure | None:
    """Returns the failure that an exception reports, or None if it is a bug.

    Exceptions that gatsparse defines are failures; their ``exit_code`` is 1 unless the class has
    another. Missing packages, errors of the operating system, exhausted memory and Ctrl-C are
    failures, too, even if an import that Ctrl-C interrupted raises another exception.
    """
    if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error)):
        return Failure("interrupted; run the same command again to continue", 130)
    message = str(error).strip()
    if _is_out_of_memory(error):
        return Failure(f"memory is exhausted ({message or type(error).__name__})", 1)
    if type(error).__module__.partition(".")[0] == "gatsparse":
        return Failure(message, getattr(error, "exit_code", 1))
    if isinstance(error, (ImportError, OSError)):
        return Failure(message or type(error).__name__, 1)
    return None


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
