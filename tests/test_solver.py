"""Answers that are drawn anew each time are found by a program, in the lint only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grader import solver
from grader.errors import SpecError
from grader.host.connection import Connection

HERE = Connection("unix:///x", "given", {"WARD": "yes"}, (), "docker", local=True)


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(_: object) -> Iterator[None]:
        yield None

    monkeypatch.setattr("grader.solver.Engine.open", opened)
    monkeypatch.setattr(solver, "admit", lambda *_: ("calm_bell", "old_fox"))


def laid(folder: Path) -> dict[str, str]:
    course: Any = None
    with solver.solved(folder, HERE, course) as place:
        return {p.name: p.read_text() for p in place.iterdir()}


def test_a_folder_without_one_is_graded_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\n")
    assert laid(tmp_path) == {"Dockerfile": "FROM x\n"}


def test_what_it_prints_is_handed_in_and_it_is_not(tmp_path: Path) -> None:
    lines = "import os, sys; print(sys.argv[1:], os.environ['WARD'])"
    (tmp_path / solver.SOLVER).write_text(lines)
    assert laid(tmp_path) == {"answers.toml": "['calm_bell', 'old_fox'] yes\n"}


def test_one_that_fails_is_the_courses_fault(tmp_path: Path) -> None:
    (tmp_path / solver.SOLVER).write_text("raise SystemExit('no such patient')")
    with pytest.raises(SpecError, match="no such patient"):
        laid(tmp_path)
    assert sys.executable
