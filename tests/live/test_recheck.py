"""`grader check --all` for real: in a process of its own, on a workplace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader import work
from grader.course import Course
from grader.host.connection import Connection
from grader.progress import Progress
from tests.conftest import ROOT

pytestmark = pytest.mark.live
QUICK, BUILT = "03-build-optimization/context", "03-build-optimization/first-line"


@pytest.fixture
def begun(tmp_path: Path, connection: Connection) -> Course:
    """The real course with a workplace of its own, where two exercises are solved."""
    for name in ("grader", "images", "labs", "solutions"):
        (tmp_path / name).symlink_to(ROOT / name)
    course = Course(tmp_path)
    for id_ in (QUICK, BUILT):
        exercise = course.exercise(id_)
        folder = work.start(course, exercise).folder
        shutil.copytree(course.solution(exercise), folder, dirs_exist_ok=True)
    return course


def check_all(course: Course) -> subprocess.Popen[str]:
    # Where the tests are a background job, SIGINT is ignored from the start, unless reset.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "grader"]
    return subprocess.Popen(
        [*command, "check", "--all"],
        env={**os.environ, "LAB_COURSE": str(course.root), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def verdicts(course: Course) -> dict[str, list[str]]:
    progress = Progress.of(course)
    return {id_: [t.verdict for t in progress.tries(id_)] for id_ in (QUICK, BUILT)}


def test_all_that_was_begun_is_checked(begun: Course) -> None:
    out, err = check_all(begun).communicate(timeout=300)
    assert err == ""
    marks = [line.split()[:3] for line in out.splitlines()]
    assert marks[:2] == [["✓", QUICK, "9/9"], ["✓", BUILT, "5/5"]]
    assert verdicts(begun) == {QUICK: ["pass"], BUILT: ["pass"]}


def test_ctrl_c_keeps_what_was_checked_by_then(begun: Course) -> None:
    running = check_all(begun)
    assert running.stdout is not None
    assert running.stdout.readline().startswith(f"✓ {QUICK}")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "1 checked and written down, 1 not checked." in err
    assert "Traceback" not in err
    assert verdicts(begun) == {QUICK: ["pass"], BUILT: []}
