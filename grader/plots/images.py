"""Pictures of images: what is in one, how it shrinks, how long it takes to start; and of the labs.

It judges nothing, and it measures nothing that the engine doesn't know already.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from statistics import median

from grader import cells
from grader.course import Course
from grader.engine import Engine, Layer
from grader.here import NAMES, Here, look
from grader.look import File
from grader.plots.figure import (
    BLUE,
    GREEN,
    HATCH,
    INK,
    ORANGE,
    WIDTH,
    Axes,
    Picture,
    Rectangle,
    below,
    canvas,
    inside,
    legend,
    never_raises,
    picture,
    readable,
    rows,
)
from grader.spec import NEEDS
from grader.treemap import Box, grouped, squarified

Layers = Sequence[Layer]

KINDS = {
    "base image": "#999999",
    "apt packages": "#D55E00",
    "Python packages": "#0072B2",
    "files copied": "#E69F00",
    "anything else": "#CC79A7",
}
BASES = ("python:3.11-slim", "distroless-python:3.11")
NAMED_LAYERS, WORTH_NAMING = 6, 0.002  # how many, and from which share of the biggest image
ROOM_FOR_NUMBER, ROOM_FOR_SIZE = 0.025, 0.06  # shares of the width: below, text would stick out


@never_raises
def layer_bars(images: Mapping[str, str | Layers]) -> Picture:
    """A bar for each image, a piece for each layer; the biggest layers are named below.

    ``images`` maps a label to an image's name, or to layers that are known already.
    """
    layers, bases = _looked_up(images)
    kinds = {
        n: [_kind(x, found[: at + 1], bases) for at, x in enumerate(found)]
        for n, found in layers.items()
    }
    numbers = _numbered(layers, kinds)
    longest = max((_total(found) / 1e6 for found in layers.values()), default=0) or 1
    with canvas(0.9 + 0.62 * len(layers) + 0.24 * len(numbers)) as (figure, axes):
        for row, (name, found) in enumerate(layers.items()):
            pieces = [
                (layer.size / 1e6, KINDS[kinds[name][at]], numbers.get((name, at), ""))
                for at, layer in enumerate(found)
                if layer.size
            ]
            _stack(axes, row, pieces, longest)
        rows(axes, list(layers), longest * 1.12, "MB")
        seen = {kind for found in kinds.values() for kind in found}
        legend(figure, {kind: color for kind, color in KINDS.items() if kind in seen})
        below(figure, [_named(layers, key, number) for key, number in numbers.items()])
        return picture(figure, _layers_in_words(layers))


@never_raises
def ladder(images: Mapping[str, str | Layers]) -> Picture:
    """The same service in ever smaller images; the light part is what a step took away."""
    layers, _ = _looked_up(images)
    sizes = {name: _total(found) / 1e6 for name, found in layers.items()}
    first = next(iter(sizes.values()), 0) or 1
    with canvas(0.9 + 0.5 * len(sizes)) as (figure, axes):
        before = first
        for row, size in enumerate(sizes.values()):
            axes.barh(row, size, color=BLUE, height=0.66)
            if before > size:
                gone = axes.barh(row, before - size, left=size, height=0.66, color="none")
                gone[0].set(edgecolor=ORANGE, hatch=HATCH)
            text = f"  {size:.0f} MB = {size / first:.0%}"
            axes.text(max(size, before), row, text, va="center", color=INK, weight="bold")
            before = size
        rows(axes, list(sizes), max([first, *sizes.values()]) * 1.22, "MB")
        legend(figure, {"the image": BLUE, "gone with this step": ORANGE})
        steps = ", ".join(f"{n} {s:.0f} MB ({s / first:.0%})" for n, s in sizes.items())
        return picture(figure, f"Image sizes down the ladder: {steps}.")


@never_raises
def startup(times: Mapping[str, Sequence[float]]) -> Picture:
    """Each measured start as a dot, the middle one as a line."""
    longest = max((s for found in times.values() for s in found), default=0) or 1
    with canvas(0.9 + 0.45 * len(times)) as (figure, axes):
        for row, seconds in enumerate(times.values()):
            if not seconds:
                continue
            middle = median(seconds)
            axes.plot(seconds, [row] * len(seconds), "o", color=BLUE, markersize=8)
            axes.plot([middle, middle], [row - 0.32, row + 0.32], color=ORANGE, linewidth=3)
            text = f"   {middle:.2f} s"
            axes.text(max(seconds), row, text, va="center", color=INK, weight="bold")
        rows(axes, list(times), longest * 1.18, "seconds until the first answer")
        legend(figure, {"one start": BLUE, "the middle one": ORANGE})
        words = (f"{n} {median(s):.2f} s" for n, s in times.items() if s)
        return picture(figure, f"Seconds from start to first answer (median): {', '.join(words)}.")


@never_raises
def treemap(image: str | Sequence[File], *, under: str = "/") -> Picture:
    """Everything in a folder of an image, as areas: what is twice as big has twice the area."""
    files = _files_of(image) if isinstance(image, str) else image
    boxes = squarified(grouped([(f.path, f.size) for f in files], under))
    total = sum(box.size for box in boxes)
    with canvas(4.8) as (figure, axes):
        axes.axis("off")
        axes.set(xlim=(0, 1), ylim=(1, 0))
        for rank, box in enumerate(boxes):
            _area(axes, box, _shade(rank))
        axes.set_title(f"{cells.clean(under)}: {total / 1e6:.0f} MB", color=INK, fontsize=10)
        biggest = ", ".join(f"{b.name} {b.size / 1e6:.0f} MB" for b in boxes[:6])
        return picture(figure, f"{under} holds {total / 1e6:.0f} MB. The biggest: {biggest}.")


@never_raises
def capabilities(here: Here | None = None) -> Picture:
    """Each lab and what it needs: there, missing, or not needed. ``here`` defaults to a look."""
    labs = Course.find().labs()
    here = here or look(labs)
    with canvas(0.7 + 0.42 * len(labs)) as (figure, axes):
        for row, lab in enumerate(labs):
            for column, need in enumerate(NEEDS):
                sign, color = _sign(need in lab.needs, need not in here.missing)
                _sign_at(axes, column, row, sign, color)
            axes.text(len(NEEDS) - 0.3, row, here.verdict(lab), va="center", color=INK)
        rows(axes, [f"{lab.name}, {lab.title}" for lab in labs], len(NEEDS) + 1.5, "")
        axes.set(xlim=(-0.5, len(NEEDS) + 1.5))
        axes.set_xticks(range(len(NEEDS)), [NAMES[need] for need in NEEDS])
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        told = " ".join(f"{lab.name}: {here.verdict(lab)}." for lab in labs)
        return picture(figure, f"The labs on this machine. {told}")


# -- data ------------------------------------------------------------------------------------------


def _looked_up(images: Mapping[str, str | Layers]) -> tuple[dict[str, Layers], Sequence[Layers]]:
    """The layers of each, and those of the base images that are here."""
    names = [x for x in images.values() if isinstance(x, str)]
    if not names:
        return {n: x for n, x in images.items() if not isinstance(x, str)}, []
    with Engine.open() as engine:
        bases = [engine.history(base) for base in BASES if engine.has_image(base)]
        found = {n: engine.history(x) if isinstance(x, str) else x for n, x in images.items()}
    return found, bases


def _sign(needed: bool, there: bool) -> tuple[str, str]:
    if not needed:
        return "·", INK
    return ("✓", GREEN) if there else ("✗", KINDS["apt packages"])


def _files_of(image: str) -> Sequence[File]:
    with Engine.open() as engine:
        return engine.files(image)


def _total(layers: Layers) -> int:
    return sum(layer.size for layer in layers)


def _kind(layer: Layer, upto: Layers, bases: Sequence[Layers]) -> str:
    """What made a layer. A base's layers are known by all that is below them, too."""
    text = layer.created_by
    if any(list(base[: len(upto)]) == list(upto) for base in bases):
        return "base image"
    if not text or re.match(r"ADD (?:file:|rootfs)|/bin/sh -c #\(nop\) ADD file:|# debian", text):
        return "base image"
    if re.search(r"\b(?:pip3?|uv|venv)\b", text) and "RUN" in text[:4]:
        return "Python packages"
    if re.search(r"\bapt(?:-get)?\b", text):
        return "apt packages"
    return "files copied" if re.match(r"(?:COPY|ADD)\b", text) else "anything else"


