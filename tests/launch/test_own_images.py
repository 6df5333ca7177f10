"""We practise what we teach: our own images, graded by our own checks.

The engine's needs rights that no submission gets, so only what can be said of its image is graded
here; how it runs, stops and fails is in test_compose.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from grader.course import Course
from grader.exports import render
from grader.grade import grade
from grader.host.connection import Connection
from tests.conftest import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]
OWN = ROOT / "tests" / "own"
NAMES = [exercise.name for lab in Course(OWN).labs() for exercise in lab.exercises]
DIRT = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


def context(name: str, place: Path) -> Path:
    """What the image's ignore file lets through, and its Dockerfile where a submission has it."""
    ignore = (ROOT / f"images/{name}/Dockerfile.dockerignore").read_text()
    for source in re.findall("^!(.+)$", ignore, re.MULTILINE):
        target = place / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, symlinks=True, ignore=DIRT)
        else:
            shutil.copy(ROOT / source, target)
    shutil.copy(ROOT / f"images/{name}/Dockerfile", place / "Dockerfile")
    return place


@pytest.mark.parametrize("name", NAMES)
def test_an_image_of_ours_gets_full_marks(
    name: str, connection: Connection, tmp_path: Path
) -> None:
    course = Course(OWN)
    exercise = course.exercise(f"95-own/{name}")
    report = grade(exercise, context(name, tmp_path / name), connection, course=course)
    print(render(report, "text"))
    assert report.exit_status == 0, render(report, "text")


def test_every_image_for_a_launcher_is_graded() -> None:
    served = {p.parent.name for p in ROOT.glob("images/*/Dockerfile.dockerignore")}
    assert served == set(NAMES)
