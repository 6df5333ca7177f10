"""What cheats and hostile submissions have in common: grade one case and look at all that it left.

The reader of the cases is the grader's own (``grader.corpus``), so that ``grader selftest`` and the
tests can't drift apart.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker
import pytest

from grader.corpus import Case, cases
from grader.course import Course
from grader.engine import PROBE_IMAGE
from grader.exports import render
from grader.grade import grade
from grader.host.connection import Connection
from grader.results import Outcome, Report
from tests.conftest import ROOT
from tests.live.conftest import leftovers, outcomes

MORE = 2  # tries, where only the machine may have spoilt one
BYSTANDER = {"lab.test": "bystander"}  # somebody else's objects: none of the grader's labels
ROW = re.compile(r"^  [✓✗–!] +\S+  ", re.M)
MOST_MESSAGE, MOST_JSON = 20_000, 500_000  # characters of one message, of a whole report


def parameters(kind: str) -> list[object]:
    """One test a case; what is known not to be found out yet is a strict xfail.

    ``alone`` marks those during which nothing else may be built.
    """
    known = cases(Course(ROOT), kind)
    return [pytest.param(c, id=c.name, marks=_marks(c)) for c in known]


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    marks = [pytest.mark.xfail(reason=case.open, strict=True)] if case.open else []
    return [*marks, *([pytest.mark.alone] if case.alone else [])]


def judge(case: Case, connection: Connection, course: Course) -> None:
    """The whole verdict, in time, told clearly, and nothing left."""
    with case.laid_out() as place:
        report = grade(case.exercise, place, connection, course=course)
        for _ in range(0 if case.open else MORE):
            if not _spoilt(case, report):
                break
            report = grade(case.exercise, place, connection, course=course)
    lacking = {r.id for r in report.results if r.lacks}
    expected = {k: v.value for k, v in case.outcomes.items() if k not in lacking}
    seen = {k: v for k, v in outcomes(report).items() if k not in lacking}
    assert seen == expected, render(report, "text")
    assert any(case.says in r.message for r in report.results), render(report, "text")
    assert report.seconds < case.seconds
    assert leftovers(connection) == []
    told_safely(report)


def _spoilt(case: Case, report: Report) -> bool:
    """Whether only the machine failed, or what is off depends on time, as beside another case."""
    timed = {item.id for item in case.exercise.items if item.check.timed}
    odd = {r.id for r in report.results if r.outcome is not case.outcomes[r.id]}
    return any(r.outcome is Outcome.ERROR for r in report.results) or (bool(odd) and odd <= timed)


def told_safely(report: Report) -> None:
    """No line of a submission's reads as one of the report's own, and none drives a terminal."""
    text = render(report, "text")
    assert all(c == "\n" or c.isprintable() for c in text)
    assert len(ROW.findall(text)) == len(report.results)
    flush_left = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert flush_left[0] == f"{report.lab}/{report.exercise}"
    assert len(flush_left) == 2
    assert flush_left[1].startswith(f"{report.points:g} of {report.max_points:g} points")
    as_json = render(report, "json")
    assert json.loads(as_json)["points"] == report.points
    assert len(as_json) < MOST_JSON
    assert max(len(r.message) for r in report.results) < MOST_MESSAGE


@dataclass(frozen=True)
class Bystanders:
    """Objects of somebody else's on the same engine, which no grading may touch."""

    api: docker.APIClient
    container: str
    volume: str
    network: str

    def look(self) -> dict[str, object]:
        """All of them as they are now; a process keeps its number only while nobody restarts it."""
        state = self.api.inspect_container(self.container)["State"]
        return {
            "container": (state["Running"], state["Pid"], state["StartedAt"]),
            "volume": self.api.inspect_volume(self.volume)["CreatedAt"],
            "network": self.api.inspect_network(self.network)["Id"],
            "base": self.api.inspect_image(PROBE_IMAGE)["Id"],
        }


@contextmanager
def bystanders(connection: Connection) -> Iterator[Bystanders]:
    """Made for a while: a running container, a volume and a network."""
    api = docker.APIClient(connection.host, version="auto")
    volume = api.create_volume(labels=BYSTANDER)["Name"]
    name = f"lab-test-{uuid.uuid4().hex[:8]}"
    network = api.create_network(name, internal=True, labels=BYSTANDER)["Id"]
    config = api.create_host_config(network_mode="none")
    command = ["python", "-c", "import time; time.sleep(3600)"]
    container = api.create_container(
        PROBE_IMAGE, command=command, labels=BYSTANDER, host_config=config
    )["Id"]
    try:
        api.start(container)
        yield Bystanders(api, container, volume, network)
    finally:
        api.remove_container(container, force=True)
        api.remove_network(network)
        api.remove_volume(volume)
        api.close()