def _numbered(
    layers: Mapping[str, Layers], kinds: Mapping[str, Sequence[str]]
) -> dict[tuple[str, int], str]:
    """A number for each of the biggest layers; the base's only where there is nothing else."""
    sizes = {(n, at): x.size for n, found in layers.items() for at, x in enumerate(found)}
    least = WORTH_NAMING * max(map(_total, layers.values()), default=0)
    sizes = {key: size for key, size in sizes.items() if size > least}
    own = [key for key in sizes if kinds[key[0]][key[1]] != "base image"] or list(sizes)
    big = sorted(own, key=lambda key: -sizes[key])[:NAMED_LAYERS]
    return {key: f"({number})" for number, key in enumerate(big, 1)}


def _instruction(created_by: str) -> str:
    """The instruction as it was written, without what the builder put around it."""
    text = re.sub(r"^RUN (?:\|\d+ .*? )?/bin/sh -c ", "RUN ", created_by)
    text = re.sub(r"^/bin/sh -c #\(nop\) |\s*# buildkit$", "", text)
    return cells.clean(" ".join(text.split())) or "(the base's file system)"


# -- drawing ---------------------------------------------------------------------------------------


def _sign_at(axes: Axes, x: float, y: float, sign: str, color: str) -> None:
    if color != INK:
        place = (x - 0.36, y - 0.36), 0.72, 0.72
        axes.add_patch(Rectangle(*place, facecolor=color, edgecolor="none"))
    ink = INK if color == INK else readable(color)
    axes.text(x, y, sign, ha="center", va="center", color=ink, fontsize=13, weight="bold")


