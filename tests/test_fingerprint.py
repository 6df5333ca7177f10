"""The fingerprint of a check: it changes with what can change a verdict, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grader import work
from grader.course import Course
from grader.fingerprint import fingerprint
from grader.progress import Fingerprint
from tests.sample_course import ID, LAB, LAB_TOML, make_course

GATE = LAB_TOML.replace('teaches = ["image.size"]\n', "").replace("points = ", "points = 0 #")
Change = Callable[[Path], object]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    course = make_course(tmp_path)
    folder = work.start(course, course.exercise(ID)).folder
    (folder / "Dockerfile").write_text("FROM mine\n")
    return course


def now(course: Course) -> Fingerprint:
    found = fingerprint(course, course.exercise(ID))
    assert found is not None
    return found


def test_it_is_the_same_each_time_and_everywhere(course: Course, tmp_path: Path) -> None:
    before = now(course)
    elsewhere = make_course(tmp_path / "elsewhere")
    work.start(elsewhere, elsewhere.exercise(ID))
    shutil.copy(course.work / ID / "Dockerfile", elsewhere.work / ID / "Dockerfile")
    assert now(course) == before == now(elsewhere)


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda f: (f / "Dockerfile").write_text("FROM other\n"), True),
        (lambda f: (f / "Dockerfile").chmod(0o755), True),
        (lambda f: (f / "Dockerfile").unlink(), True),
        (lambda f: (f / "Dockerfile").rename(f / "Dockerfile.dev"), True),
        (lambda f: (f / ".dockerignore").write_text("x"), True),
        (lambda f: (f / "link").symlink_to("Dockerfile"), True),
        (lambda f: os.mkfifo(f / "pipe"), True),
        (lambda f: (f / "app/main.py").write_text("given files are laid over it"), False),
        (lambda f: os.utime(f / "Dockerfile", (1, 1)), False),
        (lambda f: (f / ".DS_Store").write_text("junk"), False),
    ],
)
def test_the_learners_files_are_in_one_half(course: Course, change: Change, differs: bool) -> None:
    before = now(course)
    change(course.work / ID)
    after = now(course)
    assert (after.mine != before.mine) is differs
    assert after.asked == before.asked


def replace_in(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        path = root / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


TOML = f"labs/{LAB}/lab.toml"


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (replace_in(TOML, "max_ratio = 0.7", "max_ratio = 0.6"), True),
        (replace_in(TOML, "points = 4", "points = 3"), True),
        (replace_in(TOML, 'needs = ["image.size"]\n', ""), True),
        (replace_in(TOML, "given =", "port = 9000\ngiven ="), True),
        (replace_in(TOML, 'given = ["app", "requirements.txt"]', 'given = ["app"]'), True),
        (replace_in("labs/app/app/main.py", "1", "2"), True),
        (replace_in(TOML, "Which layer is biggest?", "Which is the biggest layer?"), False),
        (replace_in(TOML, "Split the Dockerfile.", "Split it."), False),
        (replace_in(TOML, "minutes = 5", "minutes = 6"), False),
    ],
)
def test_what_is_asked_is_in_the_other_half(course: Course, change: Change, differs: bool) -> None:
    before = now(course)
    change(course.root)
    after = now(course)
    assert (after.asked != before.asked) is differs


@pytest.mark.parametrize("start", [True, False])
def test_an_exercise_without_work_of_ones_own_has_none(tmp_path: Path, start: bool) -> None:
    course = make_course(tmp_path)
    if start:
        work.start(course, course.exercise(ID))
    assert fingerprint(course, course.exercise(ID)) is None


def test_a_gate_has_none_for_there_is_nothing_to_write(course: Course) -> None:
    (course.root / TOML).write_text(GATE)
    assert course.exercise(ID).is_gate
    assert fingerprint(course, course.exercise(ID)) is None
    assert not work.is_untouched(course, course.exercise(ID)), "what it says counts at once"
