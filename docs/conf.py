"""Configuration of Sphinx: ``make docs`` builds the documentation into ``build/docs``."""

from __future__ import annotations

import builtins
import pydoc
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from docs.tables import TABLES  # noqa: E402

project = "gatsparse"
author = "the authors of gatsparse"
project_copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = "gatsparse"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# Types are in the Args of docstrings, as in PyG; they are text, not references.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Learnable parameters", "params_style")]

# `-t online` links to the documentation of other projects, which needs the internet.
if "online" in globals()["tags"]:
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "torch_geometric": ("https://pytorch-geometric.readthedocs.io/en/latest", None),
    }
_BUILTIN = "|".join(name for name in dir(builtins) if name.endswith(("Error", "Exit", "Warning")))
nitpick_ignore_regex = [
    ("py:.*", r"(torch|torch_geometric|numpy|multiprocessing)(\..*)?"),
    ("py:class", r"Tensor|torch_sparse\.SparseTensor|optional"),
    ("py:exc", rf"Exception|KeyboardInterrupt|{_BUILTIN}"),
]


class ResultsTable(SphinxDirective):
    """``{results} NAME`` inserts a table of :mod:`docs.tables`, made from the committed rows."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parses the Markdown of the table."""
        return self.parse_text_to_nodes("\n".join(TABLES[self.arguments[0]]()))


@cache
def documented() -> dict[int, str]:
    """Returns the names in the API reference, by the identity of their objects."""
    names = [
        name
        for page in sorted((DOCS / "api").glob("*.rst"))
        for name in re.findall(r"^\.\. auto\w+:: (\S+)", page.read_text(), re.MULTILINE)
    ]
    return {id(pydoc.locate(name)): name for name in names}


def resolve(app: Sphinx, env: Any, node: Any, content: nodes.Element) -> nodes.Element | None:
    """Resolves other names of a documented object, such as ``gatsparse.nn.dropout``.

    In docstrings, ``:obj:`` marks an argument, as in PyG, and is no reference.
    """
    if node.get("refdomain") != "py":
        return None
    if node["reftype"] == "obj":
        return content
    name = documented().get(id(pydoc.locate(node["reftarget"])))
    if name is None:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], name, node, content
    )


def unlink(_app: Sphinx, name: str, source: list[str]) -> None:
    """Turns links to files of the repository that are not pages into their paths."""
    folder = (DOCS / name).parent

    def path(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return match[0]
        return f"{match[1]} (`{target.relative_to(DOCS.parent)}`)"

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)\)", path, source[0])


def skip(_app: Sphinx, _what: str, _name: str, member: Any, skip: bool, _options: Any) -> bool:
    """Skips the fields of named tuples, which the Args of the class describe."""
    return skip or str(getattr(member, "__doc__", "")).startswith("Alias for field number")


def setup(app: Sphinx) -> None:
    """Registers the directive and the handlers."""
    app.add_directive("results", ResultsTable)
    app.connect("missing-reference", resolve)
    app.connect("source-read", unlink)
    app.connect("autodoc-skip-member", skip)
