"""Pictures of health: states over time, which probe notices what, and a kubelet at work.

They are drawn from what was measured in the notebook. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grader import cells
from grader.node import Story
from grader.plots.figure import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    RED,
    SKY,
    Axes,
    Picture,
    below,
    canvas,
    inside,
    legend,
    never_raises,
    picture,
    rows,
)
from grader.pods import play

STATES = {"starting": GREY, "healthy": GREEN, "unhealthy": RED}
VERDICTS = {True: ("✓", GREEN), False: ("✗", RED), None: ("?", GREY)}
ROLES = {"startup": SKY, "liveness": PINK, "readiness": BLUE}
LIVES = {"starting": GREY, "up, not ready": ORANGE, "ready": GREEN, "ending": RED}
SHORTEST = 0.06  # share of the width from which on a piece has room for its name
FIRST = 3  # seconds: the first start is no mark
CLOSE = 0.12  # share of the width in which two marks would cover each other
MARKS = {"frozen": "frozen", "loaded": "model loaded", "killed": "killed", "start": "start"}


@never_raises
def health_timeline(events: Sequence[Mapping[str, Any]], *, seconds: float = 0) -> Picture:
    """A row for each container, from the events of `docker events`: start and health_status.

    ``seconds`` is how long was looked on after the last event.
    """
    times = [_time(e) for e in events]
    first, last = min(times, default=0), max(times, default=0) + seconds
    states = _states(events, first, last)
    with canvas(1.0 + 0.5 * len(states)) as (figure, axes):
        for row, pieces in enumerate(states.values()):
            for start, end, state in pieces:
                color = STATES.get(state, GREY)
                axes.barh(row, end - start, left=start, color=color, height=0.62)
                if end - start > SHORTEST * (last - first):
                    inside(axes, (start + end) / 2, row, state, color)
        rows(axes, list(states), max(last - first, 1), "seconds")
        legend(figure, STATES)
        told = (f"{name}: {_in_words(pieces)}" for name, pieces in states.items())
        return picture(figure, f"Health over time. {'. '.join(told)}.")


@never_raises
def truth_table(table: Mapping[str, Mapping[str, str]], truth: Mapping[str, str]) -> Picture:
    """What each probe says in each case, and whether that is so; what is not known yet is open.

    ``table`` maps a probe to {case: what it said}; ``truth`` maps a case to what is right.
    """
    with canvas(1.1 + 0.5 * max(len(table), 1)) as (figure, axes):
        for row, said in enumerate(table.values()):
            for column, (case, right) in enumerate(truth.items()):
                _verdict(axes, column, row, said.get(case), right)
        rows(axes, list(table), len(truth), "")
        axes.set(xlim=(-0.5, len(truth) - 0.5))
        names = [f"{cells.clean(case)}\n(right: {right})" for case, right in truth.items()]
        axes.set_xticks(range(len(truth)), names)
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        return picture(figure, _table_in_words(table, truth))


@never_raises
def kubelet_timeline(of: Path | str | Mapping[str, Story], *, image: str = "") -> Picture:
    """A row for each container's lives, and a mark for each probe that was run.

    ``of`` is a manifest, which is then played with containers of ``image``, or stories that are
    known already. Time is the manifest's own.
    """
    stories = of if isinstance(of, Mapping) else play(Path(of), image)
    longest = max((s.events[-1].at for s in stories.values() if s.events), default=1) or 1
    with canvas(1.6 + 1.1 * len(stories)) as (figure, axes):
        for row, story in enumerate(stories.values()):
            for start, end, life in _lives(story):
                axes.barh(row, end - start, left=start, height=0.26, color=LIVES[life])
            _probes(axes, row, story)
            _marks(axes, row, story, longest)
        rows(axes, list(stories), longest * 1.04, "seconds, by the manifest's clock")
        axes.set_ylim(len(stories) - 0.45, -0.75)
        legend(figure, {**LIVES, **ROLES})
        below(
            figure,
            ["Below each bar its probes, by colour: a dot said yes, a cross said no."],
        )
        told = (f"{name}: {_story_in_words(story)}" for name, story in stories.items())
        return picture(figure, f"Containers under their probes. {'. '.join(told)}.")


# -- health ----------------------------------------------------------------------------------------


def _time(event: Mapping[str, Any]) -> float:
    return float(event.get("timeNano", 0)) / 1e9 or float(event.get("time", 0))


def _states(
    events: Sequence[Mapping[str, Any]], first: float, last: float
) -> dict[str, list[tuple[float, float, str]]]:
    """For each container's name, the pieces (start, end, state) of its time."""
    changes: dict[str, list[tuple[float, str]]] = {}
    for event in sorted(events, key=_time):
        name = ((event.get("Actor") or {}).get("Attributes") or {}).get("name", "?")
        action = str(event.get("Action") or event.get("status") or "")
        if action in ("start", "die"):
            state = "starting" if action == "start" else ""
        elif action.startswith("health_status"):
            state = action.partition(":")[2].strip()
        else:
            continue
        changes.setdefault(str(name), []).append((_time(event) - first, state))
    return {name: _pieces(found, last - first) for name, found in changes.items()}


