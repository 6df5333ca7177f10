"""What a container uses while it runs: processor, memory and processes against their limits.

As ``docker stats`` tells it, as a picture that grows. It asks for itself, because the engine's own
stream has one reading a second. How counters become numbers is ``usage``'s. Nothing is judged here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from grader import cells, usage
from grader.cells import Cell
from grader.engine import Engine, State
from grader.errors import EngineError, UsageError
from grader.host.connection import connect
from grader.kernel import in_jupyter
from grader.live import display
from grader.plots.figure import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    RED,
    Axes,
    Picture,
    below,
    called,
    legend,
    picture,
    stack,
)
from grader.results import Outcome
from grader.usage import Limits, Reading, Sample

EVERY = 0.4  # seconds between two readings: some periods of the scheduler's
REDRAW = 1.0  # seconds between two pictures
MIB = 2**20
ROOM = 1.25  # how far the limit is from the upper edge
STRIP = 108, 10  # per cent: where the marks of throttling begin, and how high they are
GONE = ("No such container", "is not running")


@dataclass(frozen=True)
class Watched:
    """A container that was looked at for a while; ``ended`` once it was over before we were."""

    name: str
    limits: Limits
    samples: tuple[Sample, ...] = ()
    ended: str = ""


def live_stats(container: str, *, seconds: float = 8) -> Picture | Cell | None:
    """What a running container uses from now on: one output, which is drawn anew as it goes on.

    Where nothing can be drawn anew it is the last picture; else that is shown already, and None.
    """
    live = in_jupyter() and os.environ.get("LAB_PROGRESS") != "off"
    handle = (
        display(cells.message(f"Looking at {called(container)} …"), display_id=True)
        if live
        else None
    )
    last: Picture | Cell
    try:
        last = _drawn(container, seconds, handle.update if handle else lambda _: None)
    except (EngineError, UsageError) as err:
        last = cells.message(err, Outcome.ERROR)
    if handle is None:
        return last
    handle.update(last)
    return None


def _drawn(container: str, seconds: float, update: Callable[[Picture], object]) -> Picture:
    seen, drawn = None, time.monotonic()
    with suppress(KeyboardInterrupt), Engine(connect()) as engine:  # what was seen is shown
        for seen in watch(engine, container, seconds):
            if time.monotonic() - drawn >= REDRAW:
                update(draw(seen, seconds))
                drawn = time.monotonic()
    if seen is None:
        raise UsageError(
            f"The container {container} is not running. Start it with docker run -d; look again."
        )
    return draw(seen, seconds)


def watch(engine: Engine, container: str, seconds: float) -> Iterator[Watched]:
    """What was seen so far, after each reading, until it ends."""
    end = time.monotonic() + seconds
    readings: list[Reading] = []
    about = engine.inspect(container)
    seen = None
    while time.monotonic() < end or len(readings) < 2:
        raw = _read(engine, container)
        now = usage.reading(raw)
        if now is None:
            break
        readings.append(now)
        limits = usage.limits(about, raw, int(engine.info.get("NCPU") or 0))
        seen = Watched(container, limits, usage.samples(readings))
        yield seen
        time.sleep(EVERY)
    if seen and (how := _ended(engine, container)):
        yield Watched(container, seen.limits, seen.samples, how)


def draw(seen: Watched, seconds: float = 0) -> Picture:
    """Three charts above each other, as wide as ``seconds`` are long."""
    last = max([seconds, *(s.at for s in seen.samples)], default=0) or 1
    with stack(5.2, (3, 3, 2)) as (figure, (cpu, memory, pids)):
        _cpu(cpu, seen)
        _memory(memory, seen)
        _pids(pids, seen)
        for axes in (cpu, memory, pids):
            axes.set_xlim(0, last)
            _plain(axes)
        pids.set_xlabel("seconds", color=INK)
        legend(figure, {"limit": RED, "throttled": ORANGE} if _throttled(seen) else {"limit": RED})
        if seen.ended:
            below(figure, [seen.ended])
        return picture(figure, in_words(seen))


def in_words(seen: Watched) -> str:
    """What the picture shows, for those who can't see it."""
    name, found, limits = called(seen.name), seen.samples, seen.limits
    ended = f" {seen.ended}" if seen.ended else ""
    if not found:
        return f"{name}: nothing was measured.{ended}"
    total = sum(s.seconds for s in found)
    busy = [100 * s.cpus / limits.cpus for s in found]
    mean = sum(s.cpus * s.seconds for s in found) / total / limits.cpus
    periods, held = sum(s.periods for s in found), sum(s.throttled for s in found)
    throttled = f", throttled in {held} of {periods} periods" if periods else ""
    least, most = min(s.memory for s in found), max(s.memory for s in found)
    return (
        f"What {name} used in {total:.0f} s. Processor: {mean:.0%} of {_allowed(limits)} on"
        f" average, at most {max(busy):.0f}%{throttled}."
        f" Memory: {least / MIB:.0f} to {most / MIB:.0f} MiB, {_memory_limit(limits)}."
        f" Processes and threads: at most {max(s.pids for s in found)}{_of(limits.pids)}.{ended}"
    )


