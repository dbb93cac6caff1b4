"""Download of an OGB data set, by OGB's own functions."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    from gatsparse.data.ogb.layout import OgbDataset

_log = logging.getLogger(__name__)


def fetch(dataset: OgbDataset, arrival: Path) -> Path:
    """Downloads and extracts the archive into a folder of the cache; returns the files' folder.

    Args:
        dataset (OgbDataset): The data set.
        arrival (Path): An empty folder.

    Raises:
        OSError: If the network fails, or the disk is too small for the archive and its files.
    """
    import ogb.utils.url

    _announce(dataset, arrival.parent)
    archive = download_archive(ogb.utils.url, dataset.url, str(arrival))
    ogb.utils.url.extract_zip(archive, str(arrival), log=False)
    Path(archive).unlink()
    return arrival / dataset.archive


def _announce(dataset: OgbDataset, cache: Path) -> None:
    with urlopen(dataset.url) as reply:
        size = int(reply.headers["Content-Length"])
    free = shutil.disk_usage(cache).free
    if free < 2 * size:  # the archive and its files, which are compressed already
        raise OSError(
            f"{cache}: expected {2 * size / 1e9:.1f} GB free for the archive and its files, "
            f"got {free / 1e9:.1f} GB"
        )
    _log.warning("downloading %.1f GB from %s into %s", size / 1e9, dataset.url, cache)


def download_archive(ogb: Any, url: str, folder: str) -> str:
    """Returns the path of the archive; raises the cause of a failed download."""
    try:
        return ogb.download_url(url, folder, log=False)
    except RuntimeError as error:  # OGB wraps any exception in it, KeyboardInterrupt included
        raise (error.__context__ or error) from None
