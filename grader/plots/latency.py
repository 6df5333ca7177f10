"""How long answers take under one setting and another: a row for each, a dot for each answer.

They are measured in the notebook. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grader import cells
from grader.plots.figure import (
    BLUE,
    INK,
    ORANGE,
    Axes,
    Picture,
    below,
    canvas,
    never_raises,
    picture,
)

LATE = 0.95  # share of the answers that came sooner than the mark
HELD = 0.5  # share of the periods from which on a row is one that was put on hold
SPREAD = 0.28  # how far a dot is from the middle of its row
LEAST = 0.1  # milliseconds; nothing is drawn left of it


@never_raises
def latencies(
    rows: Mapping[object, Sequence[float]], *, held: Mapping[object, float] | None = None
) -> Picture:
    """Milliseconds for each setting; ``held`` is the share of periods in which it was on hold."""
    shares = held or {}
    with canvas(1.3 + 0.6 * max(len(rows), 1)) as (figure, axes):
        for row, (name, times) in enumerate(rows.items()):
            _row(axes, row, times, ORANGE if shares.get(name, 0) >= HELD else BLUE)
            axes.text(1.01, row, _beside(times, shares.get(name)), color=INK, fontsize=9,
                      transform=axes.get_yaxis_transform(), ha="left", va="center")  # fmt: skip
        _frame(axes, rows)
        late = f"Each dot is an answer; the mark is where {LATE:.0%} of them were there."
        orange = " Orange: on hold in half of the scheduler's periods or more."
        below(figure, [late + (orange if shares else "")])
        return picture(figure, in_words(rows, shares))


def in_words(rows: Mapping[object, Sequence[float]], held: Mapping[object, float]) -> str:
    """What the picture shows, for those who can't see it."""
    told = [
        f"{cells.clean(str(name))}: {_row_in_words(t, held.get(name))}" for name, t in rows.items()
    ]
    return f"How long answers take. {'; '.join(told) or 'Nothing was measured'}."


def at(times: Sequence[float], share: float) -> float:
    """The time in which that share of the answers was there; 0 without any."""
    row = sorted(times)
    return row[min(len(row) - 1, int(len(row) * share))] if row else 0.0


def _row(axes: Axes, row: int, times: Sequence[float], color: str) -> None:
    # Spread by a rule and not by chance, so that the same numbers give the same picture.
    heights = [row + SPREAD * ((n * 0.618) % 2 - 1) for n in range(len(times))]
    drawn = [max(LEAST, t) for t in times]
    axes.plot(drawn, heights, "o", color=color, markersize=3.5, alpha=0.45, markeredgewidth=0)
    if times:
        late = max(LEAST, at(times, LATE))
        axes.plot([late, late], [row - 0.4, row + 0.4], color=INK, linewidth=2)


def _frame(axes: Axes, rows: Mapping[object, Sequence[float]]) -> None:
    every = [max(LEAST, t) for times in rows.values() for t in times] or [1.0]
    axes.set_xscale("log")
    axes.set(xlim=(min(every) * 0.8, max(every) * 1.25), ylim=(max(len(rows), 1) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [cells.clean(str(name)) for name in rows])
    ticks = [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if t >= min(every) * 0.8]
    axes.set_xticks([t for t in ticks if t <= max(every) * 1.25], minor=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()
    axes.set_xlabel("milliseconds for an answer", color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="x", color=INK, alpha=0.2)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)


def _beside(times: Sequence[float], share: float | None) -> str:
    late = f"{at(times, LATE):.0f} ms" if times else "no answer"
    return late if share is None else f"{late}\non hold {share:.0%}"


def _row_in_words(times: Sequence[float], share: float | None) -> str:
    if not times:
        return "no answer"
    hold = "" if share is None else f", on hold in {share:.0%} of the periods"
    middle, late = at(times, 0.5), at(times, LATE)
    return (
        f"{len(times)} answers, half of them in {middle:.0f} ms, {LATE:.0%} in {late:.0f} ms{hold}"
    )
