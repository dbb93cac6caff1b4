"""Charts of Matplotlib as SVG elements of a page, in the colours of its style sheet."""

from __future__ import annotations

import re
from io import StringIO

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from gatsparse.explain.figures import ACCENT, BASE, INK, LINE, MUTED, SECOND

#: Custom properties of the style sheet, by the colours that they replace.
_COLORS = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    ACCENT: "--accent",
    SECOND: "--second",
    BASE: "--base",
}


def inline_svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """Returns a chart as an element ``<svg role="img">``.

    Args:
        figure (matplotlib.figure.Figure): The chart.
        name (str): Distinguishes its ids from those of other charts of the page.
        title, description (str): Texts for screen readers.
    """
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        file = StringIO()
        figure.savefig(file, format="svg", transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    for color, variable in _COLORS.items():
        text = text.replace(color, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    opened = (
        f'<svg class="chart" {box[0]} role="img" aria-labelledby="{name}-title {name}-text">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-text">{escape(description)}</desc>'
    )
    return Markup(re.sub(r"<svg.*?>", lambda _: opened, text, count=1, flags=re.DOTALL))


def plot_span(figure: Figure) -> tuple[float, float]:
    """Returns the left and the right end of the axes of a chart, as shares of its width.

    Args:
        figure (matplotlib.figure.Figure): A chart that has been drawn.
    """
    position = figure.axes[0].get_position()
    return position.x0, position.x1
