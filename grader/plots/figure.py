"""What every picture is made of: the canvas, the colours, rows, a legend, and a text for the blind.

The only place that imports matplotlib. Colours are Okabe and Ito's, told apart by colour-blind
people too; the background is transparent and the ink a middle grey, so that both of JupyterLab's
themes work. What the pictures show is the other modules' of this package.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from grader import cells
from grader.cells import Cell
from grader.errors import GraderError
from grader.results import Outcome

__all__ = ["Axes", "Figure", "Rectangle"]  # for the modules that draw with them

P = ParamSpec("P")

INK = "#787878"  # contrast 4.4 on white and 4.3 on JupyterLab's dark background
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PINK, SKY, GREY = "#CC79A7", "#56B4E9", "#999999"
WIDTH, DPI = 9.0, 150
HATCH = "////"
ID = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Picture:
    """A PNG with a sentence that says what is to be seen, for those who can't see it."""

    png: bytes
    alt: str
    width: int = 760

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        data = base64.b64encode(self.png).decode()
        style = f"width:{self.width}px;max-width:100%;height:auto"
        html = (
            f'<img style="{style}" alt="{cells.safe(self.alt)}" src="data:image/png;base64,{data}">'
        )
        return {"text/html": html, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def called(container: str) -> str:
    """A container's name; of an id as much as people write."""
    return cells.clean(container[:12] if ID.fullmatch(container) else container)


def never_raises(plot: Callable[P, Picture]) -> Callable[P, Picture | Cell]:
    """A picture that can't be drawn is a line that says why."""

    @functools.wraps(plot)
    def shown(*args: P.args, **kwargs: P.kwargs) -> Picture | Cell:
        try:
            return plot(*args, **kwargs)
        except GraderError as err:
            return cells.message(err, Outcome.ERROR)

    return shown


@contextmanager
def canvas(height: float) -> Iterator[tuple[Figure, Axes]]:
    with rc_context({"text.parse_math": False}):  # a dollar in a RUN line is no formula
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots()


@contextmanager
def stack(height: float, ratios: Sequence[float]) -> Iterator[tuple[Figure, Sequence[Axes]]]:
    """Charts above each other that share their width."""
    with rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(len(ratios), sharex=True, height_ratios=ratios)


def picture(figure: Figure, alt: str) -> Picture:
    file = io.BytesIO()
    about = {"Description": alt, "Software": None}
    figure.savefig(file, format="png", dpi=DPI, transparent=True, metadata=about)
    return Picture(file.getvalue(), alt)


def rows(axes: Axes, names: Sequence[str], width: float, unit: str) -> None:
    """One named row for each bar, the first on top, and nothing that is not needed."""
    axes.set_yticks(range(len(names)), [cells.clean(n) for n in names])
    axes.set(xlim=(0, width), ylim=(max(len(names), 1) - 0.5, -0.5))
    axes.set_xlabel(unit, color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)


def inside(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    axes.text(x, y, text, ha="center", va="center", color=readable(color), fontsize=9)


def legend(
    figure: Figure, colors: Mapping[str, str], *, hatched: str = "", empty: str = ""
) -> None:
    """What each colour means, and the names of the hatched fields and of the empty ones."""
    patches = [Patch(color=color, label=name) for name, color in colors.items()]
    if hatched:
        patches.append(Patch(facecolor=GREY, edgecolor="white", hatch=HATCH, label=hatched))
    if empty:
        patches.append(Patch(facecolor="none", edgecolor=GREY, label=empty))
    made = figure.legend(
        handles=patches, loc="outside upper left", ncols=len(patches), frameon=False
    )
    for text in made.get_texts():
        text.set_color(INK)


def below(figure: Figure, lines: Sequence[str]) -> None:
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=9, color=INK)


def readable(color: str) -> str:
    """Black or white, whichever is easier to read on it."""
    red, green, blue = (c**2.2 for c in to_rgb(color))
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "white"
