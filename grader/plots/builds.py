"""Pictures of builds: when each step ran, which layers two builds share, what a build is sent.

It judges nothing, and it starts no build.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader import cells, ignore
from grader.buildlog import BuildLog, Step
from grader.dockerfile import Dockerfile
from grader.engine import Engine, Image
from grader.errors import UsageError
from grader.plots.figure import (
    BLUE,
    GREEN,
    GREY,
    HATCH,
    INK,
    ORANGE,
    PINK,
    SKY,
    WIDTH,
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
from grader.treemap import Box, squarified

STAGES = (BLUE, ORANGE, GREEN, PINK, SKY)
SHORTEST = 0.1  # seconds that a picture shows, also where all came from the cache
MOST_ROWS, LABEL = 40, 46  # steps in one picture; characters of one
EMPTY = re.compile(
    r"(?:/bin/sh -c #\(nop\)\s+)?(ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|USER|STOP)"
)


@never_raises
def timeline(log: str | Path | Sequence[Step], dockerfile: str | Path = "Dockerfile") -> Picture:
    """A row for each step of a build, a bar from its start to its end; cached steps are grey.

    ``log`` is the file that ``docker build --progress rawjson … 2> FILE`` wrote, or its steps.
    """
    steps = _numbered_steps(log, dockerfile) if isinstance(log, (str, Path)) else list(log)
    steps = sorted(filter(_is_shown, steps), key=lambda s: s.started)[:MOST_ROWS]
    if not steps:
        raise UsageError("There is no step of a Dockerfile in that log.")
    began = min(s.started for s in steps)
    whole = max(s.started - began + s.seconds for s in steps)
    shown = max(whole, SHORTEST)
    names = list(dict.fromkeys(_stage(s) for s in steps))
    colors = {name: STAGES[at % len(STAGES)] for at, name in enumerate(names)}
    with canvas(0.9 + 0.34 * len(steps)) as (figure, axes):
        for row, step in enumerate(steps):
            _bar(axes, row, step, began=began, whole=shown, color=colors[_stage(step)])
        rows(axes, [_told(s) for s in steps], shown * 1.2, "seconds")
        legend(figure, {f"stage {n}": c for n, c in colors.items()}, hatched="from the cache")
        return picture(figure, _timeline_in_words(steps, whole))


@never_raises
def layer_diff(images: Mapping[str, str | Image]) -> Picture:
    """The layers of two builds side by side, from the base up: which are the same, to the bit?"""
    if len(images) != 2:
        raise UsageError("layer_diff compares two images.")
    (one, first), (other, second) = ((name, _image(x)) for name, x in images.items())
    told, count = _instructions(second), max(len(first.layers), len(second.layers))
    same = [_at(first, n) == _at(second, n) for n in range(count)]
    with canvas(0.9 + 0.4 * count) as (figure, axes):
        for row in range(count):
            color = BLUE if same[row] else ORANGE
            for column, image in enumerate((first, second)):
                _digest(axes, row, column, _at(image, row), color)
            sign = "=" if same[row] else "≠"
            axes.text(1, row, sign, ha="center", va="center", color=INK, fontsize=13)
        rows(axes, [told.get(n, f"layer {n + 1}") for n in range(count)], 2, "")
        axes.set_xticks([0.45, 1.55], [cells.clean(one), cells.clean(other)])
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        legend(figure, {"the same layer": BLUE, "another layer": ORANGE})
        new = [told.get(n, f"layer {n + 1}") for n in range(count) if not same[n]]
        what = f"Other layers: {'; '.join(new)}." if new else "All are the same."
        return picture(figure, f"{sum(same)} of {count} layers are the same in both. {what}")


@never_raises
def context_map(folder: str | Path, ignore_file: str | Path | None = None) -> Picture:
    """What lies in a folder, as areas: sent to a build of it, or kept out by .dockerignore."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    path = Path(ignore_file) if ignore_file else folder / ".dockerignore"
    rules = ignore.parse(path.read_bytes() if path.is_file() else b"")
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in _files(folder)}
    sent = rules.sent(sizes)
    boxes = squarified(_groups(sizes, sent))
    total, inside_ = sum(sizes.values()), sum(sizes[name] for name in sent)
    with canvas(4.2) as (figure, axes):
        axes.axis("off")
        axes.set(xlim=(0, 1), ylim=(1, 0))
        for box in boxes:
            _area(axes, box)
        legend(figure, {"sent": BLUE}, hatched="kept out")
        words = (
            f"{len(sent)} of {len(sizes)} files are sent, {inside_ / 1e3:.0f} of"
            f" {total / 1e3:.0f} kB"
        )
        axes.set_title(words, color=INK, fontsize=10)
        biggest = ", ".join(f"{b.name} {b.size / 1e3:.0f} kB" for b in boxes[:6])
        return picture(figure, f"{words}. The biggest: {biggest}.")


