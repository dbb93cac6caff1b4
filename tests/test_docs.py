"""The documentation: examples run, every public name is documented, links resolve."""

import doctest
import importlib
import inspect
import pydoc
import re
import shlex
import sys
from pathlib import Path

import pytest

from gatsparse.train import load_task, parse_config
from gatsparse_cli import main

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *PAGES]
MODULES = [
    "gatsparse",
    "gatsparse.nn",
    "gatsparse.ops",
    "gatsparse.data",
    "gatsparse.inference",
    "gatsparse.explain",
    "gatsparse.train",
    "gatsparse.inspection",
    "gatsparse.predict",
    "gatsparse.graphgym",
    "gatsparse.testing",
]
WITH_COMMANDS = DOCS / "guide" / "own_graph.md"
BLOCK = r"^```(python|sh|yaml)\n(.*?)^```"


def in_reference() -> list[str]:
    """Returns the names that the pages of the API reference document."""
    pages = "\n".join(page.read_text() for page in sorted(DOCS.glob("api/*.rst")))
    return re.findall(r"^\.\. auto(?:class|function|exception|data):: (\S+)", pages, re.MULTILINE)


def python_blocks(page: Path) -> list[str]:
    """Returns the Python blocks of a page in Markdown."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


REFERENCE = in_reference()
WITH_PYTHON = [page for page in PAGES if python_blocks(page) and page != WITH_COMMANDS]
CALLABLE = [name for name in REFERENCE if callable(pydoc.locate(name))]


@pytest.fixture(autouse=True)
def _one_thread(threads):
    """Runs with one thread: these graphs are small."""
    threads(1)


def public_names(module: str) -> list[str]:
    loaded = importlib.import_module(module)
    own = [
        name
        for name, value in vars(loaded).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module
    ]
    return getattr(loaded, "__all__", own)


def run_blocks(blocks: list[str]) -> None:
    """Runs blocks one after another; those with prompts as doctests."""
    variables: dict = {}
    for block in blocks:
        if block.startswith(">>> "):
            test = doctest.DocTestParser().get_doctest(block, variables, "block", None, 0)
            check(test)
        else:
            exec(compile(block, "block", "exec"), variables)


def check(test: doctest.DocTest) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module):
    documented = {id(pydoc.locate(name)) for name in REFERENCE}
    loaded = importlib.import_module(module)
    missing = [n for n in public_names(module) if id(getattr(loaded, n)) not in documented]
    assert not missing


def test_no_name_is_in_the_reference_twice():
    located = [id(pydoc.locate(name)) for name in REFERENCE]
    assert None not in map(pydoc.locate, REFERENCE)
    assert len(set(located)) == len(located)


@pytest.mark.parametrize("name", [n for n in CALLABLE if not n.startswith("gatsparse_cli")])
def test_example(name, tmp_path, monkeypatch):
    found = pydoc.locate(name)
    tests = doctest.DocTestFinder(exclude_empty=True).find(found, name, globs={})
    assert ">>>" in (inspect.getdoc(found) or ""), "the docstring has no example"
    monkeypatch.chdir(tmp_path)
    for test in tests:
        check(test)


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda p: p.stem)
def test_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_blocks(python_blocks(page))


def test_blocks_and_commands_of_a_page_run(tmp_path, monkeypatch):
    """Runs all blocks in order: a module that is named in its first line is written, too, data of a
    configuration are loaded, and RUN is the newest run folder.
    """
    monkeypatch.chdir(tmp_path)
    variables: dict = {}
    for language, block in re.findall(BLOCK, WITH_COMMANDS.read_text(), re.MULTILINE | re.DOTALL):
        if language == "yaml":
            Path("block.yaml").write_text(block)
            load_task(parse_config("block.yaml"))
        elif language == "python":
            if module := re.match(r"# (\w+)\.py\n", block):
                Path(f"{module[1]}.py").write_text(block)
                monkeypatch.delitem(sys.modules, module[1], raising=False)
            exec(compile(block, "block", "exec"), variables)
        else:
            for line in block.splitlines():
                runs = sorted(Path("runs").glob("*"), key=lambda run: run.stat().st_mtime)
                words = [str(runs[-1]) if word == "RUN" else word for word in shlex.split(line)]
                assert main(words[1:]) == 0, line


def anchors(page: Path) -> set[str]:
    """Returns the anchors of the headings of a page, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKED, ids=lambda p: str(p.relative_to(ROOT)))
def test_relative_links_resolve(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_a_table_of_contents():
    trees = "\n".join(p.read_text() for p in [*PAGES, *DOCS.rglob("*.rst")] if p.exists())
    pages = [p for p in [*PAGES, *DOCS.rglob("*.rst")] if p != DOCS / "index.md"]
    listed = {line.strip() for line in trees.splitlines()}
    for page in pages:
        relative = page.relative_to(DOCS).with_suffix("").as_posix()
        local = page.with_suffix("").name
        assert relative in listed or local in listed, relative
