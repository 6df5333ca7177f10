"""The arithmetic of a treemap: which files belong together, and which rectangle each group gets.

Nothing is drawn here; see ``plots``. The layout is the squarified one of Bruls, Huizing and van
Wijk (2000): rows are filled for as long as that makes their rectangles squarer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SMALLEST = 0.004  # share of the whole below which groups become one
REST = "(the rest)"
PACKAGES = "site-packages/"


@dataclass(frozen=True)
class Box:
    """A group's rectangle inside the unit square; ``size`` is in bytes."""

    name: str
    size: float
    x: float
    y: float
    width: float
    height: float


def grouped(files: Iterable[tuple[str, int]], under: str) -> list[tuple[str, int]]:
    """Sizes by group, biggest first: Python packages by name, all else by its first folder."""
    prefix = under.rstrip("/") + "/"
    sizes: Counter[str] = Counter()
    for path, size in files:
        if path.startswith(prefix):
            sizes[_group(path[len(prefix) :])] += size
    least = SMALLEST * sizes.total()
    big = [(name, size) for name, size in sizes.most_common() if size and size >= least]
    rest = sizes.total() - sum(size for _, size in big)
    return [*big, (REST, rest)] if rest else big


def squarified(groups: Sequence[tuple[str, int]]) -> list[Box]:
    """A rectangle for each group, in the given order; areas are as their sizes."""
    total = sum(size for _, size in groups)
    left = [(name, size, size / total) for name, size in groups] if total else []
    x, y, width, height = 0.0, 0.0, 1.0, 1.0
    boxes: list[Box] = []
    while left:
        side = min(width, height)
        count = _row_length([share for _, _, share in left], side)
        row, left = left[:count], left[count:]
        thick = sum(share for _, _, share in row) / side
        at = 0.0
        for name, size, share in row:
            long = share / thick
            if width >= height:
                boxes.append(Box(name, size, x, y + at, thick, long))
            else:
                boxes.append(Box(name, size, x + at, y, long, thick))
            at += long
        if width >= height:
            x, width = x + thick, max(width - thick, 1e-12)
        else:
            y, height = y + thick, max(height - thick, 1e-12)
    return boxes


def _row_length(shares: Sequence[float], side: float) -> int:
    """How many go into the next row before its worst rectangle gets worse."""
    best = _worst(shares[:1], side)
    for count in range(2, len(shares) + 1):
        worst = _worst(shares[:count], side)
        if worst > best:
            return count - 1
        best = worst
    return len(shares)


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    return max(max(side**2 * s / total**2, total**2 / (side**2 * s)) for s in row)


def _group(path: str) -> str:
    """A distribution's files belong to its package: ``x-1.0.dist-info`` and ``x.libs`` to ``x``."""
    _, found, inside = path.partition(PACKAGES)
    first = (inside if found else path).partition("/")[0]
    if not found:
        return first
    name = first.removesuffix(".libs")
    for ending in (".dist-info", ".egg-info"):
        if name.endswith(ending):
            name = name.removesuffix(ending).rpartition("-")[0] or name
    return name.removesuffix(".py")
