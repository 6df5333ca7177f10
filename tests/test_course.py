"""Finds labs and exercises by name, and says which there are when there is no such one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.course import Course
from grader.errors import SpecError, UsageError

TEXT = """\
title = "Small"
summary = "For tests."
minutes = 5

[[exercise]]
name = "one"
title = "One"
task = "Do it."

[[exercise.check]]
use = "dockerfile.parses"
points = 1

[[exercise]]
name = "two"
title = "Two"
task = "Do it too."

[[exercise.check]]
use = "dockerfile.parses"
points = 1
"""


@pytest.fixture
def small(small_course: Callable[..., Course]) -> Course:
    small_course(TEXT, "91-later")
    return small_course(TEXT)


def test_labs_come_in_the_order_of_their_numbers(small: Course) -> None:
    assert [lab.name for lab in small.labs()] == ["90-small", "91-later"]


def test_a_folder_without_a_number_is_no_lab(small: Course) -> None:
    (small.root / "labs" / "notes").mkdir()
    (small.root / "labs" / "notes" / "lab.toml").write_text("broken")
    assert len(small.labs()) == 2


def test_one_broken_lab_is_told(small: Course) -> None:
    path = small.root / "labs" / "91-later" / "lab.toml"
    path.write_text("title = 1\n")
    with pytest.raises(SpecError, match=str(path)):
        small.labs()


def test_an_exercise_is_found_by_its_id(small: Course) -> None:
    assert small.exercise("90-small/two").title == "Two"
    assert small.exercise("90-small/two/").title == "Two"


UNKNOWN = [
    ("90-small/three", "90-small/one, 90-small/two"),
    ("90-small/", "90-small/one, 90-small/two"),
    ("90-small", "90-small/one, 90-small/two"),
    ("90-small/one/more", "90-small/one, 90-small/two"),
    ("89-none/one", "90-small, 91-later"),
    ("", "90-small, 91-later"),
    ("/", "90-small, 91-later"),
    ("..", "90-small, 91-later"),
    ("../labs/90-small", "90-small, 91-later"),
    ("90-small\x00/one", "90-small, 91-later"),
    ("x" * 5000 + "/one", "90-small, 91-later"),
]


@pytest.mark.parametrize(("name", "known"), UNKNOWN, ids=[n[:20] for n, _ in UNKNOWN])
def test_an_unknown_name_tells_what_there_is(small: Course, name: str, known: str) -> None:
    with pytest.raises(UsageError, match=known):
        small.exercise(name)


def test_where_things_are(small: Course) -> None:
    one = small.exercise("90-small/one")
    assert small.starter(one) == small.root / "labs/90-small/one"
    assert small.solution(one) == small.root / "solutions/90-small/one"
    assert small.workplace(one) == small.root / "work/90-small/one"
    assert small.app == small.root / "labs/app"


def test_the_course_around_the_current_folder_is_found(
    small: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_COURSE", raising=False)
    monkeypatch.chdir(small.root / "labs" / "90-small")
    assert Course.find().root == small.root.resolve()


def test_elsewhere_it_is_the_course_that_the_package_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, course: Course
) -> None:
    monkeypatch.delenv("LAB_COURSE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Course.find().root == course.root


def test_lab_course_names_another_one(small: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_COURSE", str(small.root))
    assert Course.find().root == small.root.resolve()


def test_a_lab_course_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_COURSE", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="LAB_COURSE"):
        Course.find()


def test_the_real_course_loads(course: Course) -> None:
    labs = course.labs()
    assert "01-multi-stage" in [lab.name for lab in labs]
    for lab in labs:
        for exercise in lab.exercises:
            assert exercise.items, exercise.id
