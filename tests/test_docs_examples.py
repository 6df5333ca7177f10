"""The author's guide: its examples are whole, and the course's own tools take them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from grader import corpus, lint, opinion, registry, sync
from grader.checks import image
from grader.course import Course
from grader.results import Outcome
from tests.conftest import ROOT
from tests.docs import examples

LAB, EXERCISE = "12-layers", "12-layers/thrown-away"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course that consists of what the guide shows."""
    made = author_course(tmp_path / "course")
    monkeypatch.setenv("LAB_COURSE", str(made.root))
    return made


def author_course(root: Path) -> Course:
    (root / "grader").mkdir(parents=True)
    for path, text in examples().items():
        if path.startswith(("labs/", "solutions/", "images/", "tests/redteam/")):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    return Course(root)


def test_the_lint_has_nothing_to_say_of_the_lab(course: Course) -> None:
    assert sync.sync_command([LAB]) == 0
    assert [str(fault) for fault in lint.lint(course, grade=None)] == []


def test_the_lint_would_say_something_of_a_lab_without_its_answer(course: Course) -> None:
    sync.sync_command([LAB])
    (course.root / f"solutions/{EXERCISE}/Dockerfile").unlink()
    assert lint.lint(course, grade=None)


def test_the_lab_teaches_what_its_wrong_answer_fails(course: Course) -> None:
    exercise = course.exercise(EXERCISE)
    assert exercise.teaches == ("layers.reclaimable",)
    assert exercise.max_points == 4


def test_the_cheat_is_read_with_each_row_of_the_exercise(course: Course) -> None:
    (case,) = corpus.cases(course, "cheat")
    assert case.exercise.id == EXERCISE
    assert case.outcomes["layers.reclaimable"] is Outcome.FAIL
    with case.laid_out() as place:
        assert [path.name for path in place.iterdir()] == ["Dockerfile"]


@pytest.fixture
def versioned(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The check and its table of cases, as if they stood in their modules."""
    monkeypatch.setattr(registry, "CHECKS", {})
    space = {**vars(image), "pytest": pytest, "Outcome": Outcome}
    exec(examples()["grader/checks/image.py"], space)
    exec(examples()["tests/checks/test_image.py"], space)
    return {**space, "CHECKS": dict(registry.CHECKS)}


def test_the_check_is_registered_with_its_title_and_its_setting(versioned: dict[str, Any]) -> None:
    found = versioned["CHECKS"]["image.versioned"]
    assert found.facts == ("image",)
    assert "org.opencontainers.image.version" in found.title(found.bind({}))


def test_the_checks_own_table_of_cases_is_green(versioned: dict[str, Any]) -> None:
    for case in versioned["VERSIONS"]:
        versioned["test_the_version"](*case)


@pytest.mark.parametrize("always", [Outcome.PASS, Outcome.FAIL])
def test_the_checks_own_table_notices_a_broken_check(
    versioned: dict[str, Any], always: Outcome
) -> None:
    result = image.passed() if always is Outcome.PASS else image.failed("no")
    versioned["test_the_version"].__globals__["versioned"] = lambda _: result
    red = 0
    for case in versioned["VERSIONS"]:
        try:
            versioned["test_the_version"](*case)
        except AssertionError:
            red += 1
    assert red


def test_hadolint_is_content_with_the_authors_image() -> None:
    program = opinion._program()
    if not program:
        pytest.skip("no hadolint here")
    text = examples()["images/greeting/Dockerfile"]
    done = subprocess.run([program, "-"], input=text, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_has_its_readme() -> None:
    said = examples()["images/greeting/README.md"]
    assert all(f"**{word}.**" in said for word in ("What", "Why", "Size"))
