"""Writes real graphs into files with ids as text, as one's own graph might come.

python examples/own_graph/prepare.py cora own/cora
python examples/own_graph/prepare.py digits own/digits
python examples/own_graph/prepare.py debian own/debian

``debian`` is the graph of dependencies of all packages in the package lists of a Debian system
(``apt-get update`` downloads them): which section is a package in? Then:

    gatsparse inspect own/debian --out debian.yaml
    gatsparse train debian.yaml
    gatsparse predict runs/debian-gatsparse-... --out debian.csv
    gatsparse explain runs/debian-gatsparse-... --out debian.html
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

_LISTS = Path("/var/lib/apt/lists")
_VERSIONS = re.compile(r"\(.*?\)|:\w+|\[.*?\]|<.*?>")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def write_data_set(name: str, out: Path) -> None:
    """Writes a data set of :func:`gatsparse.data.load` with all its features as columns."""
    from gatsparse.data import load

    data = load(name)
    x, y = data["x"], data["y"].tolist()
    parts = np.full(len(y), "", object)
    for part in ("train", "val", "test"):
        parts[data[f"{part}_mask"].numpy()] = part
    numbers = ([f"{value:.9g}" for value in row] for row in x.tolist())  # exact in float32
    rows = (
        [f"{name}-{node}", *features, f"class-{y[node]}", parts[node]]
        for node, features in enumerate(numbers)
    )
    header = ["id", *(f"f{column}" for column in range(x.size(1))), "label", "split"]
    write_table(out / "nodes.csv", header, rows)
    ends = ((f"{name}-{a}", f"{name}-{b}") for a, b in data["edge_index"].t().tolist())
    write_table(out / "edges.csv", ["source", "target"], ends)


def packages() -> Iterator[dict[str, str]]:
    """Yields the fields of each package in the package lists of this system."""
    files = sorted(_LISTS.glob("*_Packages*"))
    if not files:
        raise SystemExit(f"no package lists in {_LISTS}: run apt-get update on a Debian system")
    for file in files:
        command = ["/usr/lib/apt/apt-helper", "cat-file", str(file)]  # decompresses
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for entry in text.split("\n\n"):
            fields = dict(re.findall(r"^([\w-]+): (.*)$", entry, re.MULTILINE))
            if "Package" in fields:
                yield fields


def write_debian(out: Path) -> None:
    """Writes packages with their sections, and features from descriptions, sizes and priorities.

    A package depends on the first of several alternatives. Some dependencies are on virtual
    packages, which are not in the lists.
    """
    from scipy.sparse import csr_matrix, hstack, save_npz
    from sklearn.feature_extraction.text import TfidfVectorizer

    found = {fields["Package"]: fields for fields in packages()}
    names = sorted(found)
    sections = [found[name].get("Section", "").rpartition("/")[2] for name in names]
    write_table(out / "nodes.csv", ["id", "label"], zip(names, sections, strict=True))
    descriptions = [found[name].get("Description", "") for name in names]
    words = TfidfVectorizer(min_df=10, max_features=4000)
    sizes = [np.log1p(float(found[name].get("Installed-Size", 0))) / 10 for name in names]
    essential = [found[name].get("Priority") in ("required", "important") for name in names]
    others = csr_matrix(np.stack([sizes, essential], axis=1))
    features = hstack([words.fit_transform(descriptions), others], "csr")
    save_npz(out / "x.npz", features.astype(np.float32))
    links = (
        (name, target)
        for name in names
        for target in dict.fromkeys(dependencies(found[name].get("Depends", "")))
    )
    write_table(out / "edges.csv", ["source", "target"], links)


def dependencies(text: str) -> Iterator[str]:
    """Yields the names in a field such as ``libc6 (>= 2.36), python3:any | pypy3``."""
    for part in _VERSIONS.sub("", text).split(","):
        if name := part.partition("|")[0].strip():
            yield name


def main(argv: Sequence[str] | None = None) -> Path:
    """Writes one of the graphs, and returns its folder."""
    parser = argparse.ArgumentParser(description="Write a real graph into files.")
    parser.add_argument("name", choices=("cora", "digits", "debian"))
    parser.add_argument("out", type=Path, help="folder to write into")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.name == "debian":
        write_debian(arguments.out)
    else:
        write_data_set(arguments.name, arguments.out)
    return arguments.out


if __name__ == "__main__":
    main()
