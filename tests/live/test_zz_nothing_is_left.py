"""Runs last: what the tests made in the engine is gone again."""

from __future__ import annotations

import os

import pytest

from grader.engine import Engine
from grader.host import processes
from grader.host.connection import Connection
from tests.live.conftest import leftovers

pytestmark = pytest.mark.live


def test_no_object_with_a_label_of_these_tests_is_left(connection: Connection) -> None:
    with Engine.open(connection) as engine:
        engine.create("python:3.11-slim", command=["python"])
        assert leftovers(connection) != []  # it would be seen
    assert leftovers(connection) == []


def test_no_build_of_these_tests_still_runs() -> None:
    mine = f"lab.run={os.uname().nodename}/{os.getpid()}/"
    lines = [processes.command_line(pid) for pid in processes.pids()]
    assert [words for words in lines if any(word.startswith(mine) for word in words)] == []
