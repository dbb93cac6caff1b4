"""The page of an explanation, without a browser."""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

import gatsparse
from gatsparse.explain import explain, write_report
from gatsparse.explain.report.findings import percent, signed
from tests.explain.hostile import HOSTILE, Hostile

ROWS = [
    {
        "seed": 0,
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "val_loss": 1.1 / epoch,
        "val_score": 1 - 0.5 / epoch,
        "test_score": 1 - 0.6 / epoch,
    }
    for epoch in range(1, 6)
]
STYLE = Path(gatsparse.__file__).parent / "explain" / "report" / "style.css"


class Page(HTMLParser):
    """Elements, ids and texts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data

    def of(self, name: str) -> list[str | None]:
        return [value for key, value in self.attributes if key == name]


@pytest.fixture
def page(model, data, tmp_path):
    write_report(
        explain(model, data, removals=10),
        tmp_path / "report.html",
        title="A title",
        curves=ROWS,
        config={"dataset": "sbm", "model": {"heads": 2}},
    )
    return Page(tmp_path / "report.html")


def test_page_has_every_part(page):
    ids = set(page.of("id"))
    parts = {"findings", "training", "predictions", "focus", "classes", "removal", "nodes"}
    assert parts <= ids
    assert page.tags.count("article") == 12
    assert "<title>A title</title>" in page.html
    assert "model.heads" in page.text
    assert "In this model, attention" in page.text


def test_page_refers_to_nothing_outside(page):
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    for name in ("src", "action", "data", "background", "srcset"):
        assert not page.of(name)
    for link in [*page.of("href"), *page.of("xlink:href")]:
        assert link.startswith("#")
    assert "url(" not in STYLE.read_text()
    assert "@import" not in STYLE.read_text()
    for url in re.findall(r"https?://[^\"'\s<]*", page.html):
        assert url.startswith("http://www.w3.org/"), "names of XML formats only"


def test_ids_are_unique_and_references_resolve(page):
    ids = page.of("id")
    assert len(ids) == len(set(ids))
    for name in ("aria-labelledby", "for"):
        for value in page.of(name):
            assert set(value.split()) <= set(ids)
    for link in [*page.of("href"), *page.of("xlink:href")]:
        assert link[1:] in ids


def test_tables_have_captions_and_scopes(page):
    assert page.tags.count("table") == page.tags.count("caption") > 0
    assert page.tags.count("th") == len(page.of("scope"))


def test_same_explanation_gives_the_same_page(model, data, tmp_path):
    explanation = explain(model, data, removals=3)
    for name in ("a.html", "b.html"):
        write_report(explanation, tmp_path / name, curves=ROWS)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


class HostileLayer(torch.nn.Module):
    """A model whose layer has such a name, without a point."""

    def __init__(self) -> None:
        super().__init__()
        layer = gatsparse.GATConv(6, 3)
        self.layers = torch.nn.ModuleDict({"</title><img src=x onerror='alert(1)'>": layer})

    def forward(self, x, edge_index):
        return next(iter(self.layers.values()))(x, edge_index)


def test_hostile_names_stay_text(data, tmp_path):
    names = {"node_ids": Hostile(80), "class_names": [*HOSTILE, "x"][:3]}
    rows = [{**row, "seed": HOSTILE[0]} for row in ROWS]
    path = tmp_path / "report.html"
    write_report(
        explain(HostileLayer(), data, removals=3, **names),
        path,
        title=HOSTILE[0],
        curves=rows,
        config={HOSTILE[0]: HOSTILE[1]},
    )
    page = Page(path)
    assert page.tags.count("script") == 2, "the epochs and the script of the page"
    assert page.tags.count("img") == 0
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert HOSTILE[0] in page.text


def test_curves_are_data_of_the_script(page):
    found = re.search(r'<script type="application/json" id="epochs">(.*?)</script>', page.html)
    assert json.loads(found[1]) == [{k: row[k] for k in row if k != "seed"} for row in ROWS]


def test_parts_that_do_not_exist_are_left_out(data, tmp_path):
    data.y = torch.randn(80)
    model = gatsparse.GAT(6, 8, 1, 1)
    write_report(explain(model, data, nodes=[], removals=0), tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert not {"training", "predictions", "classes", "removal", "nodes"} & set(page.of("id"))
    assert "The task is regression" in page.text
    assert "removals=0 was requested" in page.text


def test_regression_and_multilabel_pages(data, tmp_path):
    data.y = torch.randn(80, 3)
    model = gatsparse.GAT(6, 8, 2, 3)
    for task in ("multi_label", "regression"):
        write_report(explain(model, data, removals=4, task=task), tmp_path / "report.html")
        page = Page(tmp_path / "report.html")
        assert page.tags.count("article") == 12
        assert "nan" not in page.text.lower().split()


def test_many_classes_are_cut(tmp_path, data):
    model = gatsparse.GAT(6, 8, 1, 30)
    write_report(explain(model, data, nodes=[], removals=0), tmp_path / "report.html")
    assert "The 20 most frequent of 30 classes are shown." in Page(tmp_path / "report.html").text


@dataclass
class Config:
    heads: int = 2


def test_configuration_is_a_dataclass(model, data, tmp_path):
    explanation = explain(model, data, nodes=[], removals=0)
    write_report(explanation, tmp_path / "report.html", config=Config())
    assert "heads" in Page(tmp_path / "report.html").text


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"curves": [{"epoch": 1}]}, ValueError, r"curves: expected rows .* without \['train_loss"),
        ({"curves": "seed-0.jsonl"}, TypeError, "curves: expected a list of dictionaries, got str"),
        ({"config": 3}, TypeError, "config: expected a mapping or a dataclass instance, got int"),
        ({"config": Config}, TypeError, "config: expected a mapping or a dataclass instance"),
        ({"title": None}, TypeError, "title: expected a string, got NoneType"),
        ({"explanation": {}}, TypeError, r"explanation: expected the result of explain\(\)"),
    ],
)
def test_rejected_arguments(model, data, tmp_path, change, error, message):
    explanation = explain(model, data, nodes=[], removals=0)
    arguments = {"explanation": explanation, "path": tmp_path / "report.html", **change}
    with pytest.raises(error, match=message):
        write_report(**arguments)
    assert not (tmp_path / "report.html").exists()


def test_shares_are_not_rounded_to_all_or_nothing():
    space = "\N{NO-BREAK SPACE}"
    assert percent(0.9996, 1) == f"99.9{space}%"
    assert percent(1.0, 1) == f"100.0{space}%"
    assert percent(0.0001, 1) == f"< 0.1{space}%"
    assert percent(0.0) == f"0{space}%"
    assert [signed(value) for value in (-0.01, 0.01, -1.0)] == ["0.0", "0.0", "\N{MINUS SIGN}1.0"]


def luminance(color: str) -> float:
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_contrast_of_each_scheme(scheme):
    """Of WCAG 2.2, AA: 4.5 for text, 3 for the marks of charts and large text."""
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    colors = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme]))
    for ground in ("bg", "surface", "shade"):
        assert contrast(colors["ink"], colors[ground]) >= 4.5
    for text in ("muted", "accent"):
        for ground in ("bg", "surface"):
            assert contrast(colors[text], colors[ground]) >= 4.5
    assert contrast(colors["second"], colors["bg"]) >= 3
