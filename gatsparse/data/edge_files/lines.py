"""Lines of text, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from gatsparse.data.edge_files.reader import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyarrow import BufferReader

BLOCK = 2**24  # bytes; larger blocks are slower
LONGEST_LINE = 2**20  # bytes
PACKED = (".gz", ".bz2", ".xz", ".zst")

_SKIPPED = re.compile(rb"[ \t]*(?:(?:#|%|//).*)?[\r\n]*", re.DOTALL)
_SKIPPED_LINES = re.compile(rb"^[ \t]*(?:(?:#|%|//)[^\n]*)?\r?(?:\n|\Z)", re.MULTILINE)


class PackedError(ValueError):
    """Compressed data are truncated or corrupt."""


def arrow_input(text: bytes) -> BufferReader:
    """Copies text into memory of pyarrow and opens it.

    Threads of pyarrow that still read when the file has an error would otherwise take the lock of
    the interpreter to release ``text``, which aborts a process that is ending.
    """
    from pyarrow import BufferOutputStream, BufferReader

    copy = BufferOutputStream()
    copy.write(text)
    return BufferReader(copy.getvalue())


@contextmanager
def open_text(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Opens a file and its decompressed text.

    Raises:
        OSError: If the file cannot be opened or read.
        PackedError: While it is open, if it is compressed and cannot be decompressed.
    """
    packing = path.suffix.lower()
    with path.open("rb") as raw:
        if packing not in PACKED:
            yield raw, raw
            return
        try:
            if packing == ".gz":
                text = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
            elif packing == ".zst":
                from pyarrow import CompressedInputStream, PythonFile

                stream = CompressedInputStream(PythonFile(raw, mode="r"), "zstd")
                text = cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream)))
            else:
                new = bz2.BZ2Decompressor if packing == ".bz2" else lzma.LZMADecompressor
                text = cast("BinaryIO", io.BufferedReader(_Unpacked(raw, new)))
            yield raw, text
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the system; errors of decompressors have no number
            kind = "gzip" if packing == ".gz" else packing[1:]
            raise PackedError(
                f"byte {raw.tell()} or before: truncated or corrupt {kind} ({error})"
            ) from error


class _Unpacked(io.RawIOBase):
    """Decompressed streams of a file, one after another. Unlike Python's own readers, it does not
    ignore trailing data that is not a stream.
    """

    def __init__(
        self, raw: BinaryIO, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._raw, self._new = raw, new
        self._decompressor, self._rest = new(), b""
        self._begun = False  # whether the decompressor has had input

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        text = b""
        while not text:
            if self._decompressor.eof:
                self._rest = self._decompressor.unused_data
                self._decompressor, self._begun = self._new(), False
            packed = b""
            if self._decompressor.needs_input:
                packed, self._rest = self._rest or self._raw.read(io.DEFAULT_BUFFER_SIZE), b""
                if not packed and self._begun:
                    raise EOFError("it ends before its end mark")
                if not packed:
                    return 0
            if not self._begun:
                packed = packed.lstrip(b"\0")  # streams may be padded
            if packed or self._begun:
                self._begun = True
                text = self._decompressor.decompress(packed, len(buffer))
        buffer[: len(text)] = text
        return len(text)


def line_at(offset: int, file: BinaryIO) -> int:
    """Number of the line that starts at an offset. Reads the file from its beginning to there."""
    number = 1
    while text := file.read(min(offset, BLOCK)):
        number += text.count(b"\n")
        offset -= len(text)
    return number


def line_problem(line: bytes) -> str:
    """Returns why a line cannot be read in any layout; empty if it can."""
    if len(line) > LONGEST_LINE:
        return f"expected a line of at most {LONGEST_LINE} bytes, got {excerpt(line)}"
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        return f"expected no carriage return inside a line, got {excerpt(line)}"
    return ""


def is_skipped(line: bytes) -> bool:
    """Whether a line is blank or a comment."""
    return _SKIPPED.fullmatch(line) is not None


def without_skipped(text: bytes) -> bytes:
    """Returns the lines that are neither blank nor comments."""
    return _SKIPPED_LINES.sub(b"", text)


def single_spaces(text: bytes) -> bytes:
    """Returns the lines with one space between fields and no blanks around them."""
    text = text.replace(b"\t", b" ").replace(b"\r\n", b"\n")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text.replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
