"""Hostile submissions: nothing hangs, fills the disk, leaks, gets out or is left behind.

The limits of each case are lowered, so that what meets them takes seconds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.corpus import Case, cases
from grader.course import Course
from grader.host.connection import Connection
from grader.results import Outcome
from tests.redteam.judging import Bystanders, bystanders, judge, parameters

THIRTY = 30  # kinds that the course promises at least
# Bytes of the disk that may be gone after a case: less than any of the huge ones asks for, and more
# than others on the same machine take meanwhile.
HARMLESS = 2_500_000_000


@pytest.fixture(scope="module")
def others(connection: Connection) -> Iterator[Bystanders]:
    with bystanders(connection) as made:
        yield made


@pytest.mark.live
@pytest.mark.slow
@pytest.mark.parametrize("case", parameters("hostile"))
def test_a_hostile_submission_harms_nothing_and_gets_its_verdict(
    case: Case, connection: Connection, course: Course, others: Bystanders
) -> None:
    before, free = others.look(), shutil.disk_usage("/").free
    judge(case, connection, course)
    assert others.look() == before
    assert free - shutil.disk_usage("/").free < HARMLESS
    assert not Path("/lab-was-here").exists()


def test_there_are_enough_of_them_and_none_gets_full_marks(course: Course) -> None:
    known = cases(course, "hostile")
    assert len(known) >= THIRTY
    for case in known:
        assert set(case.outcomes.values()) != {Outcome.PASS}, case.name
        assert Outcome.ERROR not in case.outcomes.values(), case.name
