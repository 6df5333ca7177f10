"""Runs the commands that the docs show and that need an engine, and the author's examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader import corpus
from grader.grade import grade
from grader.host import client
from grader.host.connection import Connection
from tests.conftest import ROOT
from tests.docs import LIVE, examples
from tests.live.conftest import outcomes
from tests.test_docs_examples import LAB, author_course

pytestmark = [pytest.mark.live, pytest.mark.slow]
AUTHORS = [command for command in LIVE if LAB in command]
LEARNERS = [command for command in LIVE if command not in AUTHORS]


def run(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", *command.split()]
    env = {**os.environ, "LAB_COURSE": str(place), "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, capture_output=True, text=True, cwd=place, env=env, timeout=600)


@pytest.mark.parametrize("command", LEARNERS)
def test_a_learners_command_does_what_it_says(command: str, tmp_path: Path) -> None:
    for name in ("grader", "images", "labs", "solutions", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    run("grader start 01-multi-stage/two-stages", tmp_path)
    done = run(command, tmp_path)
    assert done.returncode == LIVE[command], done.stdout + done.stderr
    assert done.stderr == ""


def test_the_authors_lab_is_made_and_proven(tmp_path: Path) -> None:
    course = author_course(tmp_path / "course")
    for command in AUTHORS:
        done = run(command, course.root)
        assert done.returncode == LIVE[command], done.stdout + done.stderr


def test_the_authors_cheat_gets_the_verdict_that_is_written_down(
    tmp_path: Path, connection: Connection
) -> None:
    course = author_course(tmp_path / "course")
    (case,) = corpus.cases(course, "cheat")
    with case.laid_out() as place:
        report = grade(case.exercise, place, connection, course=course)
    assert outcomes(report) == {id_: one.value for id_, one in case.outcomes.items()}


def test_the_authors_image_builds_and_says_hello(tmp_path: Path, connection: Connection) -> None:
    (tmp_path / "Dockerfile").write_text(examples()["images/greeting/Dockerfile"])
    tag = f"greeting-{os.getpid()}"
    client.docker(connection, "build", "--quiet", "--tag", tag, str(tmp_path))
    try:
        said = client.docker(connection, "run", "--rm", "--network", "none", tag)
        assert said.stdout == "hello\n"
    finally:
        client.docker(connection, "rmi", tag)
