"""A network that is down."""

from typing import Any


def refuse(*_: Any, **__: Any) -> Any:
    raise OSError("the network is down")
