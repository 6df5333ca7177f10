"""Every exercise's reference, graded warm: seconds of each exercise and of each check.

A row's seconds count from the start of the grade until its verdict, so what it had to wait for is
in them: that is what a learner waits.
"""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from grader.course import Course
from grader.grade import grade
from grader.host.connection import Connection
from grader.results import Report
from grader.solver import solved
from grader.spec import Exercise
from tests.bench.clock import p50, p95, seconds

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
    print(f"warm grades of the references, {ROUNDS} times each, in seconds")
    for exercise in (e for lab in course.labs() for e in lab.exercises):
        with solved(course.solution(exercise), connection, course) as folder:
            grade(exercise, folder, connection, course=course)
            them = [grade(exercise, folder, connection, course=course) for _ in range(ROUNDS)]
        times = [_told(exercise, report, rows) for report in them]
        most = MOST.get(exercise.id, MOST_ANY)
        note = "" if max(times) <= most else f"  OVER {most:g}"
        print(f"  {exercise.id:44} p50 {p50(times):6.2f}  worst {max(times):6.2f}{note}")
    _print_set(course, connection)
    print("each check, until its verdict, in seconds")
    for name, times in sorted(rows.items(), key=lambda row: -p50(row[1])):
        print(f"  {name:44} p50 {p50(times):6.2f}  p95 {p95(times):6.2f}  ({len(times)} times)")


def _print_set(course: Course, connection: Connection) -> None:
    """What does not depend on one another runs side by side, in one submission or in several."""
    them = [course.exercise(id_) for id_ in SET]
    wide = (os.cpu_count() or 1) + 1

    def whole() -> None:
        with ThreadPoolExecutor(wide) as pool:
            each = pool.map(lambda e: grade(e, course.solution(e), connection, course=course), them)
            assert all(report.full_marks for report in each)

    took = seconds(whole)
    note = "" if took <= MOST_SET else f"  OVER {MOST_SET:g}"
    print(f"  {len(them)} of them as one set, {wide} side by side: {took:.1f}{note}")


def _told(exercise: Exercise, report: Report, rows: dict[str, list[float]]) -> float:
    assert report.gradable, report
    for item, result in zip(exercise.items, report.results, strict=True):
        rows[item.check.name].append(result.seconds)
    return report.seconds
