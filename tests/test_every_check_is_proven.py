"""Each check is used by some exercise, and most are failed by a wrong answer made for that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader import lint
from grader.course import Course
from grader.lint_files import wrong_answers
from grader.registry import CHECKS, load_checks
from tests.conftest import ROOT

COURSES = (Course(ROOT), Course(ROOT / "tests" / "course"))
load_checks()


def used() -> set[str]:
    return {
        i.check.name for c in COURSES for lab in c.labs() for e in lab.exercises for i in e.items
    }


def failed_by_a_wrong_answer() -> Iterator[str]:
    for course in COURSES:
        for lab in course.labs():
            for name, rows in wrong_answers(course, lab).items():
                ids = {item.id: item.check.name for item in lab[name].items}
                yield from (ids[id_] for id_ in rows.values())


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_some_exercise_uses_it(name: str) -> None:
    assert name in used()


RUNNING = ("limits", "logs", "metrics", "runtime", "stop")


@pytest.mark.parametrize("name", sorted(n for n in CHECKS if n.partition(".")[0] in RUNNING))
def test_a_wrong_answer_fails_it(name: str) -> None:
    assert name in set(failed_by_a_wrong_answer())


def test_the_course_of_checks_is_sound_as_far_as_its_files_tell() -> None:
    assert [str(fault) for fault in lint.lint(COURSES[1], grade=None)] == []
