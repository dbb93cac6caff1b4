"""Layout of text files: how lines are split into fields, and which fields are the edges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from gatsparse.data.edge_files.columns import (
    Columns,
    find_columns,
    find_pair,
    is_header,
    recognize_columns,
)
from gatsparse.data.edge_files.lines import (
    is_skipped,
    line_problem,
    single_spaces,
    without_skipped,
)
from gatsparse.data.edge_files.reader import ENDS, INT64_MAX, excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANKS = b" "  # any number of spaces and tabs
_DELIMITERS = (b",", b";", b"|", b"\t", _BLANKS)

_INTEGER = re.compile(rb"-?[0-9]+|0[xX][0-9a-fA-F]{1,16}")
_NAME = re.compile(rb"""\s*["']?[A-Za-z_:~\x80-\xff]""")
_COMMENT = re.compile(rb"[ \t]*(?:#+|%+|//+)(?:[ \t]*(?:columns?|fields?|format|header):)?", re.I)
_SINGLE_QUOTES = re.compile(rb"(?<![^ \t\n,;|])'(-?[0-9]+)'(?![^ \t\r\n,;|])")
_QUOTED = re.compile(rb''' *"((?:[^"]|"")*)"''')
_ODD_QUOTES = re.compile(rb"""^[^"\n]*"(?:[^"\n]*"[^"\n]*")*[^"\n]*$""", re.MULTILINE)
_BLANKS_BY_QUOTES = re.compile(rb"""(?:(?<=[,;|\t\n])|\A) +(?=")|(?<=") +(?=[,;|\t\r\n])""")
_UINT64_MAX = 2**64 - 1


class Layout(NamedTuple):
    """Layout of the lines of a file.

    Attributes:
        delimiter (bytes): Separator of fields; a space means any number of spaces and tabs.
        width (int): Number of fields.
        chosen (tuple): Positions of the source and the destination.
        named (bool): Whether the first line is a line of names.
        certain (bool): Whether the first line must be names, even if no line follows it.
        first_delimiter (bytes): Separator to try first: a single space or tab instead of blanks.
    """

    delimiter: bytes
    width: int
    chosen: tuple[int, int] = (0, 1)
    named: bool = False
    certain: bool = False
    first_delimiter: bytes = b""

    @property
    def loose(self) -> bool:
        """Whether fields are separated by any number of blanks."""
        return self.delimiter == _BLANKS

    def split(self, line: bytes) -> list[bytes]:
        """Fields of a line, without blanks and quotes around them."""
        return _split(self._cut(line), self.delimiter)

    def needs_cleaning(self, text: bytes) -> bool:
        """Whether lines must be cleaned even if they can be parsed unchanged."""
        if b'"' in text or (self.loose and self.width > 2):
            return True
        if 0 in self.chosen:  # then a comment fails to parse as a number
            return False
        return any(mark in text for mark in (b"#", b"%", b"//"))

    def clean(self, text: bytes) -> bytes:
        """Returns the same edges, one per line, in the strictest syntax."""
        text = without_skipped(text)
        if self._has_attributes and b"{" in text:
            text = b"\n".join(map(self._cut, text.split(b"\n")))
        if b"'" in text:
            text = _SINGLE_QUOTES.sub(rb"\1", text)
        if b'"' in text:  # for pyarrow, only the first byte of a field can open quotes
            text = _BLANKS_BY_QUOTES.sub(b"", text)
        return single_spaces(text) if self.loose else text

    def is_open(self, text: bytes) -> bool:
        """Whether a line ends within quotes."""
        return b'"' in text and _ODD_QUOTES.search(text) is not None

    def problem(self, line: bytes, wide: bool) -> str:
        """Returns why a line is not an edge; empty if it is one, or if it is skipped."""
        if line_problem(line) or is_skipped(line):
            return line_problem(line)
        if self.is_open(self._cut(line)):
            return f"expected closed quotes, got {excerpt(line)}"
        fields = self.split(line)
        if len(fields) != self.width:
            return f"expected {self.width} fields, got {len(fields)} in {excerpt(line)}"
        for end, column in zip(ENDS, self.chosen, strict=True):
            field = fields[column]
            if not _INTEGER.fullmatch(field):
                return f"{end}: expected an integer, got {excerpt(field)} in {excerpt(line)}"
            limit = _UINT64_MAX if wide else INT64_MAX
            digits = field.lstrip(b"-0")
            hexadecimal = digits[:1] in (b"x", b"X")
            if not hexadecimal and (len(digits) > 20 or int(digits or b"0") > limit):
                cure = "" if wide else " (relabel=True accepts any ids)"
                return f"{end}: expected 0 .. {limit}, got {excerpt(field)}{cure}"
        return ""

    @property
    def _has_attributes(self) -> bool:
        """Whether braces after two fields enclose attributes, as networkx writes them."""
        return self.width == 2 and not self.named

    def _cut(self, line: bytes) -> bytes:
        """Line without attributes in braces."""
        return _before_braces(line, line.find(b"{")) if self._has_attributes else line


