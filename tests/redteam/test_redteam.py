"""Every cheat of the corpus gets exactly the verdict that it deserves: no pass that is false."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.corpus import Case, cases
from grader.course import Course
from grader.engine import Engine
from grader.grade import grade
from grader.host.connection import Connection
from grader.references import References
from tests.redteam.judging import judge, parameters

TWENTY = 20  # kinds of cheats that the course promises at least


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("case", parameters("cheat"))
def test_a_cheat_gets_its_whole_verdict(case: Case, connection: Connection, course: Course) -> None:
    judge(case, connection, course)


def test_there_are_enough_of_them_and_each_has_its_story(course: Course) -> None:
    known = cases(course, "cheat")
    assert len(known) >= TWENTY
    assert all(case.story for case in known)
    assert len({case.story for case in known}) == len(known)


@pytest.mark.live
@pytest.mark.parametrize("how", ["FROM {}\n", "FROM python:3.11-slim\nCOPY --from={} / /\n"])
def test_the_courses_own_answer_is_no_base(
    how: str, connection: Connection, course: Course, tmp_path: Path
) -> None:
    """Who shares the engine with the grader can see the reference's name."""
    id_ = "01-multi-stage/two-stages"
    with Engine.open(connection) as engine:
        answer = References(engine, course).image(id_)
    (tmp_path / "Dockerfile").write_text(how.format(answer))
    report = grade(course.exercise(id_), tmp_path, connection, course=course)
    assert report.exit_status == 1
    assert any("course's own" in r.message for r in report.results)
