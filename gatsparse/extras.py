"""Packages of the optional extras, such as ``pip install 'gatsparse[train]'``."""

from __future__ import annotations

from importlib.util import find_spec

#: Names on PyPI of packages that are imported by another name.
_DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def missing_extra(user: str, extra: str, *packages: str) -> ImportError | None:
    """Returns the error for the first package that is not installed, or None; imports nothing.

    Args:
        user (str): Name of the feature that needs the packages, for the message.
        extra (str): The extra of gatsparse that installs them.
        *packages (str): Their names in ``import`` statements.
    """
    for package in packages:
        if find_spec(package) is None:
            name = _DISTRIBUTIONS.get(package, package)
            return ImportError(
                f"{user} needs {name}, which is not installed: pip install 'gatsparse[{extra}]'",
                name=package,
            )
    return None


def require_extra(user: str, extra: str, *packages: str) -> None:
    """Raises the error of :func:`missing_extra`, if there is one."""
    if (error := missing_extra(user, extra, *packages)) is not None:
        raise error
