"""How containers end: how long a stop takes, what an exit code means, when their words arrive.

The numbers come from the notebook; nothing is judged here.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence

from grader import cells
from grader.plots.figure import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    SKY,
    Axes,
    Picture,
    below,
    canvas,
    legend,
    never_raises,
    picture,
    rows,
)

SIGNALS = 128  # an exit code above is 128 and the number of the signal that ended it
KILLED = SIGNALS + signal.SIGKILL
GOOD = (0, SIGNALS + signal.SIGINT, SIGNALS + signal.SIGTERM)
# Docker's own answers, where the program was never begun.
DOCKERS = {
    125: "docker run itself failed",
    126: "the command is there and can't be run",
    127: "there is no such command",
}
KINDS = {
    "ended well": GREEN,
    "the program's own no": ORANGE,
    "never begun": GREY,
    "ended by a signal": RED,
}
# What a signal mostly means, for who finds it in an exit code.
MEANT = {
    "SIGABRT": "it gave up by itself: a failed assertion in native code",
    "SIGBUS": "memory that is not there: a full /dev/shm",
    "SIGILL": "an instruction that this processor does not have",
    "SIGINT": "Ctrl-C",
    "SIGKILL": "killed: docker kill, a stop that took too long, or out of memory (OOMKilled says)",
    "SIGSEGV": "a wrong address, in native code",
    "SIGTERM": "told to stop, and it had no handler",
}


def decoded(code: int) -> tuple[str, str]:
    """The kind of an exit code, a key of KINDS, and what it means in words."""
    if code == 0:
        return "ended well", "it says that all is well"
    if code in DOCKERS:
        return "never begun", DOCKERS[code]
    if code < SIGNALS or code - SIGNALS not in signal.valid_signals():
        return "the program's own no", "the program says so itself; its log may say why"
    name = _signal(code - SIGNALS)
    means = f": {MEANT[name]}" if name in MEANT else ""
    return "ended by a signal", f"{SIGNALS} + {code - SIGNALS}, {name}{means}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@never_raises
def stop_bars(stops: Mapping[str, tuple[float, int]], *, patience: float = 10) -> Picture:
    """A bar for each container: the seconds from `docker stop` to its end, and the exit code.

    ``patience`` is how long Docker waits before it kills.
    """
    longest = max([patience, *(seconds for seconds, _ in stops.values())])
    with canvas(1.4 + 0.5 * max(len(stops), 1)) as (figure, axes):
        for row, (seconds, code) in enumerate(stops.values()):
            axes.barh(row, max(seconds, longest / 250), color=_color(code), height=0.55)
            text = f" {seconds:.1f} s, exit code {code}"
            _beside(axes, seconds, row, text, longest)
        axes.axvline(patience, color=RED, linestyle="--", linewidth=1.2)
        rows(axes, list(stops), longest * 1.25, "seconds until it has ended")
        legend(figure, {"ended well": BLUE, "broke": ORANGE, "killed": RED})
        below(figure, [f"The dashed line: after {patience:g} s Docker has waited long enough."])
        told = "; ".join(f"{n}: {s:.1f} s, exit code {c}" for n, (s, c) in stops.items())
        return picture(figure, f"How long docker stop takes. {told}. Killed after {patience:g} s.")


def _color(code: int) -> str:
    return RED if code == KILLED else BLUE if code in GOOD else ORANGE


def _beside(axes: Axes, at: float, row: int, text: str, longest: float) -> None:
    """Behind the bar, or inside where there is no room."""
    room = at < longest * 0.9
    color = INK if room else "white"
    axes.text(
        at,
        row,
        text if room else f"{text} ",
        ha="left" if room else "right",
        va="center",
        color=color,
        fontsize=9,
    )


@never_raises
def exit_codes(codes: Mapping[str, int]) -> Picture:
    """A row for each container: its exit code on a line from 0 to 255, and what it means."""
    with canvas(1.3 + 0.62 * max(len(codes), 1)) as (figure, axes):
        for row, code in enumerate(codes.values()):
            axes.plot([0, 255], [row, row], color=GREY, linewidth=1, alpha=0.6)
            axes.axvline(SIGNALS, color=GREY, linestyle=":", linewidth=1)
            kind, means = decoded(code)
            axes.plot([code], [row], marker="o", markersize=9, color=KINDS[kind])
            axes.text(0, row - 0.24, f"{code}: {means}", color=INK, fontsize=9, va="center")
        rows(axes, list(codes), 256, "exit code; from 128 on, the number of a signal is added")
        axes.set(xlim=(-4, 259), ylim=(max(len(codes), 1) - 0.6, -0.75))
        axes.set_xticks([0, 64, SIGNALS, 192, 255])
        legend(figure, KINDS)
        told = "; ".join(f"{n}: {c}, {decoded(c)[1]}" for n, c in codes.items())
        return picture(figure, f"Exit codes. {told}.")


Said = Sequence[tuple[float, float | None]]


@never_raises
def log_lag(services: Mapping[str, Said]) -> Picture:
    """A dot for each line: when the program said it, and how much later it was in the log.

    ``services`` maps a name to (second in which it was said, second in which it arrived or None).
    """
    late = [seen - said for one in services.values() for said, seen in one if seen is not None]
    top = max([1.0, *late]) * 1.15
    with canvas(3.4) as (figure, axes):
        colors = dict(zip(services, (BLUE, ORANGE, GREEN, SKY), strict=False))
        for name, one in services.items():
            came = [(said, seen - said) for said, seen in one if seen is not None]
            lost = [said for said, seen in one if seen is None]
            axes.plot(*_columns(came), "o", markersize=4, color=colors.get(name, GREY))
            axes.plot(lost, [top] * len(lost), "x", markersize=5, color=colors.get(name, GREY))
        axes.set(ylim=(-0.05 * top, top * 1.08))
        axes.set_xlabel("seconds since its start, when it was said", color=INK)
        axes.set_ylabel("seconds until it was\nin docker logs", color=INK)
        axes.tick_params(colors=INK, length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(INK)
        legend(figure, {cells.clean(name): color for name, color in colors.items()})
        below(figure, ["A cross at the top is a line that never arrived."])
        told = "; ".join(f"{name}: {_lag_in_words(one)}" for name, one in services.items())
        return picture(figure, f"Lines of a log, and how late they came. {told}.")


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _lag_in_words(one: Said) -> str:
    late = [seen - said for said, seen in one if seen is not None]
    if not late:
        return f"none of {len(one)} lines arrived"
    return f"{len(late)} of {len(one)} lines arrived, at most {max(late):.1f} s late"
