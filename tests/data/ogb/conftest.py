from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.data.ogb.offline import refuse


@pytest.fixture(autouse=True)
def places(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty folders to search, and no network."""
    monkeypatch.setattr("gatsparse.data.places.user_cache_path", lambda _: places["cache"])
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return places