def _stack(axes: Axes, row: int, pieces: Sequence[tuple[float, str, str]], longest: float) -> None:
    """One bar out of (MB, colour, number) pieces, and its sum behind it."""
    left = 0.0
    for width, color, number in pieces:
        axes.barh(row, width, left=left, color=color, height=0.72, edgecolor="white", linewidth=0.6)
        share = width / longest
        if number and share > ROOM_FOR_NUMBER:
            text = f"{number} {width:.0f}" if share > ROOM_FOR_SIZE else number
            inside(axes, left + width / 2, row, text, color)
        left += width
    axes.text(left, row, f"  {left:.0f} MB", va="center", color=INK, weight="bold")


def _area(axes: Axes, box: Box, color: str) -> None:
    place = (box.x, box.y), box.width, box.height
    axes.add_patch(Rectangle(*place, facecolor=color, edgecolor="white", linewidth=1.2))
    room = int(box.width * WIDTH * 10.5)  # characters that fit in it
    if room > 4 and box.height > 0.05:
        name = box.name if len(box.name) <= room else f"{box.name[: room - 1]}…"
        lines = [name, f"{box.size / 1e6:.1f} MB"] if box.height > 0.1 else [name]
        inside(axes, box.x + box.width / 2, box.y + box.height / 2, "\n".join(lines), color)


def _named(layers: Mapping[str, Layers], key: tuple[str, int], number: str) -> str:
    name, at = key
    layer = layers[name][at]
    what = textwrap.shorten(_instruction(layer.created_by), 95, placeholder=" …")
    return f"{number} {name}, {layer.size / 1e6:.0f} MB: {what}"


def _layers_in_words(layers: Mapping[str, Layers]) -> str:
    lines = []
    for name, found in layers.items():
        top = max(found, key=lambda x: x.size, default=Layer("", 0))
        what = textwrap.shorten(_instruction(top.created_by), 60, placeholder=" …")
        size = f"{_total(found) / 1e6:.0f} MB in {sum(x.size > 0 for x in found)} layers"
        lines.append(f"{name}: {size}, the biggest is {top.size / 1e6:.0f} MB: {what}.")
    return " ".join(lines)


def _shade(rank: int) -> str:
    shades = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
    return shades[rank] if rank < len(shades) else "#999999"
