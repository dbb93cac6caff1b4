"""Raw files of a data set: the folders to search, and their download into the user's cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from gatsparse.data.errors import DatasetNotFoundError
from gatsparse.data.places import roots, socket_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

_Content = TypeVar("_Content")


@dataclass(frozen=True)
class RawFiles:
    """The raw files of a data set.

    Args:
        name (str): Name of the data set.
        folder (str): Their folder in a data folder, such as ``"Cora/raw"``.
        files (tuple): Paths in that folder.
        url (str): Address from which they are downloaded.
        instructions (str): How to place them by hand, for the error message.
    """

    name: str
    folder: str
    files: tuple[str, ...]
    url: str
    instructions: str

    def places(self, root: str | Path | None) -> list[Path]:
        """Returns the folders to search, in order; the last is in the user's cache."""
        return [place / self.folder for place in roots(root)]

    def find(self, root: str | Path | None) -> Path | None:
        """Returns the first folder with all files, or None."""
        return next((place for place in self.places(root) if not self._missing(place)), None)

    def download(
        self,
        root: str | Path | None,
        fetch: Callable[[Path], Path],
        read: Callable[[Path], _Content],
    ) -> _Content:
        """Downloads the files into the user's cache and returns their content.

        They are downloaded into a temporary folder and read there, so that an incomplete
        download or an error page is never mistaken for the data set.

        Args:
            root (str or Path, optional): Folder that was searched first, for the error message.
            fetch (callable): Downloads into a folder; returns the folder that holds the files.
            read (callable): Reads and checks the files of a folder.

        Raises:
            DatasetNotFoundError: If anything fails: network, disk, or content.
        """
        places = self.places(root)
        try:
            cache = roots(root)[-1]
            cache.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(dir=cache, prefix=".download-") as arrival:
                with socket_timeout():
                    arrived = fetch(Path(arrival))
                content = read(arrived)
                for file in self.files:
                    target = places[-1] / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    (arrived / file).replace(target)
        except Exception as error:
            raise DatasetNotFoundError(self._not_found(places, error)) from error
        return content

    def _missing(self, place: Path) -> list[str]:
        return [file for file in self.files if not (place / file).is_file()]

    def _not_found(self, places: list[Path], error: Exception) -> str:
        lines = [f"data set {self.name!r} was not found; tried"]
        for place in places:
            exists = place.is_dir()
            state = f"lacks {', '.join(self._missing(place))}" if exists else "no such folder"
            lines.append(f"  {place.resolve()}: {state}")
        lines.append(f"  download from {self.url}: {type(error).__name__}: {error}")
        lines.append(self.instructions)
        lines.append("For another folder: load(..., root=FOLDER), or --root FOLDER in a command.")
        return "\n".join(lines)
