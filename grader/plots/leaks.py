"""Where a key was found: ways to hand it over, places to look for it.

It draws what a notebook has found; it looks for nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from grader import cells
from grader.plots.figure import (
    GREY,
    INK,
    RED,
    Axes,
    Picture,
    Rectangle,
    canvas,
    legend,
    never_raises,
    picture,
    readable,
    rows,
)

SIDE = 0.42  # half of a field's width and height


@never_raises
def leak_matrix(found: Mapping[str, Mapping[str, bool]]) -> Picture:
    """A row for each way in which a key was handed over, a column for each place looked at.

    A field says in a word what it says in colour.
    """
    places = list(dict.fromkeys(place for row in found.values() for place in row))
    with canvas(1.5 + 0.46 * max(len(found), 1)) as (figure, axes):
        for at, row in enumerate(found.values()):
            for column, place in enumerate(places):
                if place in row:
                    _field(axes, column, at, leaked=row[place])
        rows(axes, list(found), max(len(places), 1), "")
        axes.set(xlim=(-0.5, max(len(places), 1) - 0.5))
        axes.set_xticks(range(len(places)), [cells.clean(p).replace(" ", "\n", 1) for p in places])
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        legend(figure, {"the key is there": RED}, empty="not found")
        return picture(figure, _in_words(found))


def _field(axes: Axes, x: float, y: float, *, leaked: bool) -> None:
    place = (x - SIDE, y - SIDE), 2 * SIDE, 2 * SIDE
    face, edge = (RED, RED) if leaked else ("none", GREY)
    axes.add_patch(Rectangle(*place, linewidth=1.2, facecolor=face, edgecolor=edge))
    ink, word = (readable(RED), "leaks") if leaked else (INK, "–")
    weight = "bold" if leaked else "normal"
    axes.text(x, y, word, ha="center", va="center", color=ink, weight=weight)


def _in_words(found: Mapping[str, Mapping[str, bool]]) -> str:
    told = []
    for way, row in found.items():
        seen = [place for place, there in row.items() if there]
        told.append(f"{way}: {', '.join(seen) if seen else 'nowhere'}.")
    return f"Where the key was found. {' '.join(told)}"
