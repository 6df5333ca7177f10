"""The commands that a learner is given run, one after the other, on the reference answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader import byhand, work
from grader.course import Course
from grader.host.connection import Connection
from grader.spec import Exercise

pytestmark = [pytest.mark.live, pytest.mark.slow]
EXERCISE = "04-health/truthful-probe"
OF_THEIR_OWN = {  # commands that only this exercise's answer can be asked
    "unknown_flavour": "08-advanced-dockerfile/build-args",
    "development": "08-advanced-dockerfile/build-args",
    "targets": "08-advanced-dockerfile/targets",
    "tested": "08-advanced-dockerfile/targets",
    "parent": "08-advanced-dockerfile/onbuild",
    "executed": "09-debugging/graceful-stop",
    "debugged": "09-debugging/safe-debug",
    "published": "09-debugging/safe-debug",
}
EXERCISES = {byhand.RECIPES[fact]: name for fact, name in OF_THEIR_OWN.items()}
FAIL = [byhand.RECIPES[fact] for fact in ("unknown_flavour", "tested")]  # as they are to show
ALL = sorted(set(byhand.RECIPES.values()), key=str)


@pytest.fixture
def exercise(course: Course, recipe: byhand.Recipe) -> Exercise:
    return course.exercise(EXERCISES.get(recipe, EXERCISE))


@pytest.fixture
def folder(course: Course, tmp_path: Path, exercise: Exercise) -> Path:
    """The reference answer with what it is given, as in a learner's folder."""
    one = exercise
    place = tmp_path / "mine"
    work._lay(course, one, place)
    shutil.copytree(course.solution(one), place, dirs_exist_ok=True)
    return place


@pytest.fixture
def name(connection: Connection) -> Iterator[str]:
    """In place of `mine`, which may be somebody's."""
    found = f"mine-{uuid.uuid4().hex[:8]}"
    yield found
    env = {**os.environ, **connection.environment}
    for words in (["rm", "-f", found], ["rmi", "-f", found, f"{found}:2", f"{found}:dev"]):
        subprocess.run([connection.docker, *words], env=env, capture_output=True)


@pytest.mark.parametrize("recipe", ALL, ids=str)
def test_they_run(
    exercise: Exercise, connection: Connection, folder: Path, name: str, recipe: byhand.Recipe
) -> None:
    lines = byhand.lines(exercise, recipe)
    script = "\n".join(re.sub(r"\bmine\b", name, line) for line in lines)
    path = f"{Path(connection.docker).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **connection.environment, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode != 0) == (recipe in FAIL), f"{script}\n{done.stdout}{done.stderr}"
    if byhand.HEALTH in recipe.look:
        sick = any(word in script for word in ("STOP", byhand.NO_MODEL, "--entrypoint sleep"))
        assert ('"unhealthy"' if sick else '"Status"') in done.stdout