# -- reading -----------------------------------------------------------------------------------


def _read(engine: Engine, container: str) -> dict[str, object]:
    """One answer; an empty one when the container went away meanwhile, as with --rm."""
    try:
        return dict(engine.stats(container))
    except EngineError as err:
        if any(words in str(err) for words in GONE):
            return {}
        raise


def _ended(engine: Engine, container: str) -> str:
    try:
        state = engine.state(container)
    except EngineError:
        return "It has ended, and is removed."
    return "" if state.running else _how(state)


def _how(state: State) -> str:
    if state.oom_killed:
        return f"It was killed: out of memory (exit status {state.exit_code})."
    return f"It ended with exit status {state.exit_code}."


# -- the three charts --------------------------------------------------------------------------


def _cpu(axes: Axes, seen: Watched) -> None:
    times = [s.at for s in seen.samples]
    busy = [100 * s.cpus / seen.limits.cpus for s in seen.samples]
    _line(axes, times, busy, BLUE)
    axes.set_ylim(0, max([100 * ROOM, *(b * 1.05 for b in busy)]))
    cpus = f"{seen.limits.cpus:g} CPU{'s' * (seen.limits.cpus > 1)}"
    _limit(axes, 100, cpus if seen.limits.own_cpus else f"all {cpus}")
    for s in seen.samples:
        if s.throttled > 0:
            left = s.at - s.seconds
            axes.barh(
                STRIP[0] + STRIP[1] / 2, s.seconds, left=left, height=STRIP[1],
                color=ORANGE, alpha=max(0.25, s.throttled / max(s.periods, 1)),
            )  # fmt: skip
    axes.set_ylabel("CPU, % of\nwhat it may", color=INK)


def _memory(axes: Axes, seen: Watched) -> None:
    used = [s.memory / MIB for s in seen.samples]
    _line(axes, [s.at for s in seen.samples], used, GREEN)
    limit = seen.limits.memory / MIB if seen.limits.own_memory else 0
    axes.set_ylim(0, max([limit, *used, 1]) * ROOM)
    if limit:
        _limit(axes, limit, f"{limit:.0f} MiB")
    else:
        _note(axes, "no limit")
    axes.set_ylabel("memory, MiB", color=INK)


def _pids(axes: Axes, seen: Watched) -> None:
    counts = [s.pids for s in seen.samples]
    axes.step([s.at for s in seen.samples], counts, where="post", color=PINK, linewidth=2)
    near = seen.limits.pids and seen.limits.pids <= 4 * max([*counts, 1])
    most = max([*counts, seen.limits.pids if near else 1])
    axes.set_ylim(0, most * ROOM + 0.5)
    if near:
        _limit(axes, seen.limits.pids, f"{seen.limits.pids}")
    else:
        _note(axes, f"limit {seen.limits.pids}" if seen.limits.pids else "no limit")
    axes.set_ylabel("processes\nand threads", color=INK)


def _line(axes: Axes, times: Sequence[float], values: Sequence[float], color: str) -> None:
    axes.plot(times, values, color=color, linewidth=2, marker="o", markersize=3)
    axes.fill_between(times, values, color=color, alpha=0.2, linewidth=0)


def _limit(axes: Axes, value: float, text: str) -> None:
    axes.axhline(value, color=RED, linestyle="--", linewidth=1.5)
    _beside(axes, value, text)


def _note(axes: Axes, text: str) -> None:
    axes.text(1.01, 0.9, text, transform=axes.transAxes, ha="left", va="top", color=INK, fontsize=9)


def _beside(axes: Axes, value: float, text: str) -> None:
    """At the right of the chart, where no line can cover it."""
    where = axes.get_yaxis_transform()
    axes.text(1.01, value, text, transform=where, ha="left", va="center", color=INK, fontsize=9)


def _plain(axes: Axes) -> None:
    axes.tick_params(colors=INK, length=0)
    axes.grid(axis="y", color=GREY, alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)


def _throttled(seen: Watched) -> bool:
    return any(s.throttled > 0 for s in seen.samples)


def _allowed(limits: Limits) -> str:
    cpus = f"{limits.cpus:g} CPU{'s' * (limits.cpus > 1)}"
    return cpus if limits.own_cpus else f"the machine's {cpus}"


def _memory_limit(limits: Limits) -> str:
    return f"of {limits.memory / MIB:.0f} MiB allowed" if limits.own_memory else "without a limit"


def _of(pids: int) -> str:
    return f" of {pids}" if pids else ", without a limit"
