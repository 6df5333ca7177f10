"""Every exercise's reference, graded warm: seconds of each exercise and of each check.

A row's seconds count from the start of the grade until its verdict, so what it had to wait for is
in them: that is what a learner waits.
"""

from __future__ import annotations

from collections import defaultdict

from grader.course import Course
from grader.grade import grade
from grader.host.connection import Connection
from grader.spec import Exercise
from tests.bench.clock import p50, p95

ROUNDS = 5
MOST = {"04-health/truthful-probe": 8.0}  # seconds that one warm grade may take; else MOST_ANY
MOST_ANY, MOST_SET = 10.0, 30.0
# One of each kind, as a final project asks for them together.
SET = (
    "01-multi-stage/two-stages",
    "01-multi-stage/train-serve",
    "02-security/numeric-user",
    "02-security/no-secret-left",
    "02-security/locked-down",
    "03-build-optimization/dont-reinstall",
    "04-health/truthful-probe",
    "04-health/live-ready",
    "04-health/kube-probes",
)


def run(course: Course, connection: Connection) -> None:
    """Print both tables; a budget that is not kept is marked."""
    rows: dict[str, list[float]] = defaultdict(list)
    medians: dict[str, float] = {}
    print(f"warm grades of the references, {ROUNDS} times each, in seconds")
    for exercise in (e for lab in course.labs() for e in lab.exercises):
        grade(exercise, course.solution(exercise), connection, course=course)
        times = [_once(course, connection, exercise, rows) for _ in range(ROUNDS)]
        medians[exercise.id] = p50(times)
        most = MOST.get(exercise.id, MOST_ANY)
        note = "" if max(times) <= most else f"  OVER {most:g}"
        print(f"  {exercise.id:44} p50 {p50(times):6.2f}  worst {max(times):6.2f}{note}")
    whole = sum(medians.get(id_, 0) for id_ in SET)
    missing = [id_ for id_ in SET if id_ not in medians]
    note = "" if whole <= MOST_SET else f"  OVER {MOST_SET:g}"
    print(f"  {len(SET) - len(missing)} of them as one set: {whole:.1f}{note}")
    print("each check, until its verdict, in seconds")
    for name, times in sorted(rows.items(), key=lambda row: -p50(row[1])):
        print(f"  {name:44} p50 {p50(times):6.2f}  p95 {p95(times):6.2f}  ({len(times)} times)")


def _once(
    course: Course, connection: Connection, exercise: Exercise, rows: dict[str, list[float]]
) -> float:
    report = grade(exercise, course.solution(exercise), connection, course=course)
    assert report.gradable, report
    for item, result in zip(exercise.items, report.results, strict=True):
        rows[item.check.name].append(result.seconds)
    return report.seconds
