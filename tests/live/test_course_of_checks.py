"""The checks that no lab uses yet, on a live engine: `tests/course` is a course without a fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader import lint
from grader.course import Course
from grader.grade import grade
from grader.host.connection import Connection
from tests.conftest import ROOT

pytestmark = pytest.mark.live
COURSE = ROOT / "tests" / "course"


def grader(connection: Connection, course: Course) -> lint.Grade:
    return lambda exercise, folder: grade(exercise, folder, connection, course=course, static=False)


def jobs(course: Course, *names: str) -> list[lint.Job]:
    """Some of what the lint would grade, by what it is called there."""
    todo = [job for lab in course.labs() for job in lint.plan(course, lab)]
    return [job for job in todo if job.where in names]


@pytest.mark.slow
def test_references_pass_starters_lose_and_each_wrong_answer_fails_one_check(
    connection: Connection,
) -> None:
    course = Course(COURSE)
    faults = lint.lint(course, grade=grader(connection, course), jobs=2)
    assert [str(fault) for fault in faults] == []


def test_a_wrong_answer_that_fails_another_check_is_noticed(
    connection: Connection, tmp_path: Path
) -> None:
    """Else the test above would prove nothing."""
    shutil.copytree(COURSE, tmp_path / "course")
    course = Course(tmp_path / "course")
    table = course.root / "solutions" / "90-runtime" / "wrong.toml"
    text = table.read_text()
    table.write_text(text.replace('keeps = "runtime.processes"', 'keeps = "runtime.no_zombies"', 1))
    assert table.read_text() != text
    (job,) = jobs(course, "90-runtime/children wrong/keeps")
    (done,) = lint.run([job], grader(connection, course), 1)
    told = " ".join(fault.what for fault in done.faults)
    assert "does not fail runtime.no_zombies" in told
    assert "also fails runtime.processes" in told
    assert not any(fault.machine for fault in done.faults)
