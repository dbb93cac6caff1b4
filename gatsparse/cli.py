"""The command line of :mod:`gatsparse_cli`, for those who import it from here."""

from gatsparse_cli import main

__all__ = ["main"]
