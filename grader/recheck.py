"""``grader check --all``: all that the learner has written, checked again, one line each.

Each check is written down as it ends, so that stopping in the middle loses nothing. What a check
says in full is ``grader check``'s to tell.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from grader.course import Course
from grader.fingerprint import fingerprint
from grader.progress import Fingerprint, Progress
from grader.results import Outcome, Report
from grader.spec import Exercise

Grade = Callable[..., Report]
NOTHING = "Nothing to check: you have written nothing yet. `grader start` begins an exercise."
NOT_STALE = "Nothing to check: no pass is older than your files or than what was asked."


@dataclass(frozen=True)
class Task:
    """One exercise to check; ``stale`` where it was passed before a change."""

    exercise: Exercise
    stale: bool


def tasks(course: Course, *, stale: bool = False) -> list[Task]:
    """Every exercise that holds work of the learner's own; what was passed before a change first.

    With ``stale`` there is nothing but those.
    """
    progress = Progress.of(course)
    all_ = (exercise for lab in course.labs() for exercise in lab.exercises)
    now = ((exercise, found) for exercise in all_ if (found := fingerprint(course, exercise)))
    mine = [Task(one, bool(progress.summary(one.id, found).changed)) for one, found in now]
    wanted = [task for task in mine if task.stale or not stale]
    return sorted(wanted, key=lambda task: not task.stale)


def recheck(course: Course, them: Sequence[Task], grade: Grade) -> Iterator[Report]:
    """Check one after the other; each is on record before it is handed out."""
    for task in them:
        exercise = task.exercise
        found: Fingerprint | None = fingerprint(course, exercise)
        report = grade(exercise, course.workplace(exercise), course=course)
        Progress.of(course).record(report, untouched=found is None, fingerprint=found)
        yield report


def line(report: Report, width: int) -> str:
    """Mark, exercise, points, seconds."""
    points = f"{report.points:g}/{report.max_points:g}"
    name = f"{report.lab}/{report.exercise}"
    return f"{outcome(report).mark} {name:<{width}}  {points:>7}  {report.seconds:6.1f} s"


def outcome(report: Report) -> Outcome:
    """The whole report as one outcome; skip is what can't all be measured here."""
    if not report.gradable:
        return Outcome.ERROR
    if any(r.outcome is Outcome.FAIL for r in report.results):
        return Outcome.FAIL
    return Outcome.PASS if report.full_marks else Outcome.SKIP


def exit_status(reports: Sequence[Report]) -> int:
    """As for one exercise: the machine's faults first, then what is to fix."""
    seen = {outcome(report) for report in reports}
    if Outcome.ERROR in seen:
        return 3
    if Outcome.FAIL in seen:
        return 1
    return 3 if Outcome.SKIP in seen else 0


def recheck_command(*, stale: bool = False) -> int:
    """``grader check --all`` and ``grader check --stale``."""
    from grader.grade import grade

    course = Course.find()
    them = tasks(course, stale=stale)
    if not them:
        print(NOT_STALE if stale and tasks(course) else NOTHING)
        return 0
    width = max(len(task.exercise.id) for task in them)
    reports: list[Report] = []
    try:
        _announce(them[0])
        for report in recheck(course, them, grade):
            reports.append(report)
            print(line(report, width), flush=True)
            if len(reports) < len(them):
                _announce(them[len(reports)])
    except KeyboardInterrupt:
        left = len(them) - len(reports)
        print(f"{len(reports)} checked and written down, {left} not checked.", file=sys.stderr)
        raise
    print(*_end(reports), sep="\n")
    return exit_status(reports)


def _announce(task: Task) -> None:
    """On a terminal, what is being checked; the line of its end is written over it."""
    if sys.stdout.isatty():
        print(f"… {task.exercise.id}", end="\r", flush=True)


def _end(reports: Sequence[Report]) -> Iterator[str]:
    left = [report for report in reports if outcome(report) is not Outcome.PASS]
    yield f"{len(reports) - len(left)} of {len(reports)} with full marks."
    if left:
        first = f"{left[0].lab}/{left[0].exercise}"
        yield f"`grader check {first}` says what was seen and what to do."
