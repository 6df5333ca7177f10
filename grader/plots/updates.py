"""What waits for an image: Debian's security updates, and advisories on its Python packages.

The same numbers as the checks of ``packages`` go by; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grader import packages
from grader.debian import Security, pending
from grader.engine import Engine
from grader.errors import EngineError
from grader.plots.figure import (
    BLUE,
    INK,
    ORANGE,
    Picture,
    canvas,
    inside,
    legend,
    never_raises,
    picture,
    rows,
)

ROOM = 0.03  # share of the width below which a number would stick out


@dataclass(frozen=True)
class Waiting:
    """How many updates of Debian wait for an image, and how many advisories fit it."""

    debian: int
    python: int


@never_raises
def updates(images: Mapping[str, str | Waiting]) -> Picture:
    """A bar for each image: Debian's security updates that wait, and known Python weaknesses.

    ``images`` maps a label to an image's name, or to numbers that are known already.
    """
    found = _looked_up(images)
    longest = max((w.debian + w.python for w in found.values()), default=0) or 1
    with canvas(0.9 + 0.5 * max(len(found), 1)) as (figure, axes):
        for row, one in enumerate(found.values()):
            at = 0
            for count, color in ((one.debian, ORANGE), (one.python, BLUE)):
                axes.barh(row, count, left=at, color=color, height=0.66)
                if count / longest > ROOM:
                    inside(axes, at + count / 2, row, str(count), color)
                at += count
            text = "  nothing waits" if not at else ""
            axes.text(at, row, text, va="center", color=INK, weight="bold")
        rows(axes, list(found), longest * 1.12, "how many")
        legend(figure, {"Debian security updates": ORANGE, "Python advisories": BLUE})
        words = (f"{n}: {w.debian} of Debian, {w.python} of Python" for n, w in found.items())
        return picture(figure, f"What waits for each image. {'; '.join(words)}.")


def _looked_up(images: Mapping[str, str | Waiting]) -> dict[str, Waiting]:
    if all(isinstance(one, Waiting) for one in images.values()):
        return {name: one for name, one in images.items() if isinstance(one, Waiting)}
    with Engine.open() as engine:
        suite = packages.security(engine)
        return {
            name: one if isinstance(one, Waiting) else _waiting(engine, one, suite)
            for name, one in images.items()
        }


def _waiting(engine: Engine, image: str, suite: Security) -> Waiting:
    installed = packages.dpkg_of(engine, image)
    if installed is None:
        raise EngineError(f"{image} has no dpkg database, so what waits for it can't be told.")
    python = packages.matching(packages.distributions(engine.files(image)))
    return Waiting(len(pending(installed, suite)), len(python))
