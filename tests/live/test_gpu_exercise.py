"""The gpu exercise on an engine without any GPU: the request is graded, the rest is not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.course import Course
from grader.engine import PROBE_IMAGE
from grader.grade import grade
from grader.host import engine
from grader.host.connection import Connection
from grader.host.home import Home
from grader.results import Outcome
from tests.live.conftest import copy_image, outcomes

pytestmark = pytest.mark.live
NEED_ONE = {"gpu.visible", "gpu.used"}


def test_without_a_gpu_it_is_graded_by_what_it_asks_for(
    connection: Connection,
    course: Course,
    spare_home: Callable[[Path], Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Home(Path("/tmp") / f"labnone{os.getpid()}")
    monkeypatch.setenv("LAB_GPU", "none")
    try:
        without = spare_home(place.root)
        copy_image(connection, without, PROBE_IMAGE)
        one = course.exercise("06-performance/gpu")
        report = grade(one, course.solution(one), without, course=course)
        left_out = [r for r in report.results if r.lacks == "gpu"]
        assert {r.id for r in left_out} == NEED_ONE
        assert all(r.message.startswith("Not measured here") for r in left_out)
        rest = {id_: o for id_, o in outcomes(report).items() if id_ not in NEED_ONE}
        assert set(rest.values()) == {Outcome.PASS.value}
        assert report.max_points == one.max_points - sum(r.max_points for r in left_out)
        assert (report.points, report.gradable) == (report.max_points, True)
        assert report.engine["gpu"] == "none"
    finally:
        engine.stop(place)
        shutil.rmtree(place.root, ignore_errors=True)
