"""We practise what we teach: our own images, graded by our own checks.

The engine's needs rights that no submission gets, so only what can be said of its image is graded
here; how it runs, stops and fails is in test_compose.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from grader.course import Course
from grader.exports import render
from grader.grade import grade
from grader.host.client import docker
from grader.host.connection import Connection
from tests.conftest import ROOT

pytestmark = [pytest.mark.live, pytest.mark.slow]
OWN = ROOT / "tests" / "own"
NAMES = [exercise.name for lab in Course(OWN).labs() for exercise in lab.exercises]
PLANTED = (".env", ".git/config", "work/answer.txt", "grader.txt", "tests/key.pem")
BLOCK = 1 << 20
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


def built(place: Path, connection: Connection) -> str:
    """The image's name: another one with the same content may be in use."""
    name = f"lab-own-test:{secrets.token_hex(6)}"
    how = ["--builder", "default", "--quiet", "--load", "--tag", name]
    command = [*connection.buildx, "build", *how, str(place)]
    env = {**os.environ, **connection.environment}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return name


def holds(image: str, canary: bytes, connection: Connection) -> bool:
    """Whether it stands in any layer, name or setting of the saved image."""
    env = {**os.environ, **connection.environment}
    with subprocess.Popen(
        [connection.docker, "save", image], env=env, stdout=subprocess.PIPE
    ) as saving:
        assert saving.stdout is not None
        found, tail = False, b""
        while block := saving.stdout.read(BLOCK):
            found |= canary in tail + block
            tail = block[-len(canary) :]
    assert saving.returncode == 0
    return found


@pytest.mark.parametrize("name", [*NAMES, "all of it"])
def test_no_secret_beside_the_course_gets_into_an_image(
    name: str, connection: Connection, tmp_path: Path
) -> None:
    """Proven by a canary where people keep keys; an image of all of it shows that it is seen."""
    canary, place = secrets.token_hex(16), tmp_path / "checkout"
    if name in NAMES:
        context(name, place)
        shutil.copy(ROOT / f"images/{name}/Dockerfile.dockerignore", place / ".dockerignore")
    for planted in PLANTED:
        (place / planted).parent.mkdir(parents=True, exist_ok=True)
        (place / planted).write_text(canary)
    if name not in NAMES:
        (place / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY . /all\n")
    image = built(place, connection)
    try:
        assert holds(image, canary.encode(), connection) is (name not in NAMES)
    finally:
        docker(connection, "rmi", image)


def test_every_image_for_a_launcher_is_graded() -> None:
    served = {p.parent.name for p in ROOT.glob("images/*/Dockerfile.dockerignore")}
    assert served == set(NAMES)
