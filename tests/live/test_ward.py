"""Each of the seven illnesses shows on this engine, and the reference's program finds it out."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from secrets import token_hex

import pytest

from grader import labels, patients, ward
from grader.clock import moment
from grader.course import Course
from grader.engine import Engine
from grader.host.connection import Connection
from tests.conftest import wait_until

pytestmark = pytest.mark.live


@pytest.fixture
def engine(connection: Connection) -> Iterator[Engine]:
    with Engine.open(connection) as opened:
        yield opened


def test_each_illness_is_seen_and_found_out(engine: Engine, course: Course) -> None:
    image = ward._image(engine, course)
    made = {c: ward._admitted(engine, image, "test", c) for c in ward.FAULTS}
    shown = {c: ward._shown(engine, container, c) for c, container in made.items()}
    solver = course.root / "solutions" / ward.EXERCISE / "solve.py"
    names = [one.name for one in shown.values()]
    environment = {**os.environ, **engine.connection.environment}
    said = subprocess.run(
        [sys.executable, str(solver), *names], env=environment, capture_output=True, text=True
    )
    found = tomllib.loads(said.stdout)
    for cause, one in shown.items():
        assert one.ails, one
        assert found[one.name] == {"cause": cause, "evidence": one.ails.evidence}, said.stderr
        assert not one.touched


def test_one_that_was_started_again_is_known_by_its_times(
    engine: Engine, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = ward._admitted(engine, ward._image(engine, course), "test", "wrong-folder")
    assert not patients.patient_of(engine, container).touched
    monkeypatch.setattr(patients, "SOON", 0.5)
    wait_until(lambda: _age(engine, container) > 1)
    assert engine.start(container) == ""
    assert patients.patient_of(engine, container).touched


def _age(engine: Engine, container: str) -> float:
    return time.time() - moment(engine.inspect(container)["Created"])


def test_a_wards_containers_and_volumes_go_together(engine: Engine, course: Course) -> None:
    name = token_hex(4)
    ward._admitted(engine, ward._image(engine, course), name, "hidden-model")
    kind = f"{patients.KIND}-{name}"

    def left() -> list[str]:
        volumes = engine.api.volumes(filters={"label": f"{labels.KIND}={kind}"})["Volumes"] or []
        mine = [v["Name"] for v in volumes if v["Labels"][labels.RUN] == engine.run]
        return [*mine, *(id_ for id_, _, value in engine.labelled(labels.KIND) if value == kind)]

    assert len(left()) == 3
    engine.clear(kind)
    assert left() == []