# -- data ------------------------------------------------------------------------------------------


def _numbered_steps(path: str | Path, dockerfile: str | Path) -> list[Step]:
    try:
        log = BuildLog(Dockerfile.parse(Path(dockerfile).read_bytes()))
        log.feed(Path(path).read_bytes())
    except OSError as err:
        raise UsageError(f"{err.filename} cannot be read: {err.strerror}.") from err
    log.close()
    return list(log.steps)


def _is_shown(step: Step) -> bool:
    return bool(re.match(r"\[(?!internal)[^]]*\d+/\d+\] (?!FROM )", step.name)) and bool(
        step.started
    )


def _stage(step: Step) -> str:
    found = re.match(r"\[(?:(\S+) )?\s*\d+/\d+\]", step.name)
    name = (found[1] if found else "") or step.stage or "without a name"
    return re.sub(r"^stage-(\d+)$", r"number \1", name)


def _told(step: Step) -> str:
    text = re.sub(r"^\[[^]]*\] ", "", step.name)
    line = f"{step.line}: " if step.line else ""
    return textwrap.shorten(f"{line}{text}", LABEL, placeholder=" …")


def _timeline_in_words(steps: Sequence[Step], whole: float) -> str:
    cached = sum(s.cached for s in steps)
    longest = sorted((s for s in steps if not s.cached), key=lambda s: -s.seconds)[:4]
    told = "; ".join(f"{_told(s)} {s.seconds:.1f} s" for s in longest)
    ran = f" The longest: {told}." if told else ""
    return f"{len(steps)} steps in {whole:.1f} s, {cached} of them from the cache.{ran}"


def _image(image: str | Image) -> Image:
    if isinstance(image, Image):
        return image
    with Engine.open() as engine:
        return engine.image(image)


def _at(image: Image, number: int) -> str:
    return image.layers[number] if number < len(image.layers) else ""


def _instructions(image: Image) -> dict[int, str]:
    """What made each layer, where the history has a line for each."""
    lines = [x.created_by for x in image.history if not EMPTY.match(x.created_by)]
    if len(lines) != len(image.layers):
        return {}
    return {at: _short(text) for at, text in enumerate(lines)}


def _short(created_by: str) -> str:
    text = re.sub(r"^RUN (?:\|\d+ .*? )?/bin/sh -c ", "RUN ", created_by).removesuffix("# buildkit")
    return textwrap.shorten(text or "the base image", LABEL, placeholder=" …")


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _groups(sizes: Mapping[str, int], sent: frozenset[str]) -> list[tuple[str, int]]:
    """Sizes by the first folder and by whether it is sent; the name of what is not ends in ✗."""
    groups: Counter[str] = Counter()
    for name, size in sizes.items():
        top = name.partition("/")[0] + ("/" if "/" in name else "")
        groups[top if name in sent else f"{top} ✗"] += size
    return [(name, size) for name, size in groups.most_common() if size]


# -- drawing ---------------------------------------------------------------------------------------


def _bar(axes: Axes, row: int, step: Step, *, began: float, whole: float, color: str) -> None:
    start, width = step.started - began, max(step.seconds, whole * 0.006)
    bar = axes.barh(row, width, left=start, height=0.66, color=GREY if step.cached else color)
    if step.cached:
        bar[0].set(hatch=HATCH, edgecolor="white")
    text = "  cached" if step.cached else f"  {step.seconds:.1f} s"
    axes.text(start + width, row, text, va="center", color=INK, fontsize=9)


def _digest(axes: Axes, row: int, column: int, digest: str, color: str) -> None:
    if not digest:
        return
    axes.add_patch(Rectangle((column * 1.1 + 0.02, row - 0.4), 0.86, 0.8, facecolor=color))
    inside(axes, column * 1.1 + 0.45, row, digest.removeprefix("sha256:")[:12], color)


def _area(axes: Axes, box: Box) -> None:
    out = box.name.endswith("✗")
    color = GREY if out else BLUE
    place = (box.x, box.y), box.width, box.height
    hatch = HATCH if out else None
    axes.add_patch(
        Rectangle(*place, facecolor=color, edgecolor="white", linewidth=1.2, hatch=hatch)
    )
    name = box.name.removesuffix(" ✗")
    if box.width * WIDTH * 10 > len(name) and box.height > 0.05:
        x, y = box.x + box.width / 2, box.y + box.height / 2
        patch = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
        axes.text(
            x, y, name, ha="center", va="center", color="black" if out else "white", bbox=patch
        )
