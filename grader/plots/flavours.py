"""Pictures of one Dockerfile's many images: what each line knows, and what two images differ in.

It judges nothing, and it starts no build.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader import cells
from grader.differences import Difference, Differences, compare
from grader.dockerfile import Dockerfile
from grader.engine import Engine
from grader.errors import UsageError
from grader.flavours import Flavour, flavour
from grader.plots.figure import (
    BLUE,
    GREY,
    HATCH,
    INK,
    ORANGE,
    RED,
    Axes,
    Picture,
    Rectangle,
    canvas,
    inside,
    legend,
    never_raises,
    picture,
    rows,
)
from grader.scope import Reading, names, readings

LABEL, VALUE, MOST_LINES = 44, 22, 40  # characters of a line and a value; lines of a file
LOST = "not known"


@never_raises
def arg_scope(dockerfile: str | Path, **given: str) -> Picture:
    """A row for each line of a Dockerfile, a column for each ARG: which value the line knows.

    ``given`` are the values of --build-arg.
    """
    parsed = _parsed(dockerfile)
    columns, found = names(parsed), list(readings(parsed, given))[:MOST_LINES]
    if not columns:
        raise UsageError(f"{dockerfile} has no ARG.")
    with canvas(0.9 + 0.34 * len(found)) as (figure, axes):
        for row, reading in enumerate(found):
            for column, name in enumerate(columns):
                _known(axes, row, column, reading, name)
        rows(axes, [_short(f"{r.line}: {r.text}", LABEL) for r in found], len(columns), "")
        _head(axes, columns)
        for row, reading in enumerate(found):
            if reading.text.startswith("FROM ") and row:
                axes.axhline(row - 0.5, color=INK, linewidth=0.8)
        colors = {"knows it": BLUE, "asks for it and does not know it": RED}
        legend(figure, colors, hatched="does not know it")
        return picture(figure, _scope_in_words(found, columns))


@never_raises
def image_diff(images: Mapping[str, str | Flavour]) -> Picture:
    """What two images differ in: packages, programs, variables, and files by folder."""
    if len(images) != 2:
        raise UsageError("image_diff compares two images.")
    one, other = (_looked_at(image) for image in images.values())
    found = compare(one, other)
    told = [f"{d.kind} {d.name}" for d in found.rows] or ["nothing differs"]
    with canvas(1.1 + 0.36 * len(told)) as (figure, axes):
        for row, difference in enumerate(found.rows):
            for column, text in enumerate((difference.one, difference.other)):
                _cell(axes, row, column, _short(text, VALUE), ORANGE if text else "")
        for column in (0, 1) if not found.rows else ():
            _cell(axes, 0, column, "the same", BLUE)
        rows(axes, [_short(text, LABEL) for text in told], 2, _same(found))
        _head(axes, [cells.clean(name) for name in images])
        legend(figure, {"has it": ORANGE}, hatched="has it not")
        return picture(figure, _diff_in_words(found, list(images)))


# -- data ------------------------------------------------------------------------------------------


def _parsed(path: str | Path) -> Dockerfile:
    try:
        return Dockerfile.parse(Path(path).read_bytes())
    except OSError as err:
        raise UsageError(f"{err.filename} cannot be read: {err.strerror}.") from err


def _looked_at(image: str | Flavour) -> Flavour:
    if isinstance(image, Flavour):
        return image
    with Engine.open() as engine:
        return flavour(image, engine.image(image), engine.files(image))


def _short(text: str, most: int) -> str:
    return textwrap.shorten(text, most, placeholder=" …") if " " in text else text[:most]


def _same(found: Differences) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in found.same.items())
    more = f"; {found.more} more rows found no room" if found.more else ""
    return f"the same in both: {counts}{more}"


def _scope_in_words(found: Sequence[Reading], columns: Sequence[str]) -> str:
    lost = [(r.line, name) for r in found for name in sorted(r.lost)]
    told = "; ".join(f"line {line} asks for {name} and does not know it" for line, name in lost)
    return f"{len(columns)} ARG in {len(found)} lines. {told or 'Each knows what it asks for'}."


def _diff_in_words(found: Differences, names_: Sequence[str]) -> str:
    told = "; ".join(_told(d, names_) for d in found.rows) or "Nothing differs"
    return f"{told}. {_same(found)[0].upper()}{_same(found)[1:]}."


def _told(difference: Difference, names_: Sequence[str]) -> str:
    values = zip(names_, (difference.one, difference.other), strict=True)
    sides = ", ".join(f"{name} {value or 'has it not'}" for name, value in values)
    return f"{difference.kind} {difference.name}: {sides}"


# -- drawing ---------------------------------------------------------------------------------------


def _head(axes: Axes, columns: Sequence[str]) -> None:
    axes.set_xticks([n + 0.5 for n in range(len(columns))], list(columns))
    axes.xaxis.tick_top()
    axes.spines["bottom"].set_visible(False)


def _known(axes: Axes, row: int, column: int, reading: Reading, name: str) -> None:
    if name in reading.lost:
        _cell(axes, row, column, f"${name}: {LOST}", RED)
    elif name in reading.values:
        text = reading.values[name] or "empty"
        _cell(axes, row, column, _short(text, VALUE), BLUE)
    else:
        _cell(axes, row, column, "", "")


def _cell(axes: Axes, row: int, column: int, text: str, color: str) -> None:
    place = (column + 0.03, row - 0.4)
    if not color:
        axes.add_patch(
            Rectangle(place, 0.94, 0.8, facecolor=GREY, edgecolor="white", hatch=HATCH, alpha=0.5)
        )
        return
    axes.add_patch(Rectangle(place, 0.94, 0.8, facecolor=color))
    inside(axes, column + 0.5, row, cells.clean(text), color)
