"""How far the learner is, lab by lab, what this machine can run, and what comes next.

It measures nothing and writes nothing down; ``progress`` has the facts, ``frontpage`` shows them on
a page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.fingerprint import fingerprint
from grader.here import Here, look
from grader.progress import Progress, Summary
from grader.spec import Exercise, Lab

LABS_HEADER = ("lab", "title", "points", "passed", "minutes", "runs here")
HEADER = ("exercise", "state", "best", "tries", "hints", "solution")
AGAIN = "`grader check --stale` checks again what was passed before a change."


@dataclass(frozen=True)
class Done:
    """One exercise and what was done of it."""

    exercise: Exercise
    summary: Summary

    @property
    def points(self) -> float:
        """The best so far; never more than there are now."""
        return min(self.summary.best, self.exercise.max_points)

    @property
    def stale(self) -> bool:
        return bool(self.summary.changed)


@dataclass(frozen=True)
class LabDone:
    """One lab; ``runs`` says how much of it can be done on this machine."""

    lab: Lab
    exercises: tuple[Done, ...]
    runs: str
    missing: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        return sum(one.points for one in self.exercises)

    @property
    def max_points(self) -> float:
        return sum(one.exercise.max_points for one in self.exercises)

    @property
    def passed(self) -> int:
        return sum(one.summary.passed for one in self.exercises)

    def left(self) -> list[Done]:
        """What is still to be done here: not what only another machine can measure the rest of."""
        done = ("incomplete",) if self.missing else ()
        todo = [one for one in self.exercises if not one.summary.passed]
        return [one for one in todo if one.summary.last not in done]


@dataclass(frozen=True)
class Standing:
    """All labs, what this machine lacks for some of them, and which exercise was checked last."""

    labs: tuple[LabDone, ...]
    here: Here
    last: str = ""

    @property
    def exercises(self) -> list[Done]:
        return [one for lab in self.labs for one in lab.exercises]

    def next(self) -> Done | None:
        """The first that is left from the last one on, then from the start; whole labs first."""
        partly = {one.exercise.id: bool(lab.missing) for lab in self.labs for one in lab.left()}
        them, names = self.exercises, [one.exercise.id for one in self.exercises]
        at = names.index(self.last) if self.last in names else 0
        left = [one for one in (*them[at:], *them[:at]) if one.exercise.id in partly]
        return min(left, key=lambda one: partly[one.exercise.id], default=None)

    def advice(self) -> str:
        """The one next thing, in words."""
        if one := self.next():
            todo = one.exercise
            begun = "Go on with" if self.last else "Begin with"
            return f"{begun} {todo.id}: {todo.title} (about {todo.minutes} minutes)."
        if all(one.summary.passed for one in self.exercises):
            return "All is passed."
        return "All that this machine can measure is done."

    def again(self) -> list[str]:
        """How to check what was passed before a change, where there is such a thing."""
        return [AGAIN] if any(one.stale for one in self.exercises) else []


def standing(course: Course) -> Standing:
    """Read the record and look at the machine."""
    labs = course.labs()
    here = look(labs)
    checks = [fact.about for fact in Progress.of(course).facts() if fact.kind == "check"]
    last = checks[-1] if checks else ""
    return Standing(tuple(_lab(course, lab, here) for lab in labs), here, last)


def exercises(course: Course, them: Iterable[Exercise]) -> tuple[Done, ...]:
    progress = Progress.of(course)
    return tuple(Done(e, progress.summary(e.id, fingerprint(course, e))) for e in them)


def labs_table(found: Standing) -> str:
    """A line for each lab, and below them why some can't be done in full here."""
    lines = columns([LABS_HEADER, *map(_lab_row, found.labs)])
    return "\n".join([*lines, *(["", *found.here.reasons()] if found.here.missing else [])])


def table(course: Course, them: Iterable[Done]) -> str:
    """A line for each exercise, with the lines of the record that could not be read below."""
    lines = columns([HEADER, *map(_row, them)])
    return "\n".join([*lines, *_broken(Progress.of(course))])


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as aligned lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]


def points_in_words(lab: LabDone) -> str:
    return f"{lab.points:g} of {lab.max_points:g}" if lab.max_points else "none"


def progress_command(merge: Path | None = None, *, as_json: bool = False) -> int:
    """``grader progress [--merge FILE] [--format json]``."""
    course = Course.find()
    if merge is not None:
        new = Progress.of(course).merge(merge)
        print(f"{new} new lines from {merge}.", file=sys.stderr if as_json else sys.stdout)
    found = standing(course)
    if as_json:
        print(json.dumps(_as_dict(found), ensure_ascii=False, indent=2))
        return 0
    advice = "\n".join([found.advice(), *found.again()])
    parts = labs_table(found), table(course, found.exercises), advice
    print("\n\n".join(parts))
    return 0


def _lab(course: Course, lab: Lab, here: Here) -> LabDone:
    them = exercises(course, lab.exercises)
    return LabDone(lab, them, here.verdict(lab), here.lacks(lab))


def _lab_row(lab: LabDone) -> tuple[str, ...]:
    passed = f"{lab.passed} of {len(lab.exercises)}"
    one = lab.lab
    return (one.name, one.title, points_in_words(lab), passed, str(one.minutes), lab.runs)


def _row(one: Done) -> tuple[str, ...]:
    summary = one.summary
    return (
        one.exercise.id,
        summary.state,
        f"{summary.best:g}/{one.exercise.max_points:g}",
        str(summary.tries),
        str(summary.hints),
        "seen" if summary.solution_seen else "",
    )


def _broken(progress: Progress) -> Iterator[str]:
    if broken := progress.broken():
        count = "1 line" if len(broken) == 1 else f"{len(broken)} lines"
        yield from ("", f"{progress.path}: {count} cannot be read; kept as found:")
        yield from (f"  {line[:90]!r}" for line in broken[:5])


def _as_dict(found: Standing) -> dict[str, Any]:
    todo = found.next()
    return {
        "version": 1,
        "missing": dict(found.here.missing),
        "next": todo.exercise.id if todo else None,
        "labs": [_lab_as_dict(lab) for lab in found.labs],
    }


def _lab_as_dict(lab: LabDone) -> dict[str, Any]:
    return {
        "name": lab.lab.name,
        "title": lab.lab.title,
        "minutes": lab.lab.minutes,
        "points": lab.points,
        "max_points": lab.max_points,
        "needs": list(lab.lab.needs),
        "missing": list(lab.missing),
        "exercises": [_exercise_as_dict(one) for one in lab.exercises],
    }


def _exercise_as_dict(one: Done) -> dict[str, Any]:
    summary = one.summary
    return {
        "id": one.exercise.id,
        "title": one.exercise.title,
        "points": one.points,
        "max_points": one.exercise.max_points,
        "state": summary.state.partition(",")[0],
        "changed_by": summary.changed or None,
        "tries": summary.tries,
        "hints": summary.hints,
        "solution_seen": summary.solution_seen,
    }