def _pieces(changes: list[tuple[float, str]], end: float) -> list[tuple[float, float, str]]:
    ends = [at for at, _ in changes[1:]] + [end]
    return [(at, to, state) for (at, state), to in zip(changes, ends, strict=True) if state]


def _in_words(pieces: list[tuple[float, float, str]]) -> str:
    return ", ".join(f"{state} from {start:.1f} s" for start, _, state in pieces) or "nothing"


# -- the table -------------------------------------------------------------------------------------


def _verdict(axes: Axes, x: float, y: float, said: str | None, right: str) -> None:
    good = None if said is None else said == right
    sign, color = VERDICTS[good]
    text = "?" if said is None else f"{sign} {said}"
    axes.text(x, y, text, ha="center", va="center", color=color, weight="bold", fontsize=10)


def _table_in_words(table: Mapping[str, Mapping[str, str]], truth: Mapping[str, str]) -> str:
    told = []
    for name, said in table.items():
        wrong = [
            f"{case} ({said[case]})" for case in truth if case in said and said[case] != truth[case]
        ]
        known = sum(case in said for case in truth)
        fault = f"wrong for {', '.join(wrong)}" if wrong else "right"
        told.append(
            f"{name}: {fault} ({known} of {len(truth)} known)" if known else f"{name}: open"
        )
    return f"What each probe says. {'. '.join(told)}."


# -- the kubelet -----------------------------------------------------------------------------------


def _lives(story: Story) -> list[tuple[float, float, str]]:
    """What the container was: starting until something listens, then up, then ready."""
    becomes = {"start": "starting", "listening": "up, not ready", "ready": "ready"}
    becomes |= {"unready": "up, not ready", "killed": "ending", "end": ""}
    found = [(e.at, becomes[e.what]) for e in story.events if e.what in becomes]
    end = story.events[-1].at if story.events else 0
    return _pieces(found, end) if found else []


def _probes(axes: Axes, row: int, story: Story) -> None:
    for at, (role, color) in enumerate(ROLES.items()):
        height = row + 0.2 + 0.09 * at
        for what, marker in (("yes", "o"), ("no", "x")):
            times = [e.at for e in story.events if e.what == what and e.role == role]
            axes.plot(times, [height] * len(times), marker, color=color, markersize=4)


def _marks(axes: Axes, row: int, story: Story, longest: float) -> None:
    """What happened, above its moment; a text that would cover the one before stands higher."""
    before, height = -longest, 0.0
    for event in (e for e in story.events if e.what in MARKS and e.at > FIRST):
        text = MARKS[event.what] + (f" by {event.role}" if event.role else "")
        height = (height + 0.13) % 0.39 if event.at - before < CLOSE * longest else 0.0
        before = event.at
        top = row - 0.2 - height
        axes.plot([event.at, event.at], [top, row + 0.14], color=INK, linewidth=1)
        axes.text(event.at, top, text, ha="center", va="bottom", color=INK, fontsize=8)


def _story_in_words(story: Story) -> str:
    told = [
        f"{MARKS[e.what]} at {e.at:.0f} s" for e in story.events if e.what in MARKS and e.at > 0
    ]
    ready = story.first("ready")
    told.append(f"ready after {ready:.0f} s" if ready is not None else "never ready")
    return f"{', '.join(told)}, {story.restarts} restarts"
