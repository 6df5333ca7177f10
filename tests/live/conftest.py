"""What the live tests share: a small lab with tight limits, engines of their own, a clean end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from grader import labels
from grader.course import Course
from grader.grade import grade
from grader.host.connection import Connection
from grader.results import Report, Result

LAB = """
title = "Small"
summary = "A lab for tests: tight limits, no references."
minutes = 1
images = ["python:3.11-slim"]
[[exercise]]
name = "one"
title = "One"
task = "Serve."
[exercise.limits]
build_seconds = 12
build_memory_mb = 200
build_pids = 64
context_mb = 50
ready_seconds = 4
memory_mb = 100
[[exercise.check]]
use = "dockerfile.parses"
points = 1
[[exercise.check]]
use = "build.succeeds"
points = 2
[[exercise.check]]
use = "service.ready"
points = 3
[[exercise.check]]
use = "runtime.not_root"
points = 4
"""


@pytest.fixture(autouse=True)
def _needs_engine(connection: Connection) -> None:
    """Every test in this folder is a live one."""


@pytest.fixture
def graded(
    small_course: Callable[[str], Course], connection: Connection
) -> Callable[[Path], Report]:
    """Grades a folder in the small lab, on the machine's engine."""
    course = small_course(LAB)

    def run(place: Path) -> Report:
        report = grade(course.exercise("90-small/one"), place, connection, course=course)
        assert leftovers(connection) == []
        return report

    return run


def row(report: Report, id_: str) -> Result:
    return next(r for r in report.results if r.id == id_)


def outcomes(report: Report) -> dict[str, str]:
    return {r.id: r.outcome.value for r in report.results}


def leftovers(connection: Connection) -> list[str]:
    """What carries a run's label of this process, of any kind."""
    api = docker.APIClient(connection.host, version="auto")
    wanted = {"label": labels.RUN}
    try:
        found = [
            *(("container", c.get("Labels")) for c in api.containers(all=True, filters=wanted)),
            *(("image", i.get("Labels")) for i in api.images(filters=wanted)),
            *(("network", n.get("Labels")) for n in api.networks(filters=wanted)),
            *(("volume", v.get("Labels")) for v in api.volumes(filters=wanted)["Volumes"] or ()),
        ]
    finally:
        api.close()
    mine = f"/{os.getpid()}/"
    return [f"{kind} {found[labels.RUN]}" for kind, found in found if mine in found[labels.RUN]]


def copy_image(source: Connection, target: Connection, name: str) -> None:
    """Bring an image from one engine to another."""
    save = subprocess.Popen(
        [source.docker, "save", name],
        env={**os.environ, **source.environment},
        stdout=subprocess.PIPE,
    )
    subprocess.run(
        [target.docker, "load", "--quiet"],
        env={**os.environ, **target.environment},
        stdin=save.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert save.wait() == 0
