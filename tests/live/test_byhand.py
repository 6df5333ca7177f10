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

pytestmark = [pytest.mark.live, pytest.mark.slow]
EXERCISE = "04-health/truthful-probe"
ALL = sorted(set(byhand.RECIPES.values()), key=str)


@pytest.fixture
def folder(course: Course, tmp_path: Path) -> Path:
    """The reference answer with what it is given, as in a learner's folder."""
    one = course.exercise(EXERCISE)
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
    for words in (["rm", "-f", found], ["rmi", "-f", found, f"{found}:2"]):
        subprocess.run([connection.docker, *words], env=env, capture_output=True)


@pytest.mark.parametrize("recipe", ALL, ids=str)
def test_they_run(
    course: Course, connection: Connection, folder: Path, name: str, recipe: byhand.Recipe
) -> None:
    lines = byhand.lines(course.exercise(EXERCISE), recipe)
    script = "\n".join(re.sub(r"\bmine\b", name, line) for line in lines)
    path = f"{Path(connection.docker).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **connection.environment, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    if byhand.HEALTH in recipe.look:
        sick = any(word in script for word in ("STOP", byhand.NO_MODEL, "--entrypoint sleep"))
        assert ('"unhealthy"' if sick else '"Status"') in done.stdout
