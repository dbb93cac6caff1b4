"""Mutated files of edges and features: each is read correctly or raises a documented error.

``python -m tests.data.fuzz_files --count 20000 --seed 0`` checks 20000 files, and prints the seed
of each failure. The test suite checks some of them.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import faulthandler
import gzip
import io
import lzma
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from pyarrow import parquet

from gatsparse.data.edge_list import EdgeListError, read_edge_list
from gatsparse.data.features import RowFile, open_features
from tests.data.edge_files.slow_readers import expected_edges

_PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
_PACK[".zst"] = lambda content: pa.compress(content, "zstd", asbytes=True)
_SECONDS = 120  # of one input; more is a hang

EXECUTED: list[str] = []


class Command:
    """A pickle that shows when it is loaded."""

    def __reduce__(self):
        return EXECUTED.append, ("executed",)


class Case(NamedTuple):
    """A file: its suffix, its content and the options of its reader."""

    suffix: str
    content: bytes
    options: dict


# Files ############################################################################


def _text(rng: np.random.Generator, suffix: str) -> bytes:
    delimiter = str(rng.choice([",", ";", "|", "\t", " ", "  ", ", "]))
    width = int(rng.integers(2, 5))
    quote = str(rng.choice(["", "", "", '"', "'"]))
    low, high = 1, int(rng.choice([9, 9, 300, 2**31, 2**63 - 1]))
    lines = []
    named = rng.random() < 0.4
    if named:
        names = [["src", "dst"], ["dst", "src"], ["source", "target"]][rng.integers(3)]
        lines.append(delimiter.join([*names, "weight", "x"][:width]))
    for _ in range(rng.integers(0, 12)):
        fields = [f"{quote}{rng.integers(low, high)}{quote}" for _ in range(2)]
        fields += [str(rng.choice(["", "7", "0.5", '"a, b"', "c"])) for _ in range(width - 2)]
        lines.append(delimiter.join(fields))
        if width == 2 and not named and rng.random() < 0.2:
            lines[-1] += delimiter + str(rng.choice(["{}", "{'w': 3}"]))
        if rng.random() < 0.2:
            lines.append(str(rng.choice(["", " ", "# 1 2", "%3,4", "// a", "\t"])))
    if suffix == ".mtx" or rng.random() < 0.05:
        return _matrix(rng)
    end = str(rng.choice(["\n", "\n", "\r\n"]))
    return (str(rng.choice(["", "", "\ufeff", f"# a{end}"])) + end.join([*lines, ""])).encode()


def _matrix(rng: np.random.Generator) -> bytes:
    n, count = int(rng.integers(1, 9)), int(rng.integers(0, 9))
    field = str(rng.choice(["pattern", "real", "complex"]))
    symmetry = str(rng.choice(["general", "symmetric", "hermitian"]))
    value = {"pattern": "", "real": " 0.5", "complex": " 1 2"}[field]
    entries = "".join(f"{i} {j}{value}\n" for i, j in rng.integers(1, n + 1, (count, 2)))
    banner = f"%%MatrixMarket matrix coordinate {field} {symmetry}\n% c\n"
    return f"{banner}{n} {n} {count}\n{entries}".encode()


def _npy(rng: np.random.Generator, edges: bool) -> bytes:
    dtype = rng.choice(["<i8", "<i4", "<u8", "|u1", ">i4", "<i2", "<i8", "<f4"])
    count = int(rng.choice([0, 1, 2, 5, 60]))
    shape = [(2, count), (count, 2), (2, count), (count, 2), (4,)][rng.integers(5)]
    if not edges:
        dtype = rng.choice(["<f4", "<f4", "<f2", "<f8", "<i8", "|u1", "<f4", ">f4"])
        shape = [(90,), (40, 3), (0, 3), (4, 3, 20), (5, 1), ()][rng.integers(6)]
    array = rng.integers(0, 100, shape).astype(dtype)
    if rng.random() < 0.05:
        array = np.full(shape, Command())
    out = io.BytesIO()
    version = [(1, 0), (2, 0), (3, 0)][rng.integers(3)]
    order = np.asfortranarray if edges and rng.random() < 0.5 else np.ascontiguousarray
    np.lib.format.write_array(out, order(array).reshape(shape), version, allow_pickle=True)
    return out.getvalue()


def _parquet(rng: np.random.Generator) -> bytes:
    count = int(rng.integers(0, 40))
    dtype = str(rng.choice(["int64", "int32", "uint64", "uint8", "int64", "float64"]))
    names = [["src", "dst"], ["v", "u", "w"], ["a", "b"], ["id", "from", "to"]][rng.integers(4)]
    columns = {name: rng.integers(0, 50, count).astype(dtype) for name in names}
    out = io.BytesIO()
    options = {"row_group_size": 16, "compression": str(rng.choice(["none", "snappy"]))}
    parquet.write_table(pa.table(columns), out, write_page_checksum=rng.random() < 0.5, **options)
    return out.getvalue()


def make(rng: np.random.Generator) -> Case:
    """Makes a valid or nearly valid file."""
    kind = rng.choice(["text", "text", "packed", "npy", "parquet", "features", "features"])
    options = {"block_size": int(rng.choice([1, 3, 1000]))}
    if kind in ("text", "packed"):
        suffix = str(rng.choice([".csv", ".tsv", ".txt", ".edges", ".mtx"]))
        content = _text(rng, suffix)
        if rng.random() < 0.3:
            options |= [{"base": 1}, {"num_nodes": 10}, {"relabel": True}][rng.integers(3)]
        if kind == "packed":
            packing = str(rng.choice(list(_PACK)))
            return Case(suffix + packing, _PACK[packing](content), options)
        return Case(suffix, content, options)
    if kind == "npy":
        return Case(".npy", _npy(rng, edges=True), options)
    if kind == "features":
        return Case("features", _npy(rng, edges=False), {})
    return Case(".parquet", _parquet(rng), options)


_TOKENS = [
    *(b"-1", b"0", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616"),
    *(b"1e5", b"nan", b"0x1f", b"", b" ", b"\t", b"\n", b"\r", b"\r\n", b'"', b"'", b"#", b"%"),
    *(b"//", b"{}", b"{", b"\0", b"\xff", b"\xef\xbb\xbf", b"src", b"dst", b"id", b",", b";", b"|"),
    *(b"%%MatrixMarket", b"symmetric", b"(2, 4)", b"True", b"<i8", b"|O", b"-", b"1" * 400),
]


def mutate(rng: np.random.Generator, content: bytes, others: list[bytes]) -> bytes:
    """Changes, drops, repeats, moves or mixes some bytes of the content."""
    data = bytearray(content)
    for _ in range(rng.choice([0, 1, 1, 2])):
        at, stop = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        stop = min(stop, at + int(rng.choice([1, 4, 40])))
        kind = rng.integers(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1 and at < len(data):
            data[at] = int(rng.integers(256))
        elif kind == 2:
            del data[at:stop]
        elif kind == 3:
            data[at:at] = data[at:stop] * int(rng.choice([1, 2, 50]))
        elif kind == 4:
            del data[at:]
        elif kind == 5 and others:
            other = others[rng.integers(len(others))]
            start = int(rng.integers(len(other) + 1))
            data[at:stop] = other[start : start + 40]
        else:
            data[at : stop if rng.random() < 0.5 else at] = _TOKENS[rng.integers(len(_TOKENS))]
    return bytes(data)


# Checks ###########################################################################


def check(case: Case, path: Path) -> str:
    """Reads the file and returns the outcome: ``right`` or the class of a documented error.

    Raises:
        AssertionError: If the result is wrong.
        Exception: Whatever the reader raises that it does not document.
    """
    path.write_bytes(case.content)
    if case.suffix == "features":
        return _check_features(path)
    try:
        found = read_edge_list(path, **case.options)
    except EdgeListError as error:
        _require(str(path) in str(error), f"the message does not name the file: {error}")
        outcome = "EdgeListError"
    except ValueError as error:
        if not str(error).startswith("base: expected 1 or None, as ids of"):
            raise
        outcome = "ValueError"
    else:
        outcome = "right"
        if isinstance(found, tuple):
            ids = found.node_ids.tolist()
            edges = [(ids[a], ids[b]) for a, b in found.edge_index.t().tolist()]
            assert ids == sorted({node for edge in edges for node in edge})
        else:
            edges = list(map(tuple, found.t().tolist()))
        expected = expected_edges(case.suffix, case.content, case.options)
        assert edges == expected, f"expected {expected}, got {edges}"
    other = {**case.options, "block_size": 5}
    with contextlib.suppress(EdgeListError, ValueError):
        again = read_edge_list(path, **other)
        assert outcome == "right", "the size of a block decides whether a file is right"
        pairs = zip(again, found, strict=True)  # rows, or edges and ids
        assert all(torch.equal(a, b) for a, b in pairs), "the size of a block changes the result"
        return outcome
    assert outcome != "right", "the size of a block decides whether a file is right"
    return outcome


def _require(condition: bool, message: str) -> None:
    assert condition, message


def _check_features(path: Path) -> str:
    outcomes = set()
    for read in (open_features, RowFile):
        try:
            x = read(path)
        except ValueError as error:
            _require(str(error).startswith(f"{path}: expected "), str(error))
            outcomes.add("ValueError")
            continue
        outcomes.add("right")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about headers of Python 2
            expected = np.load(path, allow_pickle=False)
        if isinstance(x, RowFile):
            n = x.shape[0]
            index = torch.arange(n).repeat(2).flip(0)
            np.testing.assert_array_equal(x.gather(index).numpy(), expected[index.numpy()])
            x = x.read(0, n)
        np.testing.assert_array_equal(x.numpy(), expected)
    assert len(outcomes) == 1, "the readers of features disagree"
    return outcomes.pop()


def run(count: int, seed: int, folder: Path) -> tuple[Counter, list[str]]:
    """Checks files; returns the number of each outcome, and a text for each failure."""
    outcomes: Counter = Counter()
    failures = []
    recent: list[bytes] = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        case = make(rng)
        case = case._replace(content=mutate(rng, case.content, recent))
        recent = [*recent[-20:], case.content]
        path = folder / ("e.npy" if case.suffix == "features" else f"e{case.suffix}")
        faulthandler.dump_traceback_later(_SECONDS, exit=True)
        started = time.monotonic()
        try:
            outcome = check(case, path)
            assert not EXECUTED, "code in the file was executed"
        except Exception:  # each is a failure
            outcome = "FAILURE"
            failures.append(
                f"--seed {seed}, number {number}: {case}\n{traceback.format_exc(limit=-4)}"
            )
        finally:
            faulthandler.cancel_dump_traceback_later()
        kind = "features" if case.suffix == "features" else "edges"
        outcomes[f"{kind}: {outcome}"] += 1
        assert time.monotonic() - started < _SECONDS
    return outcomes, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes, failures = run(arguments.count, arguments.seed, Path(folder))
    for failure in failures:
        print(failure)
    print(f"{arguments.count} files: {dict(sorted(outcomes.items()))}, {len(failures)} failures")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
