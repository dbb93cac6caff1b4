"""Optional packages that OGB's data sets need."""

from __future__ import annotations

import importlib
from typing import Any


def load_package(module: str) -> Any:
    """Imports a module.

    Raises:
        ImportError: If it cannot be imported; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"OGB's data sets need {module.split('.')[0]}, which cannot be imported ({error}): "
            "pip install 'ogb>=1.3.6'"
        ) from error
