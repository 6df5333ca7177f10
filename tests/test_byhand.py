"""The commands that show by hand what a check saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.byhand import RECIPES, commands
from grader.course import Course
from grader.grade import grade
from grader.registry import FACTS, load_checks
from grader.spec import Exercise, Item

Find = Callable[[str, str], tuple[Exercise, Item]]


@pytest.fixture
def find(course: Course) -> Find:
    def look(exercise: str, check: str) -> tuple[Exercise, Item]:
        one = course.exercise(exercise)
        return one, next(item for item in one.items if item.id == check)

    return look


def test_every_recipe_is_of_a_fact_that_exists() -> None:
    load_checks()
    assert RECIPES.keys() - FACTS.keys() == set()


@pytest.mark.parametrize(
    ("exercise", "check", "wanted"),
    [
        ("01-multi-stage/two-stages", "image.size", "docker inspect"),
        ("01-multi-stage/two-stages", "files.absent", "docker export mine | tar -tv"),
        ("01-multi-stage/two-stages", "build.succeeds", "docker build --tag mine ."),
        ("02-security/numeric-user", "runtime.not_root", "docker top mine"),
        ("04-health/truthful-probe", "health.fails_frozen", "docker kill --signal STOP mine"),
        ("04-health/truthful-probe", "health.waits", "--env LOAD_DELAY_S=6"),
        ("03-build-optimization/context", "context.nothing_else", "RUN find /sent"),
        ("09-debugging/graceful-stop", "stop.graceful", "time docker stop mine"),
        ("09-debugging/safe-debug", "debug.loopback", ".HostConfig.PortBindings"),
        ("09-debugging/safe-debug", "debug.serves", "docker compose up"),
        ("03-build-optimization/dont-reinstall", "edit.keeps_dependencies", "mine:2"),
    ],
)
def test_they_show_what_the_check_looks_at(
    find: Find, exercise: str, check: str, wanted: str
) -> None:
    assert wanted in "\n".join(commands(*find(exercise, check), None))


def test_they_give_the_containers_the_limits_of_the_exercise(find: Find) -> None:
    one, item = find("04-health/truthful-probe", "health.healthy")
    run = next(line for line in commands(one, item, None) if line.startswith("docker run"))
    assert f"--memory {one.limits.memory_mb:g}m " in run
    assert f"--pids-limit {one.limits.pids:g} " in run


def test_a_secret_that_is_handed_in_stays_out_of_the_context(find: Find) -> None:
    lines = commands(*find("02-security/no-secret-left", "build.succeeds"), None)
    assert "--secret id=api_key,src=/tmp/key.txt" in lines[1]


def test_what_starts_a_container_removes_it(course: Course) -> None:
    for exercise in (e for lab in course.labs() for e in lab.exercises):
        for item in exercise.items:
            lines = commands(exercise, item, 3)
            stays = [x for x in lines if "docker create" in x or "docker run --detach" in x]
            if stays:
                assert lines[-1].startswith("docker rm"), lines


def test_a_line_to_blame_is_shown_and_a_command_line_exercise_has_none(find: Find) -> None:
    assert commands(*find("01-multi-stage/two-stages", "dockerfile.pinned"), 4) == (
        "sed -n 4p Dockerfile",
    )
    assert commands(*find("02-security/locked-down", "locked.serves"), None) == ()


def test_only_what_is_to_be_repaired_has_them(course: Course, folder: Callable[..., Path]) -> None:
    one = course.exercise("01-multi-stage/two-stages")
    report = grade(one, folder(Dockerfile="FROM python\n"), course=course, static=True)
    found = {r.id: r.evidence.get("by_hand") for r in report.results if r.measurable}
    assert found["dockerfile.pinned"] == ["sed -n 1p Dockerfile"]
    assert found["dockerfile.parses"] is None