def matrix_layout(width: int) -> Layout:
    """Layout of the entries of a Matrix Market file."""
    return Layout(_BLANKS, width, first_delimiter=b" ")


def read_layout(
    line: bytes, comments: Sequence[bytes], columns: Columns | None, tabs: bool
) -> Layout:
    """Layout of a file.

    Args:
        line (bytes): The first line that is not a comment.
        comments (list): The comments before it, one of which may hold the names of columns.
        columns (tuple, optional): The columns of sources and destinations, by name or position.
        tabs (bool): Whether a tab always separates fields.

    Raises:
        ValueError: If the columns cannot be determined.
    """
    layout = _layout_of_edge(line, tabs) or _layout_of_names(line, tabs)
    fields = _names(_split(line, layout.delimiter))
    if layout.named:
        chosen = find_columns(columns, fields) if columns else recognize_columns(fields)
        certain = columns is not None or find_pair(fields) is not None
        return layout._replace(chosen=chosen, certain=certain)
    header = _header(comments, layout, columns)
    if header:
        chosen = find_columns(columns, header) if columns else recognize_columns(header)
        return layout._replace(chosen=chosen)
    if columns is None:
        return layout
    chosen = find_columns(columns, fields)
    return layout._replace(chosen=chosen, named=not isinstance(columns[0], int))


def _header(comments: Sequence[bytes], layout: Layout, columns: Columns | None) -> list[str]:
    """Names of columns in the last comment with the right number of names; empty if not found."""
    for comment in reversed(comments):
        words = _split(_COMMENT.sub(b"", comment, count=1), layout.delimiter)
        names = _names(words)
        if len(words) != layout.width or not _may_be_names(words):
            continue
        asked = columns is not None and any(column in names for column in columns)
        if asked or is_header(names, blanks=layout.loose):
            return names
    return []


def _layout_of_edge(line: bytes, tabs: bool) -> Layout | None:
    """Layout of a line whose first two fields are integers; None if they are not."""
    start = line.find(b"{")
    for delimiter in _DELIMITERS:
        fields = _split(_before_braces(line, start), delimiter)
        if len(fields) > 2:
            fields = _split(line, delimiter)
        if len(fields) > 1 and all(_INTEGER.fullmatch(field) for field in fields[:2]):
            return _layout(delimiter, line, fields, tabs)
    return None


def _layout_of_names(line: bytes, tabs: bool) -> Layout:
    """Layout of a line that may hold the names of columns."""
    candidates = (b"\t", *_DELIMITERS) if tabs else _DELIMITERS
    delimiter = next((d for d in candidates if d in line.strip(b" \t\r\n")), _BLANKS)
    fields = _split(line, delimiter)
    named = _may_be_names(fields)
    layout = _layout(delimiter, line, fields, tabs)
    return layout._replace(named=named) if named else layout


def _layout(delimiter: bytes, line: bytes, fields: list[bytes], tabs: bool) -> Layout:
    if delimiter == b"\t" and not tabs and line.strip().count(b"\t") == 1:
        delimiter, fields = _BLANKS, fields[:2]
    first = b"\t" if b"\t" in line else b" "
    return Layout(
        delimiter,
        max(2, len(fields)),
        first_delimiter=first if delimiter == _BLANKS else delimiter,
    )


def _before_braces(line: bytes, start: int) -> bytes:
    """Part of a line before the brace at :obj:`start`, if a field starts there; else the line."""
    before = line[: max(start, 0)].rstrip(b"".join(_DELIMITERS))
    return before if before and len(before) < start else line


def _split(line: bytes, delimiter: bytes) -> list[bytes]:
    line = line.rstrip(b"\r\n")
    if delimiter == _BLANKS:
        line = single_spaces(line)
    fields = _split_quoted(line, delimiter) if b'"' in line else line.split(delimiter)
    return [_SINGLE_QUOTES.sub(rb"\1", field.strip(b" \t")) for field in fields]


def _split_quoted(line: bytes, delimiter: bytes) -> list[bytes]:
    """Fields of a line; fields that start with a quote may contain delimiters."""
    fields = []
    position = 0
    while position <= len(line):
        match = _QUOTED.match(line, position)
        start = position if match is None else match.end()
        stop = line.find(delimiter, start)
        stop = len(line) if stop < 0 else stop
        inside = b"" if match is None else match[1]
        fields.append(inside + line[start:stop])
        position = stop + 1
    return fields


def _may_be_names(fields: list[bytes]) -> bool:
    return any(fields) and all(not field or _NAME.match(field) for field in fields)


def _names(fields: list[bytes]) -> list[str]:
    return [field.strip(b" \"'").decode(errors="replace") for field in fields]
